// Products of a few rows with a matrix, whose reading is what takes time: what is multiplied by 0 is not read.

const int FEW_WARPS = 16;
const int FEW_AT_ONCE = 8;  // numbers of the matrix that a thread asks for before it uses the first

// put(r, c, Σ_k a(r, k)·b[k][c]) for so many columns by a block, 8, 16 or 32; its warps share the rows of b, and so do the parts of a warp that
// have the same columns. `signs` is null or where to put the signs of what `put` returns, as many bits for as many columns of a row.
template <int ROWS, int COLUMNS, class A, class Put>
__device__ inline void few_rows(unsigned n, unsigned k, A a, const float* b, Put put, unsigned* signs) {
  __shared__ float sums[FEW_WARPS][ROWS][COLUMNS];
  const unsigned PARTS = 32 / COLUMNS, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const unsigned part = warp * PARTS + lane / COLUMNS, column = lane % COLUMNS, c = blockIdx.x * COLUMNS + column;
  float sum[ROWS] = {};
  for (unsigned from = part; from < k; from += FEW_WARPS * PARTS * FEW_AT_ONCE) {
    float x[ROWS][FEW_AT_ONCE], w[FEW_AT_ONCE];
    auto row = [&](int i) { return from + i * (FEW_WARPS * PARTS); };
#pragma unroll
    for (int i = 0; i < FEW_AT_ONCE; ++i)
#pragma unroll
      for (int r = 0; r < ROWS; ++r) x[r][i] = row(i) < k ? a(r, row(i)) : 0.f;
#pragma unroll
    for (int i = 0; i < FEW_AT_ONCE; ++i) {
      bool any = false;
#pragma unroll
      for (int r = 0; r < ROWS; ++r) any |= x[r][i] != 0.f;
      w[i] = any && c < n ? b[(size_t)row(i) * n + c] : 0.f;
    }
#pragma unroll
    for (int i = 0; i < FEW_AT_ONCE; ++i)
#pragma unroll
      for (int r = 0; r < ROWS; ++r) sum[r] += x[r][i] * w[i];
  }
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int step = COLUMNS; step < 32; step *= 2) sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], step);
    if (lane < COLUMNS) sums[warp][r][lane] = sum[r];
  }
  __syncthreads();
  if (warp < ROWS) {
    float v = 0.f;
    for (int i = 0; i < FEW_WARPS; ++i) v += sums[i][warp][column];
    v = lane < COLUMNS && c < n ? put(warp, c, v) : 0.f;
    const unsigned bits = __ballot_sync(0xffffffffu, v > 0.f), at = (warp * n + c) / COLUMNS;
    if (signs && lane == 0) {
      if (COLUMNS == 8) reinterpret_cast<unsigned char*>(signs)[at] = (unsigned char)bits;
      if (COLUMNS == 16) reinterpret_cast<unsigned short*>(signs)[at] = (unsigned short)bits;
      if (COLUMNS == 32) signs[at] = bits;
    }
  }
}

// put(r, c, Σ_k a(r, k)·b[c][k]) by a warp for each column; where `needed` is false for all rows, put(r, c, 0). `signs` as above, a half word
// for every 16 columns of a row.
template <int ROWS, class A, class Needed, class Put>
__device__ inline void few_dots(unsigned n, unsigned k, A a, const float* b, Needed needed, Put put, unsigned* signs) {
  __shared__ bool positive[ROWS][FEW_WARPS];
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32, c = blockIdx.x * FEW_WARPS + warp;
  bool any = false;
#pragma unroll
  for (int r = 0; r < ROWS; ++r) any |= c < n && needed(r, c);
  float sum[ROWS] = {};
  if (any) {
    const float* row = b + (size_t)c * k;
    for (unsigned from = lane; from < k; from += 32 * FEW_AT_ONCE) {
      float w[FEW_AT_ONCE];
#pragma unroll
      for (int i = 0; i < FEW_AT_ONCE; ++i) w[i] = from + i * 32 < k ? row[from + i * 32] : 0.f;
#pragma unroll
      for (int i = 0; i < FEW_AT_ONCE; ++i)
#pragma unroll
        for (int r = 0; r < ROWS; ++r) sum[r] += from + i * 32 < k ? a(r, from + i * 32) * w[i] : 0.f;
    }
  }
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    float v = sum[r];
#pragma unroll
    for (int step = 16; step > 0; step /= 2) v += __shfl_xor_sync(0xffffffffu, v, step);
    if (lane == 0) positive[r][warp] = c < n && put(r, c, v) > 0.f;
  }
  if (signs) {
    __syncthreads();
    if (threadIdx.x < ROWS) {
      unsigned bits = 0;
      for (int i = 0; i < FEW_WARPS; ++i) bits |= (unsigned)positive[threadIdx.x][i] << i;
      reinterpret_cast<unsigned short*>(signs)[(threadIdx.x * n + blockIdx.x * FEW_WARPS) / 16] = (unsigned short)bits;
    }
  }
}
