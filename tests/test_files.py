"""A file is written whole or not at all, also by several threads and where writing fails."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from scratchnet.files import _temporary_file, one_line, write_atomically


def test_threads_that_write_one_file_each_have_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have written before either renames: with one name for both, one finds none left."""
    both, replace = threading.Barrier(2, timeout=30), os.replace
    sources: list[str] = []
    failures: list[BaseException] = []

    def meet(source: Any, target: Any) -> None:
        sources.append(str(source))
        both.wait()
        replace(source, target)

    def write(content: bytes) -> None:
        try:
            write_atomically(tmp_path / "file", content)
        except BaseException as error:
            failures.append(error)

    monkeypatch.setattr(os, "replace", meet)
    threads = [threading.Thread(target=write, args=(each * 1000,)) for each in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(set(sources)) == 2
    assert (tmp_path / "file").read_bytes() in (b"a" * 1000, b"b" * 1000)
    assert os.listdir(tmp_path) == ["file"]


def test_the_disk_has_the_content_before_the_file_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen, fsync = tmp_path / "file", [], os.fsync

    def note(descriptor: int) -> None:
        seen.append(path.exists())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_atomically(path, b"content")
    assert seen == [False, True]


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"


def test_a_failure_and_an_interruption_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    for failure in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def fail(_: int, failure: BaseException = failure) -> None:
            raise failure

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(type(failure)):
            write_atomically(path, b"new")
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["file"]


def left_by_a_killed_writer(folder: Path) -> str:
    """The temporary file of a process that is killed where it would give the file its name."""
    program = f"""
import os, signal
from pathlib import Path
from scratchnet.files import write_atomically
os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path({str(folder / "file")!r}), b"new")
"""
    before = set(os.listdir(folder))
    killed = subprocess.run([sys.executable, "-c", program])
    assert killed.returncode == -signal.SIGKILL
    (name,) = set(os.listdir(folder)) - before
    return name


def test_the_next_writer_removes_what_a_killed_one_has_left(tmp_path: Path) -> None:
    """And nothing else: other names, and a file that another writer has not finished."""
    others = [".scratchnet-notes", ".scratchnet-" + "0" * 33, "a.scratchnet-" + "0" * 32]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    write_atomically(tmp_path / "file", b"old")
    assert left_by_a_killed_writer(tmp_path).startswith(".scratchnet-")
    assert (tmp_path / "file").read_bytes() == b"old"
    path, unfinished = _temporary_file(tmp_path)
    with unfinished:
        write_atomically(tmp_path / "file", b"new")
        assert sorted(os.listdir(tmp_path)) == sorted([*others, "file", path.name])
    write_atomically(tmp_path / "other", b"new")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "file", "other"])


@pytest.mark.parametrize("still_locked", [False, True])
def test_a_file_that_was_taken_for_a_leftover_before_it_was_locked_is_made_again(
    still_locked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock

    def too_late(file: Any, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        with open(file.name, "rb") as same:
            flock(same, operation)
            os.unlink(file.name)
            if still_locked:
                flock(file, operation)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", too_late)
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
    assert os.listdir(tmp_path) == ["file"] and fcntl.flock is flock


def test_file_systems_without_locks_and_folders_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    for _ in range(2):
        write_atomically(tmp_path / "file", b"content")
    monkeypatch.setattr(os, "listdir", refuse)
    write_atomically(tmp_path / "file", b"new")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"new"


def test_words_from_a_file_are_one_line_without_control_characters() -> None:
    assert one_line("a\n  b\x1b[31mc\t") == "a b [31mc"
    assert one_line("x" * 81, 80) == "x" * 77 + "..."
    assert one_line("x" * 80, 80) == "x" * 80
