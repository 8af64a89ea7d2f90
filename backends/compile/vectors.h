// What every compiled step is built on: vectors of a fixed number of lanes, the functions that the
// engine applies to each of their entries, and matrix products held in registers.
//
// `__attribute__((vector_size))` is understood by gcc and clang on every processor. Where a vector
// is wider than a register, the compiler splits it.
//
// What <cmath> and <limits> hold is written out: to read them takes as long as to compile some loops.
#include <stdint.h>
#include <string.h>
#include <utility>

#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define INLINE static inline __attribute__((always_inline))
// A loop of the step: once in the code, however often it is called.
#define LOOP static __attribute__((noinline)) void
// A loop over a few vectors, which are registers only where it is written out.
#define UNROLL _Pragma("GCC unroll 32")

template <class T, int n> struct vector_of { typedef T type __attribute__((vector_size(n * sizeof(T)))); };
template <class T, int n> using vec = typename vector_of<T, n>::type;
template <int bytes> struct integer_of;
template <> struct integer_of<1> { typedef int8_t type; };
template <> struct integer_of<4> { typedef int32_t type; };
template <> struct integer_of<8> { typedef int64_t type; };
template <class V> using entry = std::remove_cv_t<std::remove_reference_t<decltype(V{}[0])>>;
template <class V> constexpr int lanes = sizeof(V) / sizeof(entry<V>);
// Whole numbers as wide as V's entries. Comparisons give them: -1 for true, 0 for false.
template <class V> using mask = vec<typename integer_of<sizeof(entry<V>)>::type, lanes<V>>;

// Places in an array: a full vector from `start`, or the first `count` entries of one.
struct Full { int64_t start; };
struct Part { int64_t start; int count; };

template <class V, class T> INLINE V load(const T* p, Full at) {
  vec<T, lanes<V>> v;
  memcpy(&v, p + at.start, sizeof v);
  return __builtin_convertvector(v, V);
}
template <class V, class T> INLINE V load(const T* p, Part at) {
  vec<T, lanes<V>> v = {};
  memcpy(&v, p + at.start, at.count * sizeof(T));
  return __builtin_convertvector(v, V);
}
template <class T, class V> INLINE void store(T* p, Full at, V x) {
  auto v = __builtin_convertvector(x, vec<T, lanes<V>>);
  memcpy(p + at.start, &v, sizeof v);
}
template <class T, class V> INLINE void store(T* p, Part at, V x) {
  auto v = __builtin_convertvector(x, vec<T, lanes<V>>);
  memcpy(p + at.start, &v, at.count * sizeof(T));
}
// The same number in every lane. Adding it to zeros would lose the sign of a zero.
template <class V, class T> INLINE V all(T number) {
  V v;
  for (int i = 0; i < lanes<V>; i++) v[i] = number;
  return v;
}
// A comparison's mask for vectors of another width, and as 0 and 1.
template <class V, class M> INLINE mask<V> as_mask(M m) { return __builtin_convertvector(m, mask<V>); }
template <class V, class M> INLINE V zero_or_one(M m) {
  return as_mask<V>(m) ? all<V>(1) : all<V>(0);
}
// Every entry of 0 .. n - 1, a vector at a time.
template <int n_lanes, class Body> INLINE void each(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + n_lanes <= n; i += n_lanes) body(Full{i});
  if (i < n) body(Part{i, int(n - i)});
}

// Elementwise functions. A NaN among the operands of max and min is what comes out.
template <class V> INLINE V maximum(V a, V b) { return ((a > b) | (a != a)) ? a : b; }
template <class V> INLINE V minimum(V a, V b) { return ((a < b) | (a != a)) ? a : b; }
template <class V> INLINE mask<V> sign_bit() { return (mask<V>)all<V>(-0.0f); }
template <class V> INLINE V absolute(V x) {
  return (V)((mask<V>)x & ~sign_bit<V>());
}
template <class V> INLINE V copy_sign(V size, V sign) {
  return (V)(((mask<V>)size & ~sign_bit<V>()) | ((mask<V>)sign & sign_bit<V>()));
}
template <class V> INLINE V sign(V x) {
  return x > 0 ? all<V>(1) : x < 0 ? all<V>(-1) : x == 0 ? all<V>(0) : x;
}
template <class V> INLINE V square_root(V x) {
  V y;
  for (int i = 0; i < lanes<V>; i++) y[i] = sizeof(x[i]) == 4 ? __builtin_sqrtf(x[i]) : __builtin_sqrt(x[i]);
  return y;
}
template <class V> INLINE V power(V a, V b) {
  V y;
  for (int i = 0; i < lanes<V>; i++) y[i] = sizeof(a[i]) == 4 ? __builtin_powf(a[i], b[i]) : __builtin_pow(a[i], b[i]);
  return y;
}

// Float formats: bits of the fraction, offset of the exponent, terms of the series below, the smallest
// normal number, and ln 2 in two parts, of which the first has so few bits that a whole number times
// it is exact.
template <class T> struct format;
template <> struct format<float> {
  static constexpr int fraction = 23, bias = 127, exp_terms = 7, log_terms = 5;
  static constexpr float smallest = 0x1p-126f;
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float exp_above = 89.0f, exp_below = -104.0f, tanh_one = 10.0f;
};
template <> struct format<double> {
  static constexpr int fraction = 52, bias = 1023, exp_terms = 13, log_terms = 11;
  static constexpr double smallest = 0x1p-1022;
  static constexpr double ln2_high = 0.693147180369123816490, ln2_low = 1.90821492927058770002e-10;
  static constexpr double exp_above = 710.0, exp_below = -746.0, tanh_one = 20.0;
};

// 2^n for whole n with -bias < n <= bias: n is the exponent's field of the number.
template <class V> INLINE V power_of_two(mask<V> n) {
  using F = format<entry<V>>;
  return (V)((n + F::bias) << F::fraction);
}
// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r - 1 by its Taylor series.
template <class V> INLINE V exp_minus_one_of_rest(V x, mask<V>& n) {
  using T = entry<V>;
  using F = format<T>;
  const V scaled = x * T(1.44269504088896340736);
  n = __builtin_convertvector(scaled + copy_sign(all<V>(T(0.5)), scaled), mask<V>);
  const V whole = __builtin_convertvector(n, V);
  const V r = (x - whole * F::ln2_high) - whole * F::ln2_low;
  T factorial = 1;
  for (int k = 2; k <= F::exp_terms; k++) factorial *= k;
  V p = all<V>(1 / factorial);
#pragma GCC unroll 16
  for (int k = F::exp_terms; k > 2; k--) p = p * r + 1 / (factorial /= k);
  return r + r * r * p;
}
// e^x. 2^n is multiplied in two halves, so that it is finite where e^x is, and tiny results come out.
template <class V> INLINE V exponential(V x) {
  using F = format<entry<V>>;
  const V bounded = x > F::exp_above ? all<V>(F::exp_above) : x < F::exp_below ? all<V>(F::exp_below) : x;
  mask<V> n;
  const V p = exp_minus_one_of_rest(bounded == bounded ? bounded : all<V>(0), n);
  const mask<V> half = n >> 1;
  const V y = (p + 1) * power_of_two<V>(half) * power_of_two<V>(n - half);
  return x == x ? y : x;
}
// tanh |x| = u / (u + 2) with u = e^(2|x|) - 1 = 2^n p + (2^n - 1), exact also near 0.
template <class V> INLINE V tanh_of(V x) {
  using F = format<entry<V>>;
  const V size = absolute(x);
  mask<V> n;
  const V p = exp_minus_one_of_rest(2 * (size < F::tanh_one ? size : all<V>(F::tanh_one)), n);
  const V scale = power_of_two<V>(n), u = scale * p + (scale - 1);
  return x == x ? copy_sign(u / (u + 2), x) : x;
}
// ln x = n ln 2 + ln m with 1/sqrt 2 < m < sqrt 2, and ln m = 2 (s + s^3/3 + s^5/5 + ...) with
// s = (m - 1) / (m + 1).
template <class V> INLINE V logarithm(V x) {
  using T = entry<V>;
  using F = format<T>;
  const auto tiny = x < F::smallest;
  const V normal = tiny ? x * T(int64_t(1) << (F::fraction + 1)) : x;
  const mask<V> bits = (mask<V>)normal;
  const mask<V> root_half = (mask<V>)all<V>(T(0.70710678118654752440));
  // Counted from sqrt 1/2, the exponent's field is n.
  mask<V> n = (bits - root_half) >> F::fraction;
  const V m = (V)(bits - (n << F::fraction));
  n -= tiny ? all<mask<V>>(F::fraction + 1) : all<mask<V>>(0);
  const V s = (m - 1) / (m + 1), square = s * s;
  V p = all<V>(T(1) / (2 * F::log_terms + 1));
#pragma GCC unroll 16
  for (int k = F::log_terms - 1; k >= 1; k--) p = p * square + T(1) / (2 * k + 1);
  const V whole = __builtin_convertvector(n, V);
  const V ln_m = 2 * s + 2 * s * square * p;
  const V y = whole * F::ln2_high + (ln_m + whole * F::ln2_low);
  const V special = x < 0 ? all<V>(NAN) : x == 0 ? all<V>(-INFINITY) : x;
  return ((x > 0) & (x < INFINITY)) ? y : special;
}
// ln(1 + x): what rounding took from u = 1 + x is made good by the factor x / (u - 1).
template <class V> INLINE V logarithm_of_one_plus(V x) {
  const V u = x + 1, y = logarithm(u);
  const auto is_exact = (u == 1) | (u == INFINITY) | (u <= 0);
  return is_exact ? (u == 1 ? x : y) : y * (x / (u - 1));
}

// While one lives, results below the smallest normal number are 0. Each of them would take as long as
// a hundred others, and moments of an optimizer that shrink towards 0 would stay among them.
struct TinyResultsAreZero {
#ifdef __SSE__
  const unsigned before = __builtin_ia32_stmxcsr();
  TinyResultsAreZero() { __builtin_ia32_ldmxcsr(before | 0x8000); }
  ~TinyResultsAreZero() { __builtin_ia32_ldmxcsr(before); }
#else
  TinyResultsAreZero() {}
  ~TinyResultsAreZero() {}
#endif
};

// What sums and extremes are made of. `neutral` fills the lanes past the end of a row.
struct Add {
  template <class V> INLINE V of(V a, V b) { return a + b; }
  template <class V> INLINE V neutral() { return V{}; }
};
struct Max {
  template <class V> INLINE V of(V a, V b) { return maximum(a, b); }
  template <class V> INLINE V neutral() { return all<V>(-INFINITY); }
};
struct Min {
  template <class V> INLINE V of(V a, V b) { return minimum(a, b); }
  template <class V> INLINE V neutral() { return all<V>(INFINITY); }
};
// The sum of a vector's entries, in a fixed order: halves onto halves.
template <int half, class V, size_t... i> INLINE V folded(V x, std::index_sequence<i...>) {
  return x + __builtin_shufflevector(x, x, int((i + half) % lanes<V>)...);
}
template <class V, int half = lanes<V> / 2> INLINE entry<V> sum_of(V x) {
  if constexpr (half == 0) return x[0];
  else return sum_of<V, half / 2>(folded<half>(x, std::make_index_sequence<lanes<V>>()));
}

// Products. A block of `rows` x `columns` vectors stays in registers while the terms are added; the
// arrays are passed by their first entries, with the distance between their rows.

// finish(i, j, y) takes y[i][j ...] = start[j ...] + sum over k of x[i][k] w[k][j ...]. The matrix lies
// in panels of `columns` vectors, `panel` entries apart, with `w_row` from one row to the next in each.
template <class V, int terms, int rows, int columns, class T, class Start, class Finish>
INLINE void multiply_block(const T* x, int64_t x_row, const T* w, int64_t w_row, int64_t i, int64_t j, Start start, Finish finish) {
  constexpr int L = lanes<V>;
  V sum[rows][columns];
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int c = 0; c < columns; c++) sum[r][c] = start(j + c * L);
  for (int k = 0; k < terms; k++) {
    V row[columns];
    UNROLL for (int c = 0; c < columns; c++) row[c] = load<V>(w, Full{k * w_row + c * L});
    UNROLL for (int r = 0; r < rows; r++)
      UNROLL for (int c = 0; c < columns; c++) sum[r][c] += x[(i + r) * x_row + k] * row[c];
  }
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int c = 0; c < columns; c++) finish(i + r, j + c * L, sum[r][c]);
}
template <class V, int n, int terms, int width, int rows, int columns, class T, class Start, class Finish>
INLINE void multiply(const T* x, int64_t x_row, const T* w, int64_t w_row, int64_t panel, Start start, Finish finish) {
  for (int j = 0; j < width; j += columns * lanes<V>, w += panel) {
    int i = 0;
    for (; i + rows <= n; i += rows) multiply_block<V, terms, rows, columns>(x, x_row, w, w_row, i, j, start, finish);
    if constexpr (n % rows != 0) multiply_block<V, terms, n % rows, columns>(x, x_row, w, w_row, i, j, start, finish);
  }
}

// Lane i of what comes out is the sum, or another reduction, of rows[i]'s lanes. Each step makes two
// rows one, blocks of `half` lanes of each beside one another, so that half as many are left.
template <class Op, int half, class V, size_t... i> INLINE V joined(V a, V b, std::index_sequence<i...>) {
  constexpr int L = lanes<V>;
  return Op::of(__builtin_shufflevector(a, b, int(i % (2 * half) < half ? i : L + i - half)...),
                __builtin_shufflevector(a, b, int(i % (2 * half) < half ? i + half : L + i)...));
}
template <class Op, int count, class V> INLINE V reduced(const V* rows) {
  if constexpr (count == 1) return rows[0];
  else {
    V joint[count / 2];
    UNROLL for (int i = 0; i < count / 2; i++)
      joint[i] = joined<Op, lanes<V> / count>(rows[2 * i], rows[2 * i + 1], std::make_index_sequence<lanes<V>>());
    return reduced<Op, count / 2>(joint);
  }
}
// The first `count` lanes of x, and the neutral number in the others.
template <class Op, int count, class V, size_t... i> INLINE V only(V x, std::index_sequence<i...>) {
  return __builtin_shufflevector(x, Op::template neutral<V>(), int(i < count ? i : lanes<V> + i)...);
}
// A row of `width` numbers, padded to whole vectors, as one vector.
template <class Op, class V, int width, class T> INLINE V row_in_one(const T* x) {
  constexpr int L = lanes<V>, whole = width - width % L;
  V y = Op::template neutral<V>();
  for (int j = 0; j < whole; j += L) y = Op::of(y, load<V>(x, Full{j}));
  if constexpr (whole < width)
    y = Op::of(y, only<Op, width - whole>(load<V>(x, Full{whole}), std::make_index_sequence<L>()));
  return y;
}
// The reductions of as many rows as V has lanes; each row is cut into vectors R.
template <class Op, class R, class V, int width, class T> INLINE V reduce_rows(const T* x, int64_t x_row) {
  V y;
  R result[lanes<V> / lanes<R>];
  UNROLL for (int b = 0; b < lanes<V> / lanes<R>; b++) {
    R rows[lanes<R>];
    UNROLL for (int r = 0; r < lanes<R>; r++) rows[r] = row_in_one<Op, R, width>(x + (b * lanes<R> + r) * x_row);
    result[b] = reduced<Op, lanes<R>>(rows);
  }
  memcpy(&y, result, sizeof y);
  return y;
}
// finish(i, y) takes y[i ...] = sum over k of x[i][k] w[k], for as many rows of x as V has lanes.
template <class V, int n, int terms, class T, class Finish>
INLINE void multiply_by_column(const T* x, int64_t x_row, const T* w, Finish finish) {
  constexpr int L = lanes<V>;
  for (int i = 0; i < n; i += L) {
    V sums[L];
    UNROLL for (int r = 0; r < L; r++) {
      V sum = {};
      const T* row = x + (i + r) * x_row;
      for (int k = 0; k + L <= terms; k += L) sum += load<V>(row, Full{k}) * load<V>(w, Full{k});
      if constexpr (terms % L != 0) {
        constexpr int k = terms - terms % L;
        sum += load<V>(row, Part{k, terms % L}) * load<V>(w, Part{k, terms % L});
      }
      sums[r] = sum;
    }
    finish(i, reduced<Add, L>(sums));
  }
}

// y[k][j ...] += sum over the points i < n of a[i][k] b[i][j ...], for `rows` rows of y at once.
// Where those are few, several points are taken at once, whose sums are added at the end.
template <class V, int rows, int columns, class T>
INLINE void add_outer_block(const T* a, int64_t a_row, const T* b, int64_t b_row, int n, T* y, int64_t y_row) {
  constexpr int L = lanes<V>, points = rows * columns >= 8 ? 1 : rows * columns >= 4 ? 2 : 4;
  V sum[points][rows][columns] = {};
  int i = 0;
  for (; i + points <= n; i += points)
    UNROLL for (int p = 0; p < points; p++)
      UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int c = 0; c < columns; c++)
          sum[p][r][c] += a[(i + p) * a_row + r] * load<V>(b, Full{(i + p) * b_row + c * L});
  for (; i < n; i++)
    UNROLL for (int r = 0; r < rows; r++)
      UNROLL for (int c = 0; c < columns; c++) sum[0][r][c] += a[i * a_row + r] * load<V>(b, Full{i * b_row + c * L});
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int c = 0; c < columns; c++) {
      UNROLL for (int p = 1; p < points; p++) sum[0][r][c] += sum[p][r][c];
      const Full at{r * y_row + c * L};
      store(y, at, load<V>(y, at) + sum[0][r][c]);
    }
}
template <class V, int height, int width, int rows, int columns, class T>
INLINE void add_outer(const T* a, int64_t a_row, const T* b, int64_t b_row, int n, T* y) {
  for (int j = 0; j < width; j += columns * lanes<V>) {
    int k = 0;
    for (; k + rows <= height; k += rows)
      add_outer_block<V, rows, columns>(a + k, a_row, b + j, b_row, n, y + k * width + j, width);
    if constexpr (height % rows != 0)
      add_outer_block<V, height % rows, columns>(a + k, a_row, b + j, b_row, n, y + k * width + j, width);
  }
}
// y[j ...] += sum over the points i < n of b[i][j ...]
template <class V, int width, class T> INLINE void add_rows(const T* b, int64_t b_row, int n, T* y) {
  constexpr int L = lanes<V>, points = 4;
  for (int j = 0; j < width; j += L) {
    V sum[points] = {};
    int i = 0;
    for (; i + points <= n; i += points)
      UNROLL for (int p = 0; p < points; p++) sum[p] += load<V>(b, Full{(i + p) * b_row + j});
    for (; i < n; i++) sum[0] += load<V>(b, Full{i * b_row + j});
    store(y, Full{j}, load<V>(y, Full{j}) + ((sum[0] + sum[1]) + (sum[2] + sum[3])));
  }
}
// The transpose of `rows` x `columns` numbers, or a copy of them with another distance of rows.
template <int rows, int columns, class T>
INLINE void arrange(const T* x, int64_t row, int64_t column, T* y, int64_t y_row) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++) y[i * y_row + j] = x[i * row + j * column];
}
// Swaps blocks of `half` lanes of a's right with those of b's left.
template <int half, class V, size_t... i> INLINE void swap_blocks(V& a, V& b, std::index_sequence<i...>) {
  constexpr int L = lanes<V>;
  const V left = __builtin_shufflevector(a, b, int(i & half ? L + i - half : i)...);
  b = __builtin_shufflevector(a, b, int(i & half ? L + i : i + half)...);
  a = left;
}
// The transpose of as many vectors as each has lanes.
template <int half, class V> INLINE void transpose(V* v) {
  constexpr int L = lanes<V>;
  UNROLL for (int i = 0; i < L; i++)
    if (!(i & half)) swap_blocks<half>(v[i], v[i + half], std::make_index_sequence<L>());
  if constexpr (half > 1) transpose<half / 2>(v);
}
// The matrix of a product, or its transpose, in panels that are `block` entries wide.
template <class V, int terms, int width, int block, class T>
LOOP arrange_panels(const T* x, int64_t row, int64_t column, T* y) {
  constexpr int L = lanes<V>;
  for (int j = 0; j < width; j += L)
    for (int k = 0; k < terms; k += L) {
      T* to = y + int64_t(j / block * terms + k) * block + j % block;
      const T* from = x + k * row + j * column;
      if ((row == 1 || column == 1) && k + L <= terms && j + L <= width) {
        V part[L];
        UNROLL for (int i = 0; i < L; i++) part[i] = load<V>(from, Full{i * (row == 1 ? column : row)});
        if (row == 1) transpose<L / 2>(part);
        UNROLL for (int i = 0; i < L; i++) store(to, Full{i * block}, part[i]);
      } else
        for (int i = 0; i < L && k + i < terms; i++)
          for (int l = 0; l < L && j + l < width; l++) to[i * block + l] = from[i * row + l * column];
    }
}
// The sum of n rows of `width` numbers, which lie one behind the other or are padded to vectors R.
template <class V, class R, int width, class T> INLINE T sum_of_all(const T* x, int64_t row, int n) {
  if (row == width) {
    V sum = {};
    each<lanes<V>>(int64_t(n) * width, [&](auto at) { sum += load<V>(x, at); });
    return sum_of(sum);
  }
  R sum = {};
  for (int i = 0; i < n; i++) sum += row_in_one<Add, R, width>(x + i * row);
  return sum_of(sum);
}
template <class V, class T> INLINE T dot(const T* a, int64_t a_row, const T* b, int64_t b_row, int n) {
  T sum = 0;
  if (a_row != 1 || b_row != 1) {
    for (int i = 0; i < n; i++) sum += a[i * a_row] * b[i * b_row];
    return sum;
  }
  V sums = {};
  each<lanes<V>>(n, [&](auto at) { sums += load<V>(a, at) * load<V>(b, at); });
  return sum_of(sums);
}
// By memcpy: gcc 12 makes a loop over the entries of 30 rows of 3 one that reads a wrong one.
template <int width, class T>
INLINE void copy_rows(const T* from, int64_t from_row, T* to, int64_t to_row, int n) {
  for (int i = 0; i < n; i++) memcpy(to + i * to_row, from + i * from_row, width * sizeof(T));
}
// Rows of an array of `height` rows, counted from the end where the index is negative.
template <int width, class T, class I>
INLINE void take_rows(const T* from, int64_t height, const I* index, int64_t step, T* to, int64_t to_row, int n) {
  for (int i = 0; i < n; i++) {
    const int64_t k = index[i * step], row = k < 0 ? k + height : k;
    memcpy(to + i * to_row, from + row * width, width * sizeof(T));
  }
}
