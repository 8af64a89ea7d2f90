"""A file is written whole or not at all, also by several threads and where writing fails."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from scratchnet.files import write_atomically


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
