// CUDA C++ for the host: what NVRTC declares without any header, so that g++ compiles the text of a kernel.
//
// No header of the standard library is included: what NVRTC lacks is missing here as well, and a kernel compiles in
// a fraction of a second. `__global__` and `__launch_bounds__` are left to whoever lists the kernels of the text.
#pragma once
#define XDNN_HOST 1

#include "abi.h"

#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __managed__
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __restrict __restrict__

using size_t = decltype(sizeof(0));
using ptrdiff_t = decltype(static_cast<char*>(nullptr) - static_cast<char*>(nullptr));

extern "C" {
int printf(const char*, ...);
void* memcpy(void*, const void*, size_t);
void* memset(void*, int, size_t);
}

// --- vectors ---

#define XDNN_VECTOR(type, name, align2, align4)                                                             \
  struct name##1 { type x; };                                                                               \
  struct __attribute__((aligned(align2))) name##2 { type x, y; };                                           \
  struct name##3 { type x, y, z; };                                                                         \
  struct __attribute__((aligned(align4))) name##4 { type x, y, z, w; };                                     \
  inline name##1 make_##name##1(type x) { return {x}; }                                                     \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }                                          \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                               \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
XDNN_VECTOR(signed char, char, 2, 4)
XDNN_VECTOR(unsigned char, uchar, 2, 4)
XDNN_VECTOR(short, short, 4, 8)
XDNN_VECTOR(unsigned short, ushort, 4, 8)
XDNN_VECTOR(int, int, 8, 16)
XDNN_VECTOR(unsigned, uint, 8, 16)
XDNN_VECTOR(long long, longlong, 16, 16)
XDNN_VECTOR(unsigned long long, ulonglong, 16, 16)
XDNN_VECTOR(float, float, 8, 16)
XDNN_VECTOR(double, double, 16, 16)
#undef XDNN_VECTOR

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// --- the launch ---

namespace xdnn {

inline Launch launch __attribute__((visibility("hidden")));

inline void warp(unsigned mask, WarpOperation operation, void* mine, int line) { launch.scheduler->warp(mask, operation, mine, line); }

template <class To, class From>
inline To bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "");
  return __builtin_bit_cast(To, from);
}

}  // namespace xdnn

#define threadIdx (xdnn::launch.thread)
#define blockIdx (xdnn::launch.block)
#define blockDim (xdnn::launch.block_dim)
#define gridDim (xdnn::launch.grid_dim)
constexpr int warpSize = 32;

inline void __syncthreads(int line = __builtin_LINE()) { xdnn::launch.scheduler->block_barrier(0, line); }
inline int __syncthreads_count(int p, int line = __builtin_LINE()) { return xdnn::launch.scheduler->block_barrier(p, line); }
inline int __syncthreads_or(int p, int line = __builtin_LINE()) { return xdnn::launch.scheduler->block_barrier(p, line) != 0; }
inline int __syncthreads_and(int p, int line = __builtin_LINE()) { return xdnn::launch.scheduler->block_barrier(!p, line) == 0; }
inline void __syncwarp(unsigned mask = ~0u, int line = __builtin_LINE()) { xdnn::warp(mask, nullptr, nullptr, line); }
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline unsigned __activemask() { return xdnn::launch.scheduler->active(); }
inline void __nanosleep(unsigned) {}
inline void __trap(int line = __builtin_LINE()) { xdnn::launch.scheduler->trap("`__trap`", line); }
#define assert(condition) ((condition) ? (void)0 : xdnn::launch.scheduler->trap("assertion `" #condition "` failed", __LINE__))
inline long long clock64() { return 0; }
inline int clock() { return 0; }

// --- a warp's lanes together ---

namespace xdnn {

// What one lane brings to an exchange and takes from it.
struct Lane {
  unsigned long long value;
  unsigned source;
};

template <class Body>
inline void each(unsigned mask, Body body) {
  for (; mask; mask &= mask - 1) body(__builtin_ctz(mask));
}

// A lane outside of the mask has no value: its reader gets poison, NaN as a float.
inline void exchange(void* const* lanes, unsigned mask) {
  unsigned long long values[32];
  for (unsigned i = 0; i < 32; i++) values[i] = lanes[i] ? static_cast<const Lane*>(lanes[i])->value : ~0ull;
  each(mask, [&](unsigned i) {
    Lane& lane = *static_cast<Lane*>(lanes[i]);
    lane.value = values[lane.source];
  });
}

template <class T>
inline T shuffle(unsigned mask, T value, unsigned source, int line) {
  static_assert(sizeof(T) <= 8, "values of up to eight bytes can be shuffled");
  Lane mine{0, source & 31};
  __builtin_memcpy(&mine.value, &value, sizeof value);
  warp(mask, exchange, &mine, line);
  __builtin_memcpy(&value, &mine.value, sizeof value);
  return value;
}

inline void vote(void* const* lanes, unsigned mask) {
  unsigned set = 0;
  each(mask, [&](unsigned i) { set |= static_cast<Lane*>(lanes[i])->value ? 1u << i : 0; });
  each(mask, [&](unsigned i) {
    static_cast<Lane*>(lanes[i])->value = set;
    static_cast<Lane*>(lanes[i])->source = mask;
  });
}

inline void match(void* const* lanes, unsigned mask) {
  each(mask, [&](unsigned i) {
    unsigned equal = 0;
    each(mask, [&](unsigned j) { equal |= static_cast<Lane*>(lanes[i])->value == static_cast<Lane*>(lanes[j])->value ? 1u << j : 0; });
    static_cast<Lane*>(lanes[i])->source = equal;
  });
}

struct Add { template <class T> static T of(T a, T b) { return a + b; } };
struct Min { template <class T> static T of(T a, T b) { return b < a ? b : a; } };
struct Max { template <class T> static T of(T a, T b) { return a < b ? b : a; } };
struct And { template <class T> static T of(T a, T b) { return a & b; } };
struct Or { template <class T> static T of(T a, T b) { return a | b; } };
struct Xor { template <class T> static T of(T a, T b) { return a ^ b; } };

template <class Operator, class T>
inline void fold(void* const* lanes, unsigned mask) {
  T sum = *static_cast<T*>(lanes[__builtin_ctz(mask)]);
  each(mask & (mask - 1), [&](unsigned i) { sum = Operator::of(sum, *static_cast<T*>(lanes[i])); });
  each(mask, [&](unsigned i) { *static_cast<T*>(lanes[i]) = sum; });
}

}  // namespace xdnn

template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, int line = __builtin_LINE()) {
  const unsigned lane = xdnn::launch.lane, group = lane & ~(width - 1);
  return xdnn::shuffle(mask, value, group | (source & (width - 1)), line);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, int line = __builtin_LINE()) {
  const int lane = xdnn::launch.lane, from = lane - int(delta);
  return xdnn::shuffle(mask, value, from < (lane & ~(width - 1)) ? lane : from, line);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, int line = __builtin_LINE()) {
  const int lane = xdnn::launch.lane, from = lane + int(delta);
  return xdnn::shuffle(mask, value, from > (lane | (width - 1)) ? lane : from, line);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, int line = __builtin_LINE()) {
  const int lane = xdnn::launch.lane, from = lane ^ lanes;
  return xdnn::shuffle(mask, value, from > (lane | (width - 1)) ? lane : from, line);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  xdnn::Lane mine{predicate != 0, 0};
  xdnn::warp(mask, xdnn::vote, &mine, line);
  return unsigned(mine.value);
}
inline int __any_sync(unsigned mask, int predicate, int line = __builtin_LINE()) { return __ballot_sync(mask, predicate, line) != 0; }
inline int __all_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  return __ballot_sync(mask, !predicate, line) == 0;
}
template <class T>
inline unsigned __match_any_sync(unsigned mask, T value, int line = __builtin_LINE()) {
  xdnn::Lane mine{0, 0};
  __builtin_memcpy(&mine.value, &value, sizeof value);
  xdnn::warp(mask, xdnn::match, &mine, line);
  return mine.source;
}
#define XDNN_REDUCE(name, operator_, type)                                                      \
  inline type __reduce_##name##_sync(unsigned mask, type value, int line = __builtin_LINE()) {  \
    xdnn::warp(mask, xdnn::fold<xdnn::operator_, type>, &value, line);                          \
    return value;                                                                               \
  }
XDNN_REDUCE(add, Add, int) XDNN_REDUCE(add, Add, unsigned)
XDNN_REDUCE(min, Min, int) XDNN_REDUCE(min, Min, unsigned)
XDNN_REDUCE(max, Max, int) XDNN_REDUCE(max, Max, unsigned)
XDNN_REDUCE(and, And, unsigned) XDNN_REDUCE(or, Or, unsigned) XDNN_REDUCE(xor, Xor, unsigned)
#undef XDNN_REDUCE

// --- memory ---

template <class T> inline T __ldg(const T* p) { return *p; }
template <class T> inline T __ldcg(const T* p) { return *p; }
template <class T> inline T __ldca(const T* p) { return *p; }
template <class T> inline T __ldcs(const T* p) { return *p; }
template <class T> inline T __ldlu(const T* p) { return *p; }
template <class T> inline T __ldcv(const T* p) { return *p; }
template <class T> inline void __stcg(T* p, T value) { *p = value; }
template <class T> inline void __stcs(T* p, T value) { *p = value; }
template <class T> inline void __stwb(T* p, T value) { *p = value; }
template <class T> inline void __stwt(T* p, T value) { *p = value; }

namespace xdnn {
template <class T, class Body>
inline T exchange_at(T* p, Body body) {
  const T old = *p;
  *p = body(old);
  return old;
}
}  // namespace xdnn

// One thread runs at a time, until it waits: plain reads and writes are atomic.
#define XDNN_ATOMIC(name, type, expression)                                            \
  inline type atomic##name(type* p, type value) {                                      \
    return xdnn::exchange_at(p, [&](type old) -> type { return expression; });         \
  }                                                                                    \
  inline type atomic##name##_block(type* p, type value) { return atomic##name(p, value); } \
  inline type atomic##name##_system(type* p, type value) { return atomic##name(p, value); }
#define XDNN_ATOMIC_INTEGERS(name, expression)                   \
  XDNN_ATOMIC(name, int, expression)                             \
  XDNN_ATOMIC(name, unsigned, expression)                        \
  XDNN_ATOMIC(name, unsigned long long, expression)
XDNN_ATOMIC_INTEGERS(Add, old + value)
XDNN_ATOMIC(Add, float, old + value)
XDNN_ATOMIC(Add, double, old + value)
XDNN_ATOMIC(Sub, int, old - value)
XDNN_ATOMIC(Sub, unsigned, old - value)
XDNN_ATOMIC_INTEGERS(Exch, value)
XDNN_ATOMIC(Exch, float, value)
XDNN_ATOMIC_INTEGERS(Min, value < old ? value : old)
XDNN_ATOMIC(Min, long long, value < old ? value : old)
XDNN_ATOMIC_INTEGERS(Max, value > old ? value : old)
XDNN_ATOMIC(Max, long long, value > old ? value : old)
XDNN_ATOMIC_INTEGERS(And, old & value)
XDNN_ATOMIC_INTEGERS(Or, old | value)
XDNN_ATOMIC_INTEGERS(Xor, old ^ value)
XDNN_ATOMIC(Inc, unsigned, old >= value ? 0 : old + 1)
XDNN_ATOMIC(Dec, unsigned, old == 0 || old > value ? value : old - 1)
#undef XDNN_ATOMIC_INTEGERS
#undef XDNN_ATOMIC
#define XDNN_COMPARE_AND_SWAP(type)                                                                \
  inline type atomicCAS(type* p, type compare, type value) {                                       \
    return xdnn::exchange_at(p, [&](type old) -> type { return old == compare ? value : old; });   \
  }
XDNN_COMPARE_AND_SWAP(int)
XDNN_COMPARE_AND_SWAP(unsigned)
XDNN_COMPARE_AND_SWAP(unsigned long long)
XDNN_COMPARE_AND_SWAP(unsigned short)
#undef XDNN_COMPARE_AND_SWAP

// --- integers ---

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int i = 0; i < 32; i++) r |= (x >> i & 1) << (31 - i);
  return r;
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const unsigned long long both = (unsigned long long)y << 32 | x;
  unsigned r = 0;
  for (int i = 0; i < 4; i++) r |= unsigned(both >> (selector >> 4 * i & 7) * 8 & 255) << 8 * i;
  return r;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return unsigned(((unsigned long long)high << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return unsigned(((unsigned long long)high << 32 | low) >> (shift & 31));
}
inline int __mulhi(int a, int b) { return int((long long)a * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long)a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned long long)((unsigned __int128)a * b >> 64); }
inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
inline int __mul24(int a, int b) { return (a << 8 >> 8) * (b << 8 >> 8); }
inline unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffff) * (b & 0xffffff); }

// --- bits and conversions ---

inline float __uint_as_float(unsigned x) { return xdnn::bits<float>(x); }
inline float __int_as_float(int x) { return xdnn::bits<float>(x); }
inline unsigned __float_as_uint(float x) { return xdnn::bits<unsigned>(x); }
inline int __float_as_int(float x) { return xdnn::bits<int>(x); }
inline double __longlong_as_double(long long x) { return xdnn::bits<double>(x); }
inline long long __double_as_longlong(double x) { return xdnn::bits<long long>(x); }
#define XDNN_CONVERT(to, from, name)                                                              \
  inline to __float2##name##_rn(from x) { return xdnn::saturated<to>(__builtin_rintf(x)); }      \
  inline to __float2##name##_rz(from x) { return xdnn::saturated<to>(__builtin_truncf(x)); }     \
  inline to __float2##name##_rd(from x) { return xdnn::saturated<to>(__builtin_floorf(x)); }     \
  inline to __float2##name##_ru(from x) { return xdnn::saturated<to>(__builtin_ceilf(x)); }
namespace xdnn {
// As the device converts: to the nearest that can be held, NaN to 0.
template <class To>
inline To saturated(float x) {
  constexpr int width = sizeof(To) * 8;
  constexpr bool is_signed = To(-1) < To(0);
  constexpr To highest = is_signed ? To((1ull << (width - 1)) - 1) : To(~0ull), lowest = is_signed ? To(-highest - 1) : To(0);
  const float limit = is_signed ? __builtin_ldexpf(1, width - 1) : __builtin_ldexpf(1, width);
  if (x != x) return 0;
  return x >= limit ? highest : x <= float(lowest) ? lowest : To(x);
}
}  // namespace xdnn
XDNN_CONVERT(int, float, int)
XDNN_CONVERT(unsigned, float, uint)
XDNN_CONVERT(long long, float, ll)
XDNN_CONVERT(unsigned long long, float, ull)
#undef XDNN_CONVERT
inline float __int2float_rn(int x) { return float(x); }
inline float __uint2float_rn(unsigned x) { return float(x); }
inline float __ll2float_rn(long long x) { return float(x); }
inline float __ull2float_rn(unsigned long long x) { return float(x); }
inline double __int2double_rn(int x) { return x; }
inline double __uint2double_rn(unsigned x) { return x; }
inline float __double2float_rn(double x) { return float(x); }
inline int __double2int_rn(double x) { return int(__builtin_rint(x)); }

// --- arithmetic ---

#define XDNN_BUILTIN_1(name)                                              \
  inline float name##f(float x) { return __builtin_##name##f(x); }        \
  inline float name(float x) { return __builtin_##name##f(x); }           \
  inline double name(double x) { return __builtin_##name(x); }
#define XDNN_BUILTIN_2(name)                                                              \
  inline float name##f(float x, float y) { return __builtin_##name##f(x, y); }            \
  inline float name(float x, float y) { return __builtin_##name##f(x, y); }               \
  inline double name(double x, double y) { return __builtin_##name(x, y); }
XDNN_BUILTIN_1(sqrt) XDNN_BUILTIN_1(cbrt) XDNN_BUILTIN_1(exp) XDNN_BUILTIN_1(exp2) XDNN_BUILTIN_1(exp10) XDNN_BUILTIN_1(expm1)
XDNN_BUILTIN_1(log) XDNN_BUILTIN_1(log2) XDNN_BUILTIN_1(log10) XDNN_BUILTIN_1(log1p)
XDNN_BUILTIN_1(sin) XDNN_BUILTIN_1(cos) XDNN_BUILTIN_1(tan) XDNN_BUILTIN_1(asin) XDNN_BUILTIN_1(acos) XDNN_BUILTIN_1(atan)
XDNN_BUILTIN_1(sinh) XDNN_BUILTIN_1(cosh) XDNN_BUILTIN_1(tanh) XDNN_BUILTIN_1(asinh) XDNN_BUILTIN_1(acosh) XDNN_BUILTIN_1(atanh)
XDNN_BUILTIN_1(erf) XDNN_BUILTIN_1(erfc) XDNN_BUILTIN_1(tgamma) XDNN_BUILTIN_1(lgamma)
XDNN_BUILTIN_1(fabs) XDNN_BUILTIN_1(floor) XDNN_BUILTIN_1(ceil) XDNN_BUILTIN_1(trunc) XDNN_BUILTIN_1(round) XDNN_BUILTIN_1(rint) XDNN_BUILTIN_1(nearbyint)
XDNN_BUILTIN_2(fmin) XDNN_BUILTIN_2(fmax) XDNN_BUILTIN_2(fmod) XDNN_BUILTIN_2(pow) XDNN_BUILTIN_2(atan2) XDNN_BUILTIN_2(hypot)
XDNN_BUILTIN_2(copysign) XDNN_BUILTIN_2(fdim) XDNN_BUILTIN_2(nextafter) XDNN_BUILTIN_2(remainder)
#undef XDNN_BUILTIN_1
#undef XDNN_BUILTIN_2
inline float fmaf(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
inline float ldexpf(float x, int e) { return __builtin_ldexpf(x, e); }
inline double ldexp(double x, int e) { return __builtin_ldexp(x, e); }
inline float ldexp(float x, int e) { return __builtin_ldexpf(x, e); }
inline float frexpf(float x, int* e) { return __builtin_frexpf(x, e); }
inline float rsqrtf(float x) { return 1 / __builtin_sqrtf(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline double rsqrt(double x) { return 1 / __builtin_sqrt(x); }
inline float rcbrtf(float x) { return 1 / __builtin_cbrtf(x); }
inline float normcdff(float x) { return 0.5f * __builtin_erfcf(-x * 0.70710678118654752440f); }
inline float sinpif(float x) { return float(__builtin_sin(3.14159265358979323846 * x)); }
inline float cospif(float x) { return float(__builtin_cos(3.14159265358979323846 * x)); }
inline void sincosf(float x, float* s, float* c) { *s = sinf(x), *c = cosf(x); }
inline long lrintf(float x) { return __builtin_lrintf(x); }
inline long lroundf(float x) { return __builtin_lroundf(x); }
inline int isnan(float x) { return __builtin_isnan(x); }
inline int isnan(double x) { return __builtin_isnan(x); }
inline int isinf(float x) { return __builtin_isinf(x) != 0; }
inline int isinf(double x) { return __builtin_isinf(x) != 0; }
inline int isfinite(float x) { return __builtin_isfinite(x); }
inline int isfinite(double x) { return __builtin_isfinite(x); }
inline int signbit(float x) { return __builtin_signbit(x) != 0; }
inline int signbit(double x) { return __builtin_signbit(x) != 0; }
inline float abs(float x) { return __builtin_fabsf(x); }
inline double abs(double x) { return __builtin_fabs(x); }
inline int abs(int x) { return __builtin_abs(x); }
inline long abs(long x) { return __builtin_labs(x); }
inline long long abs(long long x) { return __builtin_llabs(x); }
inline long long llabs(long long x) { return __builtin_llabs(x); }

#define XDNN_MIN_MAX(type)                                         \
  inline type min(type a, type b) { return b < a ? b : a; }        \
  inline type max(type a, type b) { return a < b ? b : a; }
XDNN_MIN_MAX(int) XDNN_MIN_MAX(unsigned) XDNN_MIN_MAX(long) XDNN_MIN_MAX(unsigned long) XDNN_MIN_MAX(long long) XDNN_MIN_MAX(unsigned long long)
#undef XDNN_MIN_MAX
#define XDNN_MIN_MAX(result, a_type, b_type)                                         \
  inline result min(a_type a, b_type b) { return min(static_cast<result>(a), static_cast<result>(b)); }        \
  inline result max(a_type a, b_type b) { return max(static_cast<result>(a), static_cast<result>(b)); }
XDNN_MIN_MAX(unsigned, int, unsigned) XDNN_MIN_MAX(unsigned, unsigned, int)
XDNN_MIN_MAX(unsigned long, long, unsigned long) XDNN_MIN_MAX(unsigned long, unsigned long, long)
XDNN_MIN_MAX(unsigned long long, long long, unsigned long long) XDNN_MIN_MAX(unsigned long long, unsigned long long, long long)
#undef XDNN_MIN_MAX
// Of a number and NaN, the number.
inline float min(float a, float b) { return __builtin_fminf(a, b); }
inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
inline double min(double a, double b) { return __builtin_fmin(a, b); }
inline double max(double a, double b) { return __builtin_fmax(a, b); }
inline double min(float a, double b) { return __builtin_fmin(a, b); }
inline double max(float a, double b) { return __builtin_fmax(a, b); }
inline double min(double a, float b) { return __builtin_fmin(a, b); }
inline double max(double a, float b) { return __builtin_fmax(a, b); }

inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __frsqrt_rn(float x) { return float(1 / __builtin_sqrt(double(x))); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __fma_rn(double x, double y, double z) { return __builtin_fma(x, y, z); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __expf(float x) { return __builtin_expf(x); }
inline float __exp10f(float x) { return __builtin_exp10f(x); }
inline float __logf(float x) { return __builtin_logf(x); }
inline float __log2f(float x) { return __builtin_log2f(x); }
inline float __log10f(float x) { return __builtin_log10f(x); }
inline float __powf(float x, float y) { return __builtin_powf(x, y); }
inline float __sinf(float x) { return __builtin_sinf(x); }
inline float __cosf(float x) { return __builtin_cosf(x); }
inline float __tanf(float x) { return __builtin_tanf(x); }
inline void __sincosf(float x, float* s, float* c) { *s = __sinf(x), *c = __cosf(x); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }

// --- what the list of kernels, which stands behind the text, is made of ---

namespace xdnn {

template <class T> struct Plain { using type = T; static constexpr bool pointer = false; };
template <class T> struct Plain<T*> { using type = T*; static constexpr bool pointer = true; };
template <class T> struct Plain<const T> : Plain<T> {};
template <unsigned... I> struct Indices {};

template <auto function, class Type>
struct Entry;
template <auto function, class... A>
struct Entry<function, void (*)(A...)> {
  static constexpr unsigned count = sizeof...(A);
  static constexpr Parameter parameters[] = {{sizeof(A), Plain<A>::pointer}..., {0, false}};
  template <unsigned... I>
  static void call(void** arguments, Indices<I...>) {
    function(*static_cast<typename Plain<A>::type*>(arguments[I])...);
  }
  static void call(void** arguments) { call(arguments, Indices<__integer_pack(sizeof...(A))...>{}); }
};

template <auto function>
Kernel kernel(unsigned max_threads) {
  using Its = Entry<function, decltype(function)>;
  return {reinterpret_cast<const void*>(function), Its::call, Its::parameters, Its::count, max_threads};
}

}  // namespace xdnn
