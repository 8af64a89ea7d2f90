"""MNIST and CIFAR-10, for those who have the files; nothing is downloaded.

Both functions return X (images, pixels), float32 or float64 from 0 to 1, y (images,), int64, and
the same for the test images. What is missing, cut off or of another format gives an `InputError`
that names the file.
"""

from __future__ import annotations

import gzip
import io
import math
import pickle
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.files import one_line

Dataset = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

MNIST_SIDE, CIFAR_PIXELS, CLASSES = 28, 3 * 32 * 32, 10

UNSIGNED_BYTE = 8
"""The code of the only number type that the MNIST files use."""

PIECE = 1 << 20

ARRAY_MAKER: Any = np.empty(0).__reduce__()[0]
"""What a pickled array names as the function that makes it, an empty one of the right type."""


def mnist(folder: str | Path, dtype: str = "float32") -> Dataset:
    """X, y, X_test, y_test of the four MNIST files in `folder`, each as it is or as `.gz`.

    60,000 and 10,000 images of 28 x 28 pixels, as rows of 784 numbers. Fashion-MNIST and other
    sets in the same format are read too, whatever their number of images.
    """
    parts: list[np.ndarray] = []
    for part in ("train", "t10k"):
        image_file, images = _read_idx_of(folder, f"{part}-images", "idx3-ubyte")
        label_file, labels = _read_idx_of(folder, f"{part}-labels", "idx1-ubyte")
        if images.ndim != 3 or images.shape[1:] != (MNIST_SIDE, MNIST_SIDE):
            raise InputError(
                f"{image_file}: images of shape {images.shape}, "
                f"needs (N, {MNIST_SIDE}, {MNIST_SIDE})"
            )
        if labels.shape != images.shape[:1]:
            raise InputError(
                f"{label_file}: labels of shape {labels.shape} for {len(images)} images"
            )
        parts += [_scaled(images.reshape(len(images), -1), dtype), _checked(labels, label_file)]
    return parts[0], parts[1], parts[2], parts[3]


def cifar10(folder: str | Path, dtype: str = "float32") -> Dataset:
    """X, y, X_test, y_test of CIFAR-10, from the files of its binary or its Python version.

    50,000 and 10,000 colour images of 32 x 32 pixels, as rows of 3,072 numbers: all red ones, row
    by row, then all green and all blue ones. `folder` holds the batches themselves, or the folder
    that the archive unpacks to. Where both versions are there, the binary one is read. The Python
    version is a pickle, of which nothing is accepted but arrays, lists and strings.
    """
    folder = Path(folder)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for place in (folder, folder / "cifar-10-batches-bin", folder / "cifar-10-batches-py"):
        for ending, read in ((".bin", _read_binary_batch), ("", _read_python_batch)):
            files = [place / f"{name}{ending}" for name in names]
            if not any(file.is_file() for file in files):
                continue
            for file in files:
                if not file.is_file():
                    raise InputError(f"{file}: not there, though other batches of CIFAR-10 are")
            batches = [read(file) for file in files]
            X = _scaled(np.concatenate([images for images, _ in batches[:-1]]), dtype)
            y = np.concatenate([labels for _, labels in batches[:-1]])
            return X, y, _scaled(batches[-1][0], dtype), batches[-1][1]
    raise _missing(folder, "CIFAR-10", ["data_batch_1.bin", "data_batch_1"])


def read_idx(path: str | Path) -> np.ndarray:
    """The array in an idx file of bytes, the format of MNIST; a `.gz` file is unzipped.

    The file starts with two zeros, the code 8 (unsigned bytes), the number of axes, and each axis's
    length as four bytes, the highest first; then come the values, the last axis fastest.
    """
    path = Path(path)
    opened: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            return _read_idx(file, path)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError(f"{path}: cut off or damaged, it cannot be unzipped") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _read_idx(file: BinaryIO, path: Path) -> np.ndarray:
    """The array of bytes in an idx file. Raises `InputError` where its header and size disagree."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != UNSIGNED_BYTE or not head[3]:
        raise InputError(f"{path}: not an idx file of bytes, as those of MNIST are")
    lengths = file.read(4 * head[3])
    if len(lengths) < 4 * head[3]:
        raise InputError(f"{path}: cut off within its first {4 + 4 * head[3]} bytes")
    shape = struct.unpack(f">{head[3]}I", lengths)
    size = math.prod(shape)
    # Piece by piece, since a damaged header can announce more than any memory holds; and one byte
    # more than announced shows whether there is too much.
    values = bytearray()
    while piece := file.read(min(PIECE, size + 1 - len(values))):
        values += piece
    if len(values) != size:
        found = "more than that" if len(values) > size else f"{len(values):,}"
        raise InputError(f"{path}: its header announces {size:,} bytes, it holds {found}")
    try:
        return np.frombuffer(values, np.uint8).reshape(shape)
    except ValueError as error:
        # Many axes, or lengths of which one is 0 and the others have too large a product.
        raise InputError(f"{path}: announces an array that cannot be ({error})") from None


def _read_idx_of(folder: str | Path, name: str, ending: str) -> tuple[Path, np.ndarray]:
    """The file of that name, which is written with a hyphen or a dot before the ending."""
    folder = Path(folder)
    candidates = [f"{name}{mark}{ending}{suffix}" for mark in "-." for suffix in ("", ".gz")]
    for candidate in candidates:
        if (folder / candidate).is_file():
            return folder / candidate, read_idx(folder / candidate)
    raise _missing(folder, "MNIST", candidates[:2])


def _missing(folder: Path, dataset: str, names: Sequence[str]) -> InputError:
    """The error for a folder without the files of a dataset."""
    if not folder.is_dir():
        return InputError(f"{folder}: no such folder; give the one that holds {dataset}'s files")
    return InputError(
        f"{folder}: holds no {' and no '.join(names)}; {dataset} is not part of this project, so "
        "download its files first and give their folder"
    )


def _read_binary_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Records of one byte for the class and 3,072 for the pixels."""
    record = 1 + CIFAR_PIXELS
    content = np.fromfile(path, np.uint8)
    if not content.size or content.size % record:
        raise InputError(
            f"{path}: {content.size:,} bytes are no whole number of images of {record:,} bytes"
        )
    records = content.reshape(-1, record)
    return records[:, 1:], _checked(records[:, 0], path)


def _read_python_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3072) and labels (N,) of a pickled batch, or `InputError`; nothing else is run."""
    try:
        batch = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        images, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:
        # A damaged pickle can fail in any way.
        raise InputError(
            f"{path}: no batch of CIFAR-10's Python version ({type(error).__name__})"
        ) from None
    if images.dtype != np.uint8 or images.shape != (len(images), CIFAR_PIXELS):
        raise InputError(
            f"{path}: images of shape {images.shape} and type {images.dtype}, "
            f"needs (N, {CIFAR_PIXELS}) and uint8"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise InputError(f"{path}: labels of shape {labels.shape} for {len(images)} images")
    return images, _checked(labels, path)


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays, and what is built of lists, strings and numbers; calls nothing else.

    A pickle can name any function to be called, so one from elsewhere must not be read freely.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            if name == "_reconstruct":
                return ARRAY_MAKER
        elif (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise InputError(
            f"a pickle that asks for {one_line(f'{module}.{name}')}, which is not read"
        )


def _scaled(images: np.ndarray, dtype: str) -> np.ndarray:
    """From the bytes 0 ... 255 to the numbers 0 ... 1."""
    if dtype not in ("float32", "float64"):
        raise InputError(f"dtype is {dtype!r}: must be 'float32' or 'float64'")
    return images.astype(dtype) / np.dtype(dtype).type(255)


def _checked(labels: np.ndarray, path: Path) -> np.ndarray:
    """The labels in int64; `InputError` for one outside of the classes."""
    if (wrong := labels[(labels < 0) | (labels >= CLASSES)]).size:
        raise InputError(f"{path}: a label of {wrong[0]}, must be from 0 to {CLASSES - 1}")
    return labels.astype(np.int64)
