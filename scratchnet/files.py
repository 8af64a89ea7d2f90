"""Writing a file whole or not at all, and words from a file on one line."""

from __future__ import annotations

import fcntl
import os
import re
import uuid
from pathlib import Path
from typing import BinaryIO

TEMPORARY = re.compile(r"\.scratchnet-[0-9a-f]{32}")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a failure leaves what stood there before.

    The content goes to a temporary file in the same folder, which takes the file's name in one step
    once the disk has it. Each call has a temporary file of its own, so that threads and processes
    can write the same file; the last one stays. What a writer that was killed has left is removed
    by the next one in that folder. Makes the folder where it is missing. An `OSError` names the
    file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = None
    try:
        _remove_leftovers(path.parent)
        temporary, file = _temporary_file(path.parent)
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # Still open, and so still locked, until it has left its temporary name.
            os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        # A disk that is full says so without a name, and the temporary file's means nothing.
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _temporary_file(folder: Path) -> tuple[Path, BinaryIO]:
    """A new file, open and locked, so that no other writer takes it for a leftover."""
    while True:
        # A name of its own length: the file's with something behind it may be longer than allowed.
        path = folder / f".scratchnet-{uuid.uuid4().hex}"
        # Not by `tempfile`, whose files only their owner can read.
        file = open(path, "xb")
        try:
            _lock(file)
        except BlockingIOError:
            pass
        except OSError:
            # A file system without locks, on which nobody removes leftovers.
            return path, file
        else:
            if os.fstat(file.fileno()).st_nlink:
                return path, file
        # Another writer was faster, and has removed it.
        file.close()


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that nobody has locked: the system unlocks those of the dead."""
    try:
        names = os.listdir(folder)
    except OSError:
        # One can write into some folders without reading them.
        return
    for name in filter(TEMPORARY.fullmatch, names):
        try:
            with open(folder / name, "r+b") as file:
                _lock(file)
                os.unlink(folder / name)
        except OSError:
            # It is being written, it has gone meanwhile, or it is somebody else's.
            pass


def _lock(file: BinaryIO) -> None:
    """Lock the file until it is closed or the process ends. Raises `OSError` where it is locked."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    """Let the disk have the new name too, where the system can do that for a folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        # The file is whole under its name; some file systems refuse this for folders.
        pass
    finally:
        os.close(descriptor)


def one_line(message: object, most: int = 200) -> str:
    """At most `most` printable characters of a text that a file or a user may have a part in."""
    text = "".join(each if each.isprintable() else " " for each in str(message))
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."
