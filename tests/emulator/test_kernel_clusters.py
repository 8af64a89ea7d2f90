"""Steps as a CUDA kernel in which a cluster of blocks trains each network, against NumPy."""

from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
from kernel_training import RNG, X, backwards, check, network

from scratchnet import Adam
from scratchnet.backends.compile import cuda_source, cuda_step

CLASSES = RNG.integers(0, 3, len(X))
double = partial(network, dtype="float64")


@pytest.fixture(autouse=True)
def _no_kept_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_step, "_kept", {})


def in_clusters_of(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    """So many blocks train a network that would fit one."""
    monkeypatch.setitem(cuda_source.CLUSTERS, "sm_90", (blocks,))


@pytest.fixture
def tiles_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are several rounds, and blocks without a point in the last one."""
    for name in ("_LARGEST_TILE", "_USEFUL_TILE", "_SMALLEST_TILE"):
        monkeypatch.setattr(cuda_source, name, 4)


@pytest.mark.parametrize(("blocks", "ensemble"), [(2, None), (8, 3)])
def test_a_small_network(
    blocks: int, ensemble: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_clusters_of(monkeypatch, blocks)
    check(double(2, 9, 5, 1, ensemble=ensemble))


def test_everything_at_once_in_small_tiles_in_either_order(
    tiles_of_four: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a barrier is missing, a block that runs ahead of the others leaves other bits."""
    in_clusters_of(monkeypatch, 4)
    settings = {"optimizer": {"momentum": 0.9}, "batch_norm": True, "dropout": 0.3}
    make = network(2, 7, 6, 1, ensemble=2, pruned=0.4, dtype="float64", **settings)
    found = []
    for order in (nullcontext, backwards):
        with order():
            found.append(check(make, batch_size=19, clip_norm=0.5, epochs=3))
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()


def test_classes_in_ragged_batches_with_adam(
    tiles_of_four: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_clusters_of(monkeypatch, 2)
    make = double(2, 7, 3, kind=Adam, rate=0.01, activation="tanh")
    check(make, loss="softmax_cross_entropy", y=CLASSES, batch_size=9, epochs=3)


@pytest.mark.parametrize("settings", [{}, {"kind": Adam, "rate": 0.01, "ensemble": 3}])
def test_a_network_that_fits_no_block(settings: dict[str, Any]) -> None:
    check(network(2, 160, 160, 1, **settings), epochs=3)
    (kept,) = cuda_step._kept.values()
    assert kept.program.cluster > 1
