// Products of matrices, whatever their elements are read from.

// How numbers are multiplied. Sums are in f32.
enum Precision {
  STRICT = 0,  // as three products in TF32 of the high and the low parts, which is about as exact as f32
  TF32 = 1,    // rounded to 10 bits behind the point
  BF16 = 2,    // rounded to 7 bits behind the point
};

// Which index of a matrix lies side by side in memory.
enum Along { FIRST, SECOND };

const int TILE = 64;        // rows and columns of a tile of results
const int DEPTH = 16;       // what is summed up at a time
const int PITCH = DEPTH + 4;  // so that the lanes of a warp read 32 banks
const int PRODUCT_THREADS = 256;  // of which each warp has 32×16 results: index arithmetic takes many registers, too
const int PIECE = TILE * DEPTH / PRODUCT_THREADS;

// The element of a tile that a thread fetches as number i: neighbouring threads fetch what lies side by side.
template <Along SIDE>
__device__ inline void fetched(int i, int& outer, int& depth) {
  int at = threadIdx.x + i * PRODUCT_THREADS;
  outer = SIDE == FIRST ? at % TILE : at / DEPTH;
  depth = SIDE == FIRST ? at / TILE : at % DEPTH;
}

// A factor, and in STRICT what it misses. Numbers that would be rounded to infinity are cut off.
template <Precision PRECISION>
__device__ inline void split(float x, unsigned& high, unsigned& low) {
  high = tf32(x);
  if (PRECISION != STRICT) return;
  if ((high & 0x7fffffffu) == 0x7f800000u) high = __float_as_uint(x) & 0xffffe000u;
  low = (high & 0x7fffffffu) == 0x7f800000u ? 0u : tf32(x - __uint_as_float(high));
}

// acc += a·b of a fragment. Tensor cores cut sums off, so that long ones drift: STRICT adds each step itself.
template <Precision PRECISION>
__device__ inline void multiply_part(float (&acc)[4], const unsigned (&a)[4], const unsigned (&a_low)[4], const unsigned (&b)[2],
                                     const unsigned (&b_low)[2]) {
  if (PRECISION != STRICT) return mma_tf32(acc, a, b);
  float part[4] = {};
  mma_tf32(part, a_low, b);
  mma_tf32(part, a, b_low);
  mma_tf32(part, a, b);
#pragma unroll
  for (int r = 0; r < 4; ++r) acc[r] += part[r];
}

// acc += a·b for a step of 8 of what is summed up.
template <Precision PRECISION, int I, int J>
__device__ inline void multiply_parts(float (&acc)[I][J][4], const unsigned (&a)[I][4], const unsigned (&a_low)[I][4],
                                      const unsigned (&b)[J][2], const unsigned (&b_low)[J][2]) {
#pragma unroll
  for (int i = 0; i < I; ++i)
#pragma unroll
    for (int j = 0; j < J; ++j) multiply_part<PRECISION>(acc[i][j], a[i], a_low[i], b[j], b_low[j]);
}

// acc += a·b for the I·16 × J·8 results of a warp.
template <Precision PRECISION, int I, int J>
__device__ inline void multiply(float (&acc)[I][J][4], const float (*left)[PITCH], const float (*right)[PITCH]) {
  const int lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
  if (PRECISION == BF16) {
    unsigned a[I][4], b[J][2];
    for (int i = 0; i < I; ++i)
      for (int r = 0; r < 4; ++r) {
        const float* at = &left[i * 16 + r % 2 * 8 + group][r / 2 * 8 + member * 2];
        a[i][r] = pack_bf16(at[0], at[1]);
      }
    for (int j = 0; j < J; ++j)
      for (int r = 0; r < 2; ++r) {
        const float* at = &right[j * 8 + group][r * 8 + member * 2];
        b[j][r] = pack_bf16(at[0], at[1]);
      }
    for (int i = 0; i < I; ++i)
      for (int j = 0; j < J; ++j) mma_bf16(acc[i][j], a[i], b[j]);
    return;
  }
#pragma unroll 1  // what is read by functions takes many registers
  for (int step = 0; step < DEPTH; step += 8) {
    unsigned a[I][4], b[J][2], a_low[I][4], b_low[J][2];
    for (int i = 0; i < I; ++i)
      for (int r = 0; r < 4; ++r) split<PRECISION>(left[i * 16 + r % 2 * 8 + group][step + r / 2 * 4 + member], a[i][r], a_low[i][r]);
    for (int j = 0; j < J; ++j)
      for (int r = 0; r < 2; ++r) split<PRECISION>(right[j * 8 + group][step + r * 4 + member], b[j][r], b_low[j][r]);
    multiply_parts<PRECISION>(acc, a, a_low, b, b_low);
  }
}

// How 16 columns of results, from a multiple of 16 on, lie in what is indexed.
enum Lie {
  ANYWHERE,
  SIDE_BY_SIDE,
  WHOLE,  // side by side, from a multiple of 16 on, and all of them are there
};

// Where results go: to an array, or to what a function does with them.
__device__ inline void put(float* y, float v, unsigned i) { y[i] = v; }
template <class Write>
__device__ inline void put(Write write, float v, unsigned i) {
  write(v, i);
}
// Two that lie side by side.
template <Lie LIE>
__device__ inline void put_two(float* y, float v, float next, unsigned i) {
  if (LIE == WHOLE || i % 2 == 0)
    *reinterpret_cast<float2*>(y + i) = make_float2(v, next);  // lanes fill whole sectors of memory
  else
    y[i] = v, y[i + 1] = next;
}
template <Lie, class Write>
__device__ inline void put_two(Write write, float v, float next, unsigned i) {
  write(v, i), write(next, i + 1);
}

// Puts the signs of 16 columns, number `at` of all, where they are there: of each eight, a lane has two bits, from its `own` column on.
__device__ inline void put_signs(unsigned* signs, unsigned bits, int own, bool there, unsigned at) {
  bits <<= own;
  bits |= __shfl_xor_sync(0xffffffffu, bits, 1);
  bits |= __shfl_xor_sync(0xffffffffu, bits, 2);
  if (own == 0 && there) reinterpret_cast<unsigned short*>(signs)[at] = (unsigned short)bits;
}

// put(write, finish(acc, i), i) with i = index(row)(column) for the I·16 × J·8 results of a warp, of which those below `rows` and `columns` are
// there. Unless columns lie ANYWHERE, the index is found once for 16 of them; `signs`, which is null or where to put the signs of the results,
// wants that, too, from a multiple of 16 on.
template <Lie LIE, int I, int J, class Index, class Finish, class Write>
__device__ inline void store(const float (&acc)[I][J][4], int top, int side, int rows, int columns, Index index, Finish finish,
                             Write write, unsigned* signs) {
  const int lane = threadIdx.x % 32, own = lane % 4 * 2;  // the first of eight columns that is this lane's
  const int PAIRS = J < 4 ? J / 2 : 2;  // of fragments, 16 columns each, that are read before they are written
#pragma unroll
  for (int i = 0; i < I; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = top + i * 16 + half * 8 + lane / 4;
      const auto element = index(row);
#pragma unroll
      for (int chunk = 0; chunk < J / 2; chunk += PAIRS) {
        unsigned at[PAIRS][4];
        float v[PAIRS][4];
        bool inside[PAIRS][4];
#pragma unroll
        for (int pair = 0; pair < PAIRS; ++pair) {
          const int start = side + (chunk + pair) * 16;
          const unsigned first = LIE != ANYWHERE && row < rows && start < columns ? element(start) + own : 0u;
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const int column = e / 2 * 8 + e % 2;
            inside[pair][e] = row < rows && start + (LIE == WHOLE ? 0 : own + column) < columns;
            at[pair][e] = LIE != ANYWHERE ? first + column : inside[pair][e] ? element(start + own + column) : 0u;
            const float sum = acc[i][(chunk + pair) * 2 + e / 2][half * 2 + e % 2];
            v[pair][e] = inside[pair][e] ? finish(sum, at[pair][e]) : 0.f;
          }
        }
        // What is read may lie where results go: all of it has been read now.
#pragma unroll
        for (int pair = 0; pair < PAIRS; ++pair) {
          unsigned bits = 0;
#pragma unroll
          for (int e = 0; e < 4; e += 2) {
            if (LIE != ANYWHERE && inside[pair][e + 1]) {
              put_two<LIE>(write, v[pair][e], v[pair][e + 1], at[pair][e]);
            } else {
              if (inside[pair][e]) put(write, v[pair][e], at[pair][e]);
              if (inside[pair][e + 1]) put(write, v[pair][e + 1], at[pair][e + 1]);
            }
          }
#pragma unroll
          for (int e = 0; e < 4; ++e) bits |= (unsigned)(v[pair][e] > 0.f) << (e / 2 * 8 + e % 2);
          if (signs) put_signs(signs, bits, own, inside[pair][0], at[pair][0] / 16);
        }
      }
    }
}

// The tile of this block of an m×n product Σ_k a(row, k)·b(k, column), stored as above.
template <Precision PRECISION, Along A_SIDE, Along B_SIDE, class A, class B, class Index, class Finish, class Write>
__device__ inline void product(unsigned m, unsigned n, unsigned k, A a, B b, Index index, Finish finish, Write write, unsigned* signs) {
  __shared__ float left[2][TILE][PITCH];
  __shared__ float right[2][TILE][PITCH];
  const unsigned top = blockIdx.x * TILE;
  const int warp = threadIdx.x / 32;
  const int row = warp / 4 * 32, column = warp % 4 * 16;
  auto element = [&](unsigned r) { return [&index, r](unsigned c) -> unsigned { return index(r, c); }; };
  for (unsigned side = blockIdx.y * TILE; side < n; side += gridDim.y * TILE) {
    float acc[2][2][4] = {};
    float x[PIECE], w[PIECE];
    auto fetch = [&](unsigned from) {
#pragma unroll
      for (int i = 0; i < PIECE; ++i) {
        int outer, depth;
        fetched<A_SIDE>(i, outer, depth);
        x[i] = top + outer < m && from + depth < k ? a(top + outer, from + depth) : 0.f;
        fetched<B_SIDE == FIRST ? SECOND : FIRST>(i, outer, depth);
        w[i] = side + outer < n && from + depth < k ? b(from + depth, side + outer) : 0.f;
      }
    };
    auto put = [&](int buffer) {
#pragma unroll
      for (int i = 0; i < PIECE; ++i) {
        int outer, depth;
        fetched<A_SIDE>(i, outer, depth);
        left[buffer][outer][depth] = x[i];
        fetched<B_SIDE == FIRST ? SECOND : FIRST>(i, outer, depth);
        right[buffer][outer][depth] = w[i];
      }
    };
    fetch(0);
    put(0);
    __syncthreads();
    for (unsigned from = 0, buffer = 0; from < k; from += DEPTH, buffer ^= 1) {
      const bool more = from + DEPTH < k;
      if (more) fetch(from + DEPTH);
      multiply<PRECISION>(acc, left[buffer] + row, right[buffer] + column);
      if (more) put(buffer ^ 1);
      __syncthreads();
    }
    if (signs)
      store<SIDE_BY_SIDE>(acc, top + row, side + column, m, n, element, finish, write, signs);
    else
      store<ANYWHERE>(acc, top + row, side + column, m, n, element, finish, write, signs);
  }
}
