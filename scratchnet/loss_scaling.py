"""Loss scaling: keeps small gradients alive when products are taken of fp16 operands.

fp16 rounds what is below 6e-8 to zero, and gradients often are. The chain rule is linear: from a
loss that is S times as large all gradients are S times as large, and after the backward pass they
are divided by S in float32. Too large an S overflows instead, above 65504; so S is found while
training (Micikevicius et al. 2018, "Mixed precision training"):

    a gradient is not finite            the step is left out, S <- S / 2
    it was finite `interval` times      S <- 2 S

Each network of an ensemble has an S of its own. Nothing here is decided by the host, so a step with
loss scaling can be recorded and is one graph on CUDA:

    scaling = LossScaling(optimizer)
    scaling.scaled(loss).backward()
    scaling.unscale()
    clip_gradients(model, max_norm)     # where asked for: it sees the true gradients
    scaling.update()                    # instead of optimizer.update()
"""

from __future__ import annotations

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.optim import Optimizer
from scratchnet.tensor import Tensor, result

SMALLEST, LARGEST = 1.0, 2.0**24


class LossScaling:
    """The scale S of each network, and the steps of an optimizer with it.

    `scale`, of shape () or (E,), is that of the next step. Adam counts a step that was left out.
    """

    def __init__(
        self, optimizer: Optimizer, initial: float = 2.0**16, interval: int = 2000
    ) -> None:
        """Raises `InputError` for an interval below 1, or an initial S outside [1, 2^24]."""
        if not SMALLEST <= initial <= LARGEST:
            raise InputError(
                f"initial scale is {initial}: must be from {SMALLEST:.0f} to {LARGEST:.0f}"
            )
        self.interval = positive_whole("interval of loss scaling", interval)
        model = optimizer.model
        self._model, self._optimizer, k = model, optimizer, model.backend
        shape = () if model.ensemble is None else (model.ensemble,)
        self.scale: Array = k.asarray(np.full(shape, initial), model.dtype)
        self._finite_steps: Array = k.zeros(shape, model.dtype)
        self._is_finite: Array = k.ones(shape, bool)
        self._before = [k.zeros(array.shape, model.dtype) for array in self._changed()]

    def _changed(self) -> list[Array]:
        """All that a step of the optimizer changes."""
        return [self._model.parameter_buffer, *self._optimizer.moments().values()]

    def scaled(self, loss: Tensor) -> Tensor:
        """S times the loss of each network: what `backward()` is called on."""
        return loss * result(self.scale, self._model.backend)

    def unscale(self) -> None:
        """g <- g / S, and take note of the networks all of whose gradients are finite."""
        k, gradients = self._model.backend, self._model.gradient_buffer
        k.multiply(
            gradients, k.reshape(k.divide(1.0, self.scale), (*self.scale.shape, 1)), gradients
        )
        largest = k.max(k.absolute(gradients), axis=-1)
        k.less_equal(largest, float(np.finfo(self._model.dtype).max), out=self._is_finite)

    def update(self) -> None:
        """The optimizer's step, taken back where a gradient was not finite; then the next S."""
        k, finite = self._model.backend, self._is_finite
        for array, before in zip(self._changed(), self._before, strict=True):
            k.copy(array, out=before)
        self._optimizer.update()
        whole_network = k.reshape(finite, (*finite.shape, 1))
        for array, before in zip(self._changed(), self._before, strict=True):
            k.where(whole_network, array, before, out=array)
        self._choose_next_scale()

    def _choose_next_scale(self) -> None:
        """Double S after `interval` finite steps in a row, halve it after one that is not."""
        k, finite, steps = self._model.backend, self._is_finite, self._finite_steps
        k.multiply(k.add(steps, 1.0), finite, out=steps)
        grows = k.greater_equal(steps, float(self.interval))
        grown = k.where(grows, k.multiply(self.scale, 2.0), self.scale)
        k.where(finite, grown, k.multiply(self.scale, 0.5), out=self.scale)
        k.maximum(k.minimum(self.scale, LARGEST), SMALLEST, out=self.scale)
        k.where(grows, 0.0, steps, out=steps)
