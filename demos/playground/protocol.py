"""What page and server say to each other. This docstring is the contract between the two.

HTTP, all with Host and Origin of this server, else 403; `T` is the token of the printed URL:

- `GET /?token=T` gives the page, `GET /page/NAME` one of its files (no token).
- `POST /table?token=T&name=FILENAME` with the bytes of a CSV or Parquet file, `limits.tables` of
  them at most, gives `{"table": id, "rows": n, "columns": [{"name", "kind": "numbers"|"words",
  "different": n, "missing": n}, ...], "notes": [sentence, ...]}`, or `{"error": sentence}` with
  status 400 (413 for a larger file). A table belongs to the process, which keeps the last few.
- `WS /ws?token=T`.

Page to server, text frames of JSON, at most `limits.message_bytes` each and
`limits.messages_per_second`. Each is an object with "do":

- `{"do": "set", "state": STATE}`: begin anew with it (fields left out have their defaults)
- `{"do": "play", "until": step}` (left out, or a step that was made: without an end)
- `pause`, `step` (one step), `epoch` (to the end of the epoch), `back` (to the start)
- `{"do": "speed", "steps_per_second": number or null}` (null: as fast as it goes)
- `{"do": "show", "regions": bool, "size": pixels of the grid}` (each may be left out)
- `{"do": "prune", "share": 0..1}`: picture the network without that share of its smallest weights;
  training goes on with all of them
- `{"do": "ticket", "share": 0..1, "mask": "smallest"|"random"}`: begin anew without that share of
  the weights, the smallest of the network as it is or random ones; the kept ones have their initial
  values. A `state` message says `"ticket": true` then. `set` and `back` bring the whole network
- `{"do": "ten_seeds"}`, `{"do": "sweep"}`: train ten networks, or one for each learning rate, for
  `"steps"` steps (left out: as many as were made so far, at least 300); `{"do": "cancel"}` ends it
- `{"do": "backprop", "sample": i}`: forward and backward of training sample i, all numbers
- `{"do": "hover", "layer": l, "neuron": i}`, or with `"from": j` for the edge from neuron j of
  layer l - 1 (layer 0 are the inputs, the last one the outputs); `"sample": i` may be added
- `{"do": "export", "what": "python" | "safetensors"}`
- `{"do": "seen", "picture": n}`: the page has drawn picture n; at most two are under way unseen,
  besides the first one of a state, which comes at once

`set`, `ticket`, `ten_seeds` and `sweep` may have an `"id"`, a whole number, which their answers
repeat: so the page tells them from the answers to earlier messages. `play` and `pause` may have
one, which the pictures repeat: so the page knows which of them are older than its last press.

Server to page, text frames of JSON, each an object with "say":

- `limits`, first of all: `{"fields": {"data": {...}, "network": ..., "training": ...}, "used":
  {kind: [names of the data fields that count]}, "message_bytes", "messages_per_second", "tables":
  bytes, "largest_grid", "smooth": [activations without linear regions]}`;
  a field is `{"kind": "whole"|"number"|"choice"|"flag"|"text"|"list"|"points", "default", ...}`
  with `low`, `high`, `optional` (null allowed), `choices`, `longest`, `most`, `entry`.
- `state`: `{"state": STATE, "parameters": n, "classes": [names], "inputs": n, "names": [x, y],
  "window": [left, right, bottom, top], "layers": [widths, inputs and outputs too], "per_epoch": n,
  "outputs": n, "ticket": bool, "notes": [sentence, ...], "file": name of the table's, or "",
  "id": the message's that asked for it, or null}`
- `error`: `{"sentence", "of"?: what could not be done, "id"?, "field"?: such as "data.noise"}`; the
  session goes on as it was. Without "of" a message was left out, or could not be read
- `stopped`: `{"why": "diverged"|"limit"|"memory", "sentence"}`: it no longer plays
- `progress`: `{"of": "ten_seeds"|"sweep", "id", "done": steps, "steps"}`, and `cancelled`:
  `{"of", "id"}`, also where another message ends it
- `backprop`, `hover`, `export`: see `backprop.py`, `hover.py`, `export.py`

Binary frames are 4 bytes, the little-endian length of a header of JSON, the header, and arrays,
each at its `offset` from the frame's beginning, a multiple of 8. The header has "say" too; the
results `ten_seeds` and `sweep` are such frames, see `ensembles.py`, and so is a picture:
`{"say": "picture", "n", "step", "epoch", "playing", "press": the id of the last `play` or `pause`
that had one, or null, "compiled", "speed": steps/s,
"losses": {"train", "test"}, "accuracies": {"train", "test"}, "regions": count or null,
"pruned": share, "silent": hidden neurons that are 0 on every training point, null while it trains,
"sentence": why something is missing or "", "arrays": [{"name", "dtype", "shape", "offset"}]}`.
Numbers that are not finite are null. The arrays, of which some may be absent:

- `prediction` uint8 (size, size), row 0 at the bottom: 255 P(class 1); with more than two classes
  (classes, size, size)
- `boundary` float32 (segments, 2, 2): where the predicted class changes; exact for networks of
  linear pieces, else contours of the grid
- `regions_vertices` float32 (V, 2), `regions_polygons` int32 (R, corners): numbers of vertices,
  counter-clockwise, padded with the first of the row; only with regions shown
- `points` float32 (N, 2) and `labels` uint8 (N,), `test_points`, `test_labels`: only in the first
  picture of a state
- `wrong` uint8 (N,), `test_wrong`: 1 where the class is wrong
- `neurons` uint8 (neurons, s, s): each hidden neuron and output over the window, layer by layer,
  128 for 0 and 255 (0) for the largest absolute value in its layer
- `weights` float32: for each Linear layer its weights (in, out) row by row, then its biases (out)
- `curves` float32 (k, 5): step, loss and test loss, accuracy and test accuracy; the new ones, of
  steps between two pictures too
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.demos.playground.fields import Choice, Fields, Flag, Number, Whole, shown
from scratchnet.demos.playground.state import MOST_LAYERS, MOST_POINTS, described_fields
from scratchnet.layers import ACTIVATIONS

MESSAGE_BYTES = 256 * 1024
MESSAGES_PER_SECOND = 50
TABLE_BYTES = 20 * 1000 * 1000
LARGEST_GRID = 200
PICTURES_UNDER_WAY = 2
MOST_STEPS = 20_000
"""Of several networks at once."""
MOST_INPUTS = 64
"""Those of the digits; no layer is wider."""
PIECEWISE_LINEAR = ("relu", "leaky_relu", "threshold")

USED = {
    "spirals": ("points", "noise", "turns"),
    "chapter_spirals": ("points", "noise"),
    "circles": ("points", "noise"),
    "moons": ("points", "noise"),
    "blobs": ("points", "noise", "classes"),
    "linearly_separable": ("points", "noise"),
    "xor": ("points", "noise"),
    "parity": ("points", "noise", "dimensions"),
    "fractal": ("points", "fractal"),
    "digits": (),
    "drawn": ("drawn",),
    "formula": ("points", "noise", "formula"),
    "table": ("points", "table", "columns", "label"),
}
"""The fields of the data that count for a kind, besides `seed` and `train_share`."""


ID = Whole(None, 0, 2**53, optional=True)
MESSAGES: Mapping[str, Fields] = {
    "set": {"id": ID},
    "play": {"until": Whole(None, 1, 2**53, optional=True), "id": ID},
    "pause": {"id": ID},
    "step": {},
    "epoch": {},
    "back": {},
    "speed": {"steps_per_second": Number(None, 0.1, 1e6, optional=True)},
    "show": {"regions": Flag(True), "size": Whole(80, 8, LARGEST_GRID)},
    "prune": {"share": Number(0.0, 0.0, 1.0)},
    "seen": {"picture": Whole(0, 0, 2**53)},
    "ticket": {
        "share": Number(0.8, 0.0, 1.0),
        "mask": Choice("smallest", ("smallest", "random")),
        "id": ID,
    },
    "ten_seeds": {"steps": Whole(None, 1, MOST_STEPS, optional=True), "id": ID},
    "sweep": {"steps": Whole(None, 1, MOST_STEPS, optional=True), "id": ID},
    "cancel": {},
    "backprop": {"sample": Whole(0, 0, MOST_POINTS)},
    "hover": {
        "layer": Whole(1, 0, MOST_LAYERS + 1),
        "neuron": Whole(0, 0, MOST_INPUTS),
        "from": Whole(None, 0, MOST_INPUTS, optional=True),
        "sample": Whole(0, 0, MOST_POINTS),
    },
    "export": {"what": Choice("python", ("python", "safetensors"))},
}
"""What the page may ask for, and the fields besides "do"; `set` has its state too."""


def limits() -> dict[str, Any]:
    """The message `limits`."""
    return {
        "fields": described_fields(),
        "used": USED,
        "message_bytes": MESSAGE_BYTES,
        "messages_per_second": MESSAGES_PER_SECOND,
        "tables": TABLE_BYTES,
        "largest_grid": LARGEST_GRID,
        "smooth": [name for name in ACTIVATIONS if name not in PIECEWISE_LINEAR],
    }


def parsed(text: str | bytes) -> dict[str, Any]:
    """A message of the page. Raises `InputError` for anything but an object with "do"."""
    if isinstance(text, bytes):
        raise InputError("a binary message came: must be text")
    if len(text) > MESSAGE_BYTES:
        raise InputError(f"a message of {len(text)} characters: must be at most {MESSAGE_BYTES}")
    try:
        message = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InputError(f"a message is {shown(text)}: must be an object of JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("do"), str):
        raise InputError(f'a message is {shown(message)}: must be an object with "do"')
    return message


def _no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python's JSON would take."""
    raise ValueError(f"{name} is no JSON")


def no_memory(error: BaseException, must: str = "a smaller network or fewer points") -> str:
    """The sentence for a `MemoryError`, with the size, where NumPy tells it."""
    size = re.search(r"allocate ([\d.]+ \w+)", str(error))
    return f"not enough memory{f' for {size[1]}' if size else ''}: must be {must}"


def text_frame(message: Mapping[str, Any]) -> str:
    """A message to the page; what is not finite is null."""
    return _text(_finite(message))


def _text(plain: Mapping[str, Any]) -> str:
    """Compact JSON. Raises `ValueError` for what is not finite."""
    return json.dumps(plain, allow_nan=False, separators=(",", ":"))


def frame(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> bytes:
    """A header and arrays as one binary frame: see above."""
    held = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    described: list[dict[str, Any]] = [
        {"name": name, "dtype": str(each.dtype), "shape": list(each.shape), "offset": 0}
        for name, each in held.items()
    ]
    whole = {**_finite(header), "arrays": described}
    # An offset has at most nine digits more than the 0 that stands there first.
    start = _rounded_up(4 + len(_text(whole)) + 9 * len(held))
    end = start
    for place, each in zip(described, held.values(), strict=True):
        place["offset"], end = end, _rounded_up(end + each.nbytes)
    text = _text(whole).encode().ljust(start - 4)
    whole_frame = bytearray(end)
    whole_frame[:start] = len(text).to_bytes(4, "little") + text
    for place, each in zip(described, held.values(), strict=True):
        whole_frame[place["offset"] : place["offset"] + each.nbytes] = each.tobytes()
    return bytes(whole_frame)


def _rounded_up(size: int) -> int:
    """The next multiple of 8, at which arrays begin."""
    return -(-size // 8) * 8


def _finite(value: Any) -> Any:
    """The value as plain JSON: arrays as lists, what is not finite as None."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return number if math.isfinite(number) else None
    return value.item() if isinstance(value, np.generic) else value
