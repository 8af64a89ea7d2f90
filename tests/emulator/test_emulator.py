"""The emulated device does what CUDA does, as far as the tests of the CUDA backend rely on it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if "cupy_on_cpu" not in sys.modules:
    pytest.skip("runs on the emulated device: tests/emulator/run", allow_module_level=True)

import cupy
import cupy_on_cpu

KERNELS = r"""
extern "C" __global__ void reversed(const float* x, float* y)
{
    extern __shared__ float block[];
    int i = threadIdx.x;
    block[i] = x[blockIdx.x * blockDim.x + i];
    __syncthreads();
    y[blockIdx.x * blockDim.x + i] = block[blockDim.x - 1 - i];
}

extern "C" __global__ void sums_of_warps(const float* x, float* y)
{
    float sum = x[blockIdx.x * blockDim.x + threadIdx.x];
    for (int far = 16; far; far /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, far);
    y[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

extern "C" __global__ void places(int* x)
{
    int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    x[block * blockDim.x * blockDim.y * blockDim.z + thread]++;
}

extern "C" __global__ void first_place(int* x)
{
    if (*x < 0) *x = blockIdx.x * blockDim.x + threadIdx.x;
}

extern "C" __global__ void __cluster_dims__(4, 1, 1) next_block(int* x, int is_right)
{
    extern __shared__ int mine[];
    int rank = blockIdx.x % 4;
    mine[threadIdx.x] = 100 * blockIdx.x + threadIdx.x;
    __cluster_barrier_arrive();
    __cluster_barrier_wait();
    int* theirs = (int*)__cluster_map_shared_rank(mine, (rank + 1) % 4);
    x[blockIdx.x * blockDim.x + threadIdx.x] = theirs[threadIdx.x];
    if (is_right) {
        __cluster_barrier_arrive();
        __cluster_barrier_wait();
    } else {
        __syncthreads();
    }
    mine[threadIdx.x] = -1;
    __cluster_barrier_arrive();
    __cluster_barrier_wait();
}

extern "C" __global__ void __cluster_dims__(2, 1, 1) too_early(int* x)
{
    extern __shared__ int mine[];
    x[0] = *(int*)__cluster_map_shared_rank(mine, 1 - blockIdx.x);
    __syncthreads();
}

extern "C" __global__ void count(int* x) { atomicAdd(x, 1); }
"""


@pytest.fixture(scope="module")
def kernels() -> Any:
    return cupy.RawModule(code=KERNELS)


def test_the_threads_of_a_block_meet_at_a_barrier(kernels: Any) -> None:
    x = cupy.arange(192, dtype="float32")
    y = cupy.empty_like(x)
    kernels.get_function("reversed")((2,), (96,), (x, y), shared_mem=384)
    assert y.get().tolist() == [*range(95, -1, -1), *range(191, 95, -1)]


def test_a_barrier_is_found_in_functions_of_functions() -> None:
    inner = "__device__ void inner() { __syncthreads(); }"
    outer = "__device__ void outer() { inner(); }"
    kernels = "__global__ void waits() { outer(); }  __global__ void runs() {}"
    found = cupy_on_cpu.kernels_of(f"{inner} {outer} {kernels}")
    assert found == {"waits": True, "runs": False}


def test_two_threads_may_compile_the_same_kernel(tmp_path: Path) -> None:
    source = f'extern "C" __global__ void f() {{}} // {tmp_path}'
    with ThreadPoolExecutor(2) as pool:
        modules = list(pool.map(lambda _: cupy_on_cpu.compile_for_host(source), range(2)))
    assert all(module.get_function("f") for module in modules)


def test_a_shuffle_stays_in_its_warp(kernels: Any) -> None:
    x = cupy.arange(128, dtype="float32")
    y = cupy.empty_like(x)
    kernels.get_function("sums_of_warps")((1,), (128,), (x, y))
    assert np.array_equal(y.get(), np.arange(128.0).reshape(4, 32).sum(1).repeat(32))


def test_every_thread_of_a_grid_runs_once(kernels: Any) -> None:
    x = cupy.zeros(2 * 3 * 2 * 4 * 2 * 3, dtype="int32")
    kernels.get_function("places")((2, 3, 2), (4, 2, 3), (x,))
    assert (x.get() == 1).all()


def test_atomics_lose_nothing(kernels: Any) -> None:
    x = cupy.zeros(1, dtype="int32")
    kernels.get_function("count")((5,), (64,), (x,))
    assert x.get()[0] == 320


def test_backwards_the_last_thread_of_the_last_block_comes_first(kernels: Any) -> None:
    """So that sums by atomics come in two orders."""
    first = cupy.full(1, -1, dtype="int32")
    cupy_on_cpu.device.emu_backwards(1)
    try:
        kernels.get_function("first_place")((2,), (3,), (first,))
    finally:
        cupy_on_cpu.device.emu_backwards(0)
    assert first.get()[0] == 5


def test_a_launch_that_no_device_takes_is_refused(kernels: Any) -> None:
    x = cupy.zeros(1, dtype="int32")
    with pytest.raises(Exception, match="CUDA_ERROR|INVALID"):
        kernels.get_function("count")((1,), (2048,), (x,))


def test_the_blocks_of_a_cluster_reach_each_other_and_show_a_missing_barrier(
    kernels: Any,
) -> None:
    def run(is_right: int) -> Any:
        x = cupy.zeros(8 * 40, dtype="int32")
        kernels.get_function("next_block")((8,), (40,), (x, is_right), shared_mem=160)
        return x.get().reshape(8, 40)

    following = np.array([1, 2, 3, 0, 5, 6, 7, 4])[:, None] * 100 + np.arange(40)
    for turn in (0, 1):
        cupy_on_cpu.device.emu_backwards(turn)
        try:
            assert np.array_equal(run(is_right=1), following)
            assert not np.array_equal(run(is_right=0), following)
        finally:
            cupy_on_cpu.device.emu_backwards(0)


def test_a_grid_is_of_whole_clusters(kernels: Any) -> None:
    x = cupy.zeros(6 * 40, dtype="int32")
    with pytest.raises(Exception, match="CUDA_ERROR|INVALID"):
        kernels.get_function("next_block")((6,), (40,), (x, 1), shared_mem=160)


def test_a_block_that_has_not_begun_is_not_read() -> None:
    program = (
        "import cupy_on_cpu, cupy\nfrom test_emulator import KERNELS\n"
        "kernel = cupy.RawModule(code=KERNELS).get_function('too_early')\n"
        "kernel((2,), (32,), (cupy.zeros(1, 'int32'),), shared_mem=4)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode < 0 and "has not begun" in done.stderr


@pytest.mark.parametrize(
    "body",
    [
        "if (threadIdx.x) __syncthreads(); else __syncwarp(); __syncwarp();",
        "if (threadIdx.x) __shfl_sync(~0u, 1, 0); else __syncwarp(); __syncwarp();",
        "float d[4]; __syncwarp(); if (threadIdx.x) mma(d, {0, 0, 0, 0}, {0, 0});",
    ],
)
def test_a_barrier_that_some_threads_never_reach_ends_the_process(body: str) -> None:
    program = (
        "import cupy_on_cpu, cupy\n"
        f"source = 'extern \"C\" __global__ void f() {{ {body} }}'\n"
        "cupy.RawModule(code=source).get_function('f')((1,), (2,), ())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode < 0 and "never reach a barrier" in done.stderr


def test_new_memory_holds_numbers_that_show() -> None:
    memory = cupy.cuda.MemoryPointer(cupy.cuda.Memory(64), 0)
    assert (cupy.ndarray((16,), "uint32", memory).get() == 0x7F7F7F7F).all()


def test_a_captured_graph_is_counted_and_replayed() -> None:
    x, y = cupy.ones(3), cupy.zeros(3)
    cupy.add(x, y, out=y)
    stream = cupy.cuda.Stream(non_blocking=True)
    with cupy_on_cpu.log() as log, stream:
        stream.begin_capture()
        cupy.add(x, y, out=y)
        cupy.multiply(y, y, out=y)
        graph = stream.end_capture()
    assert [node.split()[1].split("__")[0] for node in log.nodes()] == ["cupy_add", "cupy_multiply"]
    assert y.get().tolist() == [1, 1, 1]
    for expected in (4, 25):
        graph.launch()
        assert y.get().tolist() == [expected] * 3


def test_what_a_capture_forbids_is_a_hazard() -> None:
    x, y = cupy.ones(3), cupy.zeros(3)
    stream = cupy.cuda.Stream(non_blocking=True)
    before = len(cupy_on_cpu.hazards)
    with stream:
        stream.begin_capture()
        with pytest.raises(Exception, match="cudaError"):
            stream.synchronize()
        cupy.cuda.runtime.memcpy(y.data.ptr, x.data.ptr, x.nbytes, 3)
        with pytest.raises(Exception, match="cudaError"):
            stream.end_capture()
    found = [what for what, _ in cupy_on_cpu.hazards[before:]]
    del cupy_on_cpu.hazards[before:]
    assert [each.split(":")[0] for each in found] == [
        "a wait for the stream that is captured",
        "a synchronous copy while a stream is captured",
    ]


def test_a_product_needs_leading_dimensions_that_fit_and_a_workspace() -> None:
    from scratchnet.backends.cublas import OPERANDS, Cublas, Gemm

    cublas = Cublas(cupy)
    x = cupy.arange(6, dtype="float32").reshape(2, 3)
    out = cupy.empty((2, 2), "float32")
    right = Gemm(True, False, 2, 2, 3, 3, 0, 3, 0, 2, 0, 1)
    cublas.multiply(right, x, x, out, OPERANDS["fp32"])
    assert np.array_equal(out.get(), x.get() @ x.get().T)
    with pytest.raises(RuntimeError, match="status 7"):
        cublas.multiply(right._replace(leading_a=2), x, x, out, OPERANDS["fp32"])


def test_the_conformance_file_names_tests_that_exist() -> None:
    root = Path(__file__).parent.parent.parent
    lines = (Path(__file__).parent / "conformance.txt").read_text().splitlines()
    named = [line for line in lines if line.startswith("tests/")]
    assert named and all((root / line.split("::")[0]).exists() for line in named)


def test_the_cuda_backend_works_here_so_that_its_tests_are_not_skipped() -> None:
    from scratchnet.backends import available_backends

    assert available_backends()["cupy"] is None
