// The threads of a block. Without barriers one runs after the other; with barriers each is a fiber,
// a stack of its own, which runs until it waits.
#pragma once
#include <sys/mman.h>
#include <xmmintrin.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

struct Index { unsigned x, y, z; };
EXPORT Index emu_threadIdx, emu_blockIdx, emu_blockDim, emu_gridDim;
Index emu_threadIdx, emu_blockIdx, emu_blockDim, emu_gridDim;

// What a launch may ask for besides the `__shared__` arrays of a kernel.
static const int MOST_SHARED_BYTES = 232448;
EXPORT char emu_shared[];
alignas(128) char emu_shared[MOST_SHARED_BYTES];

static const bool fast = getenv("EMULATOR_FAST"), flush = getenv("EMULATOR_FLUSH");

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

enum State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, ENDED };
struct Fiber { Context context; State state; Index index; };

static const int WARP = 32, STACK_BYTES = 1 << 17, LARGEST_VALUE = 16;
static std::vector<Fiber> fibers;
static std::vector<char*> stacks;
static Context scheduler;
static int running;
static std::function<void()>* body;

static void run_fiber() {
  (*body)();
  fibers[running].state = ENDED;
  emu_switch(&fibers[running].context, &scheduler);
  abort();
}

static void wait_at(State barrier) {
  int me = running;
  fibers[me].state = barrier;
  emu_switch(&fibers[me].context, &scheduler);
  emu_threadIdx = fibers[me].index;
}

static int thread_number() {
  return emu_threadIdx.x + emu_blockDim.x * (emu_threadIdx.y + emu_blockDim.y * emu_threadIdx.z);
}

EXPORT void emu_syncthreads() { wait_at(AT_BLOCK_BARRIER); }
EXPORT void emu_syncwarp() { wait_at(AT_WARP_BARRIER); }
EXPORT int emu_lane() { return thread_number() % WARP; }

// Every lane lays its value down, and takes the one of another lane.
EXPORT void emu_shuffle(const void* mine, void* other, int bytes, int lane) {
  static char values[1024][LARGEST_VALUE];
  int me = thread_number();
  memcpy(values[me], mine, bytes);
  emu_syncwarp();
  memcpy(other, values[me / WARP * WARP + lane % WARP], bytes);
  emu_syncwarp();
}

static void prepare_fiber(int number) {
  Fiber& fiber = fibers[number];
  // Popped by the first switch: six registers, and the address to return to.
  void** top = (void**)(stacks[number] + STACK_BYTES);
  *--top = nullptr;
  *--top = (void*)run_fiber;
  for (int i = 0; i < 6; i++) *--top = nullptr;
  unsigned n = number, width = emu_blockDim.x, height = emu_blockDim.y;
  fiber = {{top}, READY, {n % width, n / width % height, n / width / height}};
}

// Let the fibers from `first` to `last` go on where all that have not ended are at that barrier.
static bool release(int first, int last, State barrier) {
  bool any = false;
  for (int i = first; i < last; i++) {
    if (fibers[i].state == ENDED) continue;
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

static void run_as_fibers(std::function<void()>& threads) {
  int n = emu_blockDim.x * emu_blockDim.y * emu_blockDim.z;
  body = &threads;
  fibers.resize(n);
  while ((int)stacks.size() < n)
    stacks.push_back((char*)mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < n; i++) prepare_fiber(i);
  for (;;) {
    bool moved = false, ended = true;
    for (int turn = 0; turn < n; turn++) {
      int i = backwards ? n - 1 - turn : turn;
      if (fibers[i].state != READY) continue;
      moved = true;
      running = i;
      emu_threadIdx = fibers[i].index;
      emu_switch(&scheduler, &fibers[i].context);
    }
    for (int i = 0; i < n; i++) ended = ended && fibers[i].state == ENDED;
    if (ended) return;
    for (int i = 0; i < n; i += WARP)
      moved |= release(i, i + WARP < n ? i + WARP : n, AT_WARP_BARRIER);
    moved |= release(0, n, AT_BLOCK_BARRIER);
    if (!moved) {
      fprintf(stderr, "emulated device: some threads of a block never reach a barrier\n");
      abort();
    }
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
  for_each(emu_threadIdx, emu_blockDim, thread);
}

static void run_grid(bool has_barriers, Index grid, Index block, std::function<void()>& thread) {
  unsigned before = _mm_getcsr();
  if (flush) _mm_setcsr(before | 0x8040);
  if (fast && !has_barriers && !backwards) grid = block = {1, 1, 1};
  emu_gridDim = grid;
  emu_blockDim = block;
  for_each(emu_blockIdx, grid, [&] { (has_barriers ? run_as_fibers : run_one_by_one)(thread); });
  _mm_setcsr(before);
}
