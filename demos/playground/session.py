"""The work of one tab: a thread that trains, draws pictures and answers the page."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError, choose
from scratchnet.demos.playground import pictures, protocol
from scratchnet.demos.playground.data import make_task
from scratchnet.demos.playground.fields import Field, Flag, Number, Whole, checked
from scratchnet.demos.playground.learning import Learning
from scratchnet.demos.playground.state import State, state_from

SECONDS_BETWEEN = 1 / 30
"""Between two pictures, at least."""
SECONDS_AT_ONCE = 0.02
"""For how long it trains before it looks for messages."""
MOST_STEPS = 1_000_000
FASTEST = 1_000_000.0
MOST_WAITING = 200

Send = Callable[[str | bytes], None]
ARGUMENTS: Mapping[str, Mapping[str, Field]] = {
    "set": {},
    "play": {},
    "pause": {},
    "step": {},
    "epoch": {},
    "back": {},
    "speed": {"steps_per_second": Number(None, 0.1, FASTEST, optional=True)},
    "show": {
        "regions": Flag(False),
        "size": Whole(80, 8, protocol.LARGEST_GRID),
    },
    "seen": {"picture": Whole(0, 0, 2**53)},
}


class Session:
    """One tab's engine. `put` takes a message from any thread; answers go out through `send`."""

    def __init__(self, send: Send, tables: Mapping[str, Any] | None = None) -> None:
        self._send = send
        self._tables = {} if tables is None else tables
        self._inbox: queue.Queue[str | bytes | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True, name="playground")
        self._closed = False
        self.playing = False
        self.speed: float | None = None
        self.regions, self.size = True, 80
        self.sent = self.seen = 0

    def start(self) -> None:
        """Begin with the default state."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

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
        try:
            self._inbox.put_nowait(None)
        except queue.Full:
            pass

    def say(self, kind: str, **message: Any) -> None:
        """Send a message of this kind."""
        if not self._closed:
            self._send(protocol.text_frame({"say": kind, **message}))

    def _run(self) -> None:
        from scratchnet.backends.compile import compiler_available

        self.say(**{"kind": "limits", **_without_say(protocol.limits(not compiler_available()))})
        self.begin(state_from({}))
        while not self._closed:
            self._turn()

    def _turn(self) -> None:
        """A message, if one waits; else some steps and a picture, if it is time."""
        try:
            message = self._inbox.get(timeout=self._patience())
        except queue.Empty:
            pass
        else:
            if message is not None:
                self.answer(message)
            return
        if self.playing:
            self._train()
        if self._picture_is_due():
            self.picture()

    def _patience(self) -> float:
        """For how long nothing but a message is to be done."""
        now = time.monotonic()
        times = []
        if self.playing:
            if self.speed is None:
                return 0
            times.append(self._begun + (self._made + 1) / self.speed - now)
        if self._changed and self.sent - self.seen < protocol.PICTURES_UNDER_WAY:
            times.append(self._drawn + SECONDS_BETWEEN - now)
        return max(0.0, min(times, default=1.0))

    def answer(self, text: str | bytes) -> None:
        """Do what a message asks for; what cannot be done is a message `error`."""
        try:
            message = protocol.parsed(text)
            what = message.pop("do")
            if what == "set":
                state = message.pop("state", {})
                checked(what, {}, message)
                self.begin(state_from(state))
                return
            fields = choose("message", what, ARGUMENTS)
            given = checked(what, fields, message)
            getattr(self, f"do_{what}")(
                **{key: given[key] for key in message} if what == "show" else given
            )
        except InputError as error:
            self.say("error", sentence=str(error))

    def begin(self, state: State) -> None:
        """Start anew with a state."""
        task = make_task(state.data)
        self.learning = Learning(state, task)
        self.state, self.task = state, task
        self.playing = False
        self._speed, self._curve = 0.0, []
        self._is_new = True
        self._pace()
        model, plane = self.learning.model, task.plane
        widths = [task.inputs, *(each.fan_out for each in pictures.linear_layers(model))]
        self.say(
            "state",
            state=state.as_json(),
            parameters=model.parameter_count,
            classes=task.classes,
            inputs=task.inputs,
            outputs=widths[-1],
            names=task.names,
            window=[*plane.window[0], *plane.window[1]],
            layers=widths,
            per_epoch=self.learning.per_epoch,
            notes=[],
        )
        self.picture()

    def do_play(self) -> None:
        self.playing = not self.learning.has_diverged
        self._pace()

    def do_pause(self) -> None:
        self.playing = False
        self._changed = True

    def do_step(self) -> None:
        self.playing = False
        self._advance(1)

    def do_epoch(self) -> None:
        self.playing = False
        self._advance(self.learning.left_of_epoch)

    def do_back(self) -> None:
        self.begin(self.state)

    def do_speed(self, steps_per_second: float | None) -> None:
        self.speed = steps_per_second
        self._pace()

    def do_show(self, regions: bool | None = None, size: int | None = None) -> None:
        self.regions = self.regions if regions is None else regions
        self.size = self.size if size is None else size
        self._changed = True

    def do_seen(self, picture: int) -> None:
        self.seen = max(self.seen, min(picture, self.sent))

    def _pace(self) -> None:
        """Count the steps from here on."""
        self._begun, self._made, self._drawn = time.monotonic(), 0, 0.0
        self._changed = True

    def _train(self) -> None:
        """Steps for a moment, no more than the speed asks for."""
        now = time.monotonic()
        due = MOST_STEPS
        if self.speed is not None:
            due = int((now - self._begun) * self.speed) - self._made
            if due > self.speed / 5:
                # It cannot keep up: it goes on from here instead of catching up.
                self._begun, self._made, due = now, 0, max(1, int(self.speed / 30))
        while due > 0 and self.playing and time.monotonic() - now < SECONDS_AT_ONCE:
            several = min(due, max(1, int(SECONDS_AT_ONCE * self._rate)))
            self._advance(several)
            due -= several
            self._made += several

    _rate = 500.0
    """Steps per second that can be made, judged by the last ones."""

    def _advance(self, steps: int) -> None:
        before, start = self.learning.steps, time.perf_counter()
        self.learning.advance(steps)
        done = self.learning.steps - before
        self._rate = done / max(time.perf_counter() - start, 1e-6)
        self._changed = True
        if self.learning.has_diverged:
            self.playing = False
            where = str(self.learning.diverged[0]).partition(": ")[2]
            self.say("stopped", why="diverged", sentence=f"{where}: a smaller learning rate helps")

    def _picture_is_due(self) -> bool:
        under_way = self.sent - self.seen
        waited = time.monotonic() - self._drawn
        return (
            self._changed and under_way < protocol.PICTURES_UNDER_WAY and waited >= SECONDS_BETWEEN
        )

    def picture(self) -> None:
        """Send a picture of the present network."""
        learning, task, model = self.learning, self.task, self.learning.model
        with np.errstate(all="ignore"):
            arrays, regions, sentence = pictures.plane_arrays(model, task, self.size, self.regions)
            measured = learning.measured()
        if self._is_new:
            arrays |= {
                "points": task.on_plane(task.X),
                "labels": task.y.astype(np.uint8),
                "test_points": task.on_plane(task.X_test),
                "test_labels": task.y_test.astype(np.uint8),
            }
        arrays |= {"wrong": measured.wrong, "test_wrong": measured.test_wrong}
        arrays["curves"] = np.array(
            [[learning.steps, measured.loss, measured.test_loss, measured.accuracy,
              measured.test_accuracy]], np.float32,
        )  # fmt: skip
        self.sent += 1
        header = {
            "n": self.sent,
            "step": learning.steps,
            "epoch": learning.steps // learning.per_epoch,
            "playing": self.playing,
            "compiled": learning.compiled,
            "speed": 0,
            "losses": {"train": measured.loss, "test": measured.test_loss},
            "accuracies": {"train": measured.accuracy, "test": measured.test_accuracy},
            "regions": regions,
            "pruned": 0,
            "sentence": sentence,
        }
        if not self._closed:
            self._send(protocol.picture_frame(header, arrays))
        self._is_new = self._changed = False
        self._drawn = time.monotonic()


def _without_say(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "say"}
