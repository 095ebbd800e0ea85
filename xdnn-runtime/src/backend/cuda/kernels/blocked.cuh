// Convolutions to and from values whose channels are in blocks of 16, and their input gradients.

// What such a convolution reads, `from`, and writes, `to`: (samples, blocks, height, width, 16), but one of them may be
// (samples, channels, height, width); a `to` of one place has any number of channels. Kernels are
// (⌈taps · channels of `from` / 16⌉, channels of `to`, 16 taps and channels of `from`).
struct Convolution {
  int samples, from_blocks, from_height, from_width, to_channels, to_height, to_width;
  int kernel_height, kernel_width, stride_height, stride_width, padding_height, padding_width;
  int dilation_height, dilation_width;
  int splits;    // blocks that share the sums of a tile
  int channels;  // of an image that is read or folded, whose channels are not in blocks; otherwise 0
};

const int CHANNELS = 16;
const int ROWS = 128;      // places of a tile
const int STAGES = 4;      // steps whose operands are in shared memory or on the way
const int BLOCKED_THREADS = 256;
const int QUADS = CHANNELS / 4;
const int EACH = BLOCKED_THREADS / QUADS;  // rows of which threads fetch a quad each
const unsigned OUTSIDE = ~0u;              // where what is not there is

// Where the four numbers of a quad are in the part of a tile that is multiplied in a step: rows of 16 numbers, whose quads change places so
// that neighbouring rows are in different banks. Tensor cores know this as the swizzle of 64 bytes.
__device__ inline int quad_at(int row, int quad) { return row * CHANNELS + (quad ^ row / 2 % QUADS) * 4; }

// How the warps of a block share a tile of results: each has those of I·16 rows and J·8 columns. In warpgroups each has 16 whole rows.
template <bool GROUPED, int COLUMNS>
struct Warps {
  static const int ACROSS = GROUPED ? 1 : COLUMNS / 32, I = ACROSS, J = COLUMNS / 8 / ACROSS;

  static __device__ int row() { return threadIdx.x / 32 / ACROSS * (I * 16); }
  static __device__ int column() { return threadIdx.x / 32 % ACROSS * (J * 8); }
};

// Starts acc += a·bᵀ as a group of products, where a lane reads quad q of its first row of a at at[q], and `right` describes b. The numbers of
// a, rounded, stay in registers until the products are finished.
template <int J>
__device__ inline void start_rows(float (&acc)[1][J][4], unsigned (&a)[2][4], const float* left, const int (&at)[QUADS],
                                  unsigned long long right) {
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int r = 0; r < 4; ++r) a[half][r] = tf32(left[at[half * 2 + r / 2] + r % 2 * 8 * CHANNELS]);
  open_products(a);
#pragma unroll
  for (int half = 0; half < 2; ++half) start_product(acc[0], a[half], right + half * 2);
  close_products();
}

// acc += a·bᵀ for the results of a warp, where a and b have a row of 16 numbers for each of its rows and columns. Lanes read quads, so that
// the numbers are summed up in another order, the same on both sides.
template <Precision PRECISION, int I, int J>
__device__ inline void multiply_rows(float (&acc)[I][J][4], const float* left, int row, const float* right, int column) {
  const int lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
  float4 a[I][2], b[J];
#pragma unroll
  for (int i = 0; i < I; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      a[i][half] = *reinterpret_cast<const float4*>(left + quad_at(row + i * 16 + half * 8 + group, member));
#pragma unroll
  for (int j = 0; j < J; ++j) b[j] = *reinterpret_cast<const float4*>(right + quad_at(column + j * 8 + group, member));
  if (PRECISION == BF16) {
    unsigned x[I][4], w[J][2];
#pragma unroll
    for (int i = 0; i < I; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        x[i][half] = pack_bf16(a[i][half].x, a[i][half].y), x[i][half + 2] = pack_bf16(a[i][half].z, a[i][half].w);
#pragma unroll
    for (int j = 0; j < J; ++j) w[j][0] = pack_bf16(b[j].x, b[j].y), w[j][1] = pack_bf16(b[j].z, b[j].w);
#pragma unroll
    for (int i = 0; i < I; ++i)
#pragma unroll
      for (int j = 0; j < J; ++j) mma_bf16(acc[i][j], x[i], w[j]);
    return;
  }
#pragma unroll
  for (int step = 0; step < 2; ++step) {
    unsigned x[I][4], x_low[I][4], w[J][2], w_low[J][2];
#pragma unroll
    for (int i = 0; i < I; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float4 v = a[i][half];
        split<PRECISION>(step ? v.z : v.x, x[i][half], x_low[i][half]);
        split<PRECISION>(step ? v.w : v.y, x[i][half + 2], x_low[i][half + 2]);
      }
#pragma unroll
    for (int j = 0; j < J; ++j) {
      const float first = step ? b[j].z : b[j].x, second = step ? b[j].w : b[j].y;
      if (PRECISION == TF32) {  // weights are laid out rounded
        w[j][0] = __float_as_uint(first), w[j][1] = __float_as_uint(second);
      } else {
        split<PRECISION>(first, w[j][0], w_low[j][0]);
        split<PRECISION>(second, w[j][1], w_low[j][1]);
      }
    }
    multiply_parts<PRECISION>(acc, x, x_low, w, w_low);
  }
}

// What happens to results.
enum Kind {
  FORWARD,    // of a convolution
  POOLED,     // of a convolution, followed by the largest of each 2×2 places
  WINDOWS,    // of a convolution, followed by the largest of each window
  BACKWARD,   // of an input gradient
  FOLDED,     // of a product of each place with all taps of windows that lead to few channels, added up where windows overlap
  SCATTERED,  // of an input gradient without steps, scattered to where the winners of windows came from
};

__device__ constexpr bool leads_back(Kind kind) { return kind == BACKWARD || kind == SCATTERED; }

// Whether a tile is a patch of the places of a sample, and not so many places that follow one another.
__device__ constexpr bool in_patches(Kind kind) { return kind == WINDOWS || kind == SCATTERED || kind == FOLDED; }

// Windows along an axis, and the patches that hold them. Patches overlap: each window of WINDOWS lies in one, and so do all windows of
// SCATTERED or FOLDED that hold an element.
struct Axis {
  int kernel, stride, padding;
  int size;                // of what is written
  int patch, step, count;  // places of a patch, from one to the next, and how many patches there are
};

struct Windows {
  Axis down, across;
};

// The first place of a patch; it may be in the padding.
template <Kind KIND>
__device__ inline int patch_start(const Axis& axis, int patch) {
  return patch * axis.step - (KIND == WINDOWS ? axis.padding : 0);
}

// The first element that a patch writes: the next one writes those from its own on.
template <Kind KIND>
__device__ inline int written_start(const Axis& axis, int patch) {
  if (KIND == WINDOWS) return min(patch * axis.step / axis.stride, axis.size);
  if (patch == 0) return 0;
  if (patch == axis.count) return axis.size;
  const int window = (patch - 1) * axis.step + axis.patch;  // the first that the patch before does not have
  return max(0, min(window * axis.stride - axis.padding, axis.size));
}

// The places of `to` that read the same taps: with steps, an input gradient has as many such classes as a window has steps.
template <Kind KIND>
struct Places {
  Windows windows;
  int samples, top, left, step_height, step_width, height, width;

  __device__ Places(const Convolution& c, int number, const Windows& windows) : windows(windows), samples(c.samples) {
    step_height = leads_back(KIND) ? c.stride_height : 1;
    step_width = leads_back(KIND) ? c.stride_width : 1;
    top = number / step_width;
    left = number % step_width;
    height = (c.to_height - top + step_height - 1) / step_height;
    width = (c.to_width - left + step_width - 1) / step_width;
  }

  // The place of a row, where rows are counted through all tiles; false where there is none. The places of a window of 2×2 follow one another
  // where it is pooled.
  __device__ bool find(int row, int& n, int& y, int& x) const {
    if (in_patches(KIND)) {
      const Axis &down = windows.down, &across = windows.across;
      const int patch = row / ROWS, at = row % ROWS;
      n = patch / (down.count * across.count);
      y = patch_start<KIND>(down, patch / across.count % down.count) + at / across.patch;
      x = patch_start<KIND>(across, patch % across.count) + at % across.patch;
      return at < down.patch * across.patch && (unsigned)y < (unsigned)height && (unsigned)x < (unsigned)width;
    }
    n = row / (height * width);
    const int place = row % (height * width);
    if (KIND == POOLED) {
      const int window = place / 4, tap = place % 4;
      y = window / (width / 2) * 2 + tap / 2;
      x = window % (width / 2) * 2 + tap % 2;
    } else {
      y = top + place / width * step_height;
      x = left + place % width * step_width;
    }
    return n < samples;
  }
};

// The taps along an axis through which some places read: each `period`-th from `first` on. Each reads `shift` further along `from` than the one
// before.
template <Kind KIND>
struct Taps {
  int first = 0, period = 1, count, shift;

  // `place` is one of the places.
  __device__ Taps(int place, int kernel, int stride, int padding, int dilation) : count(kernel), shift(dilation) {
    if constexpr (leads_back(KIND)) {
      while (first < kernel && (place + padding - first * dilation) % stride != 0) ++first;
      while (period * dilation % stride != 0) ++period;
      count = (kernel - first + period - 1) / period;
      shift = -(period * dilation / stride);
    }
  }

  // Where along `from` a place reads through the first of them.
  __device__ int start(int place, int stride, int padding, int dilation) const {
    return leads_back(KIND) ? (place + padding - first * dilation) / stride : place * stride - padding;
  }
};

// Fetches the left operand, one step after the other, where the channels of `from` are in blocks: a step reads a block through a tap. All taps
// read a block before the next one is read: neighbouring places read much the same, which is in the first cache then.
template <Kind KIND>
struct Blocks {
  static const int COUNT = ROWS / EACH;
  const Convolution& c;
  const float* x;
  const unsigned size;  // of a block of a sample
  const Taps<KIND> down, across;
  // Where the samples of the places are that this thread fetches for, and what they read through the first tap.
  unsigned sample[COUNT];
  int top[COUNT], left[COUNT];
  // The next step, where taps are counted among those that are read.
  int block = 0, tap_y = 0, tap_x = 0;

  __device__ Blocks(const float* x, const Convolution& c, const Places<KIND>& places, int start)
      : c(c),
        x(x),
        size(c.from_height * c.from_width * CHANNELS),
        down(places.top, c.kernel_height, c.stride_height, c.padding_height, c.dilation_height),
        across(places.left, c.kernel_width, c.stride_width, c.padding_width, c.dilation_width) {
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
      int n, to_y, to_x;
      const bool there = places.find(start + row() + i * EACH, n, to_y, to_x);
      sample[i] = there ? n * c.from_blocks * size + quad() * 4 : OUTSIDE;
      top[i] = down.start(to_y, c.stride_height, c.padding_height, c.dilation_height);
      left[i] = across.start(to_x, c.stride_width, c.padding_width, c.dilation_width);
    }
  }

  static __device__ int row() { return threadIdx.x / QUADS; }
  static __device__ int quad() { return threadIdx.x % QUADS; }

  __device__ int steps() const { return down.count * across.count * c.from_blocks; }

  // Makes this step, of which there are some, the next one.
  __device__ void start(int step) {
    block = step / (down.count * across.count);
    tap_y = step / across.count % down.count;
    tap_x = step % across.count;
  }

  // Fetches the operand of the next step. Returns which part of the kernel belongs to it.
  __device__ int fetch(float* to) {
    const int kernel_y = down.first + tap_y * down.period, kernel_x = across.first + tap_x * across.period;
    const int part = (kernel_y * c.kernel_width + kernel_x) * c.from_blocks + block;
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
      const int from_y = top[i] + tap_y * down.shift, from_x = left[i] + tap_x * across.shift;
      const bool inside = sample[i] != OUTSIDE && (unsigned)from_y < (unsigned)c.from_height && (unsigned)from_x < (unsigned)c.from_width;
      const unsigned at = sample[i] + block * size + (from_y * c.from_width + from_x) * CHANNELS;
      copy_async_16_again(to + quad_at(row() + i * EACH, quad()), x + (inside ? at : 0u), inside);
    }
    if (++tap_x == across.count) {
      tap_x = 0;
      if (++tap_y == down.count) tap_y = 0, ++block;
    }
    return part;
  }
};

// The same where `from` is not in blocks: a step reads 16 numbers of a window, counted channel by channel and then tap by tap. Lanes fetch four
// of them for each of eight places beside one another, so that much of what they read lies side by side, and they write 32 banks.
template <Kind KIND>
struct Plain {
  static_assert(!leads_back(KIND), "only convolutions read values that are not in blocks");
  static const int COUNT = ROWS / EACH;
  const Convolution& c;
  const float* x;
  unsigned sample[COUNT];
  int down[COUNT], across[COUNT];
  // The next step, and which tap and channel this thread reads first.
  int step = 0, tap_y = 0, tap_x = 0, channel = 0;

  __device__ Plain(const float* x, const Convolution& c, const Places<KIND>& places, int top) : c(c), x(x) {
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
      int n, to_y, to_x;
      const bool there = places.find(top + row() + i * EACH, n, to_y, to_x);
      sample[i] = there ? n * c.channels * c.from_height * c.from_width : OUTSIDE;
      down[i] = to_y * c.stride_height - c.padding_height;
      across[i] = to_x * c.stride_width - c.padding_width;
    }
  }

  static __device__ int row() { return threadIdx.x / 32 * 8 + threadIdx.x % 8; }
  static __device__ int member() { return threadIdx.x / 8 % 4; }

  __device__ int steps() const { return (c.kernel_height * c.kernel_width * c.channels + CHANNELS - 1) / CHANNELS; }

  __device__ void start(int first) {
    step = first;
    const int at = step * CHANNELS + member(), tap = at / c.channels;
    tap_y = tap / c.kernel_width, tap_x = tap % c.kernel_width, channel = at % c.channels;
  }

  __device__ int fetch(float* left) {
#pragma unroll
    for (int quad = 0; quad < QUADS; ++quad) {
#pragma unroll
      for (int i = 0; i < COUNT; ++i) {
        const int y = down[i] + tap_y * c.dilation_height, x = across[i] + tap_x * c.dilation_width;
        // The last step may have fewer numbers.
        const bool inside = sample[i] != OUTSIDE && tap_y < c.kernel_height && (unsigned)y < (unsigned)c.from_height && (unsigned)x < (unsigned)c.from_width;
        const unsigned at = inside ? sample[i] + (channel * c.from_height + y) * c.from_width + x : 0u;
        copy_async_4(left + quad_at(row() + i * EACH, quad) + member(), this->x + at, inside);
      }
      for (channel += 4; channel >= c.channels; channel -= c.channels)
        if (++tap_x == c.kernel_width) tap_x = 0, ++tap_y;
    }
    return step++;
  }
};

// write(v, tap, i) for the largest v of each 2×2 places and its number among them, where `i` is the element of what is pooled; otherwise as
// `store`. Rows are places in the order of windows, so that those of a window are in lanes of one warp.
template <int I, int J, class Index, class Finish, class Write>
__device__ inline void store_pooled(const float (&acc)[I][J][4], int top, int side, int rows, int columns, int plane, Index index,
                                    Finish finish, Write write, unsigned* signs) {
  const int lane = threadIdx.x % 32, tap = lane / 4 % 4;
#pragma unroll
  for (int i = 0; i < I; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = top + i * 16 + half * 8 + lane / 4;
      const auto element = index(row);
#pragma unroll
      for (int pair = 0; pair < J / 2; ++pair) {
        const int start = side + pair * 16;
        const bool inside = row < rows && start < columns;
        const unsigned from = inside ? element(start) : 0u;
        // The window among those of its sample, and its first channel.
        const int n = row / plane, block = start / CHANNELS;
        const unsigned to = ((unsigned)(n * (columns / CHANNELS) + block) * (plane / 4) + row % plane / 4) * CHANNELS;
        unsigned bits = 0;
#pragma unroll
        for (int j = 0; j < 2; ++j)
#pragma unroll
          for (int r = 0; r < 2; ++r) {
            const int column = j * 8 + lane % 4 * 2 + r;
            float v = inside ? finish(acc[i][pair * 2 + j][half * 2 + r], from + column) : 0.f;
            bits |= (unsigned)(v > 0.f) << column;
            int number = tap;
#pragma unroll
            for (int step = 4; step <= 8; step *= 2) {
              const float other = __shfl_xor_sync(0xffffffffu, v, step);
              const int its = __shfl_xor_sync(0xffffffffu, number, step);
              if (beats(other, v) || (!beats(v, other) && its < number)) v = other, number = its;
            }
            if (inside && tap == 0) write(v, number, to + column);
          }
        if (signs) {
          bits |= __shfl_xor_sync(0xffffffffu, bits, 1);
          bits |= __shfl_xor_sync(0xffffffffu, bits, 2);
          if (inside && lane % 4 == 0) reinterpret_cast<unsigned short*>(signs)[from / CHANNELS] = (unsigned short)bits;
        }
      }
    }
}

// The sums of a tile whose summands `splits` blocks have shared, in the last block that gets here; false in the others. `there` tells whether
// this warp has any. `scratch` has room for the tiles of all blocks, and `counters` is 0 for each tile before and afterwards.
template <int I, int J>
__device__ inline bool gather(float (&acc)[I][J][4], bool there, int splits, float* scratch, unsigned* counters) {
  const int count = I * J * 4, tile = (blockIdx.z / splits * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  float* sums = &acc[0][0][0];
  float* parts = scratch + (size_t)tile * splits * count * BLOCKED_THREADS + threadIdx.x;
  float* own = parts + (size_t)(blockIdx.z % splits) * count * BLOCKED_THREADS;
  if (there)
#pragma unroll
    for (int i = 0; i < count; ++i) own[i * BLOCKED_THREADS] = sums[i];
  __threadfence();
  __syncthreads();
  if (!__syncthreads_or(threadIdx.x == 0 && atomicAdd(&counters[tile], 1u) == splits - 1u)) return false;
  __threadfence();
  if (there) {
#pragma unroll
    for (int i = 0; i < count; ++i) sums[i] = 0.f;
    for (int split = 0; split < splits; ++split)  // always in this order
#pragma unroll
      for (int i = 0; i < count; ++i) sums[i] += parts[((size_t)split * count + i) * BLOCKED_THREADS];
  }
  if (threadIdx.x == 0) counters[tile] = 0;
  return true;
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

// Of FOLDED, write(finish(v, i), i) for the sum v of what the windows that hold the element i add to it.
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
    write(finish(sum, to), to);
  }
}

// finish(v, i) and then write(v, i) for each element i of the result, or as `store_pooled`, `store_windows` or `store_folded` say; `signs` is null or where to
// put the signs of what is finished. `From` fetches what is read.
template <Precision PRECISION, Kind KIND, int COLUMNS, template <Kind> class From, class Finish, class Write, class Winner = int>
__device__ inline void blocked(const float* x, const float* w, const Convolution& c, Finish finish, Write write, unsigned* signs, float* scratch,
                               unsigned* counters, const Windows& windows = {}, Winner winner = {}) {
  const int LEFT = ROWS * CHANNELS, RIGHT = COLUMNS * CHANNELS;
  DYNAMIC_SHARED(float, shared);  // STAGES · (LEFT + RIGHT) numbers, or the results that windows read
  const Places<KIND> places(c, blockIdx.z / c.splits, windows);
  const int plane = places.height * places.width, rows = c.samples * plane;
  if (plane == 0) return;  // a class without places
  // A tile of FOLDED has all taps of so many channels.
  const int taps = windows.down.kernel * windows.across.kernel, whole = KIND == FOLDED ? COLUMNS / taps * taps : COLUMNS;
  const int columns = KIND == FOLDED ? c.channels * taps : c.to_channels;
  const int top = blockIdx.x * ROWS, side = blockIdx.y * whole;

  From<KIND> from(x, c, places, top);
  // The part of this block.
  int steps = from.steps();
  const int share = (steps + c.splits - 1) / c.splits, start = blockIdx.z % c.splits * share;
  steps = max(0, min(steps - start, share));
  if (steps > 0) from.start(start);

  int left_over = steps;  // steps that are still to be fetched
  auto fetch = [&](int stage) {
    if (left_over > 0) {
      --left_over;
      float* left = shared + stage * (LEFT + RIGHT);
      const unsigned kernel = from.fetch(left) * columns + side, quad = threadIdx.x % QUADS;
#pragma unroll
      for (int i = 0; i < COLUMNS / EACH; ++i) {
        const int column = threadIdx.x / QUADS + i * EACH;
        const bool inside = side + column < columns;
        copy_async_16(left + LEFT + quad_at(column, quad), w + (inside ? (kernel + column) * CHANNELS + quad * 4 : 0u), inside);
      }
    }
    copy_async_commit();
  };

  const bool GROUPED = WARPGROUPS && PRECISION == TF32;
  typedef Warps<GROUPED, COLUMNS> Own;
  float acc[Own::I][Own::J][4] = {};
  const int row = Own::row(), column = Own::column();
  // Products of warpgroups read the operands of one step while the next begins.
  const int AHEAD = GROUPED ? STAGES - 2 : STAGES - 1;
  for (int stage = 0; stage < AHEAD; ++stage) fetch(stage);
  auto next = [&](int step) {
    copy_async_wait<AHEAD - 1>();
    if (GROUPED) show_copies();
    __syncthreads();
    fetch((step + AHEAD) % STAGES);
    return shared + step % STAGES * (LEFT + RIGHT);
  };
  // Whether a warp, or some warp of its warpgroup, has places.
  const bool there = in_patches(KIND) || top + (GROUPED ? row / 64 * 64 : row) < rows;
  if constexpr (GROUPED) {
    int at[QUADS];
#pragma unroll
    for (int quad = 0; quad < QUADS; ++quad) at[quad] = quad_at(row + threadIdx.x % 32 / 4, quad) + threadIdx.x % 4;
    const unsigned long long right = describe(shared + LEFT);
    auto start = [&](unsigned (&a)[2][4], int step) {
      const float* left = next(step);
      if (there) start_rows(acc, a, left, at, right + (left - shared) / 4);
    };
    unsigned even[2][4], odd[2][4];
    for (int step = 0; step < steps; step += 2) {
      start(even, step);
      finish_products<1>(acc[0]);
      if (step + 1 == steps) break;
      start(odd, step + 1);
      finish_products<1>(acc[0]);
    }
    finish_products<0>(acc[0]);
  } else {
    for (int step = 0; step < steps; ++step) {
      const float* left = next(step);
      if (there && side + column < columns) multiply_rows<PRECISION>(acc, left, row, left + LEFT, column);
    }
  }

  if (c.splits > 1 && !gather(acc, there, c.splits, scratch, counters)) return;
  auto index = [&](int row) {
    int n, to_y, to_x;
    places.find(row, n, to_y, to_x);
    const unsigned size = c.to_height * c.to_width, first = n * c.to_channels * size + (to_y * c.to_width + to_x) * CHANNELS;
    return [=](int channel) -> unsigned { return first + channel / CHANNELS * CHANNELS * size + channel % CHANNELS; };
  };
  if constexpr (KIND == POOLED)
    store_pooled(acc, top + row, side + column, rows, columns, plane, index, finish, write, signs);
  else if constexpr (in_patches(KIND)) {
    auto results = reinterpret_cast<Results<COLUMNS>>(shared);
    __syncthreads();  // the operands have been read
    if constexpr (KIND == FOLDED) {
      auto as_it_is = [](float v, unsigned) { return v; };
      keep<COLUMNS>(acc, results, row, column, side, columns, places, index, as_it_is);
      __syncthreads();
      store_folded<COLUMNS>(results, c, windows, finish, write);
    } else {
      keep<COLUMNS>(acc, results, row, column, side, columns, places, index, finish);
      __syncthreads();
      if (signs) store_signs<COLUMNS>(results, side, columns, places, index, signs);
      store_windows<COLUMNS, KIND>(results, c, windows, side, write, winner);
    }
  } else
    store<true>(acc, top + row, side + column, rows, columns, index, finish, write, signs);
}
