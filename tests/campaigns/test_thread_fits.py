"""A thousand trainings in four threads have the bits that they have one after another."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from ledger import enter
from networks import assert_same_bits, assert_same_state

from scratchnet import SGD, Adam, AdamW, Model, evaluate_loss, fit, mlp

FITS, THREADS, SAMPLES = 1000, 4, 24

OPTIMIZERS = (
    lambda model: SGD(model, 0.1),
    lambda model: SGD(model, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    lambda model: Adam(model, 0.01),
    lambda model: AdamW(model, 0.01),
)


def training(seed: int) -> tuple[dict[str, Any], list[Any]]:
    """State, and what was measured, after a short training whose settings the seed draws."""
    rng = np.random.default_rng(seed)
    classes = int(rng.choice([1, 3]))
    model = mlp(
        (2, *rng.integers(2, 12, rng.integers(1, 4)), classes),
        str(rng.choice(["relu", "tanh", "gelu", "leaky_relu"])),
        batch_norm=bool(rng.integers(2)),
        dropout=float(rng.choice([0.0, 0.3])),
        residual=bool(rng.integers(2)),
        seed=seed,
        ensemble=rng.choice([None, 2]),
        dtype=str(rng.choice(["float32", "float64"])),
    )
    X = rng.standard_normal((SAMPLES, 2))
    y = rng.integers(0, max(2, classes), SAMPLES)
    loss = "binary_cross_entropy" if classes == 1 else "softmax_cross_entropy"
    measured: list[Any] = []

    def look(epoch: int, model: Model, loss_so_far: Any) -> None:
        measured.append(model.predict(X))

    history = fit(
        model,
        X,
        y,
        loss=loss,
        optimizer=OPTIMIZERS[rng.integers(len(OPTIMIZERS))](model),
        epochs=int(rng.integers(3, 7)),
        batch_size=rng.choice([None, 7]),
        validation=(X, y) if rng.integers(2) else None,
        clip_norm=rng.choice([None, 0.5]),
        callbacks=[look] if rng.integers(2) else [],
        record=bool(rng.integers(4)),
    )
    measured += [history.loss, history.validation_loss, evaluate_loss(model, X, y, loss)]
    return model.state_dict(), measured


@pytest.mark.campaign
def test_a_thousand_trainings_in_four_threads() -> None:
    alone = [training(seed) for seed in range(FITS)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            together = list(pool.map(training, range(FITS)))
    finally:
        sys.setswitchinterval(before)
    for (state, measured), (own_state, own_measured) in zip(together, alone, strict=True):
        assert_same_state(state, own_state)
        for actual, expected in zip(measured, own_measured, strict=True):
            assert_same_bits(actual, expected)
    enter(
        "threads",
        f"{FITS} trainings in {THREADS} threads: parameters, buffers, losses and predictions of "
        "all are bit-equal to those of the trainings one after another",
    )
