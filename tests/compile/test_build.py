"""The compiler and its cache: damaged and foreign files, folders of others, Ctrl-C."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet.backends.compile import build, compiler_available, find_compiler

pytestmark = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")

SOURCE = 'extern "C" void run(char* const*, const long*, long, long, long, char*) {}\n'


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The libraries that are built from here on, in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found: list[Path] = []
    real = build._build

    def noted(source: str, compiler: build.Compiler, library: Path) -> None:
        found.append(library)
        real(source, compiler, library)

    monkeypatch.setattr(build, "_build", noted)
    return found


def test_a_library_is_built_once_and_anew_where_it_is_damaged(builds: list[Path]) -> None:
    compiler = find_compiler()
    build.built(SOURCE, compiler)
    build.built(SOURCE, compiler)
    assert len(builds) == 1
    (library,) = builds
    content = library.read_bytes()
    for damaged in (content[:100], b"", content + b"x"):
        library.unlink()
        library.write_bytes(damaged)
        build.built(SOURCE, compiler)
        assert library.read_bytes()[:4] == content[:4] and len(library.read_bytes()) > 100
    library.chmod(0o777)
    build.built(SOURCE, compiler)
    assert not library.stat().st_mode & 0o022
    assert len(builds) == 5


def test_a_folder_that_others_can_write_is_not_used(builds: list[Path], tmp_path: Path) -> None:
    folder = build.cache_folder()
    assert tmp_path in folder.parents
    folder.chmod(0o777)
    other = build.cache_folder()
    assert other != folder and not other.stat().st_mode & 0o077


@pytest.mark.parametrize("fails", ["write_text", "chmod", "read_bytes"])
def test_a_full_disk_is_one_sentence(
    builds: list[Path], monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def full(*arguments: Any, **named: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, fails, full)
    with pytest.raises(build.NoCompiler, match=r"No space left on device\): must have room"):
        build.built(SOURCE + f"// {fails}", find_compiler())


def test_a_private_folder_that_vanishes_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    build.cache_folder().rmdir()
    assert build.cache_folder().is_dir()
    build.cache_folder().rmdir()


def test_two_builds_of_the_same_library_at_once(builds: list[Path]) -> None:
    compiler = find_compiler()
    library = build.cache_folder() / "same.so"
    threads = [
        threading.Thread(target=build._build, args=(SOURCE, compiler, library)) for _ in range(2)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert build._is_intact(library)


def test_two_processes_that_build_the_same_library_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from scratchnet.backends.compile import build, find_compiler\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "build.built(sys.argv[1], find_compiler())"
    )
    command = [sys.executable, "-c", program, SOURCE]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    processes = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    for each in processes:
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        each.communicate("go\n")
        assert each.returncode == 0
    left = sorted(each.suffix for each in (tmp_path / "scratchnet" / "compiled").iterdir())
    assert left == [".sha256", ".so"]
    (library,) = (tmp_path / "scratchnet" / "compiled").glob("*.so")
    assert build._is_intact(library)


def test_an_interrupted_compiler_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child"
    command = ["sh", "-c", f"sleep 600 & echo $! > {child}; wait"]
    waits, sleep = threading.Event(), time.sleep

    def noted(seconds: float) -> None:
        waits.set()
        sleep(seconds)

    def interrupt() -> None:
        waits.wait()  # the child may have begun before Popen has returned
        while not child.exists() or not child.read_text().strip():
            sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(time, "sleep", noted)
    # A shell that runs tests in the background lets them ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            build._status_of(command, tmp_path / "complaints")
    finally:
        signal.signal(signal.SIGINT, before)
        thread.join()
    number = int(child.read_text())
    for _ in range(6000):  # a killed process may take a while to end; the child would take longer
        if not is_running(number):
            break
        time.sleep(0.01)
    assert not is_running(number)


def test_a_compiler_that_begins_while_its_begin_is_interrupted_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, numbers = build.ThreadPoolExecutor.submit, tmp_path / "number"
    command = ["sh", "-c", f"echo $$ > {numbers}; exec sleep 600"]

    def interrupted(self: Any, begin: Any) -> None:
        submit(self, begin).result()
        while not numbers.exists() or not numbers.read_text().strip():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(build.ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build._status_of(command, tmp_path / "complaints")
    number = int(numbers.read_text())
    runs = is_running(number)
    if runs:
        os.kill(number, signal.SIGKILL)
    assert not runs


def test_a_compiler_for_which_there_is_no_thread_is_one_sentence(
    builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    compiler = find_compiler()
    monkeypatch.setattr(build.ThreadPoolExecutor, "submit", refused)
    with pytest.raises(build.NoCompiler, match="cannot be started: can't start new thread"):
        build.built(SOURCE, compiler)


def is_running(number: int) -> bool:
    """Whether a process is there and has not ended; one that nobody waits for is a zombie."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{number}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


FUNCTIONS = {
    "exponential": (np.exp, 2e-7, 1e-15),
    "logarithm_of_one_plus": (np.log1p, 5e-7, 2e-15),
    "tanh_of": (np.tanh, 5e-7, 2e-15),
    "logarithm": (np.log, 5e-7, 2e-15),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vector_functions_beside_float64(tmp_path: Path, dtype: str) -> None:
    """Relative errors over the range in which the result is a normal number."""
    kind = {"float32": "float", "float64": "double"}[dtype]
    header = (Path(build.__file__).parent / "vectors.h").read_text()
    loops = [
        f'extern "C" void {name}_(const {kind}* x, {kind}* y, long n) {{ '
        f"each<4>(n, [&](auto at) {{ store(y, at, {name}(load<vec<{kind}, 4>>(x, at))); }}); }}"
        for name in FUNCTIONS
    ]
    text, library = tmp_path / "f.cpp", tmp_path / "f.so"
    text.write_text("\n".join([header, *loops]))
    compiler = find_compiler()
    subprocess.run([compiler.path, *compiler.flags, str(text), "-o", str(library)], check=True)
    functions = ctypes.CDLL(str(library))
    near = np.concatenate([np.geomspace(1e-30, 80, 20000), [1.0, 0.5, 2.0]])
    for name, (want, single, double) in FUNCTIONS.items():
        signs = [1] if "logarithm" in name else [1, -1]
        x = np.concatenate([sign * near for sign in signs]).astype(dtype)
        y = np.empty_like(x)
        function = getattr(functions, f"{name}_")
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
        function(x.ctypes.data, y.ctypes.data, x.size)
        exact = want(x.astype(np.longdouble))
        scale = np.maximum(np.abs(exact), np.finfo(dtype).tiny)
        error = float((np.abs(y - exact) / scale).max())
        assert error < (single if dtype == "float32" else double), (name, error)


@pytest.mark.parametrize(
    ("macros", "vector_bytes", "registers"),
    [
        (("__AVX512F__", "__AVX__", "__SSE2__"), 64, 32),
        (("__AVX2__", "__AVX__", "__SSE2__"), 32, 16),
        (("__SSE2__",), 16, 16),
        (("__aarch64__", "__ARM_NEON"), 16, 32),
    ],
)
def test_vectors_and_registers_by_what_a_compiler_defines(
    macros: tuple[str, ...], vector_bytes: int, registers: int
) -> None:
    target = build._target("".join(f"#define {name} 1\n" for name in macros))
    assert (target.vector_bytes, target.registers) == (vector_bytes, registers)


def test_a_compiler_describes_itself() -> None:
    compiler = find_compiler()
    bits = 8 * compiler.target.vector_bytes
    assert str(compiler).endswith(f"native, vectors of {bits} bits")
    assert str(compiler).startswith(f"{compiler.version}, -std=c++17 -O3 ")


def test_a_refused_source_names_the_compilers_first_complaint(builds: list[Path]) -> None:
    with pytest.raises(build.NoCompiler, match="refuses the step: .*error.*undeclared_thing"):
        build.built("int run = undeclared_thing;\nint other = another_thing;\n", find_compiler())
    assert not any(path.exists() for path in builds)


def test_the_compiler_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "")
    default = find_compiler()
    monkeypatch.setenv("CXX", default.path)
    assert find_compiler() == default
    monkeypatch.setenv("CXX", "/bin/false")
    with pytest.raises(build.NoCompiler, match="/bin/false does not run .*: install"):
        find_compiler()
    assert (compiler_available() or "").startswith("the C++ compiler /bin/false")
