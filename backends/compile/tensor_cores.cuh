// Products in TF32 by tensor cores (from compute capability 8.0 on), after `kernel.cuh`.
//
// A number in TF32 is a float with 10 bits of fraction, not 23. The operands are rounded to it, by
// at most 2^-11 of each. The product of two such numbers is a float, and the sums are of floats; in
// which order a tensor core adds, and how it rounds, NVIDIA does not say.

// The nearest number in TF32, as bits; in the middle between two, the one whose last bit is 0, as
// `backends/rounding.py` says. That is one instruction from compute capability 9.0 on; before, there
// is but `cvt.rna`, which takes the one farther from 0.
INLINE uint32_t to_tf32(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  uint32_t rounded;
  asm("cvt.rn.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
#else
  const uint32_t bits = __float_as_uint(x);
  return x != x ? 0x7fffe000 : (bits + 0xfff + (bits >> 13 & 1)) & 0xffffe000;
#endif
}

// d += a b by a warp, of 16 x 8 and 8 x 8 numbers. With g = lane / 4 and t = lane % 4, a thread has
//   a[0], a[1], a[2], a[3]: rows g, g + 8, g, g + 8 of columns t, t, t + 4, t + 4
//   b[0], b[1]:             rows t, t + 4 of column g
//   d[0], d[1], d[2], d[3]: rows g, g, g + 8, g + 8 of columns 2 t, 2 t + 1, 2 t, 2 t + 1
// (NVIDIA, PTX ISA 8.7, section "Matrix Fragments for mma.m16n8k8").
#ifdef __CUDA_ARCH__  // a host has a function of this name that does the same
INLINE void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// A thread's part of 16 R x 8 C sums, over k from `first` in whole groups of eight to `end`, of
// left(k, i) right(k, j), with i and j counted from the block's first row and column.
template <int R, int C, class Left, class Right>
INLINE void add_products(float (&sums)[R][C][4], int first, int end, Left left, Right right) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  __syncwarp();  // what was done with the last sums may have parted the warp's threads
  for (; first < end; first += 8) {
    const int k = first + t;
    uint32_t a[R][4], b[C][2];
#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
      for (int n = 0; n < 4; n++)
        a[r][n] = to_tf32(left(k + n / 2 * 4, 16 * r + g + n % 2 * 8));
#pragma unroll
    for (int c = 0; c < C; c++)
#pragma unroll
      for (int n = 0; n < 2; n++) b[c][n] = to_tf32(right(k + n * 4, 8 * c + g));
#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
      for (int c = 0; c < C; c++) mma(sums[r][c], a[r], b[c]);
  }
}

// As `multiply`, for two points at a time. The rows of a product are columns j, its columns are
// points; a warp does 16 R columns j of 8 C points. Where there are no numbers it reads zeros.
template <int R, int C, int K, int M, int DOWN, int ALONG, class Then>
INLINE void multiply_tf32(const float* x, const float* w, Then then) {
  constexpr int groups = (TILE + 8 * C - 1) / (8 * C), blocks = (M + 16 * R - 1) / (16 * R);
  for (int task = threadIdx.x / 32; task < groups * blocks; task += THREADS / 32) {
    const int p = task % groups * 8 * C, j = task / groups * 16 * R;
    float sums[R][C][4] = {};
    const auto weight = [&](int k, int i) {
      const bool is_inside = (K % 8 == 0 || k < K) && (M % (16 * R) == 0 || j + i < M);
      return is_inside ? w[k * DOWN + (j + i) * ALONG] : 0;
    };
    const auto entry = [&](int k, int i) {
      const bool is_inside = (K % 8 == 0 || k < K) && (TILE % (8 * C) == 0 || p + i < TILE);
      return is_inside ? x[k * LD + p + i] : 0;
    };
    add_products<R, C>(sums, 0, K, weight, entry);
#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
      for (int c = 0; c < C; c++)
#pragma unroll
        for (int n = 0; n < 4; n += 2) {
          const int column = j + 16 * r + threadIdx.x % 32 / 4 + n * 4;
          const int point = p + 8 * c + threadIdx.x % 4 * 2;
          const Some<float, 2> y = {{sums[r][c][n], sums[r][c][n + 1]}};
          if (column < M && point < TILE) then(point, column, y);
        }
  }
}

// As `add_outer`; a warp does 16 R x 8 C entries, over all the points.
template <int R, int C, int K, int M>
INLINE void add_outer_tf32(const float* x, const float* dy, int rows, bool is_first, float* out) {
  constexpr int across = (M + 8 * C - 1) / (8 * C), blocks = (K + 16 * R - 1) / (16 * R) * across;
  for (int task = threadIdx.x / 32; task < blocks; task += THREADS / 32) {
    const int k = task / across * 16 * R, j = task % across * 8 * C;
    float sums[R][C][4] = {};
    const auto left = [&](int p, int i) {
      return K % (16 * R) == 0 || k + i < K ? x[(k + i) * LD + p] : 0;
    };
    const auto right = [&](int p, int i) {
      return M % (8 * C) == 0 || j + i < M ? dy[(j + i) * LD + p] : 0;
    };
    const int whole = rows / 8 * 8;
    add_products<R, C>(sums, 0, whole, left, right);
    if (whole < rows)
      add_products<R, C>(
          sums, whole, rows, [&](int p, int i) { return p < rows ? left(p, i) : 0; },
          [&](int p, int i) { return p < rows ? right(p, i) : 0; });
#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
      for (int c = 0; c < C; c++)
#pragma unroll
        for (int n = 0; n < 4; n++) {
          const int row = k + 16 * r + threadIdx.x % 32 / 4 + n / 2 * 8;
          const int column = j + 8 * c + threadIdx.x % 4 * 2 + n % 2;
          if (row >= K || column >= M) continue;
          float& entry = out[row * M + column];
          entry = is_first ? sums[r][c][n] : entry + sums[r][c][n];
        }
  }
}
