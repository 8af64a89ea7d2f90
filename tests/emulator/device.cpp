// libcuda.so.1, and the CUDA runtime under other names: `emu_cudaMalloc` stands for `cudaMalloc`,
// which is linked into CuPy and is patched by `cupy_on_cpu.py` to jump here.
#include "blocks.h"
#include "streams.h"
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <algorithm>
#include <map>
#undef cudaGetDeviceProperties
#define RUNTIME(name) EXPORT int emu_##name

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_SUCH_DEVICE = 101, BAD_IMAGE = 200,
       NOT_FOUND = 500, UNSUPPORTED = 801, CAPTURE_FORBIDS = 900, CAPTURE_SPOILED = 901 };
static const size_t MEMORY = 80ull << 30, ALIGNMENT = 512;
static const int MOST_THREADS = 1024, PROCESSORS = 132;

// ---- What cupy_on_cpu.py asks.

EXPORT void emu_log(int on) { is_logging = on; }
EXPORT void emu_log_clear() { lines.clear(); }
EXPORT long emu_log_size() { return (long)lines.size(); }
EXPORT const char* emu_log_line(long i) { return lines[i].c_str(); }
EXPORT void emu_on_hazard(void (*f)(const char*)) { on_hazard = f; }
EXPORT int emu_submit(void* stream, const char* what, Work* work) {
  return submit(stream, std::string("KERNEL ") + what, *work);
}
EXPORT int emu_unsupported() {
  note("UNSUPPORTED");
  return UNSUPPORTED;
}

// ---- Modules and kernels. A module is a shared library, which has of each kernel a function that
// copies the arguments of a launch and returns what runs one thread.

struct Module { void* library; };
struct Kernel { std::string name; Work* (*bind)(void**); bool has_barriers; unsigned cluster; };

EXPORT int cuModuleLoadData(Module** module, const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "emulated device: %s\n", dlerror());
    return BAD_IMAGE;
  }
  *module = new Module{library};
  return SUCCESS;
}
EXPORT int cuModuleUnload(Module*) { return SUCCESS; }
EXPORT int cuModuleGetFunction(Kernel** kernel, Module* module, const char* name) {
  void* bind = dlsym(module->library, (std::string(name) + "_bind").c_str());
  if (!bind) return NOT_FOUND;
  int* has_barriers = (int*)dlsym(module->library, (std::string(name) + "_has_barriers").c_str());
  int* cluster = (int*)dlsym(module->library, (std::string(name) + "_cluster").c_str());
  *kernel = new Kernel{name, (Work * (*)(void**)) bind, *has_barriers != 0, (unsigned)*cluster};
  return SUCCESS;
}
EXPORT int cuLaunchKernel(Kernel* kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                          unsigned by, unsigned bz, unsigned shared, void* stream,
                          void** arguments, void**) {
  bool fits = gx && gy && gz && bx && by && bz && bx * by * bz <= MOST_THREADS && gy <= 65535 &&
              gz <= 65535 && shared <= MOST_SHARED_BYTES && kernel->cluster <= LARGEST_CLUSTER &&
              gx % kernel->cluster == 0;
  if (!fits) {
    note("REFUSED " + kernel->name);
    return INVALID_VALUE;
  }
  Work* bound = kernel->bind(arguments);
  Work thread = *bound;
  delete bound;
  char what[300];
  snprintf(what, sizeof what, "KERNEL %s <%u,%u,%u|%u,%u>", kernel->name.c_str(), gx, gy, gz, bx, by);
  return submit(stream, what, [=]() mutable {
    run_grid(kernel->has_barriers, kernel->cluster, {gx, gy, gz}, {bx, by, bz}, thread);
  });
}
EXPORT int cuFuncGetAttribute(int* value, int attribute, Kernel*) {
  *value = attribute == 0 ? MOST_THREADS : attribute == 4 ? 32 : 0;  // registers
  return SUCCESS;
}
EXPORT int cuFuncSetAttribute(Kernel*, int, int) { return SUCCESS; }
EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* n, Kernel*, int threads, size_t) {
  *n = 2048 / (threads ? threads : 1);
  return SUCCESS;
}
EXPORT int cuOccupancyMaxPotentialBlockSize(int* grid, int* block, Kernel*, void*, size_t, int most) {
  *grid = 2 * PROCESSORS;
  *block = most ? most : MOST_THREADS;
  return SUCCESS;
}
EXPORT int cuGetErrorName(int, const char** name) { *name = "CUDA_ERROR_EMULATED"; return SUCCESS; }
EXPORT int cuGetErrorString(int, const char** text) { *text = "refused by the emulated device"; return SUCCESS; }
EXPORT int cuCtxGetCurrent(void** context) { *context = (void*)1; return SUCCESS; }
EXPORT int cuCtxSetCurrent(void*) { return SUCCESS; }
EXPORT int cuCtxGetDevice(int* device) { *device = 0; return SUCCESS; }
EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
EXPORT int cuStreamGetCtx(void*, void** context) { *context = (void*)1; return SUCCESS; }

// ---- The device: one H100.

RUNTIME(cudaDriverGetVersion)(int* version) { *version = 13000; return SUCCESS; }
RUNTIME(cudaGetDevice)(int* device) { *device = 0; return SUCCESS; }
RUNTIME(cudaSetDevice)(int device) { return device ? NO_SUCH_DEVICE : SUCCESS; }
RUNTIME(cudaGetDeviceCount)(int* n) { *n = 1; return SUCCESS; }
RUNTIME(cudaDeviceGetPCIBusId)(char* name, int, int) { strcpy(name, "0000:00:00.0"); return SUCCESS; }
RUNTIME(cudaGetLastError)() { return SUCCESS; }
RUNTIME(cudaPeekAtLastError)() { return SUCCESS; }
RUNTIME(cudaDeviceGetLimit)(size_t* value, int) { *value = 0; return SUCCESS; }
RUNTIME(cudaDeviceGetAttribute)(int* value, int attribute, int) {
  static const std::map<int, int> attributes = {
      {cudaDevAttrMaxThreadsPerBlock, MOST_THREADS},
      {cudaDevAttrMaxSharedMemoryPerBlock, 49152},
      {cudaDevAttrMaxSharedMemoryPerBlockOptin, MOST_SHARED_BYTES},
      {cudaDevAttrMaxGridDimX, 2147483647},
      {cudaDevAttrWarpSize, WARP},
      {cudaDevAttrMultiProcessorCount, PROCESSORS},
      {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
      {cudaDevAttrComputeCapabilityMajor, 9},
      {cudaDevAttrMemoryPoolsSupported, 1},
  };
  auto found = attributes.find(attribute);
  *value = found == attributes.end() ? 0 : found->second;
  return SUCCESS;
}
RUNTIME(cudaGetDeviceProperties)(cudaDeviceProp* properties, int) {
  memset(properties, 0, sizeof *properties);
  strcpy(properties->name, "Emulated H100");
  properties->totalGlobalMem = MEMORY;
  properties->major = 9;
  properties->warpSize = WARP;
  properties->multiProcessorCount = PROCESSORS;
  return SUCCESS;
}

// ---- Memory is the host's.

static std::map<void*, size_t> allocated;

static void* aligned(size_t bytes) {
  return aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}
RUNTIME(cudaMalloc)(void** place, size_t bytes) {
  if (bytes > MEMORY) return OUT_OF_MEMORY;
  *place = aligned(bytes);
  memset(*place, 0x7f, bytes);
  Turn mine(turn);
  allocated[*place] = bytes;
  note("MALLOC " + std::to_string(bytes));
  return SUCCESS;
}
RUNTIME(cudaFree)(void* place) {
  Turn mine(turn);
  note("FREE");
  allocated.erase(place);
  free(place);
  return SUCCESS;
}
RUNTIME(cudaHostAlloc)(void** place, size_t bytes, unsigned) { *place = aligned(bytes); return SUCCESS; }
RUNTIME(cudaFreeHost)(void* place) { free(place); return SUCCESS; }
RUNTIME(cudaMemGetInfo)(size_t* unused, size_t* total) {
  *unused = MEMORY - (1ull << 30);
  *total = MEMORY;
  return SUCCESS;
}
RUNTIME(cudaPointerGetAttributes)(cudaPointerAttributes* found, const void* place) {
  memset(found, 0, sizeof *found);
  found->type = cudaMemoryTypeUnregistered;
  Turn mine(turn);
  auto block = allocated.upper_bound((void*)place);
  if (block == allocated.begin()) return SUCCESS;
  --block;
  if (place < (char*)block->first + block->second) {
    found->type = cudaMemoryTypeDevice;
    found->devicePointer = (void*)place;
  }
  return SUCCESS;
}

static const char* directions[] = {"H2H", "H2D", "D2H", "D2D", "Default"};

RUNTIME(cudaMemcpy)(void* to, const void* from, size_t bytes, int direction) {
  std::string what = std::string(directions[direction]) + " " + std::to_string(bytes);
  if (captures) hazard("a synchronous copy while a stream is captured: " + what);
  note("WAIT for a copy " + what);
  memcpy(to, from, bytes);
  return SUCCESS;
}
RUNTIME(cudaMemcpyAsync)(void* to, const void* from, size_t bytes, int direction, void* stream) {
  std::string what = std::string(directions[direction]) + " " + std::to_string(bytes);
  bool with_host = direction == cudaMemcpyHostToDevice || direction == cudaMemcpyDeviceToHost;
  if (stream_of(stream)->capturing && with_host)
    hazard("a copy between host and device is captured: " + what);
  return submit(stream, "COPY " + what, [=] { memmove(to, from, bytes); });
}
RUNTIME(cudaMemset)(void* place, int byte, size_t bytes) {
  note("MEMSET " + std::to_string(bytes));
  memset(place, byte, bytes);
  return SUCCESS;
}
RUNTIME(cudaMemsetAsync)(void* place, int byte, size_t bytes, void* stream) {
  return submit(stream, "MEMSET " + std::to_string(bytes), [=] { memset(place, byte, bytes); });
}

// ---- Streams, graphs and events. A handle is never given back: a later one must not be equal.

RUNTIME(cudaStreamCreate)(void** stream) { *stream = new Stream; return SUCCESS; }
RUNTIME(cudaStreamCreateWithFlags)(void** stream, unsigned) { *stream = new Stream; return SUCCESS; }
RUNTIME(cudaStreamCreateWithPriority)(void** stream, unsigned, int) { *stream = new Stream; return SUCCESS; }
RUNTIME(cudaStreamDestroy)(void*) { return SUCCESS; }
RUNTIME(cudaStreamGetFlags)(void*, unsigned* flags) { *flags = 1; return SUCCESS; }
RUNTIME(cudaStreamGetPriority)(void*, int* priority) { *priority = 0; return SUCCESS; }
RUNTIME(cudaStreamWaitEvent)(void*, void*, unsigned) { return SUCCESS; }
// A wait for the device spoils what any thread captures, whatever the mode of the capture.
RUNTIME(cudaDeviceSynchronize)() {
  bool any;
  {
    Turn mine(turn);
    any = !all_captures.empty();
    for (Stream* stream : all_captures) stream->spoiled = true;
    note("WAIT for the device");
  }
  if (any) hazard("a wait for the device while a stream is captured");
  return any ? CAPTURE_FORBIDS : SUCCESS;
}
RUNTIME(cudaStreamSynchronize)(void* handle) {
  Stream* stream = stream_of(handle);
  if (!stream->capturing) {
    note("WAIT for a stream");
    return SUCCESS;
  }
  stream->spoiled = true;
  hazard("a wait for the stream that is captured");
  return CAPTURE_FORBIDS;
}
RUNTIME(cudaStreamQuery)(void* handle) {
  Stream* stream = stream_of(handle);
  stream->spoiled |= stream->capturing;
  return stream->capturing ? CAPTURE_FORBIDS : SUCCESS;
}
RUNTIME(cudaStreamIsCapturing)(void* handle, int* answer) {
  *answer = stream_of(handle)->capturing;
  return SUCCESS;
}
RUNTIME(cudaStreamBeginCapture)(void* handle, int) {
  Stream* stream = stream_of(handle);
  if (stream == &default_stream) return CAPTURE_FORBIDS;
  Turn mine(turn);
  *stream = Stream{true};
  captures++;
  all_captures.push_back(stream);
  return SUCCESS;
}
RUNTIME(cudaStreamEndCapture)(void* handle, void** graph) {
  Stream* stream = stream_of(handle);
  Turn mine(turn);
  stream->capturing = false;
  captures--;
  all_captures.erase(std::find(all_captures.begin(), all_captures.end(), stream));
  note("CAPTURED GRAPH of " + std::to_string(stream->captured.nodes.size()) + " nodes");
  *graph = stream->spoiled ? nullptr : new Graph(stream->captured);
  return stream->spoiled ? CAPTURE_SPOILED : SUCCESS;
}
RUNTIME(cudaGraphInstantiate)(void** runnable, void* graph, unsigned long long) {
  *runnable = new Graph(*(Graph*)graph);
  return SUCCESS;
}
RUNTIME(cudaGraphDestroy)(void* graph) { delete (Graph*)graph; return SUCCESS; }
RUNTIME(cudaGraphExecDestroy)(void* graph) { delete (Graph*)graph; return SUCCESS; }
RUNTIME(cudaGraphUpload)(void*, void*) { return SUCCESS; }
RUNTIME(cudaGraphLaunch)(void* handle, void*) {
  Graph* graph = (Graph*)handle;
  Turn mine(turn);
  note("GRAPH of " + std::to_string(graph->nodes.size()) + " nodes");
  for (Node& node : graph->nodes) node.work();
  return SUCCESS;
}
RUNTIME(cudaEventCreate)(void** event) { *event = malloc(8); return SUCCESS; }
RUNTIME(cudaEventCreateWithFlags)(void** event, unsigned) { *event = malloc(8); return SUCCESS; }
RUNTIME(cudaEventDestroy)(void*) { return SUCCESS; }
RUNTIME(cudaEventRecord)(void*, void*) { return SUCCESS; }
RUNTIME(cudaEventQuery)(void*) { return SUCCESS; }
RUNTIME(cudaEventSynchronize)(void*) { note("WAIT for an event"); return SUCCESS; }
RUNTIME(cudaEventElapsedTime)(float* milliseconds, void*, void*) { *milliseconds = 1; return SUCCESS; }

// ---- What is compiled into CuPy, such as thrust's sort: it is launched and does nothing.

RUNTIME(cudaFuncGetAttributes)(cudaFuncAttributes* attributes, const void*) {
  memset(attributes, 0, sizeof *attributes);
  attributes->maxThreadsPerBlock = MOST_THREADS;
  attributes->numRegs = 32;
  attributes->ptxVersion = attributes->binaryVersion = 90;
  return SUCCESS;
}
RUNTIME(cudaOccupancyMaxActiveBlocksPerMultiprocessor)(int* n, const void*, int, size_t) {
  *n = 2;
  return SUCCESS;
}
RUNTIME(cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags)(int* n, const void*, int, size_t, unsigned) {
  *n = 2;
  return SUCCESS;
}
RUNTIME(cudaLaunchKernel)(const void*, dim3, dim3, void**, size_t, void* stream) {
  return submit(stream, "KERNEL compiled into CuPy, not emulated", [] {});
}
