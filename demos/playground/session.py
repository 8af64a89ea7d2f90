"""The work of one tab: a thread that trains, draws pictures and answers the page."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.backends.errors import InputError, choose
from scratchnet.demos.playground import pictures, protocol
from scratchnet.demos.playground.compiling import Compiling
from scratchnet.demos.playground.data import make_task
from scratchnet.demos.playground.fields import checked
from scratchnet.demos.playground.learning import Learning, Measured
from scratchnet.demos.playground.pacing import Pace
from scratchnet.demos.playground.stages import stages
from scratchnet.demos.playground.state import State, state_from

if TYPE_CHECKING:
    from scratchnet.demos.playground.ensembles import Message
    from scratchnet.demos.playground.tables import Tables

SECONDS_BETWEEN = 1 / 32
"""From the beginning of a picture to that of the next one, on average at least: a little more often
than 30 times a second, so that some may be lost."""
MOST_STEPS = 10_000_000
MOST_WAITING = 200

Send = Callable[[str | bytes], None]
END = b""
"""What a session sends last where it ends by itself."""


class Session:
    """One tab's engine. `put` takes a message from any thread; answers go out through `send`."""

    def __init__(self, send: Send, tables: Tables | None = None) -> None:
        self._send = send
        self._tables = tables
        self._inbox: queue.Queue[str | bytes] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True, name="playground")
        self._closed = False
        self._compiling = Compiling()
        self._pace = Pace()
        self._job: Iterator[Message] | None = None
        """What trains several networks, a slice at a time."""
        self._job_id: int | None = None
        self.playing, self._changed, self._until = False, False, 0
        self._press: int | None = None
        """The number of the last `play` or `pause`, of those that have one."""
        self.regions, self.size, self.pruned = True, 80, 0.0
        self._sent = self._seen = 0
        self._curves: list[list[Any]] = []
        """What was measured since the last picture."""
        self._due = self._drawn = self._drawing = 0.0
        """From when on a picture is due; when the last one was drawn, and how many seconds of
        computing it took."""
        self._crowded_until = 0.0
        """Before then there are too many regions, which takes long to find out."""

    def start(self) -> None:
        """Begin with the default state."""
        self._thread.start()

    def put(self, message: str | bytes) -> bool:
        """Hand in a message of the page; False where too many wait."""
        try:
            self._inbox.put_nowait(message)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """End the work soon; does not wait for it."""
        self._closed = True
        self._compiling.ask(None)
        self.put(b"")

    def say(self, kind: str, **message: Any) -> None:
        """Send a message of this kind."""
        if not self._closed:
            self._send(protocol.text_frame({"say": kind, **message}))

    def send_frame(self, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        """Send a header with arrays."""
        if not self._closed:
            self._send(protocol.frame(header, arrays))

    def _run(self) -> None:
        """The session's thread: begin with the default state, take turns until it is closed."""
        try:
            self.say("limits", **protocol.limits())
            self.begin(state_from({}))
            while not self._closed:
                self._turn()
        finally:
            # Also after a mistake in the program, which the thread reports: the page connects anew.
            if not self._closed:
                self._send(END)

    def _turn(self) -> None:
        """A message, if one waits; else some steps and a picture, if it is time."""
        try:
            message = self._inbox.get(timeout=self._patience())
        except queue.Empty:
            pass
        else:
            if not self._closed:
                self.answer(message)
            return
        try:
            self._work()
        except MemoryError as error:
            self._rest()
            self._changed = False
            self.say("stopped", why="memory", sentence=protocol.no_memory(error))

    def _work(self) -> None:
        """Some steps and a picture, if it is time."""
        if self._job is not None:
            self._go_on_with_job()
        elif self._is_in_epoch():
            self._go_on_with_epoch()
        elif self.playing:
            self._pace.spend(self._advance)
        if self._picture_waits() <= 0:
            self.picture()

    def _patience(self) -> float:
        """For how many seconds there is nothing to do but to listen."""
        if self._job is not None or self._is_in_epoch():
            return 0.0
        waits = [self._picture_waits()]
        if self.playing:
            waits.append(self._pace.wait())
        return min(max(0.0, min(waits)), 1.0)

    def _picture_waits(self) -> float:
        """In how many seconds the next picture is due."""
        if not self._changed or self._sent - self._seen >= protocol.PICTURES_UNDER_WAY:
            return float("inf")
        # A picture that takes long leaves as much time for training.
        return max(self._due, self._drawn + self._drawing) - time.monotonic()

    @np.errstate(all="ignore")
    def answer(self, text: str | bytes) -> None:
        """Do what a message asks for; what cannot be done is a message `error`."""
        about: dict[str, Any] = {}
        try:
            message = protocol.parsed(text)
            what = message.pop("do")
            fields = choose("message", what, protocol.MESSAGES)
            about["of"] = what
            state = message.pop("state", {}) if what == "set" else {}
            given = checked(what, fields, message)
            if given.get("id") is not None:
                about["id"] = given["id"]
            if what == "set":
                self.begin(state_from(state), given["id"])
            else:
                getattr(self, f"do_{what}")(**{key: given[key] for key in message})
        except (InputError, MemoryError) as error:
            is_memory = isinstance(error, MemoryError)
            sentence = protocol.no_memory(error) if is_memory else str(error)
            named = re.match(r"(?:data|network|training)\.\w+", sentence)
            field = named[0] if named else "data.formula" * sentence.startswith("formula ")
            self.say("error", sentence=sentence, **about, **({"field": field} if field else {}))

    def begin(self, state: State, id: int | None = None) -> None:
        """Start anew with a state; `id` is the number of the message that asks for it."""
        self._begin(Learning(state, make_task(state.data, self._tables)), id)

    def _begin(self, learning: Learning, id: int | None = None) -> None:
        """Take over the new training, at rest, and describe and show it."""
        self._compiling.ask(None)
        self.state, self.task, self.learning = learning.state, learning.task, learning
        self._rest()
        self._is_new, self._sentence = True, ""
        self._crowded_until = 0.0
        self._curves, self._look, self._measured_at = [], 1, -1
        self._pace.restart()
        self.say("state", **described(learning), id=id)
        self.picture()

    # The messages of the page.

    def do_play(self, until: int | None = None, id: int | None = None) -> None:
        """Train until told otherwise, or to a step that is still to come."""
        self._press = self._press if id is None else id
        self._rest()
        self.playing = not self._sentence
        if until is not None and until > self.learning.steps:
            self._end = until
        self._pace.restart()
        self._changed = True
        if self.playing and not self.learning.compiled:
            self._compiling.ask(self.learning)

    def do_pause(self, id: int | None = None) -> None:
        """Train no further."""
        self._press = self._press if id is None else id
        self._rest()
        self._changed = True

    def do_step(self) -> None:
        """Make one step of the optimizer."""
        self._rest()
        self._advance(1)

    def do_epoch(self) -> None:
        """Train to the end of the epoch."""
        self._rest()
        self._until = self.learning.steps + self.learning.left_of_epoch
        self._go_on_with_epoch()

    def do_back(self) -> None:
        """Begin anew with the same state."""
        # What is compiled is kept by the compiler: the steps are compiled from the first one on.
        compiled = self.learning.compiled and self.learning.whole is None
        self._begin(Learning(self.state, self.task, compile=compiled))

    def do_speed(self, steps_per_second: float | None = None) -> None:
        """Train so fast; None: as fast as it goes."""
        self._pace.speed = steps_per_second
        self._pace.restart()

    def do_show(self, regions: bool | None = None, size: int | None = None) -> None:
        """Choose what the pictures show."""
        self.regions = self.regions if regions is None else regions
        self.size = self.size if size is None else size
        self._changed = True

    def do_prune(self, share: float = 0.0) -> None:
        """Picture the network without this share of its smallest weights."""
        self.pruned = share
        self._changed = True

    def do_seen(self, picture: int = 0) -> None:
        """The page has drawn this picture."""
        self._seen = max(self._seen, min(picture, self._sent))

    def do_ticket(self, share: float = 0.8, mask: str = "smallest", id: int | None = None) -> None:
        """Begin anew without this share of the weights: see `tickets.py`."""
        from scratchnet.demos.playground.tickets import ticket

        self._begin(ticket(self.learning, share, mask), id)

    def do_ten_seeds(self, steps: int | None = None, id: int | None = None) -> None:
        """Train ten networks that differ in their seed."""
        from scratchnet.demos.playground.ensembles import steps_for, ten_seeds

        self._rest()
        self._job = ten_seeds(self.learning, steps_for(self.learning.steps, steps))
        self._job_id = id

    def do_sweep(self, steps: int | None = None, id: int | None = None) -> None:
        """Train the network with one learning rate after another."""
        from scratchnet.demos.playground.ensembles import steps_for, sweep

        self._rest()
        self._job = sweep(self.learning, steps_for(self.learning.steps, steps))
        self._job_id = id

    def do_cancel(self) -> None:
        """Give up `ten_seeds` or `sweep`."""
        if self._job is not None:
            self.say("cancelled", of=getattr(self._job, "__name__", ""), id=self._job_id)
        self._job = None

    def do_backprop(self, sample: int = 0) -> None:
        """Tell the numbers of one training sample, forward and backward."""
        from scratchnet.demos.playground.backprop import numbers

        self.say("backprop", **numbers(self.learning, sample))

    def do_hover(self, layer: int = 1, neuron: int = 0, sample: int = 0, **edge: int) -> None:
        """Tell what a neuron or an edge computes."""
        from scratchnet.demos.playground.hover import hover

        self.say("hover", **hover(self.learning, layer, neuron, edge.get("from"), sample))

    def do_export(self, what: str = "python") -> None:
        """Give the network as code or as weights."""
        from scratchnet.demos.playground.export import exported

        self.say("export", **exported(self.learning, what))

    def _rest(self) -> None:
        """Begin nothing by itself any more; a picture says so."""
        self._changed = self._changed or self.playing
        self._end = MOST_STEPS
        self.playing, self._until = False, 0
        self.do_cancel()

    def _is_in_epoch(self) -> bool:
        """Whether there are steps left to the end of the epoch that was asked for."""
        return self.learning.steps < self._until and not self._sentence

    def _go_on_with_epoch(self) -> None:
        """Make steps for a moment, but none beyond the end of the epoch."""
        self._pace.spend(self._advance, most=self._until - self.learning.steps)

    def _go_on_with_job(self) -> None:
        """Train several networks for a moment, and say how far it is, or what came out."""
        assert self._job is not None
        of, about = getattr(self._job, "__name__", ""), {"id": self._job_id}
        try:
            header, arrays = next(self._job)
        except (InputError, MemoryError) as error:
            self._job = None
            is_memory = isinstance(error, MemoryError)
            sentence = protocol.no_memory(error) if is_memory else str(error)
            self.say("error", sentence=sentence, of=of, **about)
            return
        if header:
            header |= about
        if arrays:
            self._job = None
            self.send_frame(header, arrays)
        elif header:
            self.say(header.pop("say"), **header)

    def _advance(self, steps: int) -> int:
        """Make steps, at most so many; how many were made."""
        learning = self.learning
        before = learning.steps
        if not learning.compiled and self._compiling.is_ready(learning):
            if learning.left_of_epoch == learning.per_epoch:
                learning.use(compile=True)
            else:
                steps = min(steps, learning.left_of_epoch)
        if not self._sentence:
            learning.advance(min(steps, self._look - before, self._end - before))
        if learning.steps >= self._look:
            self._measure()
        self._changed = True
        if learning.has_diverged:
            where = str(learning.diverged[0]).partition(": ")[2]
            self._stop("diverged", f"{where}; a smaller learning rate may help")
        elif learning.steps >= MOST_STEPS:
            self._stop("limit", f"{MOST_STEPS:,} steps are made: go back to the start")
        elif learning.steps >= self._end:
            self.playing = False
        return learning.steps - before

    def _measure(self) -> Measured:
        """Loss and accuracy now, which enter the curves.

        Between pictures too: each step at first, then after every twentieth part of the steps.
        """
        learning = self.learning
        found = learning.measured()
        if learning.steps != self._measured_at:
            losses = [found.loss, found.test_loss]
            self._curves.append([learning.steps, *losses, found.accuracy, found.test_accuracy])
        self._measured_at = learning.steps
        self._look = learning.steps + 1 + learning.steps // 20
        return found

    def _stop(self, why: str, sentence: str) -> None:
        """Stop playing; the first reason is said, later ones are not."""
        self.playing = False
        if not self._sentence:
            self._sentence = sentence
            self.say("stopped", why=why, sentence=sentence)

    @np.errstate(all="ignore")
    def picture(self) -> None:
        """Send a picture of the present network."""
        # One that begins late does not delay those behind it, unless it is late by a whole one.
        # One that is forced before it is due does not either.
        now = time.monotonic()
        self._due = max(min(self._due, now) + SECONDS_BETWEEN, now)
        start = time.thread_time()
        learning, task = self.learning, self.task
        measured = self._measure()
        model, shown = learning.model, measured
        if self.pruned:
            model = pictures.pruned(model, self.pruned)
            shown = learning.measured(model)
        is_crowded = time.monotonic() < self._crowded_until
        arrays, regions, sentence = pictures.plane_arrays(
            model, task, self.size, self.regions, is_crowded, self._compiling.has_cutter
        )
        if self._is_new:
            arrays |= pictures.points_of(task)
        arrays |= {"wrong": shown.wrong, "test_wrong": shown.test_wrong}
        arrays["curves"] = np.array(self._curves, np.float32).reshape(-1, 5)
        self._curves = []
        self._sent += 1
        header = {
            "say": "picture",
            "n": self._sent,
            "step": learning.steps,
            "epoch": learning.steps // learning.per_epoch,
            "playing": self.playing,
            "press": self._press,
            "compiled": learning.compiled,
            "speed": self._pace.measured() if self.playing else 0.0,
            "losses": {"train": shown.loss, "test": shown.test_loss},
            "accuracies": {"train": shown.accuracy, "test": shown.test_accuracy},
            "regions": regions,
            "pruned": self.pruned,
            "silent": None if self.playing else pictures.silent(model, task.X),
            "sentence": self._sentence or sentence,
        }
        self.send_frame(header, arrays)
        self._is_new = self._changed = False
        self._drawn = time.monotonic()
        self._drawing = time.thread_time() - start
        if sentence == pictures.TOO_MANY and not is_crowded:
            self._crowded_until = self._drawn + 20 * self._drawing


def described(learning: Learning) -> dict[str, Any]:
    """The message `state`."""
    model, task = learning.model, learning.task
    widths = [task.inputs, *(each.linear.fan_out for each in stages(model))]
    return {
        "state": learning.state.as_json(),
        "parameters": model.parameter_count,
        "classes": task.classes,
        "inputs": task.inputs,
        "outputs": widths[-1],
        "names": task.names,
        "window": [*task.plane.window[0], *task.plane.window[1]],
        "layers": widths,
        "per_epoch": learning.per_epoch,
        "ticket": learning.whole is not None,
        "notes": task.notes,
        "file": task.file,
    }
