"""Fifth stage: the system's compiler makes the source a function, kept for the next time.

Flags, and why:
    -O3 -march=native          vector registers of this processor (-mcpu=native on arm64)
    -ffp-contract=fast         x * y + z is rounded once, in products and elsewhere
    -fno-math-errno            sqrt and others need not set errno, so that they are instructions
    -fno-trapping-math         comparisons may be made early; nobody looks at exception flags
    -Wno-psabi                 vectors wider than a register do not leave the file
Not -ffast-math: it would assume that there is no NaN, infinity or negative zero, and add in an
order of its own.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from scratchnet.backends.compile.memory import Target

_FLAGS = (
    *("-std=c++17", "-O3", "-fPIC", "-shared", "-ffp-contract=fast", "-fno-math-errno"),
    *("-fno-trapping-math", "-Wno-psabi"),
)


class NoCompiler(Exception):
    """There is no compiler to use, or no place for what it makes; the message says what to do."""


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: where it is, what it calls itself, and what it says of the processor."""

    path: str
    version: str
    flags: tuple[str, ...]
    features: str
    target: Target

    def __str__(self) -> str:
        bits = 8 * self.target.vector_bytes
        return f"{self.version}, {' '.join(self.flags)}, vectors of {bits} bits"

    @property
    def processor(self) -> str:
        """A digest of what the compiler says of the processor: one kind has one."""
        return hashlib.sha256(self.features.encode()).hexdigest()[:8]


def compiler_available() -> str | None:
    """None where a step can be compiled, else in one line why not and what to install."""
    try:
        find_compiler()
    except NoCompiler as error:
        return str(error)
    return None


def find_compiler() -> Compiler:
    """The compiler named by CXX, or the first of g++, clang++ and c++; raises `NoCompiler`."""
    return _find(os.environ.get("CXX", ""))


@lru_cache(maxsize=8)
def _find(wanted: str) -> Compiler:
    """The first compiler that is there, with flags for this processor, or `NoCompiler`."""
    if sys.platform not in ("linux", "darwin"):
        raise NoCompiler(f"compiled steps need Linux or macOS, this is {sys.platform}")
    package = "the Xcode command line tools" if sys.platform == "darwin" else "the package g++"
    names = [wanted] if wanted else ["g++", "clang++", "c++"]
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        raise NoCompiler(f"no C++ compiler ({', '.join(names)}) was found: install {package}")
    arm = platform.machine().lower() in ("arm64", "aarch64")
    flags = (*_FLAGS, "-mcpu=native" if arm else "-march=native")
    try:
        version = _output(path, "--version").splitlines()[0]
        # The macros that the compiler defines for this processor, such as __AVX512F__.
        features = _output(path, *flags, "-dM", "-E", "-x", "c++", os.devnull)
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        raise NoCompiler(
            f"the C++ compiler {path} does not run ({error}): install {package}"
        ) from None
    return Compiler(path, version, flags, features, _target(features))


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def _target(features: str) -> Target:
    """The bytes and the number of the vector registers, by the compiler's macros."""
    defined = set(re.findall(r"#define (\w+)", features))
    if "__AVX512F__" in defined:
        return Target(64, 32)
    if "__AVX__" in defined:
        return Target(32, 16)
    return Target(16, 32 if "__aarch64__" in defined else 16)


def built(source: str, compiler: Compiler, name: str = "run") -> Any:
    """The function of that name in the source; compiled only where no earlier run has left it.

    A library is used again where source, compiler, flags and processor are the same and its
    contents are those that were written. It is written beside its place and renamed, so that
    processes may build the same one at the same time. Raises `NoCompiler` where the compiler or
    the system refuses, as on a full disk.
    """
    parts = (source, compiler.version, *compiler.flags, compiler.features)
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    folder: Path | str = "the cache folder"
    try:
        folder = cache_folder()
        library = folder / f"{key}.so"
        if not _is_intact(library):
            _build(source, compiler, library)
        function = getattr(ctypes.CDLL(str(library)), name)
    except OSError as error:
        raise NoCompiler(
            f"{folder} does not take a compiled step ({error.strerror or error}): must have room, "
            "and files that may be run; XDG_CACHE_HOME names another"
        ) from None
    function.restype = None
    function.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    return function


def cache_folder() -> Path:
    """The user's folder for compiled steps, made if need be.

    Where nobody else must be able to write and somebody could, a fresh private folder serves.
    """
    default = "Library/Caches" if sys.platform == "darwin" else ".cache"
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / default
        folder = Path(base) / "scratchnet" / "compiled"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_private(folder) and _is_private(folder.parent):
            return folder
    except (OSError, RuntimeError):
        pass
    if not _private_folder().is_dir():
        _private_folder.cache_clear()  # it was cleared away
    return _private_folder()


@lru_cache(maxsize=1)
def _private_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="scratchnet-"))


def _is_private(path: Path) -> bool:
    """Whether it is this user's, and no one else may write to it."""
    status = path.stat()
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_intact(library: Path) -> bool:
    """Whether the library is there, this user's, and as it was written."""
    try:
        digest = library.with_suffix(".sha256").read_text()
        content = library.read_bytes()
        return _is_private(library) and hashlib.sha256(content).hexdigest() == digest
    except OSError:
        return False


def _build(source: str, compiler: Compiler, library: Path) -> None:
    """Compile the source into the library, beside its place first; its digest goes with it."""
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        text, made = Path(folder) / "step.cpp", Path(folder) / "step.so"
        digest = Path(folder) / "step.sha256"
        text.write_text(source)
        command = [compiler.path, *compiler.flags, str(text), "-o", str(made)]
        complaints = Path(folder) / "complaints.txt"
        if _status_of(command, complaints):
            text_of = complaints.read_text(errors="replace")
            lines = [line for line in text_of.splitlines() if "error" in line]
            raise NoCompiler(f"{compiler.version} refuses the step: {(lines or ['?'])[0]}")
        made.chmod(0o700)
        digest.write_text(hashlib.sha256(made.read_bytes()).hexdigest())
        # A reader between the two renames finds them at odds, and builds anew.
        os.replace(made, library)
        os.replace(digest, library.with_suffix(".sha256"))


def _status_of(command: list[str], complaints: Path) -> int:
    """Run the compiler. Ctrl-C, or any other exception, ends it and its children at once."""
    with complaints.open("wb") as errors, ThreadPoolExecutor(1) as other:
        # A session of its own, so that the signal reaches this process alone; begun in another
        # thread, where no exception comes between its beginning and the number to end it by.
        begun: list[subprocess.Popen[bytes]] = []
        lock, ended = threading.Lock(), threading.Event()

        def begin() -> None:
            """Start the compiler, unless its run was ended before."""
            with lock:
                if not ended.is_set():
                    begun.append(
                        subprocess.Popen(
                            command,
                            stdout=subprocess.DEVNULL,
                            stderr=errors,
                            start_new_session=True,
                        )
                    )

        try:
            other.submit(begin).result()
            while begun[0].poll() is None:
                time.sleep(0.005)
        except BaseException as error:
            # `submit` may have raised and the other thread run nevertheless, before this or after.
            ended.set()
            with lock:
                for process in begun:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            if isinstance(error, RuntimeError):
                raise NoCompiler(f"the compiler cannot be started: {error}") from None
            raise
        return int(begun[0].returncode)
