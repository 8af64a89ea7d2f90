"""`scratchnet backprop`: its gradients, what it prints, what it draws, what it writes."""

import io
import json
import math
import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from rich.console import Console

from scratchnet.demos.backprop import experiment
from scratchnet.demos.backprop.command import pair, plot
from scratchnet.demos.backprop.experiment import PARAMETERS, STEP, Result, forward, run
from scratchnet.demos.backprop.report import number, report
from scratchnet.demos.command_line import main
from scratchnet.tensor import Tensor
from scratchnet.tensor import result as tensor_of

inputs = st.tuples(st.floats(-10, 10), st.floats(-10, 10))
networks = st.fixed_dictionaries(
    {
        "inputs": inputs,
        "target": st.integers(0, 1),
        "activation": st.sampled_from(["relu", "tanh", "sigmoid"]),
        "seed": st.none() | st.integers(0, 1000),
    }
)


@given(networks)
def test_every_gradient_is_its_finite_difference(network) -> None:
    result = run(**network)
    compared = 0
    for node in result.nodes:
        if node.finite_difference is not None:
            scale = max(1.0, abs(node.finite_difference))
            assert abs(node.gradient - node.finite_difference) < 1e-6 * scale, node
            assert node.difference is not None
            assert node.difference <= result.largest_difference
            compared += 1
    assert compared + len(result.at_a_kink) == 26
    assert network["activation"] == "relu" or compared == 26


@given(networks)
def test_the_chain_rule_holds_at_every_edge_and_sums_at_every_node(network) -> None:
    result = run(**network)
    assert len(result.edges) == 27
    for edge in result.edges:
        assert edge.incoming == result.node(edge.user).gradient
        assert edge.outgoing == pytest.approx(edge.local_derivative * edge.incoming, abs=1e-300)
    for node in result.nodes[:-1]:
        received = sum(edge.outgoing for edge in result.users(node.name))
        assert node.gradient == pytest.approx(received, rel=1e-12, abs=1e-12)
    assert result.nodes[-1].gradient == 1


@given(networks)
def test_a_printed_formula_is_the_local_derivative(network) -> None:
    """The formulas are text; here Python evaluates them on the values of the nodes."""
    result = run(**network)
    known = {node.name: node.value for node in result.nodes}
    names = {
        **known,
        "t": network["target"],
        "e": math.e,
        "ln": math.log,
        "relu": lambda x: max(x, 0.0),
        "tanh": math.tanh,
        "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    }
    for edge in result.edges:
        found = eval(edge.formula.replace("^", "**"), names)
        assert found == pytest.approx(edge.local_derivative, rel=1e-9, abs=1e-12), edge
    for node in result.nodes:
        if node.expression:
            found = eval(node.expression.replace("^", "**"), names)
            assert found == pytest.approx(node.value, rel=1e-9, abs=1e-12), node


def test_the_fixed_network_worked_out_by_hand() -> None:
    result = run()
    slope = 1 / (1 + math.exp(0.4)) - 1
    assert result.loss == pytest.approx(math.log(1 + math.exp(0.4)))
    by_hand = {
        "z": slope, "c": slope, "v1": 1.5 * slope, "h1": -0.6 * slope, "b1": -0.6 * slope,
        "w11": 2 * -0.6 * slope, "w22": -1 * 0.7 * slope,
        "x1": (0.5 * -0.6 - 0.4 * 0.7) * slope,
    }  # fmt: skip
    for name, gradient in by_hand.items():
        assert result.node(name).gradient == pytest.approx(gradient, rel=1e-12)


def test_the_order_is_that_of_computation_and_back() -> None:
    result = run()
    place = {node.name: i for i, node in enumerate(result.nodes)}
    assert all(place[edge.source] < place[edge.user] for edge in result.edges)
    users = [place[edge.user] for edge in result.edges]
    assert users == sorted(users, reverse=True)


def test_a_neuron_that_is_off_passes_nothing_back() -> None:
    result = run(inputs=(2.0, 1.0))
    off = ["z2", "s2", "p12", "p22", "w12", "w22", "b2", "v2"]
    assert all(result.node(name).gradient == 0 for name in off)
    assert result.node("h2").gradient != 0
    assert result.at_a_kink == []


def test_at_a_kink_no_finite_difference_is_shown() -> None:
    result = run(inputs=(0.25, 0.0))
    assert result.node("z2").value == 0
    # Nudging w22 does not move z2, since x2 is 0.
    assert set(result.at_a_kink) == {"x1", "x2", "w12", "p12", "p22", "s2", "b2", "z2"}
    text = printed(result)
    assert "crosses the kink" in text
    assert text.count("  kink") == 8
    beside = run(inputs=(0.25 + STEP, 0.0))
    assert beside.node("z2").value != 0
    assert "z2" in beside.at_a_kink
    assert run(inputs=(0.25, 0.0), activation="tanh").at_a_kink == []


def test_a_nudge_moves_its_node_and_what_follows() -> None:
    leaves = {"x1": 2.0, "x2": -1.0, **PARAMETERS}
    plain, nudged = forward(leaves, 1), forward(leaves, 1, nudge={"h1": 0.5})
    moved = {name for name in plain if plain[name].item() != nudged[name].item()}
    assert moved == {"h1", "q1", "s", "z", "L"}
    assert nudged["h1"].item() == pytest.approx(plain["h1"].item() + 0.5)


def test_the_step_is_gradient_descent() -> None:
    result = run(learning_rate=0.5)
    after = {name: value - 0.5 * result.node(name).gradient for name, value in PARAMETERS.items()}
    loss = forward({"x1": 2.0, "x2": -1.0, **after}, 1)["L"].item()
    assert result.loss_after_step == pytest.approx(loss, rel=1e-12)
    assert result.loss_after_step < result.loss
    small = run(learning_rate=1e-5)
    assert small.loss - small.loss_after_step == pytest.approx(small.predicted_fall, rel=1e-3)


def test_a_seed_gives_the_same_weights_and_another_one_others() -> None:
    first, again, other = run(seed=1), run(seed=1), run(seed=2)
    assert first.settings == again.settings
    assert first.settings["parameters"] != other.settings["parameters"]
    assert set(first.settings["parameters"]) == set(PARAMETERS)
    assert run().settings["parameters"] == PARAMETERS


# What is printed


def printed(result: Result, encoding: str = "utf-8", width: int = 80) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    report(result, Console(file=stream, width=width, highlight=False))
    stream.seek(0)
    return stream.read()


@settings(max_examples=15)
@given(networks)
def test_the_report_fits_80_columns_without_colour(network) -> None:
    result = run(**network)
    text = printed(result, "ascii")
    assert "…" not in text and "..." not in text
    assert "\x1b" not in text
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 95
    for node in result.nodes:
        assert re.search(rf"\b{node.name}\b", text)


def test_the_report_says_what_the_numbers_are() -> None:
    text = printed(run())
    for part in [
        "x1 = 2 and x2 = -1, with target t = 1",
        "p11 x1 * w11 2 * 0.5 1 p21",
        "x1 is used by p11 and p12, so what they send adds up: 0.1796 + 0.1676 = 0.3472",
        "-0.5987 * 1 * 1 * -0.6 * 1 * 1 * 1 * 2 = 0.7184",
        "the loss falls from 0.9130 to 0.6430",
        "P(1), the probability of the right answer, is 0.4013",
    ]:
        assert part in " ".join(text.split())
    assert "of seed 3" in printed(run(seed=3))


@given(st.floats(-1e300, 1e300))
def test_a_number_is_short_and_near(value: float) -> None:
    text = number(value)
    assert len(text) <= 10
    assert float(text) == pytest.approx(value, rel=0.5, abs=0)
    assert float(text) == pytest.approx(value, rel=0.06, abs=1e-12)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.0, "0"), (1, "1"), (-0.6, "-0.6"), (0.1 + 0.2, "0.3"), (0.91302, "0.9130"),
     (1e-5, "1.0e-05"), (-12345.6, "-1.2e+04"), (9999.99999, "10000.0000")],
)  # fmt: skip
def test_numbers_worked_out_by_hand(value: float, text: str) -> None:
    assert number(value) == text


def test_a_wrong_derivative_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor) -> Tensor:
        """tanh with the derivative 1 - y."""
        k = x.backend
        y = k.tanh(x.data)
        return tensor_of(y, k, (x, lambda dy: k.multiply(dy, k.subtract(1.0, y))))

    monkeypatch.setitem(experiment.ACTIVATIONS, "tanh", wrong)
    monkeypatch.setitem(experiment.OPERATIONS, "wrong", experiment.OPERATIONS["tanh"])
    result = run(activation="tanh")
    # What lies between the wrong derivative and the loss is right.
    assert set(result.wrong).isdisjoint({"h1", "h2", "v1", "v2", "q1", "q2", "c", "s", "z", "L"})
    assert {"w11", "w22", "x1", "b2", "z1", "p21"} <= set(result.wrong)
    assert "No, not for x1" in printed(result)
    assert run().wrong == []


# What is drawn


@pytest.mark.parametrize(
    "network",
    [
        {},
        {"inputs": (2.0, 1.0), "target": 0},
        {"inputs": (-9.87, 9.33), "activation": "sigmoid", "seed": 3},
        {"inputs": (9.99, -9.99), "activation": "tanh", "seed": 4},
    ],
)
def test_no_two_texts_of_the_figure_overlap_and_none_is_cut_off(network) -> None:
    figure = plot(run(**network))["graph"]
    renderer = FigureCanvasAgg(figure).get_renderer()
    extents = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert len(extents) > 26 * 3 + 27 * 2
    for a, b in combinations(extents, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        # The extent of a line of text includes room for descenders, which digits do not use.
        assert across <= 0 or down <= 0.35 * min(a.height, b.height)
    width, height = figure.canvas.get_width_height()
    for each in extents:
        assert each.x0 >= 0 and each.y0 >= 0 and each.x1 <= width and each.y1 <= height


# The command


def test_files_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["backprop", "--inputs", "-1,2", "--out", str(out), "--json"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert json.loads((out / "result.json").read_text()) == record
    assert sorted(path.name for path in out.iterdir()) == [
        "graph.dot", "graph.png", "graph.svg", "result.json",
    ]  # fmt: skip
    assert len(record["rows"]) == 26 and len(record["edges"]) == 27
    assert record["settings"]["inputs"] == [-1, 2]
    row = record["rows"][0]
    assert row["node"] == "x1"
    assert abs(row["gradient"] - row["finite_difference"]) < 1e-8
    assert record["summary"]["largest_difference"] < 1e-8
    assert record["environment"]["backend"] == "numpy"
    assert "Backward pass" in captured.err
    assert "<text" in (out / "graph.svg").read_text()


def test_dot_prints_dot_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["backprop", "--dot"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert (lines[0], lines[-1]) == ("digraph {", "}")
    assert captured.out.count(" -> ") == 27
    assert captured.out.count("[label=") == 26
    assert 'label="h1 = relu\\nvalue 1.5\\ngradient 0.3592"' in captured.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--inputs", "1"], ["--inputs", "'1'", "two numbers from -10 to 10"]),
        (["--inputs", "1,2,3"], ["--inputs", "'1,2,3'"]),
        (["--inputs", "a,b"], ["--inputs", "'a,b'", "such as 2,-1"]),
        (["--inputs", "nan,0"], ["--inputs", "'nan,0'"]),
        (["--inputs", "0,nan"], ["--inputs", "'0,nan'"]),
        (["--inputs", "10.1,0"], ["--inputs", "'10.1,0'"]),
        (["--inputs", "0,-inf"], ["--inputs", "'0,-inf'"]),
        (["--target", "2"], ["--target", "'2'", "from 0 to 1"]),
        (["--activation", "rely"], ["--activation", "'rely'", "relu, tanh, sigmoid", "'relu'"]),
        (["--learning-rate", "nan"], ["--learning-rate", "'nan'", "a number from 0"]),
        (["--learning-rate", "-1"], ["--learning-rate", "'-1'", "from 0.0 to"]),
        (["--seed", "-1"], ["--seed", "'-1'", "from 0 to"]),
        (["--seed", "x"], ["--seed", "'x'", "whole number"]),
        (["--dot", "--json"], ["--dot", "--json", "one of them"]),
        (["--backend", "numpi"], ["--backend", "'numpi'", "'numpy'"]),
        (["--out", "FILE"], ["--out", "is a file"]),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").touch()
    assert main(["backprop", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert all(part in captured.err for part in expected), captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["FILE"]


def test_a_pair_of_inputs_may_have_signs_and_spaces() -> None:
    assert pair("--inputs", " 2 , -1") == (2, -1)
    assert pair("--inputs", "-10,+1e1") == (-10, 10)


def test_the_recorded_step_is_printed_call_by_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backprop", "--recorded"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "t1 (1, 2) = matmul(argument 0, 0.weight)"
    assert lines[-1].startswith("parameters (9,) = subtract(parameters, ")
    assert main(["backprop", "--recorded", "--dot"]) == 2
