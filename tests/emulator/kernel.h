// What the source of a CUDA kernel may use, for a C++ compiler on the host.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <tuple>

#define __CUDACC_RTC__ 1
#define __host__
#define __device__
#define __global__
#define __shared__ static
#define __constant__ static
#define __forceinline__ inline
#define __noinline__
#define __restrict__
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __align__(n) alignas(n)

// ---- Threads, barriers and shuffles: see blocks.h.

struct emu_Index { unsigned x, y, z; };
extern "C" {
extern emu_Index emu_threadIdx, emu_blockIdx, emu_blockDim, emu_gridDim;
void emu_syncthreads();
void emu_syncwarp();
void emu_syncluster();
char* emu_shared();
int emu_is_shared(const void* place);
void* emu_in_block(const void* place, int rank);
void emu_shuffle(const void* mine, void* other, int bytes, int lane);
int emu_lane();
void emu_mma(float* d, const uint32_t* a, const uint32_t* b);
}
#define threadIdx emu_threadIdx
#define blockIdx emu_blockIdx
#define blockDim emu_blockDim
#define gridDim emu_gridDim
#define warpSize 32

static inline void __syncthreads() { emu_syncthreads(); }
static inline void __cluster_barrier_arrive() {}
static inline void __cluster_barrier_wait() { emu_syncluster(); }
static inline void* __cluster_map_shared_rank(const void* x, int rank) { return emu_in_block(x, rank); }
static inline bool __isShared(const void* x) { return emu_is_shared(x); }
static inline void __syncwarp(unsigned = ~0u) { emu_syncwarp(); }
static inline void __threadfence() {}
template <class T> T __shfl_sync(unsigned, T mine, int lane, int = 32) {
  T other;
  emu_shuffle(&mine, &other, sizeof(T), lane);
  return other;
}
template <class T> T __shfl_xor_sync(unsigned everyone, T mine, int mask, int = 32) {
  return __shfl_sync(everyone, mine, emu_lane() ^ mask);
}
template <class T> T __shfl_down_sync(unsigned everyone, T mine, int by, int = 32) {
  int from = emu_lane() + by;
  return __shfl_sync(everyone, mine, from < 32 ? from : emu_lane());
}
template <class T> T __shfl_up_sync(unsigned everyone, T mine, int by, int = 32) {
  int from = emu_lane() - by;
  return __shfl_sync(everyone, mine, from >= 0 ? from : emu_lane());
}

// Of `backends/compile/tensor_cores.cuh`, where a GPU has one instruction.
static inline void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emu_mma(d, a, b);
}

// ---- Atomics: one thread runs at a time, so that reading and writing is enough.

#define EMU_ATOMIC(name, changed) \
  template <class T, class U> T name(T* place, U value) { \
    T before = *place, v = (T)value; \
    (void)v; \
    *place = changed; \
    return before; \
  }
EMU_ATOMIC(atomicAdd, before + v)
EMU_ATOMIC(atomicSub, before - v)
EMU_ATOMIC(atomicMax, v > before ? v : before)
EMU_ATOMIC(atomicMin, v < before ? v : before)
EMU_ATOMIC(atomicExch, v)
EMU_ATOMIC(atomicAnd, before & v)
EMU_ATOMIC(atomicOr, before | v)
EMU_ATOMIC(atomicXor, before ^ v)
template <class T> T atomicCAS(T* place, T expected, T value) {
  T before = *place;
  if (before == expected) *place = value;
  return before;
}

// ---- Numbers.

template <class To, class From> To emu_bits(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To y;
  memcpy(&y, &x, sizeof y);
  return y;
}
static inline unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
static inline float __uint_as_float(unsigned x) { return emu_bits<float>(x); }
static inline int __float_as_int(float x) { return emu_bits<int>(x); }
static inline float __int_as_float(int x) { return emu_bits<float>(x); }
static inline long long __double_as_longlong(double x) { return emu_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return emu_bits<double>(x); }
static inline float __saturatef(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
static inline float rsqrt(float x) { return 1 / std::sqrt(x); }
static inline double rsqrt(double x) { return 1 / std::sqrt(x); }
template <class T> T __ldg(const T* place) { return *place; }
template <class A, class B> auto max(A a, B b) -> decltype(a + b) { return a > b ? a : b; }
template <class A, class B> auto min(A a, B b) -> decltype(a + b) { return a < b ? a : b; }

using std::abs; using std::atan2; using std::ceil; using std::copysign; using std::cos;
using std::exp; using std::exp2; using std::expm1; using std::fabs; using std::floor;
using std::fma; using std::fmax; using std::fmin; using std::fmod; using std::hypot;
using std::isfinite; using std::isinf; using std::isnan; using std::ldexp; using std::log;
using std::log10; using std::log1p; using std::log2; using std::nextafter; using std::pow;
using std::ptrdiff_t; using std::rint; using std::signbit; using std::sin; using std::size_t;
using std::sqrt; using std::tan; using std::tanh; using std::trunc;

// ---- A launch: the arguments are copied when it is made, as CUDA does; what is returned runs one
// thread.

template <class... A, size_t... i>
std::function<void()>* emu_bind(void (*kernel)(A...), void** arguments, std::index_sequence<i...>) {
  std::tuple<std::decay_t<A>...> copies{*(std::decay_t<A>*)arguments[i]...};
  return new std::function<void()>([kernel, copies]() mutable { std::apply(kernel, copies); });
}
template <class... A> std::function<void()>* emu_bound(void (*kernel)(A...), void** arguments) {
  return emu_bind(kernel, arguments, std::index_sequence_for<A...>{});
}
