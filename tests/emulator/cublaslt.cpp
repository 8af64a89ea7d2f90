// libcublasLt.so.13: loaded along with cuBLAS, and never asked.
extern "C" int cublasLtGetVersion() { return 130000; }
