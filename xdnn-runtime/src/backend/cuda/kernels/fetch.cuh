// What fetches the left operand of a convolution, whatever becomes of its results.

// Where the four numbers of a quad are in the part of a tile that is multiplied in a step: rows of 16 numbers, whose quads change places so
// that neighbouring rows are in different banks. Tensor cores know this as the swizzle of 64 bytes. It is the same every eight rows.
__device__ inline int quad_at(int row, int quad) { return row * CHANNELS + (quad ^ row / 2 % QUADS) * 4; }

// The taps along an axis through which some places read: each `period`-th from `first` on. Each reads `shift` further along `from` than the one
// before.
template <Kind KIND>
struct Taps {
  int first = 0, period = 1, count, shift;

  // `place` is one of the places.
  __device__ Taps(int place, int kernel, int stride, int padding, int dilation) : count(kernel), shift(leads_back(KIND) ? -dilation : dilation) {
    if constexpr (KIND == STEPPED) {
      while (first < kernel && (place + padding - first * dilation) % stride != 0) ++first;
      while (period * dilation % stride != 0) ++period;
      count = (kernel - first + period - 1) / period;
      shift = -(period * dilation / stride);
    }
  }

  // Where along `from` a place reads through the first of them.
  __device__ int start(int place, int stride, int padding, int dilation) const {
    if (!leads_back(KIND)) return place * stride - padding;
    return KIND == STEPPED ? (place + padding - first * dilation) / stride : place + padding;
  }

  // Through which of them, as bits, something is read that is there, from a start on.
  __device__ unsigned inside(int start, int size) const {
    unsigned bits = 0;
    for (int tap = 0; tap < count; ++tap) bits |= ((unsigned)(start + tap * shift) < (unsigned)size ? 1u : 0u) << tap;
    return bits;
  }
};

// Fetches the left operand, one step after the other, where the channels of `from` are in blocks: a step reads a block through a tap. All taps
// read a block before the next one is read: neighbouring places read much the same, which is in the first cache then. There are at most 32
// taps along an axis.
template <Kind KIND>
struct Blocks {
  static const int COUNT = ROWS / EACH;
  const Convolution& c;
  const float* x;
  const Taps<KIND> down, across;
  // For each place that this thread fetches for, what it reads of the first block through the first tap, and through which taps along each axis
  // it reads something.
  int first[COUNT];
  unsigned rows[COUNT], columns[COUNT];
  // The next step, where taps are counted among those that are read.
  int block = 0, tap_y = 0, tap_x = 0;

  __device__ Blocks(const float* x, const Convolution& c, const Places<KIND>& places, int start, int2*)
      : c(c),
        x(x),
        down(places.top, c.kernel_height, c.stride_height, c.padding_height, c.dilation_height),
        across(places.left, c.kernel_width, c.stride_width, c.padding_width, c.dilation_width) {
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
      int n, to_y, to_x;
      const bool there = places.find(start + threadIdx.x / QUADS + i * EACH, n, to_y, to_x);
      const int top = down.start(to_y, c.stride_height, c.padding_height, c.dilation_height);
      const int left = across.start(to_x, c.stride_width, c.padding_width, c.dilation_width);
      first[i] = ((n * c.from_blocks * c.from_height + top) * c.from_width + left) * CHANNELS + threadIdx.x % QUADS * 4;
      rows[i] = there ? down.inside(top, c.from_height) : 0u;
      columns[i] = across.inside(left, c.from_width);
    }
  }

  __device__ int steps() const { return down.count * across.count * c.from_blocks; }

  // Makes this step, of which there are some, the next one.
  __device__ void start(int step) {
    block = step / (down.count * across.count);
    tap_y = step / across.count % down.count;
    tap_x = step % across.count;
  }

  // Fetches the operand of the next step, of the first EACH rows the quad at `own`. Returns which part of the kernel belongs to it.
  __device__ int fetch(float* left, int own) {
    const int kernel_y = down.first + tap_y * down.period, kernel_x = across.first + tap_x * across.period;
    const int part = (kernel_y * c.kernel_width + kernel_x) * c.from_blocks + block;
    const int further = ((block * c.from_height + tap_y * down.shift) * c.from_width + tap_x * across.shift) * CHANNELS;
    const unsigned row = 1u << tap_y, column = 1u << tap_x;
#pragma unroll
    for (int i = 0; i < COUNT; ++i)
      copy_async_16_again(left + own + i * EACH * CHANNELS, x + (first[i] + further), (rows[i] & row) && (columns[i] & column));
    if (++tap_x == across.count) {
      tap_x = 0;
      if (++tap_y == down.count) tap_y = 0, ++block;
    }
    return part;
  }
};

// The same where `from` is not in blocks: a step reads 16 numbers of a window, counted channel by channel and then tap by tap. Lanes fetch four
// of them for each of eight places beside one another, so that much of what they read lies side by side, and they write 32 banks. A table
// tells of each number of a window how much further on it is, and its taps along both axes, of which there are at most 15, as bits.
template <Kind KIND>
struct Plain {
  static_assert(!leads_back(KIND), "only convolutions read values that are not in blocks");
  static const int COUNT = ROWS / EACH;
  const float* x;
  const int2* const table;
  // As those of `Blocks`, of the first channel, and the taps along both axes.
  int first[COUNT];
  unsigned taps[COUNT];
  const int count;
  int step = 0;

  // There is room for the numbers of all steps in the table, which is there after a barrier.
  __device__ Plain(const float* x, const Convolution& c, const Places<KIND>& places, int top, int2* table)
      : x(x), table(table), count((c.kernel_height * c.kernel_width * c.channels + CHANNELS - 1) / CHANNELS) {
    for (int i = threadIdx.x; i < count * CHANNELS; i += BLOCKED_THREADS) {
      const unsigned tap = (unsigned)i / c.channels, channel = i - tap * c.channels, y = tap / c.kernel_width, x = tap - y * c.kernel_width;
      const int further = (channel * c.from_height + y * c.dilation_height) * c.from_width + x * c.dilation_width;
      // The last step may have fewer numbers; no place reads them.
      table[i] = make_int2(further, y < c.kernel_height ? 1 << y | 1 << (16 + x) : 1 << 15);
    }
    const Taps<KIND> down(0, c.kernel_height, c.stride_height, c.padding_height, c.dilation_height);
    const Taps<KIND> across(0, c.kernel_width, c.stride_width, c.padding_width, c.dilation_width);
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
      int n, to_y, to_x;
      const bool there = places.find(top + row() + i * EACH, n, to_y, to_x);
      const int from_y = down.start(to_y, c.stride_height, c.padding_height, c.dilation_height);
      const int from_x = across.start(to_x, c.stride_width, c.padding_width, c.dilation_width);
      first[i] = (n * c.channels * c.from_height + from_y) * c.from_width + from_x;
      taps[i] = there ? down.inside(from_y, c.from_height) | across.inside(from_x, c.from_width) << 16 : 0u;
    }
  }

  static __device__ int row() { return threadIdx.x / 32 * 8 + threadIdx.x % 8; }
  static __device__ int member() { return threadIdx.x / 8 % 4; }

  __device__ int steps() const { return count; }

  __device__ void start(int first) { step = first; }

  __device__ int fetch(float* left, int) {
#pragma unroll
    for (int quad = 0; quad < QUADS; ++quad) {
      const int2 number = table[step * CHANNELS + quad * 4 + member()];
      const unsigned its = number.y;
#pragma unroll
      for (int i = 0; i < COUNT; ++i)
        copy_async_4(left + quad_at(row(), quad) + member() + i * EACH * CHANNELS, x + (first[i] + number.x), (taps[i] & its) == its);
    }
    return step++;
  }
};
