"""Optimizers, sorted from simple to involved. Each acts on a model's packed buffers in a few calls.

Their state exists from construction and has the parameters' shape, so that each network of an
ensemble has its own. What changes from step to step, such as the learning rate, lives in arrays,
which a recorded step reads anew. Every setting is one number, or one for each network of an
ensemble, and may be set between steps: `optimizer.momentum = 0.5`.

Each rule stands here twice. First come the formulas, on arrays of any shape. The classes do the
same in few calls of the backend, on the model's buffers; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.early_stopping import EarlyStopping
from scratchnet.hyperparameters import (
    FINITE,
    FRACTION,
    NONNEGATIVE,
    POSITIVE,
    Configured,
    Hyperparameter,
    Place,
    Value,
)
from scratchnet.model import Model
from scratchnet.tensor import note_write

Schedule = Callable[[int], Value]
"""The learning rate of a step, which counts from 0: one number, or one for each network."""


# The formulas: parameters p after a step along the gradient g, and the optimizer's state after it.


def sgd_rule(
    p: Array, g: Array, v: Array, rate: float, momentum: float, nesterov: bool, decay: float
) -> tuple[Array, Array]:
    """p and the velocity v (Sutskever et al. 2013)."""
    g = g + decay * p
    v = momentum * v + g
    return p - rate * (g + momentum * v if nesterov else v), v


def adam_rule(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: int,
    rate: float,
    b1: float,
    b2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """p and the running means m of g and v of g^2, in step t = 1, 2, ... (Kingma and Ba 2015).

    Weight decay l is Adam's with g + l p in the place of g, and AdamW's with (1 - rate l) p in the
    place of p (Loshchilov and Hutter 2019).
    """
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    corrected_m, corrected_v = m / (1 - b1**t), v / (1 - b2**t)
    return p - rate * corrected_m / (np.sqrt(corrected_v) + epsilon), m, v


class LearningRate(Hyperparameter):
    """A number, one for each network, or a schedule, which is asked before each step."""

    def __get__(self, holder: Any, owner: type) -> Any:
        """The learning rate of the next step."""
        if holder is None:
            return self
        schedule = holder.schedule
        if not callable(schedule):
            return schedule
        return scheduled.checked(schedule(holder.steps), holder.place)

    def __set__(self, holder: Any, value: Any) -> None:
        if not callable(value):
            value = self.checked(value, holder.place)
            self.write(holder, value)
        holder.schedule = value

    def advance(self, holder: Any) -> None:
        """Write the number of the next step into the array."""
        value = holder.schedule(holder.steps)
        array = holder.arrays.get(self.name)
        if type(value) is float and abs(value) < 1 and array is not None and not array.ndim:
            array[...] = value
        else:
            self.write(holder, scheduled.checked(value, holder.place))


scheduled = Hyperparameter("learning_rate", FINITE)


class Optimizer(Configured):
    """Moves a model's parameters along its gradients.

    `learning_rate` is a number, a sequence of one for each network, or a schedule, which gives
    either. Setting it, or any other setting, holds from the next step on.
    """

    learning_rate = LearningRate("learning_rate", NONNEGATIVE)
    weight_decay = Hyperparameter("weight_decay", NONNEGATIVE, absent_at=0.0)
    schedule: Value | Schedule
    early_stopping: EarlyStopping | None = None
    """What watches the validation loss while `fit` trains with patience; checkpoints hold it."""
    compiler: str = ""
    """What compiled the steps of the last `fit`; empty where they were replayed."""
    counters = ("version", "steps", "schedule", "early_stopping", "compiler")

    def __init__(self, model: Model, learning_rate: Value | Schedule, weight_decay: Value) -> None:
        if not isinstance(model, Model):
            raise InputError(
                f"{type(self).__name__} of {type(model).__name__}: must be of a Model, such as "
                "Adam(model)"
            )
        self.model = model
        self.steps = 0
        self.settle(Place(model.backend, model.dtype, model.ensemble, axes=1))
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self._scratch = self._like_parameters()
        self._views: dict[tuple[int, int, int], tuple[Array, Array]] = {}

    def _like_parameters(self) -> Array:
        return self.model.backend.zeros(self.model.parameter_buffer.shape, self.model.dtype)

    def step(self) -> None:
        """Change the parameters by one step along the gradients that `backward()` left."""
        self.prepare()
        self.update()

    def prepare(self) -> None:
        """The part of a step that is computed on the host: the numbers that depend on its count."""
        self.model.backend.host_work("optimizer.step()")
        if callable(self.schedule):
            type(self).learning_rate.advance(self)
        # Past `__setattr__`, which takes longer than the rest: a count is no structure.
        self.__dict__["steps"] += 1

    def update(self) -> None:
        """The part of a step that is computed on the device: it only reads and writes buffers.

        A parameter that no `backward()` has reached since the last step, as it is frozen or no part
        of the loss, stays, and so does its state. Until the first `backward()` a step goes along
        gradients that were written by hand. Where the model has a mask, what is pruned has no
        gradient, and neither momentum nor weight decay nor what the state held before brings it
        back.
        """
        model = self.model
        mask_gradients(model)
        written, reached = model.parameters(), model.take_reached()
        if False not in reached:
            self._step(None)
        else:
            self._leave_out(reached)
            written = list(compress(written, reached))
            for places in runs(model, reached):
                self._step(places)
        if model.mask_buffer is not None:
            for array in (model.parameter_buffer, *self.moments().values()):
                model.backend.multiply(array, model.mask_buffer, out=array)
        note_write(written)

    def _step(self, places: slice | None) -> None:
        """One step for the parameters at these places of the buffers, or for all (None)."""
        raise NotImplementedError

    def _at(self, places: slice | None, *arrays: Array) -> Sequence[Array]:
        """Those places of the arrays, or all."""
        return arrays if places is None else [self._view(each, places) for each in arrays]

    def _view(self, array: Array, places: slice) -> Array:
        """The same view each time, since a recording knows it by that."""
        key = (id(array), places.start, places.stop)
        # The array is kept, so that no later one can have its identity.
        return self._views.setdefault(key, (array, array[..., places]))[1]

    def _leave_out(self, reached: list[bool]) -> None:
        """Take note that a step is about to be made for some of the parameters only."""

    def moments(self) -> dict[str, Array]:
        """The arrays of the parameters' shape that a later step depends on, by name."""
        return {}

    def state(self) -> dict[str, Array]:
        """All arrays that a later step depends on, by name."""
        return self.moments()

    def resume(self, steps: int) -> None:
        """Go on after so many steps, with a state that was copied into the arrays of `state()`."""
        self.steps = steps


class Momentum(Hyperparameter):
    """A number whose velocity is 0 where it is 0."""

    def __set__(self, holder: Any, value: Any) -> None:
        super().__set__(holder, value)
        at_rest = np.asarray(getattr(holder, self.name)) == 0
        if "velocity" in vars(holder) and at_rest.any():
            holder.velocity[np.broadcast_to(at_rest, holder.velocity.shape[:-1])] = 0


class SGD(Optimizer):
    """v <- momentum v + g;   p <- p - learning_rate v

    g is the gradient plus weight_decay p. With `nesterov` the step is along g + momentum v
    (Sutskever et al. 2013). Momentum 0 is plain gradient descent: the step is along g, and v is 0,
    from which a momentum that is set later starts.
    """

    momentum = Momentum("momentum", FRACTION, absent_at=0.0)

    def __init__(
        self,
        model: Model,
        learning_rate: Value | Schedule,
        momentum: Value = 0.0,
        nesterov: bool = False,
        weight_decay: Value = 0.0,
    ) -> None:
        super().__init__(model, learning_rate, weight_decay)
        self.momentum = momentum
        if nesterov and not np.all(self.momentum):
            raise InputError("nesterov without momentum: set momentum above 0")
        self.nesterov = nesterov
        self.velocity = self._like_parameters()

    def moments(self) -> dict[str, Array]:
        return {"velocity": self.velocity}

    def _step(self, places: slice | None) -> None:
        model = self.model
        parameters, gradients, velocity, scratch = self._at(
            places, model.parameter_buffer, model.gradient_buffer, self.velocity, self._scratch
        )
        model.backend.sgd_step(
            parameters,
            gradients,
            velocity,
            scratch,
            self.arrays["learning_rate"],
            self.array("momentum"),
            self.nesterov,
            self.array("weight_decay"),
        )


class Adam(Optimizer):
    """m <- b1 m + (1-b1) g;   v <- b2 v + (1-b2) g^2
    p <- p - learning_rate (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + epsilon)

    m and v are running means of the gradient and of its square; the divisions undo their start at
    zero (Kingma and Ba 2015). Weight decay is added to g. `epsilon` is above 0: where all gradients
    of a parameter were 0, v is. t counts the steps in which the parameter was reached, as PyTorch
    does: `missed` holds how many it was left out of.
    """

    decoupled = False
    has_missed = False
    _differs_next = False
    beta1 = Hyperparameter("betas[0]", FRACTION, {"beta1": lambda b: b, "rest1": lambda b: 1 - b})
    beta2 = Hyperparameter("betas[1]", FRACTION, {"beta2": lambda b: b, "rest2": lambda b: 1 - b})
    epsilon = Hyperparameter("epsilon", POSITIVE)

    def __init__(
        self,
        model: Model,
        learning_rate: Value | Schedule = 1e-3,
        betas: tuple[Value, Value] = (0.9, 0.999),
        epsilon: Value = 1e-8,
        weight_decay: Value = 0.0,
    ) -> None:
        super().__init__(model, learning_rate, weight_decay)
        self.betas = betas
        self.epsilon = epsilon
        self.first_moment = self._like_parameters()
        self.second_moment = self._like_parameters()
        self.missed = model.backend.zeros((len(model.parameters()),), model.dtype)

    @property
    def betas(self) -> tuple[Value, Value]:
        """(b1, b2); setting them holds from the next step on."""
        return self.beta1, self.beta2

    @betas.setter
    def betas(self, betas: tuple[Value, Value]) -> None:
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise InputError(f"betas is {betas!r}: must be a pair (b1, b2)")
        cls = type(self)
        pair = cls.beta1.checked(betas[0], self.place), cls.beta2.checked(betas[1], self.place)
        self.beta1, self.beta2 = pair
        self._make_corrections()

    def _make_corrections(self) -> None:
        """Arrays for the corrections: as betas are, or for each entry once counts differ."""
        model = self.model
        for name in ("correction1", "correction2"):
            shape: tuple[int, ...] = self.arrays["beta" + name[-1]].shape
            if self.has_missed:
                shape = (*shape[:-1], model.parameter_count)
            if name not in self.arrays or self.arrays[name].shape != shape:
                self.arrays[name] = model.backend.ones(shape, model.dtype)

    def prepare(self) -> None:
        super().prepare()
        if self._differs_next and not self.has_missed:
            self.has_missed = True
            self._make_corrections()
        steps: Any = self.steps
        if self.has_missed:
            # At least 1, for those that were never reached, and are not in this step either.
            counts = np.maximum(steps - self.model.backend.to_numpy(self.missed), 1)
            steps = np.repeat(counts, self.model.parameter_sizes())
        # Read past the descriptors, which take longer than the arithmetic.
        own, arrays = self.__dict__, self.__dict__["arrays"]
        for name, beta in (("correction1", own["beta1"]), ("correction2", own["beta2"])):
            if isinstance(beta, float) and not self.has_missed:
                arrays[name][...] = 1 - beta**steps
            else:
                of_each = beta if isinstance(beta, float) else beta[:, None]
                numbers = (1 - of_each**steps).astype(self.model.dtype)
                arrays[name][...] = self.model.backend.asarray(numbers)

    def moments(self) -> dict[str, Array]:
        return {"first_moment": self.first_moment, "second_moment": self.second_moment}

    def state(self) -> dict[str, Array]:
        return self.moments() | {"missed": self.missed}

    def resume(self, steps: int) -> None:
        super().resume(steps)
        self.has_missed = bool(self.model.backend.to_numpy(self.missed).any())
        self._make_corrections()

    def _leave_out(self, reached: list[bool]) -> None:
        k = self.model.backend
        k.add(self.missed, k.asarray(np.logical_not(reached), self.model.dtype), out=self.missed)
        self._differs_next = True

    def _step(self, places: slice | None) -> None:
        model, arrays = self.model, self.arrays
        corrections: Sequence[Array] = (arrays["correction1"], arrays["correction2"])
        if self.has_missed:
            corrections = self._at(places, *corrections)
        parameters, gradients, first, second, scratch = self._at(
            places,
            model.parameter_buffer,
            model.gradient_buffer,
            self.first_moment,
            self.second_moment,
            self._scratch,
        )
        model.backend.adam_step(
            parameters,
            gradients,
            first,
            second,
            scratch,
            arrays["learning_rate"],
            (corrections[0], corrections[1]),
            ((arrays["beta1"], arrays["rest1"]), (arrays["beta2"], arrays["rest2"])),
            arrays["epsilon"],
            self.array("weight_decay"),
            self.decoupled,
        )


class AdamW(Adam):
    """Adam whose weight decay acts on the parameter, not on g (Loshchilov and Hutter 2019):
    p <- p - learning_rate weight_decay p before each step."""

    decoupled = True

    def __init__(
        self,
        model: Model,
        learning_rate: Value | Schedule = 1e-3,
        betas: tuple[Value, Value] = (0.9, 0.999),
        epsilon: Value = 1e-8,
        weight_decay: Value = 0.01,
    ) -> None:
        super().__init__(model, learning_rate, betas, epsilon, weight_decay)


def runs(model: Model, reached: list[bool]) -> list[slice]:
    """The places in the buffers of the parameters that were reached, neighbours as one slice."""
    found: list[slice] = []
    start = 0
    for size, is_reached in zip(model.parameter_sizes(), reached, strict=True):
        if is_reached and found and found[-1].stop == start:
            found[-1] = slice(found[-1].start, start + size)
        elif is_reached:
            found.append(slice(start, start + size))
        start += size
    return found


def mask_gradients(model: Model) -> None:
    """g <- 0 where the model's mask is 0; nothing happens without a mask."""
    if model.mask_buffer is not None:
        gradients = model.gradient_buffer
        model.backend.multiply(gradients, model.mask_buffer, out=gradients)


def clip_gradients(model: Model, max_norm: float) -> Array:
    """g <- g min(1, max_norm / |g|), for each network the norm over all its gradients.

    Those of pruned parameters, and of those that `backward()` did not reach, are set to 0. Returns
    the norms from before, of shape () or (E,) (Pascanu et al. 2013).
    """
    if not max_norm > 0:
        raise InputError(f"max_norm is {max_norm}: must be a number above 0")
    mask_gradients(model)
    k, gradients = model.backend, model.gradient_buffer
    for array in model.unreached_gradients():
        k.copy(k.zeros(array.shape, model.dtype), out=array)
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
