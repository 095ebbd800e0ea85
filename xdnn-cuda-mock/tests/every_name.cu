// Every name that `cuda_host.h` declares. NVRTC 13.0 compiles this text as well, without any header.

struct Wide { float4 v; unsigned long long n; };
extern "C" __global__ void __launch_bounds__(256) names(float* __restrict__ y, const float* __restrict__ x, int* __restrict__ z, unsigned* u, unsigned long long* l, double* d, int n) {
  __shared__ float tile[64];
  __shared__ __align__(16) unsigned words[4];
  const int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & (warpSize - 1);
  float s = 0; int k = 0; unsigned m = 0;
  // vectors
  float2 f2 = make_float2(1, 2); float4 f4 = make_float4(1, 2, 3, 4); int4 i4 = make_int4(1, 2, 3, 4); uint4 u4 = make_uint4(1, 2, 3, 4); uint2 u2 = make_uint2(1, 2); float3 f3 = make_float3(1, 2, 3); int2 i2 = make_int2(1, 2); uchar4 c4 = make_uchar4(1, 2, 3, 4); double2 d2 = make_double2(1, 2); short2 s2 = make_short2(1, 2); ulonglong2 ul = make_ulonglong2(1, 2); longlong2 ll = make_longlong2(1, 2); char4 ch = make_char4(1, 2, 3, 4); ushort4 us = make_ushort4(1, 2, 3, 4); uint3 u3 = make_uint3(1,2,3); dim3 g(1, 2);
  s += f2.y + f4.w + f3.z + d2.y + i4.w + u4.w + u2.y + i2.y + c4.w + s2.y + ul.y + ll.y + ch.w + us.w + g.y + u3.z + sizeof(Wide);
  // bits
  s += __uint_as_float(__float_as_uint(s)) + __int_as_float(__float_as_int(s)); *d += __longlong_as_double(__double_as_longlong(*d));
  k += __popc(m) + __popcll(*l) + __clz(k) + __clzll(*l) + __ffs(k) + __ffsll(*l); m += __brev(m) + __byte_perm(m, m, 0x3210) + __funnelshift_l(m, m, 3) + __funnelshift_r(m, m, 3) + __umulhi(m, m) + __mulhi(k, k) + __mul24(k, k) + __umul24(m, m); *l += __umul64hi(*l, *l) + __mul64hi(3, 4);
  k += __float2int_rn(s) + __float2int_rz(s) + __float2int_rd(s) + __float2int_ru(s) + __float2uint_rn(s) + __float2ll_rn(s) + __float2ull_rz(s) + __double2int_rn(*d); s += __int2float_rn(k) + __uint2float_rn(m) + __ll2float_rn(3) + __ull2float_rn(3) + __double2float_rn(*d); *d += __int2double_rn(k) + __uint2double_rn(m);
  // arithmetic
  s += expf(s) + exp2f(s) + exp10f(s) + expm1f(s) + logf(s) + log2f(s) + log10f(s) + log1pf(s) + sqrtf(s) + rsqrtf(s) + cbrtf(s) + rcbrtf(s) + sinf(s) + cosf(s) + tanf(s) + asinf(s) + acosf(s) + atanf(s) + sinhf(s) + coshf(s) + tanhf(s) + asinhf(s) + acoshf(s) + atanhf(s) + erff(s) + erfcf(s) + tgammaf(s) + lgammaf(s) + normcdff(s) + sinpif(s) + cospif(s);
  s += fabsf(s) + floorf(s) + ceilf(s) + truncf(s) + roundf(s) + rintf(s) + nearbyintf(s) + fminf(s, 1) + fmaxf(s, 1) + fmodf(s, 1) + powf(s, 2) + atan2f(s, 1) + hypotf(s, 1) + copysignf(s, 1) + fdimf(s, 1) + nextafterf(s, 1) + remainderf(s, 1) + fmaf(s, s, s) + fma(s, s, s) + ldexpf(s, 2) + frexpf(s, &k) + lrintf(s) + lroundf(s);
  float a, b; sincosf(s, &a, &b); __sincosf(s, &a, &b); s += a + b;
  s += exp(s) + log(s) + sqrt(s) + pow(s, s) + sin(s) + tanh(s) + fabs(s) + floor(s) + rsqrt(s) + max(s, 1.f) + min(s, 1.f) + abs(s) + fmax(s, s) + erf(s) + round(s) + ldexp(s, 3); *d += exp(*d) + sqrt(*d) + max(*d, 1.0) + min(*d, 1.0) + abs(*d) + fma(*d, *d, *d) + max(s, *d) + rsqrt(*d);
  k += max(k, 1) + min(k, 1) + abs(k) + max(k, m) + min(m, 1u); *l += max(*l, 1ull) + min(*l, 3ull) + max(1ll, 2ll) + min(1l, 2l) + max(1ul, 2ul) + llabs(3ll) + abs(3ll);
  k += isnan(s) + isinf(s) + isfinite(s) + signbit(s) + isnan(*d);
  s += __fadd_rn(s, s) + __fsub_rn(s, s) + __fmul_rn(s, s) + __fdiv_rn(s, s) + __fmaf_rn(s, s, s) + __fsqrt_rn(s) + __frcp_rn(s) + __frsqrt_rn(s) + __fdividef(s, s) + __expf(s) + __exp10f(s) + __logf(s) + __log2f(s) + __log10f(s) + __powf(s, s) + __sinf(s) + __cosf(s) + __tanf(s) + __saturatef(s); *d += __dadd_rn(*d, *d) + __dmul_rn(*d, *d) + __fma_rn(*d, *d, *d);
  // memory
  s += __ldg(x + i) + __ldcg(x + i) + __ldca(x + i) + __ldcs(x + i) + __ldlu(x + i) + __ldcv(x + i); __stcg(y, s); __stcs(y, s); __stwb(y, s); __stwt(y, s); f4 = __ldg(reinterpret_cast<const float4*>(x)); k += __ldg(z);
  s += atomicAdd(y, 1.f) + atomicExch(y, 1.f); k += atomicAdd(z, 1) + atomicSub(z, 1) + atomicExch(z, 1) + atomicMin(z, 1) + atomicMax(z, 1) + atomicAnd(z, 1) + atomicOr(z, 1) + atomicXor(z, 1) + atomicCAS(z, 1, 2); m += atomicAdd(u, 1u) + atomicSub(u, 1u) + atomicInc(u, 5u) + atomicDec(u, 5u) + atomicMax(u, 1u) + atomicOr(u, 1u) + atomicCAS(u, 1u, 2u); *l += atomicAdd(l, 1ull) + atomicMax(l, 1ull) + atomicCAS(l, 1ull, 2ull) + atomicOr(l, 2ull); *d += atomicAdd(d, 1.0); s += atomicAdd_block(y, 1.f) + atomicAdd_system(y, 1.f);
  // lanes
  s += __shfl_sync(~0u, s, 0) + __shfl_up_sync(~0u, s, 1) + __shfl_down_sync(~0u, s, 1) + __shfl_xor_sync(~0u, s, 1) + __shfl_sync(~0u, s, 3, 8) + __shfl_xor_sync(0xffffffff, s, 2, 16); k += __shfl_sync(~0u, k, 0); m += __shfl_down_sync(~0u, m, 1); *l += __shfl_sync(~0u, *l, 0); *d += __shfl_xor_sync(~0u, *d, 1);
  m += __ballot_sync(~0u, k) + __any_sync(~0u, k) + __all_sync(~0u, k) + __activemask() + __match_any_sync(~0u, k) + __reduce_add_sync(~0u, m) + __reduce_min_sync(~0u, m) + __reduce_max_sync(~0u, m) + __reduce_and_sync(~0u, m) + __reduce_or_sync(~0u, m) + __reduce_xor_sync(~0u, m); k += __reduce_add_sync(~0u, k) + __reduce_max_sync(~0u, k);
  __syncwarp(); __syncwarp(~0u); __threadfence(); __threadfence_block(); __threadfence_system();
  tile[lane] = s; words[lane & 3] = m; __syncthreads(); k += __syncthreads_count(k) + __syncthreads_or(k) + __syncthreads_and(k);
#pragma unroll
  for (int j = 0; j < 4; j++) s += tile[j] + words[j];
  __nanosleep(10); assert(n >= 0); if (n < 0) { __trap(); printf("%d", n); } k += clock() + clock64();
  size_t bytes = sizeof(float); ptrdiff_t step = y - x; s += bytes + step + gridDim.x + lane;
  memset(y, 0, 4); memcpy(y, &s, 4);
  y[i] = s + k + m;
}
