// What kernels need of the hardware beyond CUDA C++: tensor cores, asynchronous copies, dynamic shared memory.
//
// Each primitive has its instruction and, for tests on machines without a GPU, its meaning on the host. Needs no header,
// and a device of compute capability 8.0 or higher.
//
// In a warp, lane `l` belongs to group `g = l / 4` and is its member `t = l % 4`. Four warps, from a multiple of four on, are a warpgroup.
#ifndef XDNN_PRIMITIVES
#define XDNN_PRIMITIVES

#ifdef XDNN_HOST

// --- the host ---

// Dynamic shared memory of the launch, as an array of `type` that starts at a multiple of 512 bytes. (Only at one of 128 where the host would not
// find overruns otherwise: where its size is no multiple of 1024.)
#define DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(xdnn::launch.dynamic_shared)

namespace xdnn {

// A lane's parts of D (16 x 8), A and B.
struct Fragments {
  float* d;
  const unsigned *a, *b;
};

inline float bf16(unsigned bits) { return __uint_as_float(bits << 16); }

// D += A B for A of 16 x depth and B of depth x 8, once for the warp; `load` takes the lanes' parts of A and B apart.
template <int depth, class Load>
inline void multiply(void* const* lanes, unsigned mask, Load load) {
  if (mask != ~0u) {
    launch.scheduler->trap("a product of a warp needs all of its 32 lanes", 0);
    return;
  }
  typedef float Row __attribute__((vector_size(32)));
  float a[16][depth];
  Row b[depth], d[16];
  for (int lane = 0; lane < 32; lane++) {
    const Fragments& part = *static_cast<const Fragments*>(lanes[lane]);
    const int g = lane / 4, t = lane % 4;
    load(part, g, t, a, b);
    for (int i = 0; i < 4; i++) d[g + i / 2 * 8][2 * t + i % 2] = part.d[i];
  }
  // As tensor cores do, more or less: the sum of the exact products, cut off.
  for (int row = 0; row < 16; row++)
    for (int column = 0; column < 8; column++) {
      double sum = d[row][column];
      for (int k = 0; k < depth; k++) sum += static_cast<double>(a[row][k]) * b[k][column];
      float cut = static_cast<float>(sum);
      if (fabs(static_cast<double>(cut)) > fabs(sum)) cut = __uint_as_float(__float_as_uint(cut) - 1u);
      d[row][column] = cut;
    }
  for (int lane = 0; lane < 32; lane++) {
    const Fragments& part = *static_cast<const Fragments*>(lanes[lane]);
    for (int i = 0; i < 4; i++) part.d[i] = d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
  }
}

inline void multiply_tf32(void* const* lanes, unsigned mask) {
  // The hardware does not read the lower 13 bits.
  auto read = [](unsigned bits) { return __uint_as_float(bits & 0xffffe000u); };
  multiply<8>(lanes, mask, [&](const Fragments& part, int g, int t, auto& a, auto& b) {
    for (int i = 0; i < 4; i++) a[g + i % 2 * 8][t + i / 2 * 4] = read(part.a[i]);
    for (int i = 0; i < 2; i++) b[t + i * 4][g] = read(part.b[i]);
  });
}

inline void multiply_bf16(void* const* lanes, unsigned mask) {
  multiply<16>(lanes, mask, [](const Fragments& part, int g, int t, auto& a, auto& b) {
    for (int i = 0; i < 4; i++)
      for (int half = 0; half < 2; half++) a[g + i % 2 * 8][2 * t + half + i / 2 * 8] = bf16(part.a[i] >> 16 * half & 0xffff);
    for (int i = 0; i < 2; i++)
      for (int half = 0; half < 2; half++) b[2 * t + half + i * 8][g] = bf16(part.b[i] >> 16 * half & 0xffff);
  });
}

// A product of a warpgroup that has been asked for, as a lane sees it. As on the device, what it reads and writes is its own until it is waited
// for: `d` holds NaN so long, the factors are read at the end.
struct Product {
  float* d;
  const unsigned* a;
  unsigned long long b;
  int columns;
};

const int PRODUCTS = 8, RESULTS = 64;

// The products under way of a thread of a block. All have the same `d`, whose true values are in `sums`.
struct Products {
  unsigned long long block;
  Product product[PRODUCTS];
  int committed[PRODUCTS];  // the ends of groups
  int count, groups;
  bool open;    // since a group has been opened
  bool hidden;  // copies that were waited for and not shown to products
  float sums[RESULTS];
};

inline Products all_products[1024] __attribute__((visibility("hidden")));
inline Products& products() {
  Products& own = all_products[launch.thread.x];
  if (own.block != launch.number) own.block = launch.number, own.count = own.groups = 0, own.open = own.hidden = false;
  return own;
}

// What the instruction reads where a descriptor points: number k of row n of a matrix whose rows have 64 bytes.
inline float described(unsigned long long descriptor, int n, int k) {
  const size_t at = (descriptor & 0x3fff) * 16 + n / 8 * ((descriptor >> 32 & 0x3fff) * 16) + n % 8 * 64 + k * 4;
  float x;
  memcpy(&x, launch.dynamic_shared + (at ^ (at >> 7 & 3) << 4), 4);
  return x;
}

// The rows of a warp of D += A B.
inline void multiply_warpgroup(void* const* lanes, unsigned mask) {
  if (mask != ~0u) {
    launch.scheduler->trap("a product of a warpgroup needs all lanes of its warps", 0);
    return;
  }
  for (unsigned i = 0; i < launch.block_dim.x; i++)
    if (all_products[i].block == launch.number && all_products[i].hidden) {
      launch.scheduler->trap("a product of a warpgroup begins while copies are not shown to it", 0);
      return;
    }
  auto read = [](unsigned bits) { return __uint_as_float(bits & 0xffffe000u); };
  const Product& first = *static_cast<const Products*>(lanes[0])->product;
  for (int column = 0; column < first.columns; column++) {
    float b[8];
    for (int k = 0; k < 8; k++) b[k] = read(__float_as_uint(described(first.b, column, k)));
    for (int row = 0; row < 16; row++) {
      Products& owner = *static_cast<Products*>(lanes[row % 8 * 4 + column % 8 / 2]);
      float& d = owner.sums[column / 8 * 4 + row / 8 * 2 + column % 2];
      double sum = d;
      for (int k = 0; k < 8; k++) {
        const Products& part = *static_cast<const Products*>(lanes[row % 8 * 4 + k % 4]);
        sum += static_cast<double>(read(part.product->a[row / 8 + k / 4 * 2])) * b[k];
      }
      d = static_cast<float>(sum);
      if (fabs(static_cast<double>(d)) > fabs(sum)) d = __uint_as_float(__float_as_uint(d) - 1u);
    }
  }
}

inline void start_product(float* d, const unsigned* a, unsigned long long b, int columns, int line) {
  Products& own = products();
  if (!own.open || own.count == PRODUCTS || (own.count && own.product[0].d != d)) {
    launch.scheduler->trap("a product of a warpgroup is in no group, or too many are under way, or with several results", line);
    return;
  }
  if (!own.count) memcpy(own.sums, d, columns / 2 * sizeof *d);
  memset(d, 0xff, columns / 2 * sizeof *d);
  own.product[own.count++] = {d, a, b, columns};
}

inline void finish_products(int groups, int line) {
  Products& own = products();
  while (own.groups > groups) {
    for (int left = own.committed[0]; left > 0; left--) {
      warp(~0u, multiply_warpgroup, &own, line);
      if (own.count == 1) memcpy(own.product->d, own.sums, own.product->columns / 2 * sizeof(float));
      own.count--;
      for (int i = 0; i < own.count; i++) own.product[i] = own.product[i + 1];
    }
    const int ended = own.committed[0];
    own.groups--;
    for (int i = 0; i < own.groups; i++) own.committed[i] = own.committed[i + 1] - ended;
  }
}

inline unsigned to_bf16(float x) {
  const unsigned bits = __float_as_uint(x);
  return x != x ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

}  // namespace xdnn

inline unsigned tf32(float x) { return x != x ? 0x7fffffff : (__float_as_uint(x) + 0x1000) & 0xffffe000; }

inline void hold(int&) {}

inline float max_or_nan(float x, float y) { return x != x || x > y ? x : y; }

inline unsigned nearly_tf32(float x) { return __float_as_uint(x) + (isfinite(x) ? 0x1000 : 0); }

inline unsigned pack_bf16(float low, float high) { return xdnn::to_bf16(high) << 16 | xdnn::to_bf16(low); }

inline void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], int line = __builtin_LINE()) {
  xdnn::Fragments mine{d, a, b};
  xdnn::warp(~0u, xdnn::multiply_tf32, &mine, line);
}

inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], int line = __builtin_LINE()) {
  xdnn::Fragments mine{d, a, b};
  xdnn::warp(~0u, xdnn::multiply_bf16, &mine, line);
}

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
const bool WARPGROUPS = true;
#else
const bool WARPGROUPS = false;
#endif

inline unsigned long long describe(const void* shared) {
  const size_t at = static_cast<const char*>(shared) - xdnn::launch.dynamic_shared;
  return at / 16 & 0x3fff | 32ull << 32 | 2ull << 62;
}

template <int J>
inline void start_product(float (&d)[J][4], const unsigned (&a)[4], unsigned long long b, int line = __builtin_LINE()) {
  static_assert(J * 4 <= xdnn::RESULTS, "");
  xdnn::start_product(d[0], a, b, J * 8, line);
}

template <int COUNT>
inline void open_products(unsigned (&)[COUNT][4]) {
  xdnn::products().open = true;
}

inline void close_products() {
  xdnn::Products& own = xdnn::products();
  own.open = false;
  own.committed[own.groups++] = own.count;
}

template <int groups, int J>
inline void finish_products(float (&)[J][4], int line = __builtin_LINE()) {
  xdnn::finish_products(groups, line);
}

inline void show_copies() { xdnn::products().hidden = false; }

inline void copy_async_16(void* shared, const void* global, bool valid, int line = __builtin_LINE()) {
  xdnn::launch.scheduler->copy_async(shared, global, 16, valid, line);
}

inline void copy_async_16_again(void* shared, const void* global, bool valid, int line = __builtin_LINE()) {
  copy_async_16(shared, global, valid, line);
}

inline void copy_async_4(void* shared, const void* global, bool valid, int line = __builtin_LINE()) {
  xdnn::launch.scheduler->copy_async(shared, global, 4, valid, line);
}

inline void copy_async_commit() { xdnn::launch.scheduler->copy_async_commit(); }

template <int groups>
inline void copy_async_wait() {
  xdnn::launch.scheduler->copy_async_wait(groups);
  xdnn::products().hidden = true;
}

#else

// --- the device ---

#define DYNAMIC_SHARED(type, name)                                      \
  extern __shared__ __align__(1024) unsigned char xdnn_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(xdnn_dynamic_shared)

// Holds a number in a register: the compiler would compute it again and again.
__device__ __forceinline__ void hold(int& x) { asm volatile("" : "+r"(x)); }

// The larger of two, or NaN where one of them is.
__device__ __forceinline__ float max_or_nan(float x, float y) {
  float most;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(most) : "f"(x), "f"(y));
  return most;
}

// The nearest TF32 of a float, ties away from zero, as the bits of a float.
__device__ __forceinline__ unsigned tf32(float x) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

// The same, but for the lower 13 bits, which products do not read.
__device__ __forceinline__ unsigned nearly_tf32(float x) {
  unsigned bits = __float_as_uint(x);
  if (fabsf(x) < __uint_as_float(0x7f800000u)) bits += 0x1000;
  return bits;
}

// Two floats as BF16, ties to even, `low` in the lower half: the one of the lower index.
__device__ __forceinline__ unsigned pack_bf16(float low, float high) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

// D (16 x 8) += A (16 x 8) B (8 x 8) in TF32, by all lanes of a warp.
//
//     d[0..4] = D[g][2t], D[g][2t + 1], D[g + 8][2t], D[g + 8][2t + 1]
//     a[0..4] = A[g][t],  A[g + 8][t],  A[g][t + 4],  A[g + 8][t + 4]
//     b[0..2] = B[t][g],  B[t + 4][g]
__device__ __forceinline__ void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// D (16 x 8) += A (16 x 16) B (16 x 8) in BF16, by all lanes of a warp; pairs are packed by `pack_bf16`.
//
//     d[0..4] = as of `mma_tf32`
//     a[0..4] = A[g][2t, 2t + 1], A[g + 8][2t, 2t + 1], A[g][2t + 8, 2t + 9], A[g + 8][2t + 8, 2t + 9]
//     b[0..2] = B[2t, 2t + 1][g], B[2t + 8, 2t + 9][g]
__device__ __forceinline__ void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Whether there are products of warpgroups.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
const bool WARPGROUPS = true;
#else
const bool WARPGROUPS = false;
#endif

// A matrix in shared memory for `start_product`: rows of 16 numbers in the swizzle of 64 bytes, from a multiple of 512 bytes on. To begin at
// number 8 of each row, or so many quads further on, add 2, or that many.
//
// The fields are the start in units of 16 bytes (bits 0 to 13), the distance of groups of eight rows in the same (32 to 45), and the swizzle
// (62 and 63). The other distance (16 to 29) is not read with a swizzle, and the offset of the pattern (49 to 51) is 0 because of the alignment.
__device__ __forceinline__ unsigned long long describe(const void* shared) {
  const unsigned at = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const unsigned long long eight_rows = 512 / 16, swizzle_64 = 2;
  return (at / 16 & 0x3fff) | eight_rows << 32 | swizzle_64 << 62;
}

#define XDNN_RESULTS_4(j) "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
#define XDNN_RESULTS_16(j) XDNN_RESULTS_4(j), XDNN_RESULTS_4(j + 1), XDNN_RESULTS_4(j + 2), XDNN_RESULTS_4(j + 3)

// Starts D (64 x 8 J) += A (64 x 8) Bᵀ in TF32, by all lanes of a warpgroup; J is 8 or 16. Warp `w` of the warpgroup has rows 16 w to 16 w + 15
// of D and of A, laid out as for `mma_tf32`, d[j] for columns 8 j to 8 j + 7; B is described above. Until the product is finished, `d` and `a`
// must stay as they are, and so must B.
template <int J>
__device__ __forceinline__ void start_product(float (&d)[J][4], const unsigned (&a)[4], unsigned long long b) {
  static_assert(J == 8 || J == 16, "");
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  if constexpr (J == 8)
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, 1, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k8.f32.tf32.tf32 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, p, 1, 1;}"
        : XDNN_RESULTS_16(0), XDNN_RESULTS_16(4)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  else
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, 1, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k8.f32.tf32.tf32 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
        "{%64, %65, %66, %67}, %68, p, 1, 1;}"
        : XDNN_RESULTS_16(0), XDNN_RESULTS_16(4), XDNN_RESULTS_16(8), XDNN_RESULTS_16(12)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
#endif
}

// Before the first of a group of products, which are given `a`: the registers are theirs now.
template <int COUNT>
__device__ __forceinline__ void open_products(unsigned (&a)[COUNT][4]) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#pragma unroll
  for (int i = 0; i < COUNT; ++i)  // the compiler must not write them behind the fence
    asm volatile("" : "+r"(a[i][0]), "+r"(a[i][1]), "+r"(a[i][2]), "+r"(a[i][3])::"memory");
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

// Behind the last one.
__device__ __forceinline__ void close_products() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Waits until no more than the last `groups` groups of products are under way. With none, `d` can be used.
template <int groups, int J>
__device__ __forceinline__ void finish_products(float (&d)[J][4]) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(groups) : "memory");
  if (groups == 0)  // the compiler must not use them before
#pragma unroll
    for (int j = 0; j < J; ++j) asm volatile("" : XDNN_RESULTS_4(j)::"memory");
#endif
}

// Shows products of warpgroups what the asynchronous copies of this thread, waited for, have written. A barrier must follow.
__device__ __forceinline__ void show_copies() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// Copies 16 bytes to shared memory, or writes zeros when not `valid`; then `global` is not read, but must still be
// aligned. The bytes are there for this thread after the `copy_async_wait` that covers the copy's group, and for the
// block after a barrier behind it.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))),
               "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}

// The same through the first cache, for what will soon be read again.
__device__ __forceinline__ void copy_async_16_again(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))),
               "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}

// The same for 4 bytes.
__device__ __forceinline__ void copy_async_4(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))),
               "l"(global), "r"(valid ? 4 : 0)
               : "memory");
}

// Closes the group of the copies since the last call; a group may be empty.
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until no more than the last `groups` groups are under way.
template <int groups>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
}

#endif
#endif
