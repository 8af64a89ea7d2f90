"""What a node or an edge computes: its formula, its numbers, and the lines that compute them.

A message `hover` is `{"layer", "neuron", "from"?, "name", "formula", "value", "gradient",
"derivative", "sample", "places": [{"what", "file", "line"}]}`. Layer 0 are the inputs. A node's
value is that of the sample, and its gradient dL/d(node) for the sample's loss L. An edge's value is
its weight, with `contribution`, and its gradient dL/dw for the same loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet import Activation
from scratchnet.backends.errors import whole_number
from scratchnet.demos.playground.backprop import Pass, run
from scratchnet.demos.playground.learning import Learning
from scratchnet.demos.source_places import named, place

MOST_TERMS = 6
AFFINE = "scratchnet.ops.products:affine"
BACKWARD = "scratchnet.tensor:Tensor.backward"


def hover(
    learning: Learning, layer: int, neuron: int, source: int | None = None, sample: int = 0
) -> dict[str, Any]:
    """The message about neuron `neuron` of a layer, or about its edge from neuron `source`.

    Raises `InputError` for a layer, neuron or sample that is not there.
    """
    passes = run(learning, sample)
    last = len(passes.passes)
    whole_number("layer", layer, 0 if source is None else 1, last)
    if layer == 0:
        return _input(learning, neuron, passes.passes[0], sample)
    each = passes.passes[layer - 1]
    whole_number("neuron", neuron, 0, each.stage.linear.fan_out - 1)
    names = _names(learning, layer, each)
    is_last = layer == last
    if source is not None:
        whole_number("from", source, 0, each.stage.linear.fan_in - 1)
        return _edge(each, layer, neuron, source, names, sample, is_last)
    return _neuron(learning, each, layer, neuron, names, sample, is_last)


def name_of(layer: int, neuron: int, is_last: bool = False) -> str:
    """A node's name; neurons count from 1, as people do."""
    return f"output[{neuron + 1}]" if is_last else f"h{layer}[{neuron + 1}]"


def _names(learning: Learning, layer: int, each: Pass) -> list[str]:
    """The names of a layer's inputs."""
    count = each.stage.linear.fan_in
    if layer > 1:
        return [name_of(layer - 1, i) for i in range(count)]
    return list(learning.task.names) if count == 2 else [f"x[{i + 1}]" for i in range(count)]


def _input(learning: Learning, neuron: int, first: Pass, sample: int) -> dict[str, Any]:
    """The message about an input: its value and gradient."""
    whole_number("neuron", neuron, 0, first.stage.linear.fan_in - 1)
    name = _names(learning, 1, first)[neuron]
    return {
        "layer": 0,
        "neuron": neuron,
        "name": name,
        "formula": f"{name}, an input",
        "value": _number(first.inputs.data[0, neuron]),
        "gradient": _number(_gradient(first.inputs)[neuron]),
        "derivative": f"dL/d({name}) = sum over i of w[i] dL/dz[i]",
        "sample": sample,
        "places": [_place("the derivative", AFFINE)],
    }


def _neuron(
    learning: Learning,
    each: Pass,
    layer: int,
    neuron: int,
    names: list[str],
    sample: int,
    is_last: bool,
) -> dict[str, Any]:
    """The message about a neuron: how its output is computed from its inputs, and its gradients."""
    linear = each.stage.linear
    weight, bias = (linear.parameters[part].data for part in ("weight", "bias"))
    name = name_of(layer, neuron, is_last)
    formulas = [f"z = {_sum(weight[:, neuron], float(bias[neuron]), names)}"]
    derivatives = [f"dL/dz = {_signed(_gradient(each.sums)[neuron])}"]
    places = [_place("z and its derivatives", AFFINE)]
    for inner, _ in each.after:
        if isinstance(inner, Activation):
            op = f"scratchnet.ops.activations:{inner.name}"
            formula, derivative = _of_docstring(op, inner)
            formulas.append(f"{inner.name}: {formula}")
            derivatives.append(derivative)
            places.append(_place(inner.name, op))
        else:
            kind = type(inner)
            source = f"{kind.__module__}:{kind.__name__}.forward"
            formulas.append(f"{kind.__name__}: {(kind.__doc__ or '').partition(', ')[0]}")
            places.append(_place(kind.__name__, source))
    if each.stage.shortcut is not None:
        scale = float(np.asarray(each.stage.shortcut.scale))
        formulas.append(f"shortcut: {names[neuron]} + {scale:.4g} y")
        places.append(_place("the shortcut", "scratchnet.layers.blocks:Residual.added"))
    if is_last:
        loss = str(learning.model.loss)
        formulas.append(f"the loss: {loss.replace('_', ' ')}")
        places.append(_place("the loss and its derivative", f"scratchnet.losses:{loss}"))
    places.append(_place("the walk back", BACKWARD))
    return {
        "layer": layer,
        "neuron": neuron,
        "name": name,
        "formula": ";  ".join(formulas),
        "value": _number(each.outputs.data[0, neuron]),
        "sum": _number(each.sums.data[0, neuron]),
        "bias": _number(bias[neuron]),
        "gradient": _number(_gradient(each.outputs)[neuron]),
        "derivative": ";  ".join(derivatives),
        "sample": sample,
        "places": places,
    }


def _edge(
    each: Pass,
    layer: int,
    neuron: int,
    source: int,
    names: list[str],
    sample: int,
    is_last: bool,
) -> dict[str, Any]:
    """The message about a weight: its contribution w x, and dL/dw = x dL/dz."""
    weight = each.stage.linear.parameters["weight"]
    value, x = float(weight.data[source, neuron]), float(each.inputs.data[0, source])
    dz = _gradient(each.sums)[neuron]
    name = f"{names[source]} to {name_of(layer, neuron, is_last)}"
    return {
        "layer": layer,
        "neuron": neuron,
        "from": source,
        "name": name,
        "formula": f"w {names[source]} = {value:.4g} × {x:.4g} = {value * x + 0.0:.4g}",
        "value": _number(value),
        "contribution": _number(value * x),
        "gradient": _number(weight.grad[source, neuron]),  # type: ignore[index]
        "derivative": f"dL/dw = {names[source]} dL/dz = {x:.4g} × {float(dz):.4g}",
        "sample": sample,
        "places": [_place("z and its derivatives", AFFINE), _place("the walk back", BACKWARD)],
    }


def _sum(weights: Any, bias: float, names: list[str]) -> str:
    """The weighted sum as people write it; of many terms those with the largest weights."""
    shown = np.sort(np.argsort(-np.abs(weights), kind="stable")[:MOST_TERMS])
    parts = [f"{_signed(weights[i])} {names[i]}" for i in shown]
    if left := len(names) - len(shown):
        parts.append(f"+ {left} more")
    return " ".join([*parts, _signed(bias)]).removeprefix("+ ")


def _signed(value: Any) -> str:
    """The number with its sign before it, four digits, such as `- 0.25`."""
    number = float(value)
    return f"{'-' if number < 0 else '+'} {abs(number):.4g}"


def _of_docstring(op: str, layer: Activation) -> tuple[str, str]:
    """The formula of an op and its derivative, which its docstring begins with."""
    paragraphs = [" ".join(each.split()) for each in (named(op).__doc__ or "").split("\n\n")]
    formula = paragraphs[0].partition("dL/dx")[0].strip(" ;,")
    derivative = next(each[each.find("dL/dx") :] for each in paragraphs if "dL/dx" in each)
    window = getattr(layer, "surrogate_window", None)
    if window is not None:
        return formula, (
            f"dL/dx = dL/dy where |x| <= {window:g}, else 0: a straight-through estimator, as the "
            "derivative is 0"
        )
    return formula, derivative


def _place(what: str, source: str) -> dict[str, Any]:
    """Where the code stands that computes `what`: its file and line."""
    file, line = place(source)
    return {"what": what, "file": file, "line": line}


def _gradient(tensor: Any) -> Any:
    """dL/d(tensor) of the only sample, or zeros where nothing flows back."""
    return np.zeros(tensor.shape[-1]) if tensor.grad is None else tensor.grad[0]


def _number(value: Any) -> float:
    """The number with nine digits, which tell any two float32 apart."""
    return float(f"{float(value):.9g}")
