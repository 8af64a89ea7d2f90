"""`scratchnet backprop`: its gradients, the step, its texts and its graph."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from scratchnet.demos.backprop import network
from scratchnet.demos.backprop.experiment import (
    aligned,
    at,
    differences,
    experiment,
    notes,
    number,
    paths,
    tables,
)
from scratchnet.demos.backprop.figures import graph
from scratchnet.demos.backprop.network import PARAMETERS, STEP, forward
from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import run_small
from scratchnet.demos.running import Result
from scratchnet.tensor import Tensor
from scratchnet.tensor import result as tensor_of

networks = st.fixed_dictionaries(
    {
        "inputs": st.tuples(st.floats(-10, 10), st.floats(-10, 10)),
        "target": st.integers(0, 1),
        "activation": st.sampled_from(["relu", "tanh", "sigmoid"]),
        "seed": st.integers(0, 1000),
    }
)


def run(**fields: Any) -> Result:
    return run_small(experiment, **fields)


def kinks(result: Result) -> list[str]:
    return [name for name, each in differences(result).items() if math.isnan(each)]


@settings(deadline=None, max_examples=15)
@given(networks)
def test_gradients_are_finite_differences_and_sums_over_paths(fields: Any) -> None:
    result = run(**fields)
    assert len(result.rows) == 26 and len(result.extra["edges"]) == 27
    for row in result.rows:
        gradient, difference = row["gradient"][0], row["finite_difference"][0]
        if row.arm not in kinks(result):
            assert abs(gradient - difference) < 1e-6 * max(1.0, abs(difference)), row.arm
        received = [path[-1].contribution for path in paths(result, row.arm) if path]
        edges = [edge.contribution for edge in result.extra["edges"] if edge.input == row.arm]
        assert set(received) == set(edges)
        assert gradient == pytest.approx(sum(edges) if edges else 1.0, rel=1e-12, abs=1e-12)
    assert fields["activation"] == "relu" or not kinks(result)
    found = experiment.claims(result)
    assert all(claim.contrast.holds for claim in found[1:])


@settings(deadline=None, max_examples=15)
@given(networks)
def test_a_printed_formula_is_what_it_says(fields: Any) -> None:
    """The formulas are text; here Python evaluates them on the values of the nodes."""
    result = run(**fields)
    known: dict[str, Any] = {row.arm: at(result, row.arm, "value") for row in result.rows}
    known |= {"t": fields["target"], "e": math.e, "ln": math.log, "tanh": math.tanh}
    known |= {"relu": lambda x: max(x, 0.0), "sigmoid": lambda x: 1 / (1 + math.exp(-x))}
    for edge in result.extra["edges"]:
        found = eval(edge.formula.replace("^", "**"), known)
        assert found == pytest.approx(edge.derivative, rel=1e-9, abs=1e-12), edge
    for row in result.rows:
        if row.facts["expression"]:
            found = eval(row.facts["expression"].replace("^", "**"), known)
            assert found == pytest.approx(at(result, row.arm, "value"), rel=1e-9, abs=1e-12)


def test_the_fixed_network_worked_out_by_hand() -> None:
    result = run()
    slope = 1 / (1 + math.exp(0.4)) - 1
    assert at(result, "L", "value") == pytest.approx(math.log(1 + math.exp(0.4)))
    by_hand = {
        "z": slope, "c": slope, "v1": 1.5 * slope, "h1": -0.6 * slope, "b1": -0.6 * slope,
        "w11": 2 * -0.6 * slope, "w22": -1 * 0.7 * slope,
        "x1": (0.5 * -0.6 - 0.4 * 0.7) * slope,
    }  # fmt: skip
    for name, gradient in by_hand.items():
        assert at(result, name) == pytest.approx(gradient, rel=1e-12)


def test_a_neuron_that_is_off_passes_nothing_back() -> None:
    result = run(inputs=(2.0, 1.0))
    assert all(at(result, each) == 0 for each in ("z2", "s2", "p12", "p22", "w12", "b2", "v2"))
    assert at(result, "h2") != 0


def test_at_a_kink_there_is_no_finite_difference() -> None:
    result = run(inputs=(0.25, 0.0))
    assert at(result, "z2", "value") == 0
    # Nudging w22 does not move z2, since x2 is 0.
    assert set(kinks(result)) == {"x1", "x2", "w12", "p12", "p22", "s2", "b2", "z2"}
    assert any("relu's kink" in note for note in notes(result))
    assert "z2" in kinks(run(inputs=(0.25 + STEP, 0.0)))
    assert kinks(run(inputs=(0.25, 0.0), activation="tanh")) == []


def test_a_nudge_moves_its_node_and_what_follows() -> None:
    leaves = {"x1": 2.0, "x2": -1.0, **PARAMETERS}
    plain, nudged = forward(leaves, 1), forward(leaves, 1, nudge={"h1": 0.5})
    moved = {name for name in plain if plain[name].item() != nudged[name].item()}
    assert moved == {"h1", "q1", "s", "z", "L"}


def test_the_new_values_are_those_of_gradient_descent() -> None:
    result = run(learning_rate=0.5)
    after = {name: value - 0.5 * at(result, name) for name, value in PARAMETERS.items()}
    assert all(at(result, each, "new_value") == after[each] for each in PARAMETERS)
    loss = forward({"x1": 2.0, "x2": -1.0, **after}, 1)["L"].item()
    assert result.extra["loss_after_step"] == pytest.approx(loss, rel=1e-12)
    small = run(learning_rate=1e-5)
    fall = at(small, "L", "value") - small.extra["loss_after_step"]
    assert fall == pytest.approx(-1e-5 * small.extra["slope"], rel=1e-3)


@pytest.mark.parametrize(
    ("fields", "holds", "untested"),
    [
        ({}, True, ""),
        ({"seed": 6, "inputs": (2, 1), "activation": "tanh", "learning_rate": 10.0}, False, ""),
        ({"learning_rate": 0.0}, False, "the learning rate is 0"),
    ],
)
def test_a_step_too_far_raises_the_loss(fields: Any, holds: bool, untested: str) -> None:
    claim = experiment.claims(run(**fields))[0]
    assert (claim.contrast.holds, claim.untested) == (holds, untested)


def test_a_wrong_derivative_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor) -> Tensor:
        """tanh with the derivative 1 - y."""
        k = x.backend
        y = k.tanh(x.data)
        return tensor_of(y, k, (x, lambda dy: k.multiply(dy, k.subtract(1.0, y))))

    monkeypatch.setitem(network.ACTIVATIONS, "tanh", wrong)
    monkeypatch.setitem(network.OPERATIONS, "wrong", network.OPERATIONS["tanh"])
    claim = experiment.claims(run(activation="tanh"))[1]
    assert not claim.contrast.holds
    named = set(claim.contrast.shown.removeprefix("not so at ").split(", "))
    # What lies between the wrong derivative and the loss is right.
    assert named.isdisjoint({"h1", "h2", "v1", "v2", "q1", "q2", "c", "s", "z", "L"})
    assert {"w11", "w22", "x1", "b2", "z1", "p21"} <= named


# What is printed and drawn


@given(st.floats(-1e300, 1e300))
def test_a_number_is_short_and_near(value: float) -> None:
    text = number(value)
    assert len(text) <= 10 and len(aligned(value)) >= 8
    assert float(text) == pytest.approx(value, rel=0.06, abs=1e-12)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.0, "0"), (1, "1"), (-0.6, "-0.6"), (0.1 + 0.2, "0.3"), (0.91302, "0.9130"),
     (1e-5, "1.0e-05"), (-12345.6, "-1.2e+04"), (9999.99999, "10000.0000"), (math.nan, "nan")],
)  # fmt: skip
def test_numbers_worked_out_by_hand(value: float, text: str) -> None:
    assert number(value) == text


def test_the_tables_say_how_each_node_and_each_new_weight_comes_about() -> None:
    forward_pass, backward_pass, step = tables(run())
    assert ("p11", "x1 * w11", "2 * 0.5") in [row[:3] for row in forward_pass.rows]
    assert ("w12", "x1") in [row[2:4] for row in backward_pass.rows]
    assert [cell.strip() for cell in step.rows[0]] == ["w11", "0.5", "0.7184", "0.7184", "0.4282"]
    text = " ".join(notes(run()))
    assert "x1 adds up what p11 and p12 send: 0.1796 + 0.1676 = 0.3472" in text
    assert "-0.5987 * 1 * 1 * -0.6 * 1 * 1 * 1 * 2 = 0.7184" in text


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"inputs": (2.0, 1.0), "target": 0},
        {"inputs": (-9.87, 9.33), "activation": "sigmoid", "seed": 3},
        {"inputs": (9.99, -9.99), "activation": "tanh", "seed": 4},
    ],
)
def test_no_two_texts_of_the_graph_overlap_and_none_is_cut_off(fields: Any) -> None:
    figure = graph(run(**fields))
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    extents = [text.get_window_extent(renderer) for text in texts]
    assert len(extents) > 27 * 3 + 27 * 2
    assert min(text.get_size() for text in texts) >= 8
    for a, b in combinations(extents, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        # The extent of a line of text includes room for descenders, which digits do not use.
        assert across <= 0 or down <= 0.35 * min(a.height, b.height)
    width, height = figure.canvas.get_width_height()
    for each in extents:
        assert each.x0 >= 0 and each.y0 >= 0 and each.x1 <= width and each.y1 <= height


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--inputs", "1"], ["--inputs 1.0: must be two numbers, such as 2,-1"]),
        (["--inputs", "1,2,3"], ["--inputs 1.0,2.0,3.0: must be two"]),
        (["--inputs", "0,nan"], ["--inputs nan", "from -10 to 10"]),
        (["--inputs", "10.1,0"], ["--inputs 10.1", "from -10 to 10"]),
        (["--target", "2"], ["--target 2", "from 0 to 1"]),
        (["--activation", "rely"], ["'rely'", "'relu'"]),
        (["--seeds", "3"], ["--seeds", "did you mean '--seed'"]),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: Any, arguments: list[str], expected: list[str]
) -> None:
    assert main(["backprop", *arguments, "--out", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert all(part in captured.err for part in expected), captured.err
    assert not (tmp_path / "run").exists()
