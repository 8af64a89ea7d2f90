// The threads of a block, or of the blocks of a cluster. Without barriers one runs after the other;
// with barriers each is a fiber, a stack of its own, which runs until it waits.
#pragma once
#include <sys/mman.h>
#include <xmmintrin.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

struct Index { unsigned x, y, z; };
EXPORT Index emu_threadIdx, emu_blockIdx, emu_blockDim, emu_gridDim;
Index emu_threadIdx, emu_blockIdx, emu_blockDim, emu_gridDim;

// What a launch may ask for besides the `__shared__` arrays of a kernel, for each block of a cluster.
static const int MOST_SHARED_BYTES = 232448, LARGEST_CLUSTER = 8;
alignas(128) static char shared_memory[LARGEST_CLUSTER][MOST_SHARED_BYTES];

static const bool flush = getenv("EMULATOR_FLUSH");

// The stack pointer of a fiber that does not run; `emu_switch` saves one and takes another.
struct Context { void* stack_pointer; };
extern "C" void emu_switch(Context* from, Context* to) __attribute__((visibility("hidden")));
asm(R"(
.text
.globl emu_switch
.type emu_switch,@function
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq (%rsi), %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emu_switch,.-emu_switch
)");

enum State {
  READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, AT_SHUFFLE, AT_PRODUCT, AT_CLUSTER_BARRIER, ENDED
};
struct Fiber { Context context; State state; Index index, block; };

static const int WARP = 32, STACK_BYTES = 1 << 17, LARGEST_VALUE = 16;
static std::vector<Fiber> fibers;
static std::vector<char*> stacks;
static Context scheduler;
// The fiber that runs, how many there are, and how many of them are a block.
static int running, of_cluster, of_block;
// For each block of a cluster, whether any of its threads has begun, and how many have ended.
static bool has_begun[LARGEST_CLUSTER];
static int ended[LARGEST_CLUSTER];
static std::function<void()>* body;

static void run_fiber() {
  (*body)();
  fibers[running].state = ENDED;
  ended[running / of_block]++;
  emu_switch(&fibers[running].context, &scheduler);
  abort();
}

static void wait_at(State barrier) {
  int me = running;
  fibers[me].state = barrier;
  emu_switch(&fibers[me].context, &scheduler);
  emu_threadIdx = fibers[me].index;
}

static void give_up(const char* what) {
  fprintf(stderr, "emulated device: %s\n", what);
  abort();
}

static int thread_number() {
  return emu_threadIdx.x + emu_blockDim.x * (emu_threadIdx.y + emu_blockDim.y * emu_threadIdx.z);
}

EXPORT void emu_syncthreads() { wait_at(AT_BLOCK_BARRIER); }
EXPORT void emu_syncwarp() { wait_at(AT_WARP_BARRIER); }
EXPORT void emu_syncluster() { wait_at(AT_CLUSTER_BARRIER); }
EXPORT int emu_lane() { return thread_number() % WARP; }

// Every lane lays its value down, and takes the one of another lane. A lane that waits elsewhere
// meanwhile, at another kind of call, never comes: as on a GPU, nothing goes on.
EXPORT void emu_shuffle(const void* mine, void* other, int bytes, int lane) {
  static char values[LARGEST_CLUSTER * 1024][LARGEST_VALUE];
  int me = running, warp = me - emu_lane();
  memcpy(values[me], mine, bytes);
  wait_at(AT_SHUFFLE);
  memcpy(other, values[warp + lane % WARP], bytes);
  wait_at(AT_SHUFFLE);
}

// A number in TF32: with a bit below the 10 of its fraction it is none, and gives NaN.
static float of_tf32(uint32_t bits) {
  if (bits & 0x1fff) bits = 0x7fffe000;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32: d += a b by a warp, the sums from the first
// product to the last. NVIDIA, PTX ISA 8.7, section "Matrix Fragments for mma.m16n8k8", says of the
// lane 4 g + t that a0 is (g, t) of a, a1 (g + 8, t), a2 (g, t + 4), a3 (g + 8, t + 4); b0 is (t, g)
// of b, b1 (t + 4, g); d0 is (g, 2 t) of d, d1 (g, 2 t + 1), d2 (g + 8, 2 t), d3 (g + 8, 2 t + 1).
EXPORT void emu_mma(float* d, const uint32_t* a, const uint32_t* b) {
  static uint32_t all_a[1024][4], all_b[1024][2];
  int me = thread_number(), lane = me % WARP, warp = me - lane;
  memcpy(all_a[me], a, sizeof all_a[me]);
  memcpy(all_b[me], b, sizeof all_b[me]);
  wait_at(AT_PRODUCT);
  for (int n = 0; n < 4; n++) {
    int row = lane / 4 + (n >= 2 ? 8 : 0), column = lane % 4 * 2 + n % 2;
    for (int k = 0; k < 8; k++) {
      int of_row = warp + row % 8 * 4 + k % 4, of_column = warp + column * 4 + k % 4;
      d[n] += of_tf32(all_a[of_row][row / 8 + k / 4 * 2]) * of_tf32(all_b[of_column][k / 4]);
    }
  }
  wait_at(AT_PRODUCT);
}

// The shared memory of the running thread's block.
EXPORT char* emu_shared() { return shared_memory[of_block ? running / of_block : 0]; }
EXPORT int emu_is_shared(const void* place) {
  char* begin = emu_shared();
  return begin <= place && place < begin + MOST_SHARED_BYTES;
}

// The same place in another block of the cluster, which must have begun and not have ended.
EXPORT void* emu_in_block(const void* place, int rank) {
  if (!emu_is_shared(place) || rank < 0 || rank * of_block >= of_cluster)
    give_up("no shared memory of the cluster is at such a place");
  if (!has_begun[rank] || ended[rank] == of_block)
    give_up("a block reads another one that has not begun, or has ended");
  return shared_memory[rank] + ((const char*)place - emu_shared());
}

static void prepare_fiber(int number, Index block) {
  Fiber& fiber = fibers[number];
  // Popped by the first switch: six registers, and the address to return to.
  void** top = (void**)(stacks[number] + STACK_BYTES);
  *--top = nullptr;
  *--top = (void*)run_fiber;
  for (int i = 0; i < 6; i++) *--top = nullptr;
  unsigned n = number % of_block, width = emu_blockDim.x, height = emu_blockDim.y;
  fiber = {{top}, READY, {n % width, n / width % height, n / width / height}, block};
}

// Let the fibers from `first` to `last` go on where all that have not ended are at that barrier; a
// product takes all of them.
static bool release(int first, int last, State barrier) {
  bool any = false;
  for (int i = first; i < last; i++) {
    if (fibers[i].state == ENDED && barrier != AT_PRODUCT) continue;
    if (fibers[i].state != barrier) return false;
    any = true;
  }
  for (int i = first; any && i < last; i++)
    if (fibers[i].state == barrier) fibers[i].state = READY;
  return any;
}

// In which order they run between two barriers must not matter: a test tries both. Without barriers
// it turns round the blocks and their threads, as sums by atomics come in any order.
static bool backwards;
EXPORT void emu_backwards(int yes) { backwards = yes; }

// Run the threads of a block until all have ended or wait for other blocks.
static bool run_block(int first) {
  int n = of_block, last = first + n;
  bool any = false;
  for (bool moved = true; moved;) {
    moved = false;
    for (int turn = 0; turn < n; turn++) {
      int i = backwards ? last - 1 - turn : first + turn;
      if (fibers[i].state != READY) continue;
      moved = has_begun[first / of_block] = true;
      running = i;
      emu_threadIdx = fibers[i].index;
      emu_blockIdx = fibers[i].block;
      emu_switch(&scheduler, &fibers[i].context);
    }
    for (State barrier : {AT_WARP_BARRIER, AT_SHUFFLE, AT_PRODUCT})
      for (int i = first; i < last; i += WARP)
        moved |= release(i, i + WARP < last ? i + WARP : last, barrier);
    moved |= release(first, last, AT_BLOCK_BARRIER);
    any |= moved;
  }
  return any;
}

// The blocks of a cluster, of which this one is the first. Each runs as far ahead of the others as
// it can, so that what they leave differs where they should have waited for each other.
static void run_as_fibers(std::function<void()>& threads, int blocks) {
  of_block = emu_blockDim.x * emu_blockDim.y * emu_blockDim.z;
  int n = of_cluster = blocks * of_block;
  body = &threads;
  fibers.resize(n);
  while ((int)stacks.size() < n)
    stacks.push_back((char*)mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  Index block = emu_blockIdx;
  for (int i = 0; i < n; i++) prepare_fiber(i, {block.x + i / of_block, block.y, block.z});
  if (blocks > 1) memset(shared_memory, 0x7f, sizeof shared_memory);
  memset(has_begun, 0, sizeof has_begun);
  memset(ended, 0, sizeof ended);
  for (;;) {
    bool moved = false, all_ended = true;
    for (int turn = 0; turn < blocks; turn++)
      moved |= run_block((backwards ? blocks - 1 - turn : turn) * of_block);
    for (int b = 0; b < blocks; b++) all_ended &= ended[b] == of_block;
    if (all_ended) return;
    if (!(moved | release(0, n, AT_CLUSTER_BARRIER)))
      give_up("some threads of a block never reach a barrier");
  }
}

// Each index of a grid or a block, in order or backwards.
template <class Body> static void for_each(Index& i, const Index& sizes, Body body) {
  unsigned n = sizes.x * sizes.y * sizes.z;
  for (unsigned turn = 0; turn < n; turn++) {
    unsigned place = backwards ? n - 1 - turn : turn;
    i = {place % sizes.x, place / sizes.x % sizes.y, place / sizes.x / sizes.y};
    body();
  }
}

static void run_one_by_one(std::function<void()>& thread) {
  of_block = 0;
  for_each(emu_threadIdx, emu_blockDim, thread);
}

// `cluster` blocks along x run together.
static void run_grid(bool has_barriers, int cluster, Index grid, Index block,
                     std::function<void()>& thread) {
  unsigned before = _mm_getcsr();
  if (flush) _mm_setcsr(before | 0x8040);
  emu_gridDim = grid;
  emu_blockDim = block;
  Index clusters = {grid.x / cluster, grid.y, grid.z}, place;
  for_each(place, clusters, [&] {
    emu_blockIdx = {place.x * cluster, place.y, place.z};
    has_barriers ? run_as_fibers(thread, cluster) : run_one_by_one(thread);
  });
  _mm_setcsr(before);
}
