// A stand-in for libcublas: products of matrices in single precision, column by column as cuBLAS has them.
#include <cstdint>
#include <new>

#define EXPORT extern "C" __attribute__((visibility("default")))

// Of the driver's stand-in, whose device memory is the host's.
extern "C" int cuStreamSynchronize(void* stream);

namespace {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 3, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum Operation { N = 0, T = 1, C = 2 };

struct Handle {
  void* stream = nullptr;
};

// The element in a row and a column of a matrix, which is `op` of what is stored.
float element(const float* matrix, int ld, Operation op, int64_t row, int64_t column) {
  return op == N ? matrix[row + column * ld] : matrix[column + row * ld];
}

}  // namespace

EXPORT Status cublasCreate_v2(Handle** handle) {
  if (!handle) return INVALID_VALUE;
  *handle = new (std::nothrow) Handle;
  return *handle ? SUCCESS : ALLOC_FAILED;
}

EXPORT Status cublasDestroy_v2(Handle* handle) {
  if (!handle) return NOT_INITIALIZED;
  delete handle;
  return SUCCESS;
}

EXPORT Status cublasSetStream_v2(Handle* handle, void* stream) {
  if (!handle) return NOT_INITIALIZED;
  handle->stream = stream;
  return SUCCESS;
}

EXPORT Status cublasSgemmStridedBatched(Handle* handle, Operation op_a, Operation op_b, int m, int n, int k, const float* alpha, const float* a, int lda,
                                        long long step_a, const float* b, int ldb, long long step_b, const float* beta, float* c, int ldc,
                                        long long step_c, int batch) {
  if (!handle) return NOT_INITIALIZED;
  const int rows_a = op_a == N ? m : k, rows_b = op_b == N ? k : n;
  auto less = [](int ld, int rows) { return ld < (rows > 1 ? rows : 1); };
  if (op_a < N || op_a > C || op_b < N || op_b > C || m < 0 || n < 0 || k < 0 || batch < 0 || less(lda, rows_a) || less(ldb, rows_b) || less(ldc, m))
    return INVALID_VALUE;
  // The stream's earlier work comes first.
  if (cuStreamSynchronize(handle->stream)) return EXECUTION_FAILED;
  for (int i = 0; i < batch; i++, a += step_a, b += step_b, c += step_c)
    for (int column = 0; column < n; column++)
      for (int row = 0; row < m; row++) {
        double sum = 0;
        for (int j = 0; j < k; j++) sum += double(element(a, lda, op_a, row, j)) * element(b, ldb, op_b, j, column);
        float& result = c[row + int64_t(column) * ldc];
        // Where `beta` is 0, what was there is not read.
        result = float(*alpha * sum + (*beta ? double(*beta) * result : 0));
      }
  return SUCCESS;
}

EXPORT Status cublasSgemm_v2(Handle* handle, Operation op_a, Operation op_b, int m, int n, int k, const float* alpha, const float* a, int lda,
                             const float* b, int ldb, const float* beta, float* c, int ldc) {
  return cublasSgemmStridedBatched(handle, op_a, op_b, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}
