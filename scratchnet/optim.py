"""Optimizers, sorted from simple to involved. Each acts on a model's packed buffers in a few calls.

Their state exists from construction and has the parameters' shape, so that each network of an
ensemble has its own. What changes from step to step, such as the learning rate, lives in arrays
without axes, which a recorded step reads anew.
"""

from __future__ import annotations

from collections.abc import Callable

from scratchnet.backends import Array, InputError
from scratchnet.backends.errors import fraction, nonnegative
from scratchnet.model import Model

Schedule = Callable[[int], float]


class Optimizer:
    """Moves a model's parameters along its gradients; `learning_rate` is a number or a schedule."""

    def __init__(self, model: Model, learning_rate: float | Schedule, weight_decay: float) -> None:
        if not callable(learning_rate):
            nonnegative("learning_rate", learning_rate)
        self.model = model
        self.schedule = learning_rate
        self.weight_decay = nonnegative("weight_decay", weight_decay)
        self.steps = 0
        self._rate = model.backend.zeros((), model.dtype)
        self._scratch = self._like_parameters()

    def _like_parameters(self) -> Array:
        return self.model.backend.zeros(self.model.parameter_buffer.shape, self.model.dtype)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.schedule(self.steps) if callable(self.schedule) else self.schedule)

    def step(self) -> None:
        """Change the parameters by one step along the gradients that `backward()` left."""
        self.prepare()
        self.update()

    def prepare(self) -> None:
        """The part of a step that is computed on the host: the numbers that depend on its count."""
        self.model.backend.host_work("optimizer.step(): call prepare() before it, update() in it")
        self._rate[...] = self.learning_rate
        self.steps += 1

    def update(self) -> None:
        """The part of a step that is computed on the device: it only reads and writes buffers.

        Where the model has a mask, what is pruned has no gradient, and neither momentum nor weight
        decay nor what the state held before brings it back.
        """
        model = self.model
        mask_gradients(model)
        self._step()
        if model.mask_buffer is not None:
            for array in (model.parameter_buffer, *self.state().values()):
                model.backend.multiply(array, model.mask_buffer, out=array)

    def _step(self) -> None:
        """One step for every parameter, pruned or not."""
        raise NotImplementedError

    def state(self) -> dict[str, Array]:
        """The arrays that a later step depends on, by name; each has the parameters' shape."""
        return {}


class SGD(Optimizer):
    """v <- momentum v + g;   p <- p - learning_rate v

    g is the gradient plus weight_decay p. With `nesterov` the step is along g + momentum v
    (Sutskever et al. 2013). Momentum 0 is plain gradient descent.
    """

    def __init__(
        self,
        model: Model,
        learning_rate: float | Schedule,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(model, learning_rate, weight_decay)
        self.momentum = fraction("momentum", momentum)
        if nesterov and not momentum:
            raise InputError("nesterov without momentum: set momentum above 0")
        self.nesterov = nesterov
        self.velocity = self._like_parameters() if momentum else None

    def state(self) -> dict[str, Array]:
        return {} if self.velocity is None else {"velocity": self.velocity}

    def _step(self) -> None:
        self.model.backend.sgd_step(
            self.model.parameter_buffer,
            self.model.gradient_buffer,
            self.velocity,
            self._scratch,
            self._rate,
            self.momentum,
            self.nesterov,
            self.weight_decay,
        )


class Adam(Optimizer):
    """m <- b1 m + (1-b1) g;   v <- b2 v + (1-b2) g^2
    p <- p - learning_rate (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + epsilon)

    m and v are running means of the gradient and of its square; the divisions undo their start at
    zero (Kingma and Ba 2015). Weight decay is added to g.
    """

    decoupled = False

    def __init__(
        self,
        model: Model,
        learning_rate: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(model, learning_rate, weight_decay)
        self.betas = (fraction("betas[0]", betas[0]), fraction("betas[1]", betas[1]))
        self.epsilon = nonnegative("epsilon", epsilon)
        self.first_moment = self._like_parameters()
        self.second_moment = self._like_parameters()
        zeros = model.backend.zeros
        self._bias_corrections = (zeros((), model.dtype), zeros((), model.dtype))

    def prepare(self) -> None:
        super().prepare()
        for correction, beta in zip(self._bias_corrections, self.betas, strict=True):
            correction[...] = 1 - beta**self.steps

    def state(self) -> dict[str, Array]:
        return {"first_moment": self.first_moment, "second_moment": self.second_moment}

    def _step(self) -> None:
        self.model.backend.adam_step(
            self.model.parameter_buffer,
            self.model.gradient_buffer,
            self.first_moment,
            self.second_moment,
            self._scratch,
            self._rate,
            self._bias_corrections,
            self.betas,
            self.epsilon,
            self.weight_decay,
            self.decoupled,
        )


class AdamW(Adam):
    """Adam whose weight decay acts on the parameter, not on g (Loshchilov and Hutter 2019):
    p <- p - learning_rate weight_decay p before each step."""

    decoupled = True

    def __init__(
        self,
        model: Model,
        learning_rate: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(model, learning_rate, betas, epsilon, weight_decay)


def mask_gradients(model: Model) -> None:
    """g <- 0 where the model's mask is 0; nothing happens without a mask."""
    if model.mask_buffer is not None:
        gradients = model.gradient_buffer
        model.backend.multiply(gradients, model.mask_buffer, out=gradients)


def clip_gradients(model: Model, max_norm: float) -> Array:
    """g <- g min(1, max_norm / |g|), for each network the norm over all its gradients.

    Those of pruned parameters count as 0. Returns the norms from before, of shape () or (E,)
    (Pascanu et al. 2013).
    """
    if not max_norm > 0:
        raise InputError(f"max_norm is {max_norm}: accepted are numbers above 0")
    mask_gradients(model)
    k, gradients = model.backend, model.gradient_buffer
    # The smallest normal number keeps 0 / 0 away; min(1, .) then leaves a zero gradient alone.
    smallest = float(k.xp.finfo(model.dtype).tiny)
    # Divided by its largest entry, a gradient can be squared without overflow.
    largest = k.maximum(k.max(k.absolute(gradients), axis=-1, keepdims=True), smallest)
    squares = k.square(k.divide(gradients, largest))
    norms = k.multiply(k.sqrt(k.sum(squares, axis=-1)), largest.reshape(largest.shape[:-1]))
    limit = k.asarray(max_norm, model.dtype)
    scale = k.minimum(k.divide(limit, k.maximum(norms, smallest)), 1.0)
    k.multiply(gradients, scale.reshape(*scale.shape, 1), out=gradients)
    return norms
