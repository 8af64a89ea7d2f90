"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a failure leaves what stood there before.

    The content goes to a temporary file in the same folder, which takes the file's name in one step
    once the disk has it. Each call has a temporary file of its own, so that threads and processes
    can write the same file; the last one stays. Makes the folder where it is missing. An `OSError`
    names the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own length: the file's with something behind it may be longer than allowed.
    temporary = path.with_name(f".scratchnet-{uuid.uuid4().hex}")
    try:
        # Not by `tempfile`, whose files only their owner can read.
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        # A disk that is full says so without a name, and the temporary file's means nothing.
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
