// What kernels need of the hardware beyond CUDA C++: tensor cores, asynchronous copies, dynamic shared memory.
//
// Each primitive has its instruction and, for tests on machines without a GPU, its meaning on the host. Needs no header,
// and a device of compute capability 8.0 or higher.
//
// In a warp, lane `l` belongs to group `g = l / 4` and is its member `t = l % 4`.
#ifndef XDNN_PRIMITIVES
#define XDNN_PRIMITIVES

#ifdef XDNN_HOST

// --- the host ---

// Dynamic shared memory of the launch, as an array of `type` that starts at a multiple of 1024 bytes where it is a multiple of them, and of 128
// otherwise.
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

inline unsigned to_bf16(float x) {
  const unsigned bits = __float_as_uint(x);
  return x != x ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

}  // namespace xdnn

inline unsigned tf32(float x) { return x != x ? 0x7fffffff : (__float_as_uint(x) + 0x1000) & 0xffffe000; }

inline unsigned pack_bf16(float low, float high) { return xdnn::to_bf16(high) << 16 | xdnn::to_bf16(low); }

inline void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], int line = __builtin_LINE()) {
  xdnn::Fragments mine{d, a, b};
  xdnn::warp(~0u, xdnn::multiply_tf32, &mine, line);
}

inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], int line = __builtin_LINE()) {
  xdnn::Fragments mine{d, a, b};
  xdnn::warp(~0u, xdnn::multiply_bf16, &mine, line);
}

inline void copy_async_16(void* shared, const void* global, bool valid, int line = __builtin_LINE()) {
  xdnn::launch.scheduler->copy_async(shared, global, 16, valid, line);
}

inline void copy_async_4(void* shared, const void* global, bool valid, int line = __builtin_LINE()) {
  xdnn::launch.scheduler->copy_async(shared, global, 4, valid, line);
}

inline void copy_async_commit() { xdnn::launch.scheduler->copy_async_commit(); }

template <int groups>
inline void copy_async_wait() {
  xdnn::launch.scheduler->copy_async_wait(groups);
}

#else

// --- the device ---

#define DYNAMIC_SHARED(type, name)                                      \
  extern __shared__ __align__(1024) unsigned char xdnn_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(xdnn_dynamic_shared)

// The nearest TF32 of a float, ties away from zero, as the bits of a float.
__device__ __forceinline__ unsigned tf32(float x) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
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

// Copies 16 bytes to shared memory, or writes zeros when not `valid`; then `global` is not read, but must still be
// aligned. The bytes are there for this thread after the `copy_async_wait` that covers the copy's group, and for the
// block after a barrier behind it.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))),
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
