"""Loss scaling: tiny gradients survive fp16, overflows are survived, each network for itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, refused, two_classes

from scratchnet import SGD, Adam, Tensor, clip_gradients, get_backend, mlp
from scratchnet.loss_scaling import LARGEST, LossScaling
from scratchnet.losses import binary_cross_entropy
from scratchnet.program import recorded

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": lambda model: SGD(model, 0.1, momentum=0.9),
    "adam": lambda model: Adam(model, 0.1),
}


class Training:
    """Steps on two classes with a loss of `size` times the usual."""

    def __init__(
        self,
        precision: str = "fp16",
        optimizer: str = "sgd",
        size: float = 1.0,
        ensemble: int | None = 3,
        seed: int = 0,
        record: bool = False,
        **settings: Any,
    ) -> None:
        self.backend = get_backend("numpy", precision)
        self.model = mlp(
            [2, 8, 1], activation="tanh", ensemble=ensemble, seed=seed, backend=self.backend
        )
        self.optimizer = OPTIMIZERS[optimizer](self.model)
        self.scaling = LossScaling(self.optimizer, **settings)
        X, self.y = two_classes()
        self.X = self.model.as_input(X)
        self.factors = self.backend.asarray(np.full(self.scaling.scale.shape, size), "float32")
        self.run = recorded(self.on_device, self.model) if record else self.on_device

    def on_device(self, factors: Any) -> Tensor:
        loss = binary_cross_entropy(self.model(self.X), self.y) * factors
        self.scaling.scaled(loss).backward()
        self.scaling.unscale()
        clip_gradients(self.model, 1e3)
        self.scaling.update()
        return loss

    def step(self) -> Any:
        self.optimizer.prepare()
        with np.errstate(all="ignore"):
            return self.run(self.factors).numpy()

    def state(self) -> dict[str, Any]:
        return {
            "parameters": self.model.parameter_buffer,
            **self.optimizer.moments(),
            "scale": self.scaling.scale,
        }


def test_gradients_that_fp16_loses_come_back_in_their_true_size() -> None:
    true, lost, kept = (
        Training("fp32", size=1e-8, initial=1.0),
        Training(size=1e-8, initial=1.0),
        Training(size=1e-8),
    )
    for training in (true, lost, kept):
        training.step()
    first_layer = slice(0, 16)
    expected, without, with_scale = (
        each.model.gradient_buffer[:, first_layer] for each in (true, lost, kept)
    )
    assert (without == 0).mean() > 0.5 and np.abs(expected).min() > 0
    np.testing.assert_allclose(with_scale, expected, atol=5e-3 * np.abs(expected).max())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_that_overflows_is_left_out_for_its_network_alone(optimizer: str) -> None:
    """The others take the very step that they take alone; S is halved, and the next step counts."""
    together = Training(optimizer=optimizer)
    alone = Training(optimizer=optimizer, ensemble=None, seed=2)
    for training in (together, alone):
        training.step()
    before = {name: array.copy() for name, array in together.state().items()}
    together.factors[1] = 1e30
    for training in (together, alone):
        training.step()
    assert not np.isfinite(together.model.gradient_buffer[1]).all()
    for name, array in together.state().items():
        if name != "scale":
            assert_same_bits(array[1], before[name][1])
            assert not np.array_equal(array[0], before[name][0])
        assert_same_bits(array[2], alone.state()[name])
    assert together.scaling.scale.tolist() == [2.0**16, 2.0**15, 2.0**16]
    together.factors[1] = 1.0
    together.step()
    assert not np.array_equal(together.model.parameter_buffer[1], before["parameters"][1])


def test_the_scale_doubles_after_an_unbroken_interval() -> None:
    training = Training(initial=4.0, interval=3, ensemble=None)
    scales = []
    for size in [1, 1, 1, 1, 1, np.inf, 1, 1, 1, np.nan, np.inf, np.inf, np.inf, np.inf]:
        training.factors[...] = size
        training.step()
        scales.append(float(training.scaling.scale))
    assert scales == [4, 4, 8, 8, 8, 4, 4, 4, 8, 4, 2, 1, 1, 1]
    largest = Training(initial=LARGEST, interval=1, ensemble=None, size=1e-6)
    largest.step()
    assert float(largest.scaling.scale) == LARGEST


@pytest.mark.parametrize("scale", [1.0, 2.0**10, 2.0**16])
def test_a_power_of_two_changes_no_bit_of_a_float32_step(scale: float) -> None:
    plain, scaled = Training("fp32", initial=1.0), Training("fp32", initial=scale)
    for _ in range(3):
        assert_same_bits(plain.step(), scaled.step())
    assert_same_bits(plain.model.parameter_buffer, scaled.model.parameter_buffer)


@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_recorded_step_gives_the_bits_of_an_eager_one(
    optimizer: str, ensemble: int | None
) -> None:
    eager, replayed = (
        Training(optimizer=optimizer, ensemble=ensemble, interval=3, record=record)
        for record in (False, True)
    )
    for size in (1.0, 1.0, np.inf, 1.0, 1.0, 1.0, np.nan, 1.0):
        for training in (eager, replayed):
            training.factors[...] = size
        assert_same_bits(replayed.step(), eager.step())
        for name, array in eager.state().items():
            assert_same_bits(replayed.state()[name], array)


def test_settings_outside_their_range_are_refused() -> None:
    for wrong in ({"initial": 0.5}, {"initial": 2.0**25}, {"initial": float("nan")}):
        with refused("initial scale", str(wrong["initial"])):
            Training(**wrong)
    with refused("interval", "0"):
        Training(interval=0)
