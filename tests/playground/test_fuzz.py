"""Broken messages: each gets an answer or none, nothing crashes, and other tabs go on."""

import json
import random
from typing import Any

import pytest
from serving import Client, serving
from tabs import Tab

from scratchnet.demos.playground.protocol import MESSAGES
from scratchnet.demos.playground.state import PARTS

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3.5, 1e308, -1e308, 2**63, 10**400, "", "x", "spirals", "relu",
    "\x00", "𝔘", "<script>", "../../etc/passwd", "__import__('os')", [], [[]], [0], [1, 2, 3],
    [[0, 0, 0]] * 5, {}, {"a": 1}, {"kind": "drawn"}, ["x"] * 100, "y > x", [64] * 8, "a" * 1000,
]  # fmt: skip
WORDS = ["play", "pause", "step", "epoch", "back", "show", "set", "hover", "backprop", "state"]


def value(rng: random.Random, depth: int = 0) -> Any:
    if depth < 3 and rng.random() < 0.2:
        return {rng.choice(WORDS): value(rng, depth + 1) for _ in range(rng.randrange(4))}
    if depth < 3 and rng.random() < 0.1:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return rng.choice(VALUES)


def state(rng: random.Random) -> Any:
    """A state of known fields, of which some hold what they must not."""
    found: dict[str, Any] = {}
    for part, fields in PARTS.items():
        found[part] = {
            name: rng.choice(VALUES) if rng.random() < 0.3 else each.default
            for name, each in fields.items()
            if rng.random() < 0.3
        }
        if part == "data" and rng.random() < 0.7:
            found[part]["points"] = rng.choice([4, 10, 40])
    if rng.random() < 0.2:
        found[rng.choice([*PARTS, "other"])] = value(rng)
    return found


def message(rng: random.Random) -> str | bytes:
    """A message that is broken in some way, or could be."""
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return "".join(chr(rng.randrange(32, 0x2FF)) for _ in range(rng.randrange(60)))
    if kind == 2:
        return json.dumps(value(rng))
    if kind == 3:
        return json.dumps({"do": "set", "state": state(rng)})
    do = rng.choice([*MESSAGES, "dance", None, 3])
    asked = {"do": do, **{name: rng.choice(VALUES) for name in MESSAGES.get(str(do), {})}}
    if kind == 4:
        text = json.dumps(asked)
        return text[: rng.randrange(len(text))]
    if kind == 5:
        asked[rng.choice(["x", "state", "steps", "do "])] = value(rng)
    if asked.get("steps") is not None:
        asked["steps"] = rng.choice([1, 5, "x", -1])
    return json.dumps(asked)


def test_a_session_answers_broken_messages() -> None:
    rng = random.Random(0)
    tab = Tab({"data": {"points": 20}, "network": {"layers": [3]}})
    for _ in range(150):
        text = message(rng)
        tab.said.clear()
        tab.send(text)
        for _ in range(2):
            tab.session._turn() if tab.session._inbox.qsize() or tab.session.playing else None
        for header, _ in tab.said:
            if header["say"] == "error":
                assert header["sentence"] and "\n" not in header["sentence"], text
    tab.do("set", state={"data": {"points": 20}})
    tab.do("step")
    assert tab.session.learning.steps == 1


@pytest.mark.campaign
def test_ten_thousand_broken_messages() -> None:
    for module in ("starlette", "uvicorn", "websockets"):
        pytest.importorskip(module, reason="needs the extra 'playground'")
    from websockets.exceptions import ConnectionClosed

    rng = random.Random(1)
    with serving() as playground, Client(playground) as other:
        other.do("speed", steps_per_second=50)
        other.do("play")
        sent = 0
        while sent < 10_000:
            with Client(playground) as tab:
                try:
                    for _ in range(500):
                        sent += 1
                        tab.connection.send(message(rng))
                        while True:
                            try:
                                tab.connection.recv(timeout=0.02)
                            except TimeoutError:
                                break
                except ConnectionClosed:
                    pass
            step = other.until("picture")[0]["step"]
            while other.until("picture")[0]["step"] <= step:
                pass
