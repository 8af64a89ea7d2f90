"""Files of MNIST and CIFAR-10: right, missing, cut off, damaged, and not what they say."""

import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet.backends.errors import InputError
from scratchnet.image_files import cifar10, mnist, read_idx

RNG = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def refuses(call: Callable[[], Any], *named: str) -> None:
    with pytest.raises(InputError) as raised:
        call()
    message = str(raised.value)
    assert all(each in message for each in named), message
    assert message.isprintable()


# MNIST

PARTS = {
    "train-images-idx3-ubyte": RNG.integers(0, 256, (5, 28, 28)),
    "train-labels-idx1-ubyte": np.array([3, 1, 4, 9, 0]),
    "t10k-images-idx3-ubyte": RNG.integers(0, 256, (2, 28, 28)),
    "t10k-labels-idx1-ubyte": np.array([7, 8]),
}


@pytest.fixture
def mnist_folder(tmp_path: Path) -> Path:
    for name, array in PARTS.items():
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


def assert_is_mnist(dataset: tuple[np.ndarray, ...]) -> None:
    X, y, X_test, y_test = dataset
    arrays = list(PARTS.values())
    assert X.shape == (5, 784) and X_test.shape == (2, 784)
    assert y.dtype == y_test.dtype == np.int64
    np.testing.assert_allclose(X[3].reshape(28, 28), arrays[0][3] / 255, rtol=1e-6)
    np.testing.assert_allclose(X_test[1].reshape(28, 28), arrays[2][1] / 255, rtol=1e-6)
    assert y.tolist() == [3, 1, 4, 9, 0] and y_test.tolist() == [7, 8]


def test_mnist_is_read(mnist_folder: Path) -> None:
    assert_is_mnist(mnist(mnist_folder))
    assert mnist(mnist_folder)[0].dtype == np.float32
    assert mnist(str(mnist_folder), "float64")[0].dtype == np.float64


def test_mnist_is_read_zipped_and_under_its_other_names(mnist_folder: Path) -> None:
    for number, name in enumerate(PARTS):
        content = (mnist_folder / name).read_bytes()
        (mnist_folder / name).unlink()
        other = name.replace("-idx", ".idx") if number % 2 else name
        (mnist_folder / f"{other}.gz").write_bytes(gzip.compress(content))
    assert_is_mnist(mnist(mnist_folder))


@pytest.mark.parametrize("length", [0, 3, 4, 9, 16, 400])
def test_an_idx_file_that_is_cut_off_is_named(mnist_folder: Path, length: int) -> None:
    path = mnist_folder / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:length])
    refuses(lambda: mnist(mnist_folder), str(path))


def test_a_cut_off_header_says_how_long_it_must_be(mnist_folder: Path) -> None:
    path = mnist_folder / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:9])
    refuses(lambda: mnist(mnist_folder), "cut off within its first 16 bytes")


def test_a_zip_that_is_cut_off_or_damaged_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(idx(RNG.integers(0, 256, 5000)))
    path = tmp_path / "labels.gz"
    for content in (whole[:-30], b"no zip", whole[:40] + b"\xff" * 40 + whole[80:]):
        path.write_bytes(content)
        refuses(lambda: read_idx(path), str(path), "unzipped")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"\x89PNG\r\n\x1a\n" * 4, "not an idx file"),
        (struct.pack(">HBBI", 0, 13, 1, 2) + b"\0" * 8, "not an idx file of bytes"),
        (idx(np.zeros(4)) + b"x", "announces 4 bytes, it holds more"),
        (struct.pack(">HBBII", 0, 8, 2, 2**31, 2**31) + b"\0" * 8, "it holds 8"),
        (struct.pack(">HBB100I", 0, 8, 100, *[0] * 100), "cannot be"),
        (struct.pack(">HBB70I", 0, 8, 70, *[1] * 70) + b"\0", "cannot be"),
        (struct.pack(">HBB4I", 0, 8, 4, 0, *[2**32 - 1] * 3), "cannot be"),
    ],
)
def test_a_file_that_is_something_else_is_named(tmp_path: Path, content: bytes, named: str) -> None:
    (tmp_path / "file").write_bytes(content)
    refuses(lambda: read_idx(tmp_path / "file"), str(tmp_path / "file"), named)


@pytest.mark.parametrize(
    ("name", "array", "named"),
    [
        ("train-images-idx3-ubyte", np.zeros((5, 32, 32)), "needs (N, 28, 28)"),
        ("train-labels-idx1-ubyte", np.zeros(4), "labels of shape (4,) for 5 images"),
        ("t10k-labels-idx1-ubyte", np.array([10, 0]), "a label of 10"),
    ],
)
def test_files_that_do_not_fit_are_named(
    mnist_folder: Path, name: str, array: np.ndarray, named: str
) -> None:
    (mnist_folder / name).write_bytes(idx(array))
    refuses(lambda: mnist(mnist_folder), name, named)


@pytest.mark.parametrize("load", [mnist, cifar10])
def test_a_missing_folder_and_missing_files_say_what_to_do(load: Callable, tmp_path: Path) -> None:
    refuses(lambda: load(tmp_path / "nowhere"), "nowhere: no such folder")
    refuses(lambda: load(tmp_path), str(tmp_path), "download its files first")


def test_a_missing_part_of_mnist_is_named(mnist_folder: Path) -> None:
    (mnist_folder / "t10k-labels-idx1-ubyte").unlink()
    refuses(lambda: mnist(mnist_folder), "t10k-labels-idx1-ubyte")


def test_an_unknown_dtype_is_named(mnist_folder: Path) -> None:
    refuses(lambda: mnist(mnist_folder, "float16"), "dtype is 'float16'")


# CIFAR-10

NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
BATCHES = [(RNG.integers(0, 256, (2, 3072)).astype(np.uint8), [n, 9 - n]) for n in range(6)]


def write_binary(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, (images, labels) in zip(NAMES, BATCHES, strict=True):
        records = np.column_stack([np.array(labels, np.uint8), images])
        (folder / f"{name}.bin").write_bytes(records.tobytes())


def write_python(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, (images, labels) in zip(NAMES, BATCHES, strict=True):
        batch = {b"data": images, b"labels": labels, b"batch_label": name.encode()}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=3))


@pytest.mark.parametrize("write", [write_binary, write_python])
@pytest.mark.parametrize("inside", ["", "cifar-10-batches-bin", "cifar-10-batches-py"])
def test_both_versions_of_cifar10_are_read(write: Callable, inside: str, tmp_path: Path) -> None:
    write(tmp_path / inside)
    X, y, X_test, y_test = cifar10(tmp_path)
    assert X.shape == (10, 3072) and X_test.shape == (2, 3072)
    assert X.dtype == np.float32 and y.dtype == np.int64
    np.testing.assert_allclose(X[7], BATCHES[3][0][1] / 255, rtol=1e-6)
    assert y.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5] and y_test.tolist() == [5, 4]


def test_the_pickle_as_the_old_archive_holds_it_is_read(tmp_path: Path) -> None:
    write_python(tmp_path)
    for name in NAMES:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content.replace(b"numpy._core", b"numpy.core"))
    assert cifar10(tmp_path)[0].shape == (10, 3072)


class Calls:
    """An object whose pickle calls a function when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(tmp_path: Path) -> None:
    write_python(tmp_path)
    called = tmp_path / "called"
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps({b"data": Calls(called)}))
    refuses(lambda: cifar10(tmp_path), "data_batch_3", "which is not read")
    assert not called.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickle.dumps([1, 2]),
        b"cnump\x00y\rcore\nndarray\n.",
        pickle.dumps({b"data": np.zeros((2, 7), np.uint8), b"labels": [0, 1]}),
        pickle.dumps({b"data": np.zeros((2, 3072)), b"labels": [0, 1]}),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 11]}),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 1]})[:-400],
    ],
)
def test_a_python_batch_that_is_damaged_is_named(content: bytes, tmp_path: Path) -> None:
    write_python(tmp_path)
    (tmp_path / "data_batch_2").write_bytes(content)
    refuses(lambda: cifar10(tmp_path), "data_batch_2")


@pytest.mark.parametrize("change", [b"", b"\x0b" + b"\0" * 3072, b"\0" * 3072])
def test_a_binary_batch_that_is_damaged_is_named(change: bytes, tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(change)
    refuses(lambda: cifar10(tmp_path), "test_batch.bin")


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "data_batch_4.bin").unlink()
    refuses(lambda: cifar10(tmp_path), "data_batch_4.bin: not there")
