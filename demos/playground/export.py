"""The network to take along: Python code that makes it anew bit for bit, and a safetensors file.

A message `export` is `{"what", "name", "text"}` for Python and `{"what", "name", "base64"}` for
safetensors. The code makes the same data, the same initial weights and the same steps, replayed or
compiled as they were here. The bits are promised for one kind of processor, one BLAS on one thread
and, of compiled steps, one compiler; the code says at its end whether it found them.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.checkpoint import save_model
from scratchnet.demos.playground.learning import Learning, Segment, loss_and_outputs
from scratchnet.demos.playground.state import UNSCALED, Network, Training

NAME = "playground"


def exported(learning: Learning, what: str) -> dict[str, Any]:
    """The message; `what` is "python" or "safetensors"."""
    if what == "python":
        return {"what": what, "name": f"{NAME}.py", "text": python(learning)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{NAME}.safetensors"
        save_model(path, learning.model, task={"name": NAME, **learning.state.as_json()})
        content = base64.b64encode(path.read_bytes()).decode()
    return {"what": what, "name": path.name, "base64": content}


def digest(learning: Learning) -> str:
    """What is the same for the same bits of all parameters, and for hardly anything else."""
    return hashlib.sha256(learning.model.parameter_buffer.tobytes()).hexdigest()[:32]


def python(learning: Learning) -> str:
    """Code that makes the model `model`, with the steps of `learning`."""
    state, task = learning.state, learning.task
    loss, outputs = loss_and_outputs(state.training.loss, len(task.classes))
    one_hot = outputs > 1 and loss != "softmax_cross_entropy"
    size = learning.batches.batch_size
    is_unscaled = state.network.initialiser == UNSCALED
    settings = f"loss={loss!r}, optimizer=optimizer, batch_size={size}"
    optimizer, made = _optimizer(state.training)
    training, partial = _training(learning)
    lines = [
        f'"""A network from the playground: {learning.steps:,} steps on {state.data.kind}."""',
        "",
        "import hashlib",
        *(["from pathlib import Path"] if state.data.kind == "table" else []),
        "",
        "import numpy as np",
        "from threadpoolctl import threadpool_limits",
        "",
        f"from scratchnet import {optimizer}, accuracy, fit, mlp",
        "from scratchnet.demos.playground.data import make_task",
        "from scratchnet.demos.playground.state import state_from",
        *(["from scratchnet.init import normal"] if is_unscaled else []),
        "",
        "threadpool_limits(1, 'blas')  # sums are added in the same order",
        "",
        *_data(learning),
        f"X, y = task.X, {f'np.eye({outputs}, dtype=np.float32)[task.y]' if one_hot else 'task.y'}",
        "",
        f"model = mlp({_widths(learning)}{_options(state.network, state.training)})",
        *_mask(learning),
        f"optimizer = {made}",
        f"settings = dict({settings})",
        *training,
        *partial,
        "",
        "print(model)",
        'print("accuracy on test points:", float(accuracy(model, task.X_test, task.y_test)))',
        "found = hashlib.sha256(model.parameter_buffer.tobytes()).hexdigest()[:32]",
        f'print("the same bits" if found == "{digest(learning)}" else "other bits: '
        'another processor, BLAS or compiler")',
    ]
    return "\n".join(lines) + "\n"


def _data(learning: Learning) -> list[str]:
    """Lines that make `task`, of the settings that count for its kind."""
    from scratchnet.demos.playground.protocol import USED

    data = learning.state.as_json()["data"]
    names = ("kind", *USED[data["kind"]], "train_share", "seed")
    values = {name: _plain(data[name]) for name in names}
    if data["kind"] != "table":
        return [f"data = {values!r}", 'task = make_task(state_from({"data": data}).data)']
    values.pop("table")
    return [
        "from scratchnet.demos.playground.tables import Tables, read",
        "",
        "tables = Tables()",
        f"file = Path({learning.task.file!r})  # the table that the page was given",
        f"data = {values!r}",
        'data["table"] = tables.add(read(file.read_bytes(), file.name))',
        'task = make_task(state_from({"data": data}).data, tables)',
    ]


def _mask(learning: Learning) -> list[str]:
    """Lines that prune a lottery ticket: the mask's bits."""
    mask = learning.model.mask_buffer
    if mask is None:
        return []
    bits = np.packbits(np.asarray(mask, bool)).tobytes().hex()
    return [
        f'kept = np.frombuffer(bytes.fromhex("{bits}"), np.uint8)',
        f"model.set_mask(np.unpackbits(kept, count={mask.size}))",
    ]


def _plain(value: Any) -> Any:
    """The value with lists for tuples, at every depth."""
    return [_plain(each) for each in value] if isinstance(value, (tuple, list)) else value


def _widths(learning: Learning) -> list[int]:
    """The neurons of each layer, inputs and outputs included."""
    outputs = loss_and_outputs(learning.state.training.loss, len(learning.task.classes))[1]
    return [learning.task.inputs, *learning.state.network.layers, outputs]


def _options(network: Network, training: Training) -> str:
    """The other arguments of `mlp`, each with a comma in front."""
    found: dict[str, Any] = {"activation": network.activation}
    if network.initialiser != UNSCALED:
        found["init"] = network.initialiser
    found |= {name: True for name in ("batch_norm", "residual") if getattr(network, name)}
    if network.dropout:
        found["dropout"] = network.dropout
    found |= {"seed": training.seed, "backend": "numpy"}
    options = "".join(f", {name}={value!r}" for name, value in found.items())
    if network.initialiser == UNSCALED:
        options += ", init=normal(lambda fan_in, fan_out: 1.0)"
    return options


def _optimizer(training: Training) -> tuple[str, str]:
    """The class of the optimizer, and the call that makes it."""
    kind = {"adam": "Adam", "adamw": "AdamW"}.get(training.optimizer, "SGD")
    momentum = ", momentum=0.9" if training.optimizer == "momentum" else ""
    rate, decay = training.learning_rate, training.weight_decay
    return kind, f"{kind}(model, {rate!r}{momentum}, weight_decay={decay!r})"


def _training(learning: Learning) -> tuple[list[str], list[str]]:
    """Lines that train for whole epochs, and lines for the steps after the last whole one."""
    lines: list[str] = []
    done = 0
    for segment in learning.segments:
        begun, done = done, done + segment.steps
        first, epochs = begun // learning.per_epoch, done // learning.per_epoch
        if learning.has_diverged and segment is learning.segments[-1]:
            # The training ends itself where the loss stops being finite.
            epochs = -(-done // learning.per_epoch)
        if epochs > first:
            goes_on = f", first_epoch={first}" if first else ""
            compiled = ", compile=True" if segment.compiled else ""
            if segment.compiled and first:
                lines.append("# From here on the steps were compiled; `fit` warns of the change.")
            lines.append(f"fit(model, X, y, epochs={epochs}{goes_on}{compiled}, **settings)")
    left = learning.steps % learning.per_epoch
    if not left or learning.has_diverged:
        return lines, []
    return lines, _partial(learning, learning.segments[-1], left)


def _partial(learning: Learning, segment: Segment, steps: int) -> list[str]:
    """Lines for so many steps of the epoch that was begun last."""
    epoch = learning.steps // learning.per_epoch
    if segment.compiled:
        step = "    step.ahead.many(1, [each[None] for each in rows], set())"
    else:
        step = "    step(*rows)"
    return [
        "",
        f"# The first {steps} steps of the next epoch, as `fit` makes them.",
        "from itertools import islice",
        "",
        "from scratchnet.batches import Batches, checked_data",
        "from scratchnet.losses import get_loss",
        "from scratchnet.training import TrainingStep",
        "",
        'loss = get_loss(settings["loss"])',
        'batches = Batches(model, *checked_data(model, X, y, loss), settings["batch_size"])',
        f"batches.skip({epoch})",
        f"step = TrainingStep(batches, loss, optimizer, None, True, compile={segment.compiled})",
        "model.train()",
        f"for rows, _ in islice(batches, {steps}):",
        step,
    ]
