// Convolutions to and from values whose channels are in blocks of 16, and their input gradients.

// How the warps of a block share a tile of results: each has those of I·16 rows and J·8 columns. In warpgroups each has 16 whole rows.
template <bool GROUPED, int COLUMNS>
struct Warps {
  static const int ACROSS = GROUPED ? 1 : COLUMNS / 32, I = ACROSS, J = COLUMNS / 8 / ACROSS;

  static __device__ int row() { return threadIdx.x / 32 / ACROSS * (I * 16); }
  static __device__ int column() { return threadIdx.x / 32 % ACROSS * (J * 8); }
};

// Starts acc += a·bᵀ as a group of products, where a lane reads quad 0 of its first row of a at the byte `at`, and `right` describes b. The
// numbers of a, rounded, stay in registers until the products are finished.
template <int J>
__device__ inline void start_rows(float (&acc)[1][J][4], unsigned (&a)[2][4], const float* left, int at, unsigned long long right) {
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const int quad = half * 2 + r / 2;
      const char* rows = reinterpret_cast<const char*>(left + r % 2 * 8 * CHANNELS);
      a[half][r] = nearly_tf32(*reinterpret_cast<const float*>(rows + (at ^ quad * 16)));  // as quad_at
    }
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
  float4 a[I][2];
#pragma unroll
  for (int i = 0; i < I; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      a[i][half] = *reinterpret_cast<const float4*>(left + quad_at(row + i * 16 + half * 8 + group, member));
  auto b = [&](int j) { return *reinterpret_cast<const float4*>(right + quad_at(column + j * 8 + group, member)); };
  if (PRECISION == BF16) {
    unsigned x[I][4];
#pragma unroll
    for (int i = 0; i < I; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        x[i][half] = pack_bf16(a[i][half].x, a[i][half].y), x[i][half + 2] = pack_bf16(a[i][half].z, a[i][half].w);
#pragma unroll
    for (int j = 0; j < J; ++j) {
      const float4 v = b(j);
      const unsigned w[2] = {pack_bf16(v.x, v.y), pack_bf16(v.z, v.w)};
#pragma unroll
      for (int i = 0; i < I; ++i) mma_bf16(acc[i][j], x[i], w);
    }
    return;
  }
  unsigned x[2][I][4], x_low[2][I][4];
#pragma unroll
  for (int i = 0; i < I; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float4 v = a[i][half];
      split<PRECISION>(v.x, x[0][i][half], x_low[0][i][half]);
      split<PRECISION>(v.y, x[0][i][half + 2], x_low[0][i][half + 2]);
      split<PRECISION>(v.z, x[1][i][half], x_low[1][i][half]);
      split<PRECISION>(v.w, x[1][i][half + 2], x_low[1][i][half + 2]);
    }
  // Columns two at a time: one would wait for its own sums, and all take many registers.
#pragma unroll
  for (int j = 0; j < J; j += 2) {
    unsigned w[2][2][2], w_low[2][2][2];
#pragma unroll
    for (int next = 0; next < 2; ++next) {
      const float4 v = b(j + next);
      const float numbers[2][2] = {{v.x, v.y}, {v.z, v.w}};
#pragma unroll
      for (int step = 0; step < 2; ++step)
#pragma unroll
        for (int r = 0; r < 2; ++r)
          if (PRECISION == TF32)  // weights are laid out rounded
            w[step][next][r] = __float_as_uint(numbers[step][r]);
          else
            split<PRECISION>(numbers[step][r], w[step][next][r], w_low[step][next][r]);
    }
#pragma unroll
    for (int step = 0; step < 2; ++step)
#pragma unroll
      for (int i = 0; i < I; ++i)
#pragma unroll
        for (int next = 0; next < 2; ++next)
          multiply_part<PRECISION>(acc[i][j + next], x[step][i], x_low[step][i], w[step][next], w_low[step][next]);
  }
}

// The sums of a tile whose summands `splits` blocks have shared, in the last block that gets here; false in the others. `there` tells whether
// this warp has any. `scratch` has room for the tiles of all blocks, and `counters` is 0 for each tile before and afterwards.
template <int I, int J>
__device__ inline bool gather(float (&acc)[I][J][4], bool there, int splits, float* scratch, unsigned* counters) {
  const int tile = (blockIdx.z / splits * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  float(*sums)[4] = acc[0];
  float4* parts = reinterpret_cast<float4*>(scratch) + (size_t)tile * splits * I * J * BLOCKED_THREADS + threadIdx.x;
  float4* own = parts + (size_t)(blockIdx.z % splits) * I * J * BLOCKED_THREADS;
  if (there)
#pragma unroll
    for (int i = 0; i < I * J; ++i) own[i * BLOCKED_THREADS] = make_float4(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
  __syncthreads();
  bool last = false;
  if (threadIdx.x == 0) {  // what all threads of the block have written before, and will read then
    __threadfence();
    last = atomicAdd(&counters[tile], 1u) == splits - 1u;
    __threadfence();
  }
  if (!__syncthreads_or(last)) return false;
  if (there) {
#pragma unroll
    for (int i = 0; i < I * J; ++i)
#pragma unroll
      for (int k = 0; k < 4; ++k) sums[i][k] = 0.f;
#pragma unroll (I * J > 8 ? 1 : 2)  // reads of one part hide behind those of another, where there are registers
    for (int split = 0; split < splits; ++split, parts += I * J * BLOCKED_THREADS)  // always in this order
#pragma unroll
      for (int i = 0; i < I * J; ++i) {
        const float4 part = parts[i * BLOCKED_THREADS];
        sums[i][0] += part.x, sums[i][1] += part.y, sums[i][2] += part.z, sums[i][3] += part.w;
      }
  }
  if (threadIdx.x == 0) counters[tile] = 0;
  return true;
}

// finish(v, i) and then put(write, v, i) for each element i of the result, or as `store_pooled`, `store_windows` or `store_folded` say; `signs`
// is null or where to put the signs of what is finished. `From` fetches what is read.
template <Precision PRECISION, Kind KIND, int COLUMNS, Lie LIE, template <Kind> class From, class Finish, class Write, class Winner = int>
__device__ inline void blocked(const float* x, const float* w, const Convolution& c, Finish finish, Write write, unsigned* signs, float* scratch,
                               unsigned* counters, const Windows& windows = {}, Winner winner = {}) {
  const bool GROUPED = WARPGROUPS && PRECISION == TF32;
  const int LEFT = ROWS * CHANNELS, RIGHT = COLUMNS * CHANNELS;
  DYNAMIC_SHARED(float, shared);  // STAGES · (LEFT + RIGHT) numbers and the table of `From`, or the results that windows read
  const Places<KIND> places(c, c.splits > 1 ? blockIdx.z / c.splits : blockIdx.z, windows);
  const int plane = places.height * places.width, rows = c.samples * plane;
  if (plane == 0) return;  // a class without places
  // A tile of FOLDED has all taps of so many channels.
  const int taps = windows.down.kernel * windows.across.kernel, whole = KIND == FOLDED ? COLUMNS / taps * taps : COLUMNS;
  const int columns = KIND == FOLDED ? c.channels * taps : c.to_channels;
  const int top = blockIdx.x * ROWS, side = blockIdx.y * whole;

  From<KIND> from(x, c, places, top, reinterpret_cast<int2*>(shared + STAGES * (LEFT + RIGHT)));
  __syncthreads();  // so that its table is there, where it has one
  int steps = from.steps();
  if (c.splits > 1) {  // the part of this block
    const int share = (steps + c.splits - 1) / c.splits, start = blockIdx.z % c.splits * share;
    steps = max(0, min(steps - start, share));
    if (steps > 0) from.start(start);
  }

  int own_quad = quad_at(threadIdx.x / QUADS, threadIdx.x % QUADS);  // what this thread fetches in the first EACH rows
  if (GROUPED) hold(own_quad);
  const unsigned kernel = side * CHANNELS + threadIdx.x * 4;  // the first quad that this thread fetches of the first part
  bool inside[COLUMNS / EACH];
#pragma unroll
  for (int i = 0; i < COLUMNS / EACH; ++i) inside[i] = side + (int)threadIdx.x / QUADS + i * EACH < columns;
  auto fetch = [&](int step, int stage) {
    if (step < steps) {
      float* left = shared + stage * (LEFT + RIGHT);
      const float* part = w + (kernel + from.fetch(left, own_quad) * columns * CHANNELS);
#pragma unroll
      for (int i = 0; i < COLUMNS / EACH; ++i)
        copy_async_16(left + LEFT + own_quad + i * EACH * CHANNELS, part + i * EACH * CHANNELS, inside[i]);
    }
    copy_async_commit();
  };

  typedef Warps<GROUPED, COLUMNS> Own;
  float acc[Own::I][Own::J][4] = {};
  const int row = Own::row(), column = Own::column();
  // Products of warpgroups read the operands of one step while the next begins.
  const int AHEAD = GROUPED ? STAGES - 2 : STAGES - 1;
  for (int stage = 0; stage < AHEAD; ++stage) fetch(stage, stage);
  auto next = [&](int step, int stage) {
    copy_async_wait<AHEAD - 1>();
    if (GROUPED) show_copies();
    __syncthreads();
    fetch(step + AHEAD, (stage + AHEAD) % STAGES);
    return shared + stage * (LEFT + RIGHT);
  };
  // Whether a warp, or some warp of its warpgroup, has places.
  const bool there = in_patches(KIND) || top + (GROUPED ? row / 64 * 64 : row) < rows;
  if constexpr (GROUPED) {
    int at = (quad_at(row + threadIdx.x % 32 / 4, 0) + threadIdx.x % 4) * sizeof *shared;
    hold(at);
    const unsigned long long right = describe(shared + LEFT);
    unsigned a[2][2][4];
    // With the number of a stage its addresses are known to the compiler, which takes more registers.
    const int AT_ONCE = COLUMNS > 64 ? 2 : STAGES;
    for (int step = 0; step < steps; step += AT_ONCE)
#pragma unroll
      for (int i = 0; i < AT_ONCE && step + i < steps; ++i) {
        const int stage = (AT_ONCE == STAGES ? 0 : step % STAGES) + i;
        const float* left = next(step + i, stage);
        if (there) start_rows(acc, a[i % 2], left, at, right + stage * (LEFT + RIGHT) / 4);
        finish_products<1>(acc[0]);
      }
    finish_products<0>(acc[0]);
  } else {
    const bool some = there && side + column < columns;
    for (int step = 0, stage = 0; step < steps; ++step, stage = (stage + 1) % STAGES) {
      const float* left = next(step, stage);
      if (some) multiply_rows<PRECISION>(acc, left, row, left + LEFT, column);
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
    store<LIE>(acc, top + row, side + column, rows, columns, index, finish, write, signs);
}
