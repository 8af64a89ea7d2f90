// What the kernel of a compiled step is built on: one block of THREADS threads trains one network,
// or a cluster of so many blocks does, each of which can read and write the others' shared memory.
//
// A tile of TILE points lies in shared memory column by column: entry j of point p at j * LD + p.
// So threads next to each other read points next to each other, and a few points are one vector.
// Each sum has an order of its own that no other thread has a part in: the same bits on every run.
#if defined(__CUDACC_RTC__) && !defined(INT64_MAX)  // it has no <cstdint>
typedef unsigned char uint8_t;
typedef signed char int8_t;
typedef unsigned short uint16_t;
typedef short int16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
typedef unsigned long long uint64_t;
typedef long long int64_t;
#endif
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif
#define INLINE static __device__ __forceinline__

// N entries next to each other.
template <class T, int N> struct alignas(sizeof(T) * N) Some { T at[N]; };
template <int N, class T> INLINE Some<T, N> load(const T* from) { return *(const Some<T, N>*)from; }
template <int N, class T> INLINE void store(T* to, const Some<T, N>& x) { *(Some<T, N>*)to = x; }

// ---- The blocks that train a network. In a round of the loop over the points each has a tile.

#if CLUSTER == 1
#define RANK 0
#define THREAD threadIdx.x
template <int WIDTH, class T> INLINE const T* tile_of(int, const T* x) { return x; }
[[maybe_unused]] INLINE int rows_of(int, int rows) { return rows; }
#else
#define RANK int(blockIdx.x % CLUSTER)
#define THREAD (RANK * THREADS + threadIdx.x)
INLINE void cluster_barrier() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

// What has the same place in the shared memory of another block.
template <class T> INLINE T* in_block(int block, T* x) {
  return (T*)__cluster_map_shared_rank((void*)x, block);
}

// A block's tile of WIDTH columns, by where our own is: in shared memory, or in the device's.
template <int WIDTH, class T> INLINE const T* tile_of(int block, const T* x) {
  return __isShared(x) ? in_block(block, (T*)x) : x + (block - RANK) * (WIDTH * LD);
}
// The points of a block's tile, of those that are left when the round begins.
INLINE int rows_of(int block, int left) {
  const int rows = left - block * TILE;
  return rows < 0 ? 0 : rows < TILE ? rows : TILE;
}

// An array's entries in equal shares, one after another in the blocks of the cluster.
INLINE constexpr int share(int n) { return ((n + CLUSTER - 1) / CLUSTER + 15) / 16 * 16; }
template <class T, int N> struct Spread {
  T* own;
  unsigned start;
  __device__ __forceinline__ T& operator[](int i) const {
    const unsigned at = start + i;
    return *in_block(at / share(N), own + at % share(N));
  }
  __device__ __forceinline__ Spread operator+(int by) const { return {own, start + by}; }
};

// By each block its own share of N entries.
template <int N, class From, class To> INLINE void copy_share(From from, To to) {
  const int end = (RANK + 1) * share(N) < N ? (RANK + 1) * share(N) : N;
  for (int i = RANK * share(N) + threadIdx.x; i < end; i += THREADS) to[i] = from[i];
}
#endif

// ---- Functions of one number, as NumPy defines them: a NaN stays one.

template <class T> INLINE T maximum(T a, T b) { return a > b || a != a ? a : b; }
template <class T> INLINE T minimum(T a, T b) { return a < b || a != a ? a : b; }
template <class T> INLINE T sign(T x) { return x > 0 ? T(1) : x < 0 ? T(-1) : x == 0 ? T(0) : x; }

struct Add { template <class T> static __device__ T of(T a, T b) { return a + b; } };
struct Max { template <class T> static __device__ T of(T a, T b) { return maximum(b, a); } };
struct Min { template <class T> static __device__ T of(T a, T b) { return minimum(b, a); } };

// Of the values of a warp's 32 threads; each of them has the result.
template <class Op, class T> INLINE T over_warp(T x) {
  for (int far = 1; far < 32; far *= 2) x = Op::of(x, __shfl_xor_sync(~0u, x, far));
  return x;
}

// ---- Rows of an array from outside.

// A tile's rows, and zeros behind the last one; `row_of` says where in `from` that of a point is.
template <int WIDTH, class From, class T, class Row>
INLINE void fetch(From from, int64_t down, int64_t along, int rows, T* to, Row row_of) {
  for (int i = threadIdx.x; i < WIDTH * TILE; i += THREADS) {
    const int p = i % TILE, j = i / TILE;
    to[j * LD + p] = p < rows ? from[row_of(p) * down + j * along] : T(0);
  }
}
template <int WIDTH, class T>
INLINE void deliver(const T* from, int rows, T* to, int64_t down, int64_t along) {
  for (int i = threadIdx.x; i < WIDTH * TILE; i += THREADS) {
    const int p = i % TILE, j = i / TILE;
    if (p < rows) to[p * down + j * along] = from[j * LD + p];
  }
}

// ---- Points.

// `body(p, j)` for each of WIDTH columns and each P points, of which p is the first.
template <int P, int WIDTH, class Body> INLINE void each(Body body) {
  constexpr int groups = TILE / P;
  for (int i = threadIdx.x; i < groups * WIDTH; i += THREADS) body(i % groups * P, i / groups);
}

// `then(p, j, y)` with y = sum over k of x[k][p] w[k][j] of P points; a thread does C columns.
// w[k][j] lies at k * DOWN + j * ALONG.
template <int P, int C, int K, int M, int DOWN, int ALONG, class T, class Then>
INLINE void multiply(const T* x, const T* w, Then then) {
  constexpr int groups = TILE / P, blocks = (M + C - 1) / C;
  for (int i = threadIdx.x; i < groups * blocks; i += THREADS) {
    const int p = i % groups * P, j = i / groups * C;
    Some<T, P> sums[C] = {};
#pragma unroll 8
    for (int k = 0; k < K; k++) {
      const Some<T, P> points = load<P>(x + k * LD + p);
#pragma unroll
      for (int c = 0; c < C; c++) {
        const T weight = M % C == 0 || j + c < M ? w[k * DOWN + (j + c) * ALONG] : T(0);
#pragma unroll
        for (int q = 0; q < P; q++) sums[c].at[q] += points.at[q] * weight;
      }
    }
#pragma unroll
    for (int c = 0; c < C; c++)
      if (M % C == 0 || j + c < M) then(p, j + c, sums[c]);
  }
}

// The same with w[k][j] in any block: PANEL columns of it at a time are copied to `panel`.
template <int P, int C, int K, int M, int DOWN, int ALONG, int PANEL, class T, class W, class Then>
INLINE void multiply_by_panels(const T* x, W w, T* panel, Then then) {
  constexpr bool is_transposed = DOWN == 1;
  for (int begin = 0; begin < M; begin += PANEL) {
    __syncthreads();
    for (int i = threadIdx.x; i < K * PANEL; i += THREADS) {
      const int k = is_transposed ? i % K : i / PANEL, j = is_transposed ? i / K : i % PANEL;
      panel[i] = begin + j < M ? w[k * DOWN + (begin + j) * ALONG] : T(0);
    }
    __syncthreads();
    multiply<P, C, K, PANEL, is_transposed ? 1 : PANEL, is_transposed ? K : 1>(
        x, panel, [&](int p, int j, Some<T, P> sums) {
          if (M % PANEL == 0 || begin + j < M) then(p, begin + j, sums);
        });
  }
}

// Op over the WIDTH entries of point p.
template <class Op, int WIDTH, class T> INLINE T over_row(const T* x, int p) {
  T result = x[p];
  for (int j = 1; j < WIDTH; j++) result = Op::of(result, x[j * LD + p]);
  return result;
}

// ---- Sums over the points of a round. The first round's sum is written, the others' are added.
// In a cluster a sum's entries are shared out, and each is of the tiles of all blocks, in their
// order; `rows` are all points that are left, otherwise those of the tile.

// sums[i][l] += x[k + i][p] dy[j + l][p] over every PARTS-th group of four points of a tile.
template <int A, int B, int PARTS, int K, int M, class T>
INLINE void add_tile(const T* x, const T* dy, int rows, int part, int k, int j, T (&sums)[A][B]) {
  for (int p = 4 * part; p < rows; p += 4 * PARTS) {
    Some<T, 4> a[A] = {}, b[B] = {};
#pragma unroll
    for (int i = 0; i < A; i++)
      if (K % A == 0 || k + i < K) a[i] = load<4>(x + (k + i) * LD + p);
#pragma unroll
    for (int l = 0; l < B; l++)
      if (M % B == 0 || j + l < M) b[l] = load<4>(dy + (j + l) * LD + p);
    if (p + 4 > rows)
#pragma unroll
      for (int q = 1; q < 4; q++)
        if (p + q >= rows) {
#pragma unroll
          for (int i = 0; i < A; i++) a[i].at[q] = 0;
#pragma unroll
          for (int l = 0; l < B; l++) b[l].at[q] = 0;
        }
#pragma unroll
    for (int i = 0; i < A; i++)
#pragma unroll
      for (int l = 0; l < B; l++)
#pragma unroll
        for (int q = 0; q < 4; q++) sums[i][l] += a[i].at[q] * b[l].at[q];
  }
}

// out (K, M) = sum over the points of x_p^T dy_p. A thread sums A x B entries over every PARTS-th
// group of four points; those that share entries are neighbours in a warp and exchange their sums.
template <int A, int B, int PARTS, int K, int M, class T, class Out>
INLINE void add_outer(const T* x, const T* dy, int rows, bool is_first, Out out) {
  constexpr int across = (M + B - 1) / B, tasks = (K + A - 1) / A * across;
  for (int start = RANK * THREADS; start < tasks * PARTS; start += CLUSTER * THREADS) {
    const int number = start + threadIdx.x, part = number % PARTS, task = number / PARTS;
    const int k = task / across * A, j = task % across * B;
    T sums[A][B] = {};
    if (task < tasks)
#pragma unroll 1
      for (int block = 0; block < CLUSTER; block++)
        add_tile<A, B, PARTS, K, M>(
            tile_of<K>(block, x), tile_of<M>(block, dy), rows_of(block, rows), part, k, j, sums);
#pragma unroll
    for (int i = 0; i < A; i++)
#pragma unroll
      for (int l = 0; l < B; l++) {
        T sum = sums[i][l];
        for (int far = 1; far < PARTS; far *= 2) sum += __shfl_xor_sync(~0u, sum, far);
        const bool is_mine = part == 0 && task < tasks && k + i < K && j + l < M;
        if (is_mine) out[(k + i) * M + j + l] = is_first ? sum : out[(k + i) * M + j + l] + sum;
      }
  }
}

// out (M,) = sum over the points: a warp does a column at a time.
template <int M, class T, class Out>
INLINE void add_columns(const T* x, int rows, bool is_first, Out out) {
  for (int j = THREAD / 32; j < M; j += CLUSTER * THREADS / 32) {
    T sum = 0;
#pragma unroll 1
    for (int block = 0; block < CLUSTER; block++) {
      const T* column = tile_of<M>(block, x) + j * LD;
      for (int p = threadIdx.x % 32; p < rows_of(block, rows); p += 32) sum += column[p];
    }
    sum = over_warp<Add>(sum);
    if (threadIdx.x % 32 == 0) out[j] = is_first ? sum : out[j] + sum;
  }
}

// The sum of all entries, by the first warp.
template <int M, class T, class Out>
INLINE void add_all(const T* x, int rows, bool is_first, Out out) {
  if (THREAD >= 32) return;
  T sum = 0;
#pragma unroll 1
  for (int block = 0; block < CLUSTER; block++)
    for (int j = 0; j < M; j++) {
      const T* column = tile_of<M>(block, x) + j * LD;
      for (int p = threadIdx.x; p < rows_of(block, rows); p += 32) sum += column[p];
    }
  sum = over_warp<Add>(sum);
  if (threadIdx.x == 0) out[0] = is_first ? sum : out[0] + sum;
}

// ---- Between host memory of the device and the block's own.

template <class T> INLINE void copy(const T* from, T* to, int n) {
  for (int i = threadIdx.x; i < n; i += THREADS) to[i] = from[i];
}
