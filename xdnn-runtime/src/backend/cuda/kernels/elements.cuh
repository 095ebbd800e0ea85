// Functions of single elements.

// s·x; a slope of 0 cuts off whatever stands there, infinities included, but not what is no number.
__device__ inline float scaled(float s, float x) { return s == 0.f && x == x ? 0.f : s * x; }

// The slope at x.
__device__ inline float slope(float x, float positive, float zero, float negative) {
  return x > 0.f ? positive : x < 0.f ? negative : zero;
}

__device__ inline float piecewise_linear(float x, float positive, float zero, float negative) {
  return scaled(slope(x, positive, zero, negative), x);
}

// Whether a stands before b in descending order; what is no number is larger than every number.
__device__ inline bool beats(float a, float b) { return a > b || (a != a && b == b); }

// The sum of a number of each of SIZE threads, for thread 0.
template <int SIZE>
__device__ inline float block_sum(float v) {
  __shared__ float sums[SIZE / 32];
  for (int step = 16; step > 0; step /= 2) v += __shfl_down_sync(0xffffffffu, v, step);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x == 0) {
    v = 0.f;
    for (int i = 0; i < SIZE / 32; ++i) v += sums[i];
  }
  return v;
}

// The window that starts at a place, of windows at every stride-th; −1 where none does.
__device__ inline int window(int at, int stride) { return at >= 0 && at % stride == 0 ? at / stride : -1; }

// The number of the largest of `count` numbers, the first of several, for all of SIZE threads. What is no number counts as the largest where
// it is the first, and not at all elsewhere.
template <int SIZE, class Read>
__device__ inline unsigned block_largest(unsigned count, Read read) {
  __shared__ float values[SIZE / 32];
  __shared__ unsigned numbers[SIZE / 32];
  const float infinity = __uint_as_float(0x7f800000u);
  float best = -infinity;
  unsigned number = ~0u;
  auto meet = [&](float x, unsigned j) {
    if (x > best || (x == best && j < number)) best = x, number = j;
  };
  for (unsigned j = threadIdx.x; j < count; j += SIZE) {
    const float x = read(j);
    meet(j == 0 && x != x ? infinity : x, j);
  }
  for (int step = 16; step > 0; step /= 2) {
    const float x = __shfl_xor_sync(0xffffffffu, best, step);
    const unsigned j = __shfl_xor_sync(0xffffffffu, number, step);
    meet(x, j);
  }
  __syncthreads();  // what an earlier call has left is read
  if (threadIdx.x % 32 == 0) values[threadIdx.x / 32] = best, numbers[threadIdx.x / 32] = number;
  __syncthreads();
  for (int i = 0; i < SIZE / 32; ++i) meet(values[i], numbers[i]);
  return number;
}
