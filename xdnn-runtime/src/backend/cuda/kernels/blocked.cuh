// Convolutions of values whose channels are in blocks of 16, and their input gradients.

// What such a convolution reads, `from`, and writes, `to`: (samples, blocks, height, width, 16). Kernels are
// (blocks of `to`, height, width, channels of `from`, 16).
struct Convolution {
  int samples, from_blocks, from_height, from_width, to_blocks, to_height, to_width;
  int kernel_height, kernel_width, stride_height, stride_width, padding_height, padding_width;
  int dilation_height, dilation_width;
  int splits;    // blocks that share the sums of a tile
  int channels;  // of `to`, where it is (samples, channels, height, width), fewer than make a block; otherwise 0
};

const int CHANNELS = 16;
const int ROWS = 128;      // places of a tile
const int COLUMNS = 64;    // channels of a tile
const int STAGES = 3;      // steps whose operands are in shared memory or on the way
const int BLOCKED_THREADS = 256;
const int COLUMN_PITCH = COLUMNS + 8;  // so that the lanes of a warp read 32 banks

// acc += a·b for the tile of 32×32 results of a warp; b has a row for each channel of `from`.
template <Precision PRECISION>
__device__ inline void multiply_rows(float (&acc)[2][4][4], const float (*left)[PITCH], const float (*right)[COLUMN_PITCH]) {
  const int lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
  if (PRECISION == BF16) {
    unsigned a[2][4], b[4][2];
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const float* at = &left[i * 16 + r % 2 * 8 + group][r / 2 * 8 + member * 2];
        a[i][r] = pack_bf16(at[0], at[1]);
      }
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const int k = r * 8 + member * 2;
        b[j][r] = pack_bf16(right[k][j * 8 + group], right[k + 1][j * 8 + group]);
      }
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) mma_bf16(acc[i][j], a[i], b[j]);
    return;
  }
#pragma unroll
  for (int step = 0; step < CHANNELS; step += 8) {
    unsigned a[2][4], b[4][2], a_low[2][4], b_low[4][2];
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int r = 0; r < 4; ++r) split<PRECISION>(left[i * 16 + r % 2 * 8 + group][step + r / 2 * 4 + member], a[i][r], a_low[i][r]);
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int r = 0; r < 2; ++r) split<PRECISION>(right[step + r * 4 + member][j * 8 + group], b[j][r], b_low[j][r]);
    multiply_parts<PRECISION>(acc, a, a_low, b, b_low);
  }
}

// What happens to results.
enum Kind {
  FORWARD,   // of a convolution
  POOLED,    // of a convolution, followed by the largest of each 2×2 places
  BACKWARD,  // of an input gradient
  FEW,       // of an input gradient, to channels that make no block
};

__device__ constexpr bool leads_back(Kind kind) { return kind == BACKWARD || kind == FEW; }

// The places of `to` that read the same taps: with steps, an input gradient has as many such classes as a window has steps.
template <Kind KIND>
struct Places {
  int top, left, step_height, step_width, height, width;

  __device__ Places(const Convolution& c, int number) {
    step_height = leads_back(KIND) ? c.stride_height : 1;
    step_width = leads_back(KIND) ? c.stride_width : 1;
    top = number / step_width;
    left = number % step_width;
    height = (c.to_height - top + step_height - 1) / step_height;
    width = (c.to_width - left + step_width - 1) / step_width;
  }

  // Where a place of the class is. Those of a window of 2×2 follow one another where it is pooled.
  __device__ void find(int place, int& y, int& x) const {
    if (KIND == POOLED) {
      const int window = place / 4, tap = place % 4;
      y = window / (width / 2) * 2 + tap / 2;
      x = window % (width / 2) * 2 + tap % 2;
    } else {
      y = top + place / width * step_height;
      x = left + place % width * step_width;
    }
  }
};

// Where along an axis a place reads through the first tap, and which way further taps lead.
template <Kind KIND>
__device__ inline int first(int place, int stride, int padding) {
  return leads_back(KIND) ? place + padding : place * stride - padding;
}

// write(v, tap, i) for the largest v of each 2×2 places and its number among them, where `i` is the element of what is pooled; otherwise as
// `store`. Rows are places in the order of windows, so that those of a window are in lanes of one warp.
template <class Index, class Finish, class Write>
__device__ inline void store_pooled(const float (&acc)[2][4][4], int top, int side, int rows, int columns, int plane, Index index,
                                    Finish finish, Write write, unsigned* signs) {
  const int lane = threadIdx.x % 32, tap = lane / 4 % 4;
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = top + i * 16 + half * 8 + lane / 4;
#pragma unroll
      for (int pair = 0; pair < 2; ++pair) {
        const int start = side + pair * 16;
        const bool inside = row < rows && start < columns;
        const unsigned from = inside ? index(row, start) : 0u;
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

// The sums of a tile whose summands `splits` blocks have shared, in the last block that gets here; false in the others. `scratch` has room for
// the tiles of all blocks, and `counters` is 0 for each tile before and afterwards.
__device__ inline bool gather(float (&acc)[2][4][4], int splits, float* scratch, unsigned* counters) {
  __shared__ bool last;
  const int tile = (blockIdx.z / splits * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  float* sums = &acc[0][0][0];
  float* parts = scratch + (size_t)tile * splits * 32 * BLOCKED_THREADS + threadIdx.x;
  float* own = parts + (size_t)(blockIdx.z % splits) * 32 * BLOCKED_THREADS;
#pragma unroll
  for (int i = 0; i < 32; ++i) own[i * BLOCKED_THREADS] = sums[i];
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(&counters[tile], 1u) == splits - 1u;
  __syncthreads();
  if (!last) return false;
  __threadfence();
#pragma unroll
  for (int i = 0; i < 32; ++i) sums[i] = 0.f;
  for (int split = 0; split < splits; ++split)  // always in this order
#pragma unroll
    for (int i = 0; i < 32; ++i) sums[i] += parts[((size_t)split * 32 + i) * BLOCKED_THREADS];
  if (threadIdx.x == 0) counters[tile] = 0;
  return true;
}

// finish(v, i) and then write(v, i) for each element i of the result, or as `store_pooled` says; `signs` is null or where to put the signs
// of what is finished.
template <Precision PRECISION, Kind KIND, class Finish, class Write>
__device__ inline void blocked(const float* x, const float* w, const Convolution& c, Finish finish, Write write, unsigned* signs, float* scratch,
                               unsigned* counters) {
  __shared__ __align__(16) float left[STAGES][ROWS][PITCH];
  __shared__ __align__(16) float right[STAGES][CHANNELS][COLUMN_PITCH];
  const Places<KIND> places(c, blockIdx.z / c.splits);
  const int plane = places.height * places.width, rows = c.samples * plane;
  if (plane == 0) return;  // a class without places
  const int top = blockIdx.x * ROWS, side = blockIdx.y * COLUMNS;
  const int quad = threadIdx.x % 4;  // of the four numbers of a channel block that this thread fetches

  // The two places that this thread fetches for.
  const float* sample[2];
  int down[2], across[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = top + threadIdx.x / 4 + i * (ROWS / 2);
    const int n = row / plane, at = row % plane;
    int to_y, to_x;
    places.find(at, to_y, to_x);
    sample[i] = row < rows ? x + (size_t)n * c.from_blocks * c.from_height * c.from_width * CHANNELS : nullptr;
    down[i] = first<KIND>(to_y, c.stride_height, c.padding_height);
    across[i] = first<KIND>(to_x, c.stride_width, c.padding_width);
  }
  const int kernel_row = threadIdx.x / 16, kernel_block = threadIdx.x % 16 / 4;
  const bool in_kernel = side / CHANNELS + kernel_block < c.to_blocks;
  const float* kernel = w + ((size_t)(side / CHANNELS + kernel_block) * c.kernel_height * c.kernel_width * c.from_blocks * CHANNELS + kernel_row) * CHANNELS + quad * 4;

  // The next step: a tap, and a block of channels of `from`.
  int tap_y = 0, tap_x = 0, block = 0;
  auto reads = [&](int tap, int dilation, int from, int stride, int padding) {
    return !leads_back(KIND) || (from + padding - tap * dilation) % stride == 0;
  };
  auto skip = [&] {  // taps that none of these places reads
    while (tap_y < c.kernel_height &&
           !(reads(tap_y, c.dilation_height, places.top, c.stride_height, c.padding_height) &&
             reads(tap_x, c.dilation_width, places.left, c.stride_width, c.padding_width)))
      if (++tap_x == c.kernel_width) tap_x = 0, ++tap_y;
  };
  int left_over = 0;  // steps that are still to be fetched
  auto fetch = [&](int stage) {
    if (left_over > 0) {
      --left_over;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        int from_y = leads_back(KIND) ? (down[i] - tap_y * c.dilation_height) / c.stride_height : down[i] + tap_y * c.dilation_height;
        int from_x = leads_back(KIND) ? (across[i] - tap_x * c.dilation_width) / c.stride_width : across[i] + tap_x * c.dilation_width;
        // A quotient of what is negative may be 0.
        const bool before = leads_back(KIND) && (down[i] < tap_y * c.dilation_height || across[i] < tap_x * c.dilation_width);
        const bool inside = sample[i] && !before && (unsigned)from_y < (unsigned)c.from_height && (unsigned)from_x < (unsigned)c.from_width;
        const float* at = inside ? sample[i] + (((size_t)block * c.from_height + from_y) * c.from_width + from_x) * CHANNELS + quad * 4 : x;
        copy_async_16(&left[stage][threadIdx.x / 4 + i * (ROWS / 2)][quad * 4], at, inside);
      }
      const int tap = tap_y * c.kernel_width + tap_x;
      const float* at = in_kernel ? kernel + (size_t)(tap * c.from_blocks + block) * CHANNELS * CHANNELS : w;
      copy_async_16(&right[stage][kernel_row][kernel_block * CHANNELS + quad * 4], at, in_kernel);
      if (++block == c.from_blocks) {
        block = 0;
        if (++tap_x == c.kernel_width) tap_x = 0, ++tap_y;
        skip();
      }
    }
    copy_async_commit();
  };

  skip();
  int steps = 0;  // how many there are
  for (int ty = 0; ty < c.kernel_height; ++ty)
    for (int tx = 0; tx < c.kernel_width; ++tx)
      steps += reads(ty, c.dilation_height, places.top, c.stride_height, c.padding_height) &&
               reads(tx, c.dilation_width, places.left, c.stride_width, c.padding_width);
  steps *= c.from_blocks;
  // The part of this block.
  const int share = (steps + c.splits - 1) / c.splits, start = blockIdx.z % c.splits * share;
  steps = max(0, min(steps - start, share));
  left_over = steps;
  for (int tap = 0; steps > 0 && tap < start / c.from_blocks; ++tap) {
    if (++tap_x == c.kernel_width) tap_x = 0, ++tap_y;
    skip();
  }
  block = start % c.from_blocks;

  float acc[2][4][4] = {};
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = warp / 2 * 32, column = warp % 2 * 32;
  for (int stage = 0; stage < STAGES - 1; ++stage) fetch(stage);
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<STAGES - 2>();
    __syncthreads();
    fetch((step + STAGES - 1) % STAGES);
    const int stage = step % STAGES;
    const float (*b)[COLUMN_PITCH] = reinterpret_cast<const float (*)[COLUMN_PITCH]>(&right[stage][0][column]);
    if (side + column < c.to_blocks * CHANNELS) multiply_rows<PRECISION>(acc, left[stage] + row, b);
  }

  if (c.splits > 1 && !gather(acc, c.splits, scratch, counters)) return;
  auto index = [&](int at, int channel) -> unsigned {
    const int n = at / plane;
    int to_y, to_x;
    places.find(at % plane, to_y, to_x);
    return (((unsigned)(n * c.to_blocks + channel / CHANNELS) * c.to_height + to_y) * c.to_width + to_x) * CHANNELS + channel % CHANNELS;
  };
  auto plain = [&](int at, int channel) -> unsigned {
    const int n = at / plane;
    int to_y, to_x;
    places.find(at % plane, to_y, to_x);
    return ((unsigned)(n * c.channels + channel) * c.to_height + to_y) * c.to_width + to_x;
  };
  if constexpr (KIND == FEW)
    store<false>(acc, top + row, side + column, rows, c.channels, plain, finish, write, signs);
  else if constexpr (KIND == POOLED)
    store_pooled(acc, top + row, side + column, rows, c.to_blocks * CHANNELS, plane, index, finish, write, signs);
  else
    store<true>(acc, top + row, side + column, rows, c.to_blocks * CHANNELS, index, finish, write, signs);
}
