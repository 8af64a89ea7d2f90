"""Record one training step, and replay it: the same arithmetic without building the graph again.

Every number inside a step is made by `backend.run`, so the list of its calls is the whole step:

    step = recorded(step, model)
    optimizer.prepare()
    loss = step(rows)

The first call runs the step and keeps the list of calls with their buffers; later ones copy their
arguments into the recorded ones and repeat the list. A call with other shapes, another mode of the
model (train or eval) or other buffers of the model is recorded anew. `buffer_reuse.py` elides
copies and reuses buffers, so that the list is shorter and needs less memory. On the CPU neither
changes a bit of what comes out; on a GPU the order of a sum's additions, and so its rounding, can
depend on where the sum is written.

What changes from step to step must be an argument, or live in an array that the host writes
before the call, as `Optimizer.prepare` does and every `Hyperparameter`. Any other attribute of a
layer or of the optimizer belongs to the structure of the step: once it changes, the step is
recorded anew. While a step is recorded its arrays are `Guarded`, so that what is computed from them
goes through the backend or is refused. As a step can still reach arrays in other ways, the second
call first runs it twice from one disturbed state, once replayed and once as Python, and compares
every bit; on a GPU, to compare like with like, what is replayed there is the list before copies
were elided. A step in which a GPU adds values of one place in whatever order is compared up to
rounding instead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np

from scratchnet.backends import Array, Backend, InputError
from scratchnet.backends.contexts import Blocks
from scratchnet.backends.guarded import bare
from scratchnet.backends.interface import Call
from scratchnet.buffer_reuse import arrays_in, elide_copies, owner, reuse_buffers
from scratchnet.hyperparameters import Configured
from scratchnet.layers.layer import MODES
from scratchnet.model import Model
from scratchnet.tensor import Tensor, note_write, result

Step = Callable[..., Tensor]
"""A function of arrays that returns the tensor to look at, in a training step the loss."""


def recorded(step: Step, model: Model, *others: Configured) -> Step:
    """`step`, which trains or evaluates `model`, as a function that records and replays it.

    A change of the structure of a layer, or of one of `others`, such as an optimizer, is recorded
    anew: see `Configured.structure`. Changed hyperparameters are read by the replay.

    Its arguments are arrays of the model's backend; the tensor that it returns is a constant with
    numbers of its own. Any other array that the step makes is for the step alone: a replay may
    overwrite it. Raises `InputError` where the step reads numbers on the host, and, on the
    second call, where a replay would differ from running it.
    """
    return step if is_eager() else RecordedStep(step, model, others)


_EAGER: Blocks[None] = Blocks("eager")


@contextmanager
def eager() -> Iterator[None]:
    """Inside, in this thread or task alone, `recorded` gives back the step itself: it runs as
    Python every time."""
    with _EAGER.opened(None):
        yield


def is_eager() -> bool:
    """Whether a block of `eager` is open in this context."""
    return bool(_EAGER.values())


MOST_RECORDINGS = 16


class RecordedStep:
    """The recordings of a step, one for each combination of shapes, modes and buffers."""

    def __init__(self, step: Step, model: Model, others: Sequence[Configured] = ()) -> None:
        self._step, self._model = step, model
        self._layers = [layer for _, layer in model.root.walk()]
        configured = [inner for each in (*self._layers, *others) for inner in each.within()]
        self._configured = list(dict.fromkeys(configured))
        self._parameters = model.parameters()
        self._recordings: dict[Any, Recording] = {}
        self._structures: dict[Any, int] = {}
        # A replay writes into the buffers of its recording, which are there once.
        self._one_at_a_time = threading.RLock()
        self._refresh()

    def __call__(self, *arguments: Array) -> Tensor:
        with self._one_at_a_time:
            key = self._key(arguments)
            recording = self._recordings.get(key)
            if recording is None:
                return self._first(key, arguments)
            if recording.writes_parameters:
                note_write(self._parameters)
            return recording(arguments)

    def _first(self, key: Any, arguments: Sequence[Array]) -> Tensor:
        """Record the step; the oldest recording goes where there are too many."""
        recording = self.record(arguments)
        # A number that is no hyperparameter may change in every step: its recordings go.
        while len(self._recordings) >= MOST_RECORDINGS:
            del self._recordings[next(iter(self._recordings))]
        self._recordings[key] = recording
        return recording.first_outcome

    def forget(self) -> None:
        """Let go of the recordings, and of what they hold, such as CUDA graphs."""
        self._recordings.clear()

    def record(self, arguments: Sequence[Array]) -> Recording:
        """Run the step once, and give its calls."""
        # The buffers are kept, so that no later one can have the identity of one that is gone.
        return Recording(self._step, self._model.backend, arguments, self._buffers())

    def _buffers(self) -> tuple[Array | None, ...]:
        """The arrays of the model that a recording reads and writes."""
        model = self._model
        kept = [array for buffers in self._layer_buffers for array in buffers.values()]
        return model.parameter_buffer, model.gradient_buffer, model.mask_buffer, *kept

    def _refresh(self) -> None:
        """Give the present structure of layers and optimizer a number."""
        self._versions = tuple([each.version for each in self._configured])
        structure = tuple([each.structure() for each in self._configured])
        self._structure = self._structures.setdefault(structure, len(self._structures))
        self._layer_buffers = [layer.buffers for layer in self._layers if layer.buffers]

    def _key(self, arguments: Sequence[Array]) -> Any:
        """What a recording is for: shapes, settings, modes, trained parameters and buffers."""
        if tuple([each.version for each in self._configured]) != self._versions:
            self._refresh()
        return (
            tuple([(each.shape, each.dtype) for each in arguments]),
            self._structure,
            tuple([each.training for each in self._layers]) if MODES.entries() else None,
            tuple([each.requires_grad for each in self._parameters]),
            tuple([id(each) for each in self._buffers()]),
        )

    def listing(self) -> list[str]:
        """The calls of the latest recording, one per line, as `listing` writes them."""
        if not self._recordings:
            raise InputError("nothing is recorded yet: call the step once")
        *_, recording = self._recordings.values()
        return self.lines(recording, recording.calls)

    def lines(self, recording: Recording, calls: Sequence[Call]) -> list[str]:
        """Calls of the recording, one per line, as `listing` writes them."""
        names = {f"argument {i}": each for i, each in enumerate(recording.arguments)}
        names |= {"parameters": self._model.parameter_buffer}
        names |= {"gradients": self._model.gradient_buffer}
        for name, parameter in self._model.named_parameters():
            names |= {name: parameter.data, f"d {name}": parameter.grad}
        for name, layer in self._model.root.walk():
            names |= {f"{name}.{buffer}": each for buffer, each in layer.buffers.items()}
        return listing(calls, names, self._model.backend)


class Recording:
    """The calls of one step, and the arrays that they read and write."""

    def __init__(
        self, step: Step, backend: Backend, arguments: Sequence[Array], buffers: Sequence[Array]
    ) -> None:
        self._step, self._backend, self._buffers = step, backend, buffers
        self.arguments = [backend.xp.array(each) for each in arguments]
        self.raw, self.outcome = self._record()
        self.first_outcome = self._copy(self.outcome)
        self._is_checked = False
        parameters = owner(buffers[0])
        self.writes_parameters = any(owner(call.out) is parameters for call in self.raw)

    @cached_property
    def calls(self) -> list[Call]:
        """The calls that a replay makes: without copies that can be spared, on reused buffers."""
        without_copies = elide_copies(self.raw, self.outcome, self._backend)
        return reuse_buffers(without_copies, self.outcome, self._backend)

    @cached_property
    def _repeat(self) -> Callable[[], None]:
        return self._backend.repeater(self.calls)

    def _copy(self, outcome: Array) -> Tensor:
        return result(self._backend.xp.array(outcome), self._backend)

    def _record(self) -> tuple[list[Call], Array]:
        """The calls, and the outcome's numbers alone: the tensor would keep its graph alive."""
        k = self._backend
        with k.recording() as calls, k.guarding():
            outcome = self._step(*map(k.guarded, self.arguments))
        if not isinstance(outcome, Tensor):
            raise InputError(f"a recorded step returned {type(outcome).__name__}: needs a Tensor")
        return calls, bare(outcome.data)

    def __call__(self, arguments: Sequence[Array]) -> Tensor:
        for buffer, values in zip(self.arguments, arguments, strict=True):
            self._backend.xp.copyto(buffer, values)
        if not self._is_checked:
            self.check()
        self._repeat()
        return self._copy(self.outcome)

    def check(self) -> None:
        """Replay the step, run it from the same state, and compare every bit of what they leave.

        Where the order of a sum varies, as of atomic additions on a GPU, up to rounding.

        That state is a disturbed one: what was computed outside the backend from a parameter, a
        buffer or an argument, and kept, would be the same in a step from nearly the same numbers.
        """
        k = self._backend
        state = {id(call.out): call.out for call in self.raw if not call.is_new}
        state |= {id(each): each for each in self._disturbed()}
        before = {name: k.xp.array(array) for name, array in state.items()}
        _ = self._repeat  # made of the raw calls, which go below
        try:
            difference = self._difference(state)
        finally:
            # Also after Ctrl-C, or where the step refuses the disturbed numbers.
            _restore(k, state, before)
        if difference:
            raise InputError(difference)
        self._is_checked, self.raw = True, []

    def _difference(self, state: dict[int, Array]) -> str:
        """What a replay and Python do differently from a disturbed state, or nothing."""
        k = self._backend
        for array in self._disturbed():
            disturb(array, k)
        start = {name: k.xp.array(array) for name, array in state.items()}
        # On reused buffers the calls write elsewhere, which there changes the last bits.
        repeat = Backend.repeater(k, self.raw) if k.bits_depend_on_layout else self._repeat
        rounds = any(k.adds_in_any_order(call.kernel) for call in self.raw)
        with np.errstate(all="ignore"):
            repeat()
            replayed = {name: k.xp.array(array) for name, array in state.items()}
            replayed_outcome = k.xp.array(self.outcome)
            _restore(k, state, start)
            again, outcome = self._record()
        # What both have written is state; what one alone has is a buffer made on the way.
        shared = {id(call.out) for call in again} & state.keys()
        pairs = [(replayed[name], state[name]) for name in shared]
        pairs.append((replayed_outcome, outcome))
        if all(_are_equal(k, *pair, rounds) for pair in pairs):
            return ""
        _restore(k, state, start)
        return first_difference(self.raw, again, k, rounds)

    def _disturbed(self) -> list[Array]:
        """The numbers and rows that a step may read, but for the counters of dropout."""
        kept = [each for each in self._buffers if each is not None and each.dtype.kind == "f"]
        return [*self.arguments, *kept]


def disturb(array: Array, backend: Backend) -> None:
    """Reverse the order along the first axis, so that rows stay rows and labels stay labels.

    Numbers are also moved away from 0 and from each other.
    """
    array[...] = backend.xp.array(array[::-1] if array.ndim else array)
    if array.dtype.kind == "f":
        steps = backend.xp.arange(1, array.size + 1, dtype=array.dtype).reshape(array.shape)
        array[...] = array * 1.5 + steps / array.size


ROUNDING = {"float32": 1e-3, "float64": 1e-8}
"""How far numbers of a step whose sums come in any order may differ, relative to the largest."""


def _are_equal(backend: Backend, one: Array, other: Array, rounds: bool) -> bool:
    """Whether all bits are the same, which is compared where the arrays are, or, where the step
    rounds differently each time, the numbers are up to rounding."""
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    if backend.have_same_bits(one, other):
        return True
    if not rounds or str(one.dtype) not in ROUNDING:
        return False
    here, there = backend.to_numpy(one), backend.to_numpy(other)
    if not (np.isfinite(here) == np.isfinite(there)).all():
        return False
    finite = here[np.isfinite(here)], there[np.isfinite(there)]
    bound = ROUNDING[str(one.dtype)] * np.abs(finite[1]).max(initial=0)
    return bool((np.abs(finite[0] - finite[1]) <= bound).all())


def _restore(backend: Backend, state: dict[int, Array], before: dict[int, Array]) -> None:
    """Put back what the arrays held before."""
    for name, array in state.items():
        backend.xp.copyto(array, before[name])


def first_difference(
    recorded: Sequence[Call], again: Sequence[Call], backend: Backend, rounds: bool = False
) -> str:
    """What two recordings of a step from the same state do differently, as one line.

    With `rounds`, some of them round differently each time.
    """
    advice = "compute with the backend's functions only, or train with record=False"
    for number, (one, other) in enumerate(zip_longest(recorded, again), 1):
        if one is None or other is None or one.kernel != other.kernel:
            return (
                f"recorded step: call {number} was {_name(one)} and is now {_name(other)}: the "
                f"step takes another way than before; {advice}"
            )
        before = backend.xp.array(one.out)
        replayed = backend.xp.array(one.kernel(*one.inputs, out=one.out))
        if other.out is one.out:
            backend.xp.copyto(one.out, before)
        if not _are_equal(backend, replayed, other.kernel(*other.inputs, out=other.out), rounds):
            return (
                f"recorded step: call {number}, {_name(one)} giving {one.out.shape}, differs from "
                f"an eager run: something it reads was not made by the backend; {advice}"
            )
    return f"recorded step: a replay leaves other numbers than an eager run; {advice}"


def _name(call: Call | None) -> str:
    """The kernel's name. CuPy's begin with its own."""
    if call is None:
        return "nothing"
    return str(getattr(call.kernel, "__name__", call.kernel)).removeprefix("cupy_")


def listing(calls: Sequence[Call], names: dict[str, Array], backend: Backend) -> list[str]:
    """The calls as lines such as `t1 (400, 32) = matmul(argument 0, 0.weight)`.

    `names` are the arrays that have one. Any other is named for the memory it lies in: t1, t2, ...
    where a call writes, so that a name that comes back is a buffer used again, and c1, c2, ...
    where none does. `'` marks a transposed view.
    """
    known = {(backend.address(array), array.size): name for name, array in names.items()}
    written = {backend.address(call.out) for call in calls}
    unnamed: dict[str, dict[int, str]] = {"t": {}, "c": {}}

    def label(value: Any) -> str:
        """An operand as the listing names it; a number as it is."""
        if isinstance(value, (tuple, list)):
            return f"({', '.join(map(label, value))})"
        if not arrays_in(value):
            return str(value)
        place = backend.address(value)
        kind = "t" if place in written else "c"
        name = known.get((place, value.size)) or unnamed[kind].setdefault(
            place, f"{kind}{len(unnamed[kind]) + 1}"
        )
        is_transposed = value.ndim > 1 and value.strides[-2] < value.strides[-1]
        return name + "'" * is_transposed

    lines = []
    for call in calls:
        inputs = ", ".join(label(each) for each in call.inputs)
        name = _name(call).removeprefix("_")
        lines.append(f"{label(call.out)} {call.out.shape} = {name}({inputs})")
    return lines
