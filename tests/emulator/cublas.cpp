// libcublas.so.13: products by their definition. All matrices are stored by columns.
//
// A product is refused where a leading dimension does not fit, and where the handle has no workspace
// of its own: cuBLAS would allocate one, which a capture forbids.
#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>
#define EXPORT extern "C" __attribute__((visibility("default")))

enum { SUCCESS = 0, NOT_SUPPORTED = 15, INVALID_VALUE = 7, INTERNAL_ERROR = 14 };
enum { REAL_32 = 0, REAL_64 = 1, REAL_16 = 2, BFLOAT_16 = 14 };
enum { COMPUTE_32 = 68, COMPUTE_64 = 70, COMPUTE_32_FAST_TF32 = 77 };

struct Handle { void* stream = nullptr; void* workspace = nullptr; };

EXPORT int cublasCreate_v2(Handle** handle) { *handle = new Handle; return SUCCESS; }
EXPORT int cublasDestroy_v2(Handle* handle) {
  static int (*wait)() = (int (*)())dlsym(RTLD_DEFAULT, "emu_cudaDeviceSynchronize");
  wait();  // as cuBLAS does
  delete handle;
  return SUCCESS;
}
EXPORT int cublasSetStream_v2(Handle* handle, void* stream) {
  *handle = {stream, nullptr};  // as cuBLAS, which goes back to a workspace of its own
  return SUCCESS;
}
EXPORT int cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t) {
  if ((size_t)workspace % 256) return INVALID_VALUE;
  handle->workspace = workspace;
  return SUCCESS;
}
EXPORT const char* cublasGetStatusString(int) { return "refused by the emulated cuBLAS"; }

struct Matrix {
  const void* numbers;
  int type, leading;
  long long step;  // from one matrix of a batch to the next
  bool transposed;
};

static double entry(const Matrix& matrix, long long place) {
  if (matrix.type == REAL_64) return ((const double*)matrix.numbers)[place];
  if (matrix.type == REAL_32) return ((const float*)matrix.numbers)[place];
  uint16_t bits = ((const uint16_t*)matrix.numbers)[place];
  if (matrix.type == BFLOAT_16) {
    uint32_t wide = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &wide, 4);
    return x;
  }
  _Float16 x;
  memcpy(&x, &bits, 2);
  return x;
}

// To the 10 bits of TF32's fraction, ties to even.
static float rounded_to_tf32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  bits = (bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu;
  memcpy(&x, &bits, 4);
  return x;
}

// Matrix number `q` of a batch as a dense one (rows, columns), rounded as the product asks for.
template <class T>
static std::vector<T> dense(const Matrix& matrix, long q, long rows, long columns, int compute) {
  std::vector<T> numbers(rows * columns);
  for (long j = 0; j < columns; j++)
    for (long i = 0; i < rows; i++) {
      long place = matrix.transposed ? i * matrix.leading + j : j * matrix.leading + i;
      T x = (T)entry(matrix, q * matrix.step + place);
      numbers[j * rows + i] = compute == COMPUTE_32_FAST_TF32 ? (T)rounded_to_tf32(x) : x;
    }
  return numbers;
}

struct Product { int m, n, k, batch, compute; Matrix a, b; void* out; int leading; long long step; };

// out = a b. Sums are taken in T, from the first term to the last.
template <class T> static void multiply(const Product& p) {
  for (long q = 0; q < p.batch; q++) {
    std::vector<T> a = dense<T>(p.a, q, p.m, p.k, p.compute), b = dense<T>(p.b, q, p.k, p.n, p.compute);
    for (long j = 0; j < p.n; j++) {
      T* column = (T*)p.out + q * p.step + j * p.leading;
      for (long i = 0; i < p.m; i++) column[i] = 0;
      for (long l = 0; l < p.k; l++)
        for (long i = 0; i < p.m; i++) column[i] += a[l * p.m + i] * b[j * p.k + l];
    }
  }
}

static bool fits(const Matrix& matrix, int rows, int columns) {
  return matrix.leading >= std::max(1, matrix.transposed ? columns : rows);
}

static int start(Handle* handle, const std::string& name, const Product& p) {
  typedef int (*Submit)(void*, const char*, std::function<void()>*);
  static Submit submit = (Submit)dlsym(RTLD_DEFAULT, "emu_submit");
  if (p.m < 0 || p.n < 0 || p.k < 0 || !fits(p.a, p.m, p.k) || !fits(p.b, p.k, p.n) ||
      p.leading < std::max(1, p.m))
    return INVALID_VALUE;
  if (!handle->workspace) return INTERNAL_ERROR;
  std::function<void()> work = [p] {
    p.compute == COMPUTE_64 ? multiply<double>(p) : multiply<float>(p);
  };
  // As a row-major product (n, k) (k, m).
  std::string what = name + " " + (p.batch > 1 ? std::to_string(p.batch) + " of " : "") +
                     std::to_string(p.n) + "x" + std::to_string(p.k) + "x" + std::to_string(p.m);
  return submit(handle->stream, what.c_str(), &work);
}

EXPORT int cublasGemmEx(Handle* handle, int transpose_a, int transpose_b, int m, int n, int k,
                        const void* alpha, const void* a, int type_a, int leading_a, const void* b,
                        int type_b, int leading_b, const void* beta, void* out, int type_out,
                        int leading_out, int compute, int) {
  Product p = {m, n, k, 1, compute, {a, type_a, leading_a, 0, transpose_a != 0},
               {b, type_b, leading_b, 0, transpose_b != 0}, out, leading_out, 0};
  return start(handle, "GEMM", p);
}
EXPORT int cublasGemmStridedBatchedEx(Handle* handle, int transpose_a, int transpose_b, int m, int n,
                                      int k, const void* alpha, const void* a, int type_a,
                                      int leading_a, long long step_a, const void* b, int type_b,
                                      int leading_b, long long step_b, const void* beta, void* out,
                                      int type_out, int leading_out, long long step_out, int batch,
                                      int compute, int) {
  Product p = {m, n, k, batch, compute, {a, type_a, leading_a, step_a, transpose_a != 0},
               {b, type_b, leading_b, step_b, transpose_b != 0}, out, leading_out, step_out};
  return start(handle, "GEMM", p);
}
