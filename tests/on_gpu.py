"""All that waits for an NVIDIA GPU, by one command of at most ten minutes: python tests/on_gpu.py

1. The tests of the CUDA backend and of the kernel of a compiled step, on the device.
2. scratchnet bench --figures --backend cupy --compiled --rounds 15, beside those of PyTorch and JAX
   that can use the GPU; a thousand networks also with products in TF32.
3. What it measured as demos/results/bench_<device>.json, and the README's tables made from it.
4. In the time that is left, every call of a compiled step.

It needs `pip install -e '.[gpu,test]' torch 'jax[cuda13]'`. A part whose time is up is cut, and the
next one begins; what failed or was cut is said at the end. Without a GPU,
`tests/emulator/run python tests/on_gpu.py --rehearse FOLDER` goes the same way on the emulated
device, with small networks, and writes into a copy of the results and of the README.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS, OF_TESTS, OF_BENCH = 590, 240, 320
BENCH = ("bench", "--figures", "--backend", "cupy", "--compiled")
KERNELS = [
    f"tests/emulator/test_{each}.py" for each in ("kernel", "kernel_clusters", "tensor_cores")
]
CONFORMANCE = ("tests/backends", *KERNELS, "-k", "cupy- or test_kernel or test_tensor_cores")
EVERY_CALL = ("tests/emulator/test_kernel_calls.py",)
PEERS = {
    "torch": "import torch; assert torch.cuda.is_available()",
    "jax": "import jax; jax.devices('gpu')",
}
SAMPLE = ("tests/backends/test_padded_buffers.py", "-k", "cupy-fp32 and line_of_memory")
"""What a rehearsal runs of them."""
DEVICE = "from scratchnet import get_backend; print(get_backend('cupy').device_info()['device'])"

WITHOUT_GPU = "no GPU that CuPy can use here: `scratchnet backends` says why"
WITHOUT_EMULATOR = (
    "--rehearse without the emulated device: must be started as "
    "tests/emulator/run python tests/on_gpu.py --rehearse FOLDER"
)


class Day:
    """The parts, one after another, until the time is up."""

    def __init__(self, is_rehearsed: bool) -> None:
        self.is_rehearsed, self.began = is_rehearsed, time.monotonic()
        self.said: list[str] = []
        self.has_failed = False

    def left(self) -> float:
        return SECONDS - (time.monotonic() - self.began)

    def part(self, name: str, arguments: Sequence[str], most: float) -> None:
        """Run Python with these arguments, so many seconds at most."""
        print(f"\n== {name}", flush=True)
        start, most = time.monotonic(), max(1.0, min(most, self.left()))
        process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT)
        try:
            status = process.wait(most)
            outcome = f"status {status}" if status else "passed"
        except subprocess.TimeoutExpired:
            outcome = f"cut after {most:.0f} s"
            end(process)
        self.said.append(f"{name}: {outcome}, {time.monotonic() - start:.0f} s")
        self.has_failed |= outcome != "passed"

    def tests(self, name: str, arguments: Sequence[str], most: float) -> None:
        plugin = ("-p", "cupy_on_cpu") if self.is_rehearsed else ()
        self.part(name, ["-m", "pytest", *plugin, *arguments], most)

    def bench(self, folder: Path) -> None:
        usable = [name for name, test in PEERS.items() if not answer(test)[0]]
        peers = ("--peers", ",".join(usable)) if usable else ()
        self.said += [f"{name} has no GPU here" for name in PEERS if name not in usable]
        command = ("small_bench",) if self.is_rehearsed else ("scratchnet",)
        rounds = "2" if self.is_rehearsed else "15"
        arguments = ["-m", *command, *BENCH, *peers, "--rounds", rounds, "--out", str(folder)]
        self.part("the benchmark", arguments, OF_BENCH)


def end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does, so that it says and keeps what it has; by force where that takes long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def answer(code: str) -> tuple[int, str]:
    """The status of Python with this code, and what it printed."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout.strip()


def file_name(device: str) -> str:
    """Such as bench_nvidia_h100_80gb_hbm3.json."""
    return f"bench_{re.sub('[^a-z0-9]+', '_', device.lower()).strip('_')}.json"


def keep(result: Path, device: str, results: Path, readme: Path) -> str:
    """The result among the others, and in the README's tables; where it is."""
    from scratchnet.demos.bench.readme_table import committed_records, updated

    place = results / file_name(device)
    shutil.copyfile(result, place)
    readme.write_text(updated(readme.read_text(), committed_records(results)))
    return f"written: {place} and {readme}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="All that waits for an NVIDIA GPU.")
    parser.add_argument("--rehearse", type=Path, metavar="FOLDER", help="on the emulated device")
    folder = parser.parse_args(arguments).rehearse
    day = Day(folder is not None)
    status, device = answer("import cupy_on_cpu\n" * day.is_rehearsed + DEVICE)
    if status:
        print(WITHOUT_EMULATOR if day.is_rehearsed else WITHOUT_GPU, file=sys.stderr)
        return 1
    results, readme, out = ROOT / "demos" / "results", ROOT / "README.md", Path("runs") / "bench"
    if day.is_rehearsed:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            print(f"--rehearse {folder} ({error.strerror}): must be a folder", file=sys.stderr)
            return 1
        shutil.copytree(results, folder / "results", dirs_exist_ok=True)
        shutil.copy(readme, folder)
        results, readme, out = folder / "results", folder / "README.md", folder / "bench"
    day.tests("tests of the CUDA backend", SAMPLE if day.is_rehearsed else CONFORMANCE, OF_TESTS)
    result = ROOT / out / "result.json"
    result.unlink(missing_ok=True)
    day.bench(out)
    if result.exists():
        day.said.append(keep(result, device, results, readme))
    day.tests("every call of a compiled step", SAMPLE if day.is_rehearsed else EVERY_CALL, SECONDS)
    print("\n", *(f"\n{line}" for line in day.said), sep="")
    return int(day.has_failed)


if __name__ == "__main__":
    sys.exit(main())
