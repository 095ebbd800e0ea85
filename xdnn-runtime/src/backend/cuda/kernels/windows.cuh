// What windows make of the results of a convolution, where those are computed.

// write(v, tap, i) for the largest v of each 2×2 places and its number among them, where `i` is the element of what is pooled; otherwise as
// `store`. Rows are places in the order of windows, so that those of a window are in lanes of one warp.
template <int I, int J, class Index, class Finish, class Write>
__device__ inline void store_pooled(const float (&acc)[I][J][4], int top, int side, int rows, int columns, int plane, Index index,
                                    Finish finish, Write write, unsigned* signs) {
  const int lane = threadIdx.x % 32, tap = lane / 4 % 4, own = lane % 4 * 2;  // the first of eight columns that is this lane's
#pragma unroll
  for (int i = 0; i < I; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = top + i * 16 + half * 8 + lane / 4;
      const auto element = index(row);
      const int n = row / plane, windows = plane / 4, window = row % plane / 4;
#pragma unroll
      for (int pair = 0; pair < J / 2; ++pair) {
        const int start = side + pair * 16;
        const bool inside = row < rows && start < columns;
        const unsigned from = inside ? element(start) : 0u;
        // The first channel of the window.
        const unsigned to = (unsigned)((n * (columns / CHANNELS) + start / CHANNELS) * windows + window) * CHANNELS;
        unsigned bits = 0;
#pragma unroll
        for (int j = 0; j < 2; ++j)
#pragma unroll
          for (int r = 0; r < 2; ++r) {
            const int column = j * 8 + own + r;
            const float v = inside ? finish(acc[i][pair * 2 + j][half * 2 + r], from + column) : 0.f;
            bits |= (unsigned)(v > 0.f) << (j * 8 + r);
            float most = max_or_nan(v, __shfl_xor_sync(0xffffffffu, v, 4));
            most = max_or_nan(most, __shfl_xor_sync(0xffffffffu, most, 8));
            // The lanes of the window that have it; the first one is number 0.
            const unsigned have = __ballot_sync(0xffffffffu, v == most || v != v) >> (lane - tap * 4) & 0x1111u;
            if (inside && tap == 0) write(most, (unsigned)__ffs(have) / 4, to + column);
          }
        __syncwarp();  // so that the compiler does not hold all of them in registers
        if (signs) put_signs(signs, bits, own, inside, from / CHANNELS);
      }
    }
}

// The results of a tile in shared memory, with a gap so that a warp writes to 32 banks.
template <int COLUMNS>
using Results = float (*)[COLUMNS + 8];

// Puts finish(v, i) with i = index(row)(channel) of what a warp has computed, from `row` and `column` of the tile on, where windows read it.
template <int COLUMNS, int I, int J, Kind KIND, class Index, class Finish>
__device__ inline void keep(const float (&acc)[I][J][4], Results<COLUMNS> results, int row, int column, int side, int columns,
                            const Places<KIND>& places, Index index, Finish finish) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < I; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int at = row + i * 16 + half * 8 + lane / 4, of_all = blockIdx.x * ROWS + at;
      int n, y, x;
      const bool there = places.find(of_all, n, y, x);
      const auto element = index(of_all);
#pragma unroll
      for (int j = 0; j < J; ++j) {
        const int to = column + j * 8 + lane % 4 * 2;
        if (!there || side + to >= columns) continue;
        const unsigned first = element(side + to);
        const float* v = &acc[i][j][half * 2];
        *reinterpret_cast<float2*>(&results[at][to]) = make_float2(finish(v[0], first), finish(v[1], first + 1));
      }
    }
}

// The signs of what `keep` has put there, each written by the last of the patches that have it.
template <int COLUMNS, Kind KIND, class Index>
__device__ inline void store_signs(Results<COLUMNS> results, int side, int columns, const Places<KIND>& places, Index index,
                                   unsigned* signs) {
  const Axis &down = places.windows.down, &across = places.windows.across;
  const int height = blockIdx.x / across.count % down.count == down.count - 1 ? down.patch : down.step;
  const int width = blockIdx.x % across.count == across.count - 1 ? across.patch : across.step;
  const int lane = threadIdx.x % 32, column = threadIdx.x % COLUMNS;
  for (int i = threadIdx.x / COLUMNS; i < height * width; i += BLOCKED_THREADS / COLUMNS) {
    const int at = i / width * across.patch + i % width, row = blockIdx.x * ROWS + at;
    const unsigned bits = __ballot_sync(0xffffffffu, results[at][column] > 0.f) >> lane;
    int n, y, x;
    if (lane % CHANNELS == 0 && side + column < columns && places.find(row, n, y, x))
      reinterpret_cast<unsigned short*>(signs)[index(row)(side + column) / CHANNELS] = (unsigned short)bits;
  }
}

// visit(y, x, at, tap) for each window that holds an element, the one at (y, x), number `at` of the patch from (top, left) on. The element is
// counted from the padding on.
template <class Visit>
__device__ inline void each_window(int y, int x, const Windows& windows, int height, int width, int top, int left, Visit visit) {
  const Axis &down = windows.down, &across = windows.across;
  auto first = [](int at, const Axis& axis) { return at < axis.kernel ? 0 : (at - axis.kernel) / axis.stride + 1; };
  for (int from_y = first(y, down); from_y <= min(y / down.stride, height - 1); ++from_y)
    for (int from_x = first(x, across); from_x <= min(x / across.stride, width - 1); ++from_x) {
      const int tap = (y - from_y * down.stride) * across.kernel + x - from_x * across.stride;
      visit(from_y, from_x, (from_y - top) * across.patch + from_x - left, tap);
    }
}

// What windows make of what `keep` has put there: of WINDOWS write(v, tap, i) for the largest v of each and its number, −1 where there is nothing
// but padding; of SCATTERED write(v, i) for the sum v of those whose winner(window) is the element i.
template <int COLUMNS, Kind KIND, class Write, class Winner>
__device__ inline void store_windows(Results<COLUMNS> results, const Convolution& c, const Windows& windows, int side, Write write,
                                     Winner winner) {
  const Axis &down = windows.down, &across = windows.across;
  const int patch_y = blockIdx.x / across.count % down.count, patch_x = blockIdx.x % across.count;
  const int top = patch_start<KIND>(down, patch_y), left = patch_start<KIND>(across, patch_x);
  const int start_y = written_start<KIND>(down, patch_y), height = written_start<KIND>(down, patch_y + 1) - start_y;
  const int start_x = written_start<KIND>(across, patch_x), width = written_start<KIND>(across, patch_x + 1) - start_x;
  const int column = threadIdx.x % COLUMNS, channel = side + column;
  if (channel >= c.to_channels) return;
  const unsigned plane = blockIdx.x / (down.count * across.count) * (c.to_channels / CHANNELS) + channel / CHANNELS;
  for (int i = threadIdx.x / COLUMNS; i < height * width; i += BLOCKED_THREADS / COLUMNS) {
    const int y = start_y + i / width, x = start_x + i % width;
    const unsigned to = ((plane * down.size + y) * across.size + x) * CHANNELS + channel % CHANNELS;
    if constexpr (KIND == WINDOWS) {
      float best = 0.f;
      int tap = -1;
      for (int ty = 0; ty < down.kernel; ++ty)
        for (int tx = 0; tx < across.kernel; ++tx) {
          const int from_y = y * down.stride - down.padding + ty, from_x = x * across.stride - across.padding + tx;
          if ((unsigned)from_y >= (unsigned)c.to_height || (unsigned)from_x >= (unsigned)c.to_width) continue;
          const float v = results[(from_y - top) * across.patch + from_x - left][column];
          if (tap < 0 || beats(v, best)) best = v, tap = ty * across.kernel + tx;
        }
      write(best, tap, to);
    } else {
      float sum = 0.f;
      each_window(y + down.padding, x + across.padding, windows, c.to_height, c.to_width, top, left, [&](int from_y, int from_x, int at, int tap) {
        const unsigned from = ((plane * c.to_height + from_y) * c.to_width + from_x) * CHANNELS + channel % CHANNELS;
        if (winner(from) == tap) sum += results[at][column];
      });
      write(sum, to);
    }
  }
}

// Of FOLDED, put(write, finish(v, i), i) for the sum v of what the windows that hold the element i add to it.
template <int COLUMNS, class Finish, class Write>
__device__ inline void store_folded(Results<COLUMNS> results, const Convolution& c, const Windows& windows, Finish finish, Write write) {
  const Axis &down = windows.down, &across = windows.across;
  const int patch_y = blockIdx.x / across.count % down.count, patch_x = blockIdx.x % across.count;
  const int top = patch_start<FOLDED>(down, patch_y), left = patch_start<FOLDED>(across, patch_x);
  const int start_y = written_start<FOLDED>(down, patch_y), height = written_start<FOLDED>(down, patch_y + 1) - start_y;
  const int start_x = written_start<FOLDED>(across, patch_x), width = written_start<FOLDED>(across, patch_x + 1) - start_x;
  const int n = blockIdx.x / (down.count * across.count), taps = down.kernel * across.kernel;
  const int first = blockIdx.y * (COLUMNS / taps), channels = min(COLUMNS / taps, c.channels - first);
  for (int i = threadIdx.x; i < channels * height * width; i += BLOCKED_THREADS) {
    const int channel = i / (height * width), y = start_y + i / width % height, x = start_x + i % width;
    const unsigned to = ((unsigned)(n * c.channels + first + channel) * down.size + y) * across.size + x;
    float sum = 0.f;
    each_window(y + down.padding, x + across.padding, windows, c.to_height, c.to_width, top, left,
                [&](int, int, int at, int tap) { sum += results[at][channel * taps + tap]; });
    put(write, finish(sum, to), to);
  }
}
