"""A loss of one's own: what it gets, and that it does not pair samples by mistake."""

from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, refused, two_classes

from scratchnet import Tensor, evaluate_loss, fit, mlp, ops
from scratchnet.pruning import connection_sensitivity


def squared(outputs: Tensor, targets: Any) -> Tensor:
    return ((outputs - targets) ** 2).mean(axis=(-2, -1))


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize("ensemble", [None, 3])
def test_a_loss_of_ones_own_gets_targets_as_the_column_that_the_outputs_are(
    ensemble: int | None, batch_size: int | None, record: bool
) -> None:
    X = two_classes(12)[0]
    y = X[:, 0] - X[:, 1]
    mine, plain = (mlp((2, 4, 1), dtype="float64", ensemble=ensemble) for _ in range(2))
    options: Any = {"epochs": 30, "batch_size": batch_size, "record": record}
    learned = fit(mine, X, y, loss=squared, validation=(X, y), **options)
    expected = fit(plain, X, y, loss="mean_squared_error", validation=(X, y), **options)
    np.testing.assert_allclose(learned.loss, expected.loss, rtol=1e-10)
    np.testing.assert_allclose(learned.validation_loss, expected.validation_loss, rtol=1e-10)
    np.testing.assert_allclose(mine.predict(X), plain.predict(X), rtol=1e-9)
    given = evaluate_loss(mine, X, y, squared), connection_sensitivity(mine, X, y, squared)
    column = evaluate_loss(mine, X, y[:, None], "mean_squared_error")
    np.testing.assert_allclose(given[0], column, rtol=1e-10)
    np.testing.assert_allclose(
        given[1], connection_sensitivity(mine, X, y, "mean_squared_error"), rtol=1e-10
    )


@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("kind", [float, bool, int])
def test_targets_of_each_network_are_its_own_in_every_batch(
    kind: type, outputs: int, batch_size: int | None
) -> None:
    def loss(z: Tensor, targets: Any) -> Tensor:
        target = Tensor(targets, "float64", requires_grad=False).reshape(*z.shape[:-1], 1)
        return ((z - target) ** 2).mean(axis=(-2, -1))

    X = two_classes(12)[0]
    y = (np.random.default_rng(0).standard_normal((3, 12)) > 0).astype(kind)
    together = mlp((2, 3, outputs), dtype="float64", ensemble=3, seed=5)
    history = fit(together, X, y, loss=loss, batch_size=batch_size, epochs=4)
    for i in range(3):
        alone = mlp((2, 3, outputs), dtype="float64", seed=5 + i)
        expected = fit(alone, X, y[i], loss=loss, batch_size=batch_size, epochs=4)
        assert_same_bits(history.loss[:, i], expected.loss)
        assert_same_state(together.state_dict(i), alone.state_dict())


def test_as_many_networks_as_samples() -> None:
    """The axis of the networks is not that of the samples."""
    X = two_classes(6)[0].astype(np.float32)
    scale = np.arange(1, 7, dtype=np.float32).reshape(6, 1, 1)

    def loss(z: Tensor, t: Any) -> Tensor:
        return ((z - Tensor(scale, requires_grad=False) * t) ** 2).mean(axis=(-2, -1))

    model = mlp((2, 1), ensemble=6)
    history = fit(model, X, X[:, 0], loss=loss, epochs=2)
    assert history.loss.shape == (2, 6)
    with refused("each sample with every other"):
        fit(model, X, X[:, 0], loss=lambda z, t: (z - t[:, 0]).mean((-2, -1)))


def test_a_loss_of_ones_own_indexes_with_labels_that_stay_whole_and_flat() -> None:
    def by_index(logits: Tensor, labels: Any) -> Tensor:
        seen.add((labels.shape, str(labels.dtype)))
        rows = np.arange(len(labels))
        return -ops.log_softmax(logits)[rows, labels].mean()

    seen: set[Any] = set()
    X, y = two_classes(12)
    mine, plain = mlp((2, 3, 2), dtype="float64"), mlp((2, 3, 2), dtype="float64")
    learned = fit(mine, X, y, loss=by_index, batch_size=4)
    expected = fit(plain, X, y, loss="softmax_cross_entropy", batch_size=4)
    np.testing.assert_allclose(learned.loss, expected.loss, rtol=1e-9)
    assert seen == {((4,), "int64")}
    with refused("(12, 1) and (12,)", "(12, 12)"):
        fit(mlp((2, 1)), X, X[:, 0], loss=lambda z, t: squared(z, t[:, 0]))


PAIRING: dict[str, Any] = {
    "flat outputs": lambda z, t: (z.reshape(-1) - t) ** 2,
    "flat targets": lambda z, t: abs(t.reshape(-1) - z),
    "product": lambda z, t: z * t[:, 0],
    "quotient": lambda z, t: (2.0 + t[:, 0]) / ops.exp(z),
    "power": lambda z, t: ops.exp(z) ** t[:, 0],
    "maximum": lambda z, t: ops.maximum(z[:, 0], Tensor(t)),
    "where": lambda z, t: ops.where(t[:, 0] > 0, z, -z),
    "where of flat outputs": lambda z, t: ops.where(t > 0, z[:, 0], 0.0),
    "a table of a row for each": lambda z, t: z[:, 0] * ops.concatenate([z, z], -1).mT[..., None],
    "rows of several outputs": lambda z, t: ops.concatenate([z, z], -1)[:, None] - t[:, :1] * z,
}


@pytest.mark.parametrize("name", PAIRING)
def test_a_loss_that_pairs_each_sample_with_every_other_is_refused(name: str) -> None:
    X = two_classes(12)[0].astype(np.float32)
    model = mlp((2, 3, 1))
    before = model.state_dict()

    def loss(outputs: Tensor, targets: Any) -> Tensor:
        return PAIRING[name](outputs, targets).mean()

    for run in (
        lambda: fit(model, X, X[:, 0], loss=loss, record=False),
        lambda: fit(model, X, X[:, 0], loss=loss, batch_size=6, record=False),
        lambda: evaluate_loss(model, X, X[:, 0], loss),
    ):
        with refused("in the loss", "would broadcast to", "each sample with every other"):
            run()
        assert_same_state(model.state_dict(), before)
    # Nothing of this is refused elsewhere.
    assert loss(model(X), X[:, :1]).shape == ()


@pytest.mark.parametrize(
    "loss",
    [
        lambda z, t: ops.softplus((z.mT - z) * (t - t.T)).mean(axis=(-2, -1)),
        lambda z, t: ((z[:, 0] - t[:, 0]) ** 2).mean(),
        lambda z, t: ((z - z.mean()) ** 2 * (t * t).mean()).mean(),
        lambda z, t: (ops.concatenate([z, z], -1) * np.float32([1, 2])).mean(),
    ],
    ids=["ranking", "flat", "variance", "outputs by weights"],
)
def test_a_loss_may_pair_samples_where_it_says_so(loss: Any) -> None:
    X = two_classes(12)[0].astype(np.float32)

    def counted(outputs: Tensor, targets: Any) -> Tensor:
        return loss(outputs, targets.astype(np.float32))

    assert np.isfinite(
        fit(mlp((2, 3, 1)), X, X[:, 0], loss=counted, epochs=2, record=False).loss[1]
    )


def test_a_batch_of_one_sample_has_no_pairs() -> None:
    X = two_classes(3)[0].astype(np.float32)

    def flat(z: Tensor, t: Any) -> Tensor:
        return ((z.reshape(-1) - t) ** 2).mean()

    assert np.isfinite(fit(mlp((2, 1)), X, X[:, 0], loss=flat, batch_size=1, epochs=2).loss).all()


def test_a_row_of_targets_is_no_column() -> None:
    X = two_classes(12)[0]
    for model in (mlp((2, 1)), mlp((2, 1), ensemble=3)):
        with refused("X of shape (12, 2)", "y of shape (1, 12)"):
            fit(model, X, X[:, :1].T, loss=squared)
