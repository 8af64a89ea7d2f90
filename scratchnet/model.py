"""A model: layers, and the two buffers that hold all their parameters and gradients.

One buffer for all parameters makes an optimizer's step a few calls instead of a few per layer. Its
shape is (P,), or (E, P) for an ensemble: E networks with seeds of their own that compute side by
side. Network i of an ensemble with seed s is the network with seed s + i.

On NumPy it has the very bits of that network alone. It draws from its own seed; each elementwise
number is computed from its own; a product of stacked matrices is one BLAS call for each network, of
the same shapes as alone; and no sum crosses the ensemble's axis. What would break it: a product or
a sum that folds that axis into another, and a shortcut that a network takes alone but not beside
others. BLAS orders its sums by its kernel and by its threads, so this holds for one BLAS, one
number of threads and one kind of processor.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from scratchnet.backends import Array, Backend, InputError, get_backend
from scratchnet.backends.errors import positive_whole
from scratchnet.classes import classes, default_threshold
from scratchnet.data_checks import finite_numbers
from scratchnet.hyperparameters import Place, Value, hyperparameters, of_network
from scratchnet.init import Initializer
from scratchnet.layers import (
    BatchNorm,
    Bottleneck,
    Dropout,
    Layer,
    LayerNorm,
    Linear,
    Residual,
    Sequential,
    get_activation,
)
from scratchnet.layers.layer import MODES
from scratchnet.parameter import Parameter
from scratchnet.seeds import DROPOUT, INITIALIZATION, network_seeds
from scratchnet.state import check_state
from scratchnet.tensor import Tensor, builds_graph, float_type, no_grad, note_write, result


class Model:
    """`model(X)` computes the layers' outputs (N, outputs), or (E, N, outputs) for an ensemble.

    `parameter_buffer` and `gradient_buffer` hold everything learned; each layer's arrays are views
    of them, and everything that changes parameters writes in place, so that the views stay valid.
    """

    def __init__(
        self,
        *layers: Layer,
        seed: int | Sequence[int] = 0,
        ensemble: int | None = None,
        dtype: DTypeLike = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        """Draw the parameters of `ensemble` networks, or of one (None: no ensemble axis).

        Network i has the seed `seed + i`, or `seed[i]` where that is a sequence of one for each.

        Raises `InputError` for no layers, a layer with parameters that belongs to a model already
        or stands here twice, a negative seed, an ensemble below 1 or a dtype other than float32
        and float64.
        """
        self.dtype = float_type("dtype of a model", dtype)
        if ensemble is not None:
            positive_whole("ensemble", ensemble)
        self.root = Sequential(*layers)
        self.backend = get_backend(backend)
        self.ensemble = ensemble
        self.seeds = network_seeds(seed, ensemble)
        self.loss: str | None = None
        """The loss that `fit` has trained it with."""
        self.threshold: float | None = default_threshold(self.root)
        """Above which value a single output means class 1: see `classes.threshold`."""
        self._allocate()
        self._initialize()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, first to last."""
        return self.root.layers

    def _allocate(self) -> None:
        """Make the two buffers, and the parameters that the layers declare as views of them."""
        declared: dict[Layer, str] = {}
        for layer_name, layer in self.root.walk():
            if layer.parameters or layer.buffers:
                raise InputError(f"{layer} belongs to a model already: make a new layer")
            if layer in declared and layer.parameter_shapes():
                raise InputError(f"{layer} stands twice in the model: make a new layer")
            declared[layer] = layer_name
        place = Place(self.backend, self.dtype, self.ensemble, axes=2)
        for layer in declared:
            layer.settle(place)
        self._parameters: dict[str, Parameter] = {}
        self._single_shapes: dict[str, tuple[int, ...]] = {}
        for layer, layer_name in declared.items():
            for name, shape in layer.parameter_shapes().items():
                parameter = Parameter(self.dtype, self.backend)
                layer.parameters[name] = parameter
                self._parameters[f"{layer_name}.{name}"] = parameter
                self._single_shapes[f"{layer_name}.{name}"] = shape
        size = sum(map(math.prod, self._single_shapes.values()))
        self.parameter_buffer, self.gradient_buffer = (
            self.backend.buffer_of_networks(self.ensemble, size, self.dtype) for _ in range(2)
        )
        self._was_reached = False
        self.mask_buffer: Array | None = None
        """1 for each parameter that is kept, 0 for each that is pruned, or None: see `set_mask`."""
        self._view_buffers()

    def _view_buffers(self) -> None:
        """Give each parameter its views of the two buffers."""
        start = 0
        for name, parameter in self._parameters.items():
            shape = self._single_shapes[name]
            place = (..., slice(start, start := start + math.prod(shape)))
            buffers = (self.parameter_buffer, self.gradient_buffer)
            parameter.bind(*[each[place].reshape(self._own_shape(shape)) for each in buffers])

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy or an unpickled model: its arrays are no views of its buffers, so bind them."""
        self.__dict__.update(state)
        self._view_buffers()

    def _own_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that an array of one network has in this model."""
        if self.ensemble is None:
            return shape
        return (self.ensemble, *((1, *shape) if len(shape) == 1 else shape or (1, 1)))

    def _initialize(self) -> None:
        """Draw the initial parameters and buffers, each network's from its own seed."""
        generators = [
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(INITIALIZATION,)))
            for seed in self.seeds
        ]
        for number, (layer_name, layer) in enumerate(self.root.walk()):
            drawn = [layer.initial_parameters(rng) for rng in generators]
            for name, parameter in layer.parameters.items():
                parameter.data[...] = self._stacked([each[name] for each in drawn], self.dtype)
            use = (DROPOUT, number)
            sequences = [np.random.SeedSequence(seed, spawn_key=use) for seed in self.seeds]
            kept = [layer.initial_buffers(sequence) for sequence in sequences]
            for name, first in kept[0].items():
                dtype = self.dtype if first.dtype.kind == "f" else first.dtype
                layer.buffers[name] = self._stacked([each[name] for each in kept], dtype)
                self._single_shapes[f"{layer_name}.{name}"] = first.shape

    def _stacked(self, of_each: Sequence[Any], dtype: Any) -> Array:
        """One array per network, as one array of this model's shape."""
        shape = self._own_shape(np.shape(of_each[0]))
        return self.backend.asarray(np.stack(of_each).reshape(shape), dtype)

    def __call__(self, X: Any) -> Tensor:
        """The outputs for X (N, inputs), or (E, N, inputs) with inputs of its own per network.

        An array is checked as `fit` checks it and moved to the model's backend and dtype. A tensor
        is taken as it is, and so is an array of the backend in a recorded step or on a GPU.
        """
        return self.root.forward(self.as_input(X))

    def as_input(self, X: Any) -> Tensor:
        """X as a constant tensor of the model's backend and dtype; a tensor as it is."""
        k = self.backend
        if isinstance(X, Tensor):
            return X
        is_own = isinstance(X, k.xp.ndarray) and not isinstance(X, np.ma.MaskedArray)
        if is_own and (k.is_recording or k.xp is not np):
            return result(k.asarray(X, self.dtype), k)
        x = self._checked(X)
        # `backward()` reads the inputs once more: what is written into X until then is not seen.
        return result(k.copy(x.data), k) if builds_graph() else x

    def _checked(self, X: Any) -> Tensor:
        """As `as_input`, but every value is looked at and converted, also a tensor's."""
        values = finite_numbers("X", X, self.dtype, self.backend)
        return result(self.backend.asarray(values, self.dtype), self.backend)

    def predict(self, X: Any) -> Any:
        """The outputs for X in eval mode and without a graph, as a NumPy array.

        Raises `InputError` for the X that `fit` refuses.
        """
        with evaluating(self):
            return self(self._checked(X)).numpy()

    def classify(self, X: Any) -> Any:
        """The class of each sample, as whole numbers (N,), or (E, N) for an ensemble.

        With several outputs that of the largest; with one, 1 where it is above `threshold`.
        """
        return classes(self.predict(X), self.threshold)

    def activations(self, X: Any) -> dict[str, Any]:
        """The output of each layer for X in eval mode, by name, as NumPy arrays."""
        with evaluating(self):
            return {name: each.numpy() for name, each in self.layer_outputs(self._checked(X))}

    def layer_outputs(self, X: Any) -> Iterator[tuple[str, Tensor]]:
        """Name and output of each layer in turn, in the present mode."""
        x = self.as_input(X)
        for name, layer in self.root.children().items():
            x = layer.forward(x)
            yield name, x

    @property
    def training(self) -> bool:
        """Whether it is in training mode; in a block of `in_mode`, what holds there."""
        return self.root.training

    def train(self, mode: bool = True) -> Model:
        """Switch Dropout and BatchNorm to training (or, with False, to eval); returns the model."""
        for _, layer in self.root.walk():
            layer.training = mode
        return self

    def eval(self) -> Model:
        """Switch Dropout off and let BatchNorm use its running averages; returns the model."""
        return self.train(False)

    def parameters(self) -> list[Tensor]:
        """All parameters, in the order of the buffer."""
        return list(self._parameters.values())

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """All parameters with their dotted names, such as '0.weight'."""
        return iter(self._parameters.items())

    def freeze(self, *names: str) -> Model:
        """Let the parameters of these layers, such as "0", or these, such as "0.weight", stay.

        They get no gradient (`requires_grad` is False), no optimizer moves or decays them, and
        their optimizer state and a frozen BatchNorm's running averages stay too. Returns the model;
        raises `InputError`, before anything is changed, for a name without parameters.
        """
        return self._set_frozen(names, True)

    def unfreeze(self, *names: str) -> Model:
        """Let them be trained again; without names, all parameters."""
        return self._set_frozen(names or tuple(self._parameters), False)

    def _set_frozen(self, names: Sequence[str], frozen: bool) -> Model:
        """Freeze the parameters of these layers and names, or let them be trained again."""
        chosen = {
            name: [p for key, p in self._parameters.items() if f"{key}.".startswith(f"{name}.")]
            for name in names
        }
        if not names:
            raise InputError("freeze() without names: must be layers or parameters, such as '0'")
        for name, parameters in chosen.items():
            if not parameters:
                known = ", ".join(self._parameters)
                raise InputError(f"{name!r} has no parameters: must be a layer or one of {known}")
        for parameter in chain(*chosen.values()):
            parameter.requires_grad = not frozen
        return self

    def take_reached(self) -> list[bool]:
        """Which parameters a `backward()` has reached since the last call; before the first one all
        that require a gradient, as theirs were written by hand."""
        reached = self._reached()
        for each in self._parameters.values():
            self._was_reached |= each.reached
            each.reached = False
        return reached

    def _reached(self) -> list[bool]:
        """What `take_reached` answers; it may be asked again."""
        parameters = self._parameters.values()
        reached = [each.reached for each in parameters]
        by_hand = not self._was_reached and True not in reached
        return [each.requires_grad for each in parameters] if by_hand else reached

    def unreached_gradients(self) -> list[Array]:
        """The gradients that are left from an earlier `backward()`."""
        pairs = zip(self._parameters.values(), self._reached(), strict=True)
        return [each.grad for each, is_reached in pairs if not is_reached]

    def parameter_sizes(self) -> list[int]:
        """The number of entries of each parameter, in one network."""
        return [math.prod(self._single_shapes[name]) for name in self._parameters]

    @property
    def parameter_count(self) -> int:
        """The number of parameters of one network."""
        return int(self.parameter_buffer.shape[-1])

    def _arrays(self) -> dict[str, Array]:
        """Parameters and buffers by name."""
        arrays = {name: parameter.data for name, parameter in self._parameters.items()}
        for layer_name, layer in self.root.walk():
            arrays |= {f"{layer_name}.{name}": each for name, each in layer.buffers.items()}
        return arrays

    def state_dict(self, network: int | None = None) -> dict[str, Any]:
        """Copies of all parameters and buffers by name, as NumPy arrays.

        With `network`, those of that network of an ensemble, in the shapes of a single one.
        """
        state = {name: np.array(self.backend.to_numpy(a)) for name, a in self._arrays().items()}
        if network is None:
            return state
        if self.ensemble is None or not 0 <= network < self.ensemble:
            networks = "no ensemble" if self.ensemble is None else f"an ensemble of {self.ensemble}"
            raise InputError(f"network {network} of {networks}: no such network")
        return {
            name: each[network].reshape(self._single_shapes[name]) for name, each in state.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy all arrays of `state_dict()` in, in place.

        Raises `InputError`, before anything is changed, for a missing or unknown name, a shape that
        differs, what is no array of numbers, and for PyTorch's state dict, whose weights are (out,
        in). A dictionary of plain arrays in which every layer is square does not show that, and is
        taken as it is: transpose such weights yourself.
        """
        arrays = self._arrays()
        check_state(state, arrays, self.backend)
        # All are converted before the first is written: a failure must leave nothing half-loaded.
        new = {name: self.backend.asarray(state[name], a.dtype) for name, a in arrays.items()}
        for name, array in arrays.items():
            self.backend.copy(new[name], out=array)
        self.apply_mask()

    def set_mask(self, mask: Any) -> None:
        """Prune: each parameter whose place in `mask` is 0 or False is 0 from now on.

        `mask` has the shape of `parameter_buffer`, (P,) or (E, P), and holds 0 and 1, or booleans.
        An optimizer holds the pruned parameters, their gradients and its own state at 0, and
        `load_state_dict` does not bring them back. A later mask is written over the first, in
        place. Raises `InputError` for another shape or other values.
        """
        on_device = isinstance(mask, self.backend.xp.ndarray)
        given = np.asarray(self.backend.to_numpy(mask) if on_device else mask)
        if given.shape != tuple(self.parameter_buffer.shape):
            raise InputError(
                f"mask of shape {given.shape}: needs {tuple(self.parameter_buffer.shape)}, the "
                "shape of parameter_buffer"
            )
        if not ((given == 0) | (given == 1)).all():
            raise InputError("mask with values other than 0 and 1")
        if self.mask_buffer is None:
            self.mask_buffer = self.backend.ones(self.parameter_buffer.shape, self.dtype)
        self.mask_buffer[...] = self.backend.asarray(given, self.dtype)
        self.apply_mask()

    def clear_mask(self) -> None:
        """Let pruned parameters be trained again; they start at 0."""
        self.mask_buffer = None

    def apply_mask(self) -> None:
        """After `parameter_buffer` was written: set to 0 what the mask prunes, and let `backward()`
        refuse what was computed before."""
        if self.mask_buffer is not None:
            # A product would leave -0.0 of a negative parameter, and NaN of NaN.
            self.parameter_buffer[self.mask_buffer == 0] = 0
        note_write(self._parameters.values())

    def network(self, number: int) -> Model:
        """Network `number` of the ensemble as a model of its own, with its seed, its mask and its
        frozen parameters."""
        state = self.state_dict(number)
        single = self.like(self._fresh_layers(number), self.seeds[number])
        single.load_state_dict(state)
        if self.mask_buffer is not None:
            single.set_mask(self.mask_buffer[number])
        for own, other in zip(single.parameters(), self.parameters(), strict=True):
            own.requires_grad = other.requires_grad
        return single

    def repeated(self, copies: int) -> Model:
        """An ensemble of so many copies of this network, without its mask.

        Its seeds follow this model's, so that what training draws differs from copy to copy.
        Raises `InputError` for an ensemble.
        """
        if self.ensemble is not None:
            raise InputError("copies of an ensemble: take one network out of it, model.network(i)")
        several = self.like(self._fresh_layers(0), self.seeds[0], copies)
        state = {
            name: np.stack([array] * copies).reshape(several._own_shape(array.shape))
            for name, array in self.state_dict().items()
        }
        several.load_state_dict(state)
        return several

    def like(self, layers: Sequence[Layer], seed: int, ensemble: int | None = None) -> Model:
        """A model of these layers with the dtype, backend, loss and threshold of this one."""
        model = Model(*layers, seed=seed, ensemble=ensemble, dtype=self.dtype, backend=self.backend)
        model.loss, model.threshold = self.loss, self.threshold
        return model

    def _fresh_layers(self, network: int) -> list[Layer]:
        """Copies of the layers without parameters, with the hyperparameters of one network."""
        layers = list(copy.deepcopy(self.layers))
        for layer in layers:
            for _, inner in layer.walk():
                inner.parameters, inner.buffers = {}, {}
                inner.settle(None)
                for name in hyperparameters(type(inner)):
                    setattr(inner, name, of_network(getattr(inner, name), network))
        return layers

    def __repr__(self) -> str:
        networks = "" if self.ensemble is None else f", {self.ensemble} networks"
        lines = [f"Model({self.parameter_count:,} parameters{networks}, {self.dtype})"]
        for name, layer in self.root.children().items():
            shapes = [
                each for _, inner in layer.walk() for each in inner.parameter_shapes().values()
            ]
            count = sum(map(math.prod, shapes))
            lines.append(f"  {name}: {layer}" + (f"  {count:,} parameters" if count else ""))
        return "\n".join(lines)


@contextmanager
def in_mode(model: Model, training: bool) -> Iterator[None]:
    """Inside, the model is in training or in eval mode; afterwards each layer's is as before.

    It is so for this thread or asyncio task alone: a training of the model elsewhere goes on.
    """
    with MODES.opened({layer: training for _, layer in model.root.walk()}):
        yield


@contextmanager
def evaluating(model: Model) -> Iterator[None]:
    """Inside, the model is in eval mode and builds no graph; afterwards all modes are as before."""
    with in_mode(model, training=False), no_grad():
        yield


def mlp(
    widths: Sequence[int],
    activation: str | Layer = "relu",
    init: str | Initializer = "he_normal",
    batch_norm: bool = False,
    layer_norm: bool = False,
    dropout: float = 0.0,
    residual: bool = False,
    residual_scale: Value | None = None,
    bottleneck: int | None = None,
    bias_init: str | Initializer = "zeros",
    bias: bool = True,
    seed: int | Sequence[int] = 0,
    ensemble: int | None = None,
    dtype: DTypeLike = "float32",
    backend: str | Backend = "auto",
) -> Model:
    """A multilayer perceptron: `widths` is (inputs, hidden, ..., hidden, outputs).

    Each hidden layer is Linear, BatchNorm or LayerNorm if asked for, activation, Dropout if asked
    for; the output layer is Linear alone, so (inputs, outputs) is a linear model. A hidden layer
    that keeps the width is x + scale * layer(x) with `residual`. The scale is `residual_scale`, one
    number or one for each network, by default 1 / sqrt(number of such layers), see `Residual`. With
    `bottleneck` it is a `Bottleneck` block of that inner width, which is three layers deep.
    `bias_init` is for the biases of all Linear layers but those of bottlenecks, see
    `init.BIAS_INITIALIZERS`; with `bias=False` these have none.

    Raises `InputError` for fewer than two widths, a width below 1, an unknown name, `bottleneck`
    together with `residual`, `dropout` or `layer_norm`, `batch_norm` together with `layer_norm`,
    and `residual_scale` without `residual`.
    """
    if isinstance(widths, (int, str)) or len(widths) < 2:
        raise InputError(f"widths {widths!r}: at least the inputs and the outputs are needed")
    widths = [positive_whole("a width of mlp", width) for width in widths]
    if bottleneck is not None and (residual or dropout or layer_norm):
        raise InputError("bottleneck with residual, dropout or layer_norm: must be one of them")
    if batch_norm and layer_norm:
        raise InputError("batch_norm and layer_norm are both asked for: must be one of them")
    if residual_scale is not None and not residual:
        raise InputError(f"residual_scale is {residual_scale!r} without residual: must be None")
    if residual_scale is None:
        blocks = sum(a == b for a, b in zip(widths[:-2], widths[1:-1], strict=True))
        residual_scale = 1 / math.sqrt(max(1, blocks))
    layers: list[Layer] = []
    for fan_in, fan_out in zip(widths[:-2], widths[1:-1], strict=True):
        if bottleneck is not None and fan_in == fan_out:
            layers.append(Bottleneck(fan_in, bottleneck, activation, init, batch_norm))
            continue
        block: list[Layer] = [Linear(fan_in, fan_out, init, bias_init, bias)]
        if batch_norm or layer_norm:
            block.append(BatchNorm(fan_out) if batch_norm else LayerNorm(fan_out))
        block.append(get_activation(activation))
        if dropout:
            block.append(Dropout(dropout))
        if residual and fan_in == fan_out:
            block = [Residual(*block, scale=residual_scale)]
        layers += block
    layers.append(Linear(widths[-2], widths[-1], init, bias_init, bias))
    return Model(*layers, seed=seed, ensemble=ensemble, dtype=dtype, backend=backend)
