"""fit(): forward, loss, backward, step; again and again, with a history of how it went."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.backends.errors import positive_whole, whole_number
from scratchnet.batches import Batches, checked_data, streams
from scratchnet.classes import loss_name, output_warning, threshold
from scratchnet.compiled_step import (
    CompiledTraining,
    compiles,
    epochs_ahead,
    note_compiler,
    require_compiler,
)
from scratchnet.divergence import Divergence, note_divergence
from scratchnet.early_stopping import check_patience, watching
from scratchnet.evaluation import accuracy_measure
from scratchnet.history import Callback, History, Watch
from scratchnet.losses import Loss, get_loss
from scratchnet.model import Model
from scratchnet.optim import Adam, Optimizer, clip_gradients
from scratchnet.parallel import Alone, Ranks, own_part, ranks_of
from scratchnet.program import RecordedStep, recorded
from scratchnet.shared_batches import SharedBatches
from scratchnet.steps_ahead import StepsAhead
from scratchnet.tensor import Tensor, enable_grad, result
from scratchnet.weighting import ClassWeight, checked_weights


def fit(
    model: Model,
    X: Any,
    y: Any,
    *,
    loss: str | Loss = "binary_cross_entropy",
    sample_weight: Any = None,
    class_weight: ClassWeight | None = None,
    optimizer: Optimizer | None = None,
    epochs: int = 100,
    batch_size: int | None = None,
    accumulate: int = 1,
    validation: tuple[Any, Any] | None = None,
    clip_norm: float | None = None,
    patience: int | None = None,
    callbacks: Sequence[Callback] = (),
    accuracy: bool = False,
    record: bool = True,
    compile: bool = False,
    first_epoch: int = 0,
    communicator: Any = None,
) -> History:
    """Train `model` on X (N, inputs) and targets y, in place; the loss says which y it takes.

    A loss with other settings is made by `functools.partial`, as in partial(huber, delta=0.1). One
    of one's own is a function of the outputs and y that returns a Tensor of shape () or (E,), made
    by `scratchnet.ops`. Where the model has one output, it gets a y of shape (N,) as the column
    (N, 1), which lines up with the outputs, and (E, N) as (E, N, 1). Whole numbers in y stay whole.

    `sample_weight` (N,), or (E, N), and `class_weight`, such as {0: 1, 1: 5} or a list by class,
    say how much a sample counts: with w their product, a batch's loss is (sum of w l) / (sum of w),
    as in PyTorch's losses with weights per class. A loss of one's own gets w as its argument
    `weights`, a column. The loss on the validation set is not weighted.

    Full batch, or mini-batches of `batch_size` in an order that each network of an ensemble draws
    from its own seed; the last batch may be smaller. With `accumulate` the optimizer makes one step
    for so many mini-batches, or for what is left of the epoch, along the mean of their gradients by
    samples, or by weights: that of one batch that holds them all, up to rounding, but for batch
    normalisation, which sees a mini-batch at a time. Without an `optimizer`, Adam at 1e-3.
    `clip_norm` bounds each network's gradient norm. With `patience`, a network whose validation
    loss has not improved for that many epochs is done, and gets its best parameters back; training
    ends when all are. A network whose loss is NaN or infinite is entered in `History.diverged`,
    with a warning that names the epoch and the layer; it does not disturb the others, and training
    ends when all have diverged. With `accuracy`, `History.accuracy` and, where there is a
    validation set, `History.validation_accuracy` hold the share of samples classified as y says
    after each epoch, in eval mode, which costs a forward pass over the set. With `record` a step
    runs as Python twice and is replayed from then on, which gives the same bits faster. Arithmetic
    and comparisons on a tensor's `data` are replayed too; what else would read its numbers, such as
    `if`, float() or an index that is an array, is refused in one line. Two things slip through and
    need record=False: a step that depends on what no tensor holds and no setting of a layer or the
    optimizer, such as a variable that a callback changes; and an `if` on numbers read from
    `model.parameter_buffer` or a layer's `buffers`, where it goes the same way in the two steps
    that are compared, of which one is from disturbed numbers. With `compile` a step is one function
    made by the system's C++ compiler, or on a GPU one CUDA kernel, in which a few blocks of threads
    train a network; and many steps are one call where nothing looks at the model in between:
    validation, `accuracy`, or a callback (see `Callback`). Where a step has no compiled form, or a
    network is too large for them, a warning says so and the step is replayed. Its bits are
    not those of a replay, but the same on every run, and for a network alone and in an ensemble
    (with three or more ranks up to rounding).
    The same bits are promised within one mode only, compiled or not, for one BLAS, one number of
    its threads and one kind of processor; with `compile` also for one compiler. `first_epoch` > 0
    goes on with a training that has done so many of the `epochs`, in the order of mini-batches that
    it would have had: see `checkpoint.load_checkpoint`. Ctrl-C ends the training and keeps what was
    done: see `History.stopped`.

    X may be a `numpy.memmap` (N, inputs) that is larger than the memory: with a `batch_size`, the
    rows of each batch are read when its turn comes, converted, and refused where one is not finite,
    which ends the training. The order of the samples takes 8 bytes for each.

    With a `communicator` of mpi4py (extra `mpi`), X, y, the weights and the validation set are this
    process's share: see `parallel`. All its ranks call `fit` alike, from the numbers of rank 0, and
    all end with the same model and history: that of one process with the samples of rank 0, then of
    rank 1, and so on, up to rounding, and with one rank to the bit. Where all networks diverge
    inside a group of `accumulate`, the optimizer is as after the group. BatchNorm takes the
    statistics of the whole batch. Steps are done one by one, also with `compile`. A callback with
    a true attribute `on_first_rank`, as of `checkpoint.checkpoints`, is called on rank 0 only. A
    rank that fails, is interrupted, ends without this call or trains with other numbers than rank 0
    ends all with one line (without this call: on `MPI.COMM_WORLD`); one that is late is named, as
    `attendance` says. On CuPy each rank has a GPU of its own, NCCL sums (see `nccl`), and `compile`
    is refused with several ranks.

    The model is left in training mode, with the name of the loss in `model.loss`, and in
    `model.threshold` the value above which a single output means class 1 (`classes.threshold`).
    One that ends in Sigmoid, Softplus or ReLU under a loss that takes logits gets a warning.

    Raises `InputError`, before anything is changed, for data that is empty, not finite or of a
    shape that does not fit, for settings outside their range, and for `accuracy` where y holds no
    classes; in the first step for a loss of another shape than () or (E,), or one that broadcasts
    samples against samples.
    """
    if not isinstance(model, Model):
        given = type(model).__name__
        raise InputError(f"model is of type {given}: must be a Model, as in fit(model, X, y)")
    communicator, X, y, sample_weight, whole = own_part(
        communicator, X, y, sample_weight, validation
    )
    ranks = ranks_of(communicator, model.backend)
    with ranks.ending_together():
        with ranks.agreeing():
            compute_loss = get_loss(loss)
            optimizer = Adam(model) if optimizer is None else optimizer
            _check_settings(model, optimizer, epochs, first_epoch, callbacks)
            _check_steps(clip_norm, accumulate, batch_size, compile)
            ranks.check_compiled(model, compile)
            if compile:
                require_compiler(optimizer, record)
            is_streamed = streams(model, X, batch_size)
            if is_streamed and (compile or accuracy):
                raise InputError(
                    f"{'compile' if compile else 'accuracy'}=True with X a numpy.memmap and "
                    "mini-batches: must be False, or X an array in memory, as that looks at all "
                    "of X at once"
                )
            can = not is_streamed and (ranks.size == 1 or model.backend.name == "numpy")
            compile = compile or (can and compiles(optimizer, record, accumulate))
            data = checked_data(model, X, y, compute_loss, is_streamed)
            weights = checked_weights(
                model, *data, compute_loss, sample_weight, class_weight, ranks.size > 1
            )
            held_out = _checked_validation(model, validation, compute_loss)
            check_patience(patience, held_out is not None)
            above = threshold(compute_loss, model.backend.to_numpy(data[1]), model.root)
        above = ranks.common(above)
        ranks.check_same(
            model, optimizer, compute_loss, compile, table=whole, batch_size=batch_size,
            epochs=epochs, first_epoch=first_epoch, accumulate=accumulate, clip_norm=clip_norm,
            patience=patience, weights=weights is not None, record=record,
            class_weight=str(class_weight), accuracy=accuracy, validation=held_out is not None,
            callbacks=len(callbacks),
        )  # fmt: skip
        batches = ranks.batches(model, *data, batch_size, weights, compute_loss)
        batches.skip(first_epoch)
        measures = []
        with ranks.agreeing():
            if accuracy:
                measures.append(_accuracy_measure("", model, data[0], y, above, ranks))
            if accuracy and validation is not None and held_out is not None:
                own = model, held_out[0], validation[1]
                measures.append(_accuracy_measure(", validation", *own, above, ranks))
        stopping = watching(optimizer.early_stopping, model, patience, first_epoch)
        ranks.start_alike(model, optimizer, stopping)
        with ranks.agreeing():
            watch = Watch(model, compute_loss, held_out, measures, stopping, callbacks, ranks)
            # Where warnings are errors they are raised on all ranks.
            if warning := output_warning(compute_loss, model.root):
                warnings.warn(warning, UserWarning, stacklevel=2)
            note_compiler(optimizer, compile, first_epoch > 0)

        optimizer.early_stopping = stopping
        model.loss, model.threshold = loss_name(compute_loss), above
        start = time.perf_counter()
        step = TrainingStep(
            batches, compute_loss, optimizer, clip_norm, record, compile, accumulate
        )
        model.train()
        _train(model, batches, step, watch, first_epoch, epochs)
        best_epoch = None if stopping is None else stopping.restore()
        # The parameters are the best ones then: what was watched does not go on from them.
        optimizer.early_stopping = None
        return watch.history(best_epoch, time.perf_counter() - start)


def _train(
    model: Model, batches: Batches, step: TrainingStep, watch: Watch, done: int, epochs: int
) -> None:
    """Train from so many epochs that are done on, until all are, or what watches ends it."""
    first, ranks = done, watch.ranks
    # Overflow is no surprise here: every loss is looked at, and told where it is not finite.
    quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")
    with quiet, enable_grad():
        try:
            while done < epochs and not watch.stopped:
                known = len(watch.new)
                if step.ahead is None:
                    watch.new.append(_train_epoch(model, batches, step, watch.diverged, done))
                else:
                    most = watch.until_next_look(done, epochs)
                    epochs_ahead(
                        step.ahead, batches, step.parameters_before, watch.diverged,
                        watch.new, done, most,
                    )  # fmt: skip
                done += len(watch.new) - known
                watch.look(done)
                ranks.check_alike(model, done, first, done == epochs or bool(watch.stopped))
        except KeyboardInterrupt:
            if ranks.size > 1:
                raise
            watch.stopped = "interrupted"
    if ranks.size > 1:
        step.forget()  # a CUDA graph must not outlive the communicator of the sums in it
        ranks.close()


def _check_settings(model: Model, optimizer: Any, epochs: int, first: int, callbacks: Any) -> None:
    """Raise `InputError` unless optimizer, epochs and callbacks are what `fit` takes."""
    if not isinstance(optimizer, Optimizer):
        raise InputError(f"optimizer is {optimizer!r}: must be one such as Adam(model)")
    if optimizer.model is not model:
        raise InputError("the optimizer belongs to another model than the one to train")
    whole_number("epochs", epochs)
    whole_number("first_epoch", first, 0, epochs, "the epochs")
    if callable(callbacks):
        raise InputError("callbacks is a single function: must be a list of functions")
    if not isinstance(callbacks, (list, tuple)) or not all(map(callable, callbacks)):
        raise InputError(f"callbacks is {callbacks!r}: must be a list of functions")


def _check_steps(clip: float | None, accumulate: int, batch_size: Any, compile: bool) -> None:
    """Raise `InputError` for a norm to clip to, or an accumulation, that cannot be."""
    if clip is not None and not (isinstance(clip, Real) and clip > 0):
        raise InputError(f"clip_norm is {clip!r}: must be a number above 0")
    positive_whole("accumulate", accumulate)
    if accumulate > 1 and batch_size is None:
        raise InputError(f"accumulate is {accumulate} without a batch_size: must be 1")
    if accumulate > 1 and compile:
        raise InputError(
            f"accumulate is {accumulate} with compile=True: must be 1, as each call of a compiled "
            "step ends with the optimizer's"
        )


def _checked_validation(
    model: Model, validation: tuple[Any, Any] | None, loss: Loss
) -> tuple[Tensor, Array] | None:
    """The validation data as the model takes it, None without any, or `InputError`."""
    if validation is None:
        return None
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise InputError(f"validation of type {type(validation).__name__}: needs a pair (X, y)")
    try:
        return checked_data(model, *validation, loss)
    except InputError as error:
        raise InputError(f"validation: {error}") from None


def _accuracy_measure(
    of: str, model: Model, inputs: Tensor, y: Any, above: float | None, ranks: Ranks | Alone
) -> Callable[[], Any]:
    """A function that gives the accuracy over the samples of all ranks."""
    try:
        own = accuracy_measure(model, inputs, y, above)
    except InputError as error:
        raise InputError(f"accuracy=True{of}: {error}") from None
    return lambda: ranks.mean(own(), inputs.shape[-2])


class TrainingStep:
    """One step on a batch, given by its rows; returns the batch's loss, of shape () or (E,).

    With `accumulate` above 1, each batch is a part of a group, and the step is made on its last.
    """

    def __init__(
        self,
        batches: Batches,
        compute_loss: Loss,
        optimizer: Optimizer,
        clip_norm: float | None,
        record: bool,
        compile: bool = False,
        accumulate: int = 1,
    ) -> None:
        model = optimizer.model
        k, gradients = model.backend, model.gradient_buffer
        before = k.copy(model.parameter_buffer)

        def differentiate(*rows: Array) -> Tensor:
            k.copy(model.parameter_buffer, out=before)
            return batches.differentiate(compute_loss, *rows)

        def change() -> None:
            """The optimizer's step, with clipped gradients where that is asked for."""
            if clip_norm is not None:
                clip_gradients(model, clip_norm)
            optimizer.update()

        def whole(*rows: Array) -> Tensor:
            """A step on one batch; the loss of all ranks."""
            loss = batches.summed(differentiate(*rows))
            change()
            return loss

        def gather(part: Array, *rows: Array) -> Tensor:
            """Add a batch's gradients, as its part of the group, to the sum."""
            # What this batch does not reach adds nothing, instead of an earlier gradient.
            k.copy(zeros, out=gradients)
            loss = differentiate(*rows)
            k.add(total, k.multiply(gradients, part), out=total)
            return loss

        def finish(part: Array, *rows: Array) -> Tensor:
            """The group's last batch, and the step with the sum of all."""
            loss = gather(part, *rows)
            k.copy(total, out=gradients)
            k.copy(zeros, out=total)
            change()
            return loss

        def finish_together(earlier: Array, part: Array, *rows: Array) -> Tensor:
            """As `finish` on several ranks; returns the losses of the whole group."""
            # One sum over the ranks: of the gradients, and of the losses of the whole group.
            assert shared is not None
            loss = gather(part, *rows)
            k.copy(total, out=gradients)
            k.copy(zeros, out=total)
            last = k.reshape(loss.data, (*loss.shape, 1))
            losses = shared.summed_losses(k.concatenate([earlier, last], -1))
            change()
            return losses

        shared = batches if isinstance(batches, SharedBatches) else None
        # What was reached before, as in a group that was interrupted, is no part of a step.
        model.take_reached()
        self._model, self._prepare = model, optimizer.prepare
        steps = [whole] if accumulate == 1 else [gather, finish_together if shared else finish]
        if record:
            steps = [recorded(each, model, optimizer) for each in steps]
        self._steps = steps
        self._run = steps[-1]
        self.ahead: CompiledTraining | StepsAhead | None = None
        """What does several steps before their losses are looked at; None: one by one."""
        if compile and shared:
            # One by one, as the ranks wait for each other in each of them.
            self._prepare = lambda: None
            self._run = CompiledTraining(whole, optimizer, ranks=shared.ranks).one
        elif compile:
            self.ahead = CompiledTraining(whole, optimizer)
        elif accumulate == 1 and not shared:
            self.ahead = StepsAhead.made_for(self._run, optimizer)
        self.accumulate = accumulate
        if accumulate > 1:
            self._gather = steps[0]
            zeros, total = (k.zeros(gradients.shape, gradients.dtype) for _ in range(2))
        self.parameters_before = before
        """The parameters that gave the loss: the step has changed them when it is looked at."""

    def __call__(self, *rows: Array) -> Tensor:
        self._prepare()
        return self._run(*rows)

    def forget(self) -> None:
        """Let go of what was recorded."""
        for each in self._steps:
            if isinstance(each, RecordedStep):
                each.forget()

    def epoch(self, batches: Batches) -> Iterator[tuple[tuple[Array, ...], Any, Tensor]]:
        """Do the steps of an epoch; for each batch its rows, its share and its loss."""
        if self.accumulate == 1:
            for rows, share in batches:
                yield rows, share, self(*rows)
            return
        left = iter(batches)
        while group := list(islice(left, self.accumulate)):
            # A replay takes no note of what is reached: what the recording of a part has left would
            # be taken for reached in a later group, when it may be frozen.
            batches.model.take_reached()
            parts = _parts([share for _, share in group], batches.model)
            if isinstance(batches, SharedBatches):
                losses = self._together([rows for rows, _ in group], parts)
                for (rows, share), loss in zip(group, losses, strict=True):
                    yield rows, share, loss
                continue
            for number, ((rows, share), part) in enumerate(zip(group, parts, strict=True), 1):
                step = self if number == len(group) else self._gather
                yield rows, share, step(part, *rows)

    def _together(self, rows: Sequence[tuple[Array, ...]], parts: Sequence[Array]) -> list[Tensor]:
        """The step of a group of batches on several ranks, and the losses of all of them."""
        k = self._model.backend
        batches = list(zip(parts, rows, strict=True))
        own = [self._gather(part, *of_batch).data for part, of_batch in batches[:-1]]
        lead = () if self._model.ensemble is None else (self._model.ensemble,)
        earlier = k.xp.stack(own, -1) if own else k.zeros((*lead, 0), self._model.dtype)
        part, of_last = batches[-1]
        losses = self(earlier, part, *of_last).data
        return [result(losses[..., i], k) for i in range(len(batches))]


def _parts(shares: Sequence[Any], model: Model) -> list[Array]:
    """What part of their sum each share is, as arrays (1,), or (E, 1); 0 where the sum is 0."""
    lead = (1,) if model.ensemble is None else (model.ensemble, 1)
    of_each = [np.broadcast_to(np.expand_dims(share, -1), lead) for share in shares]
    whole = np.sum(of_each, axis=0)
    parts = [each / np.where(whole > 0, whole, 1) for each in of_each]
    return [model.backend.asarray(part.astype(model.dtype)) for part in parts]


def _train_epoch(
    model: Model, batches: Batches, step: TrainingStep, diverged: list[Divergence], epoch: int
) -> Any:
    """One pass over the data; the mean loss of each network, as a host array of shape () or (E,).

    Where all networks have diverged, they get the parameters back that gave the loss.
    """
    epoch_loss = np.zeros(() if model.ensemble is None else (model.ensemble,))
    for rows, share, loss in step.epoch(batches):
        value = loss.numpy()
        # As float64 from here on: so the mean is the same when many losses are read together.
        epoch_loss += share * value.astype(np.float64)
        if not math.isfinite(value.sum()):
            inputs, before = batches.select(*rows)[0], step.parameters_before
            if note_divergence(diverged, batches, before, epoch, value, inputs):
                break
    return epoch_loss
