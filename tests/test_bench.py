"""`scratchnet bench`: what is counted, what is compared, what is said; no test reads a clock."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from scratchnet import InputError, Linear, Model, get_backend
from scratchnet.backends import DeviceMemoryError, NumpyBackend
from scratchnet.backends.compile import compiler_available
from scratchnet.backends.interface import Timer
from scratchnet.demos.bench import engine, jax_peer, problem, report, roofline, timing, torch_peer
from scratchnet.demos.bench import experiment as bench
from scratchnet.demos.bench.cases import FIGURES, Case
from scratchnet.demos.bench.counting import BYTES_OF_A_NUMBER, StepCount, count_step
from scratchnet.demos.bench.experiment import experiment
from scratchnet.demos.bench.figures import roofline_figure
from scratchnet.demos.bench.floors import numpy_loop, product_calls
from scratchnet.demos.bench.problem import Problem, check_agreement, new_problem
from scratchnet.demos.bench.readme_table import (
    END,
    NO_GPU,
    START,
    committed_records,
    section,
    updated,
)
from scratchnet.demos.bench.roofline import addition, fused_peak, place, product_peak
from scratchnet.demos.bench.timing import (
    Implementation,
    Spread,
    calls_per_turn,
    cores,
    interleaved,
    limited,
    on_cores,
    shown,
    spread,
)
from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import quick_settings, record_of
from scratchnet.demos.results import to_json
from scratchnet.demos.running import Result, Run
from scratchnet.demos.screen import Screen, print_table

ROOT = Path(__file__).resolve().parent.parent
BACKEND = get_backend("numpy")

cases = st.builds(
    Case,
    depth=st.integers(1, 4),
    width=st.integers(1, 9),
    batch=st.integers(1, 12),
    networks=st.integers(1, 3),
)
TINY = Case(2, 5, 7)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch, short_turns: None) -> None:
    """Limits of matrices that are multiplied at once, in turns as short."""
    monkeypatch.setattr(roofline, "PRODUCT_SIZE", {"numpy": 16, "cupy": 8})
    monkeypatch.setattr(roofline, "SMALLEST_ARRAYS", {"numpy": 2**10, "cupy": 2**10})
    monkeypatch.setattr(roofline, "LARGEST_ARRAYS", 2**14)
    monkeypatch.setattr(roofline, "ROUNDS_OF_FUSED", 10)


# Counting


def recorded_calls(case: Case) -> list[Any]:
    """What the engine calls in one eager step; with one point there is no sum over the batch."""
    drawn = new_problem(case)
    step = engine.engine_step(engine.EAGER, drawn, BACKEND)
    with BACKEND.recording() as calls:
        step.call()
    return calls


def products_of(calls: list[Any]) -> list[Any]:
    """The products of matrices; sums of rows, which NumPy does as a product too, are none."""
    return [call for call in calls if is_product(call)]


def is_product(call: Any) -> bool:
    name = getattr(call.kernel, "__name__", "")
    return name == "_column_times_row" or (name == "matmul" and call.inputs[0].ndim > 1)


def operations(call: Any) -> int:
    """Of one call, by what the kernel is; a copy is none."""
    name = getattr(call.kernel, "__name__", "")
    if is_product(call):
        return 2 * int(call.out.size) * call.inputs[0].shape[-1]
    if name == "matmul":
        return int(call.inputs[1].size)
    if name == "_sum":
        return int(call.inputs[0].size)
    # relu_backward compares and multiplies in one call.
    each = {"positive": 0, "_repeated": 0, "_where_positive": 2}.get(name, 1)
    return each * int(call.out.size)


@given(case=cases.filter(lambda case: case.batch > 1))
@settings(max_examples=60, deadline=None)
def test_what_is_counted_is_what_the_engine_calls(case: Case) -> None:
    count, calls = count_step(case), recorded_calls(case)
    products = products_of(calls)
    assert count.product_operations == sum(map(operations, products))
    moved = sum(array.nbytes for call in products for array in (*call.inputs, call.out))
    assert count.product_bytes == moved
    # One scaling of the loss and one of its derivative per network are in nobody's formula.
    elementwise = sum(map(operations, calls)) - count.product_operations
    assert (
        count.elementwise_operations
        <= elementwise
        <= count.elementwise_operations + (4 * case.networks)
    )
    # Fused into the products, the rest moves less than it does call by call.
    whole = sum(
        array.nbytes
        for call in calls
        for array in (*call.inputs, call.out)
        if isinstance(array, np.ndarray)
    )
    assert count.product_bytes < count.bytes < whole


def test_the_formulas_on_one_network_counted_by_hand() -> None:
    """2-[3]-1 on 4 points: products 2*4*2*3 twice, then 2*4*3*1 three times."""
    count = count_step(Case(1, 3, 4))
    assert count.product_operations == 2 * 48 + 3 * 24
    bias, relu, loss, update = 2 * (12 + 4), 3 * 12, 15 * 4, 2 * 13
    assert count.elementwise_operations == bias + relu + loss + update
    products = 2 * (8 + 6 + 12) + 3 * (12 + 3 + 4)
    biases, mask, loss_bytes, updated_bytes = 2 * (3 + 1), 12, 3 * 4, 3 * 13
    assert count.product_bytes == 4 * products
    assert count.bytes == 4 * (products + biases + mask + loss_bytes + updated_bytes)
    assert count.working_set == 4 * (4 * 3 + 2 * 13 + 2 * 16)


def test_networks_side_by_side_share_their_inputs_only() -> None:
    one, ten = count_step(Case(4, 8, 16)), count_step(Case(4, 8, 16, networks=10))
    assert ten.operations == 10 * one.operations
    inputs, targets = 16 * 2, 16
    assert ten.bytes == 10 * one.bytes - 9 * BYTES_OF_A_NUMBER * (2 * inputs + targets)


# The floors


@given(case=cases)
@settings(max_examples=30, deadline=None)
def test_the_hand_written_loop_is_the_engines_step(case: Case) -> None:
    drawn = new_problem(case)
    step, loop = engine.engine_step(engine.RECORDED, drawn, BACKEND), engine.loop(drawn)
    assert loop.losses is not None and step.losses is not None
    for _ in range(4):
        expected = step.losses(step.call())
        np.testing.assert_allclose(loop.losses(loop.call()), expected, rtol=2e-5, atol=1e-7)


def test_the_loop_in_float64_stays_on_the_engines_path() -> None:
    drawn = new_problem(TINY)
    weights = [each[0].astype(float) for each in drawn.weights]
    biases = [each[0, 0].astype(float) for each in drawn.biases]
    loop = numpy_loop(weights, biases, drawn.X.astype(float), drawn.y.astype(float), 0.1)
    losses = [float(loop()) for _ in range(50)]
    assert losses[-1] < losses[0]
    assert all(each.dtype == np.float64 for each in weights)


@given(case=cases, seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_products_alone_compute_a_linear_networks_gradients(case: Case, seed: int) -> None:
    """And again when repeated, from buffers full of NaN."""
    rng = np.random.default_rng(seed)
    layers = [Linear(i, o) for i, o in zip(case.widths, case.widths[1:], strict=False)]
    model = Model(*layers, ensemble=case.ensemble, dtype="float64", seed=seed)
    X = rng.standard_normal((case.batch, 2))
    lead = (case.networks,) if case.ensemble else ()
    slopes = rng.standard_normal((*lead, case.batch, 1))
    outputs = model(X)
    (outputs * slopes).sum().backward()
    weights = model.parameters()[::2]
    calls, activations, gradients = product_calls(
        BACKEND, X, [weight.data for weight in weights], slopes
    )
    for array in (*activations, *gradients):
        array[...] = np.nan
    BACKEND.repeater(calls)()
    np.testing.assert_allclose(activations[-1], outputs.numpy(), rtol=1e-12, atol=1e-12)
    for gradient, weight in zip(gradients, weights, strict=True):
        np.testing.assert_allclose(gradient, weight.grad, rtol=1e-10, atol=1e-12)


def layout(array: Any) -> Any:
    """Shape, and which of the last two axes is the contiguous one."""
    return array.shape, array.ndim > 1 and array.strides[-1] > array.strides[-2]


@pytest.mark.parametrize("networks", [1, 3])
def test_the_floor_multiplies_the_shapes_and_layouts_that_the_step_needs(networks: int) -> None:
    case = Case(3, 6, 8, networks=networks)
    drawn = new_problem(case)
    weights = [drawn.own(each) for each in drawn.weights]
    slopes = drawn.own(np.ones((networks, 8, 1), np.float32))
    own, _, _ = product_calls(BACKEND, drawn.X, weights, slopes)
    found = sorted((layout(a), layout(b)) for _, (a, b), *_ in own)
    expected = sorted((layout(a), layout(b)) for _, (a, b), *_ in products_of(recorded_calls(case)))
    assert found == expected


def test_the_floor_runs_without_the_elementwise_work() -> None:
    products = engine.products(new_problem(TINY), BACKEND)
    assert products.call() is None and products.losses is None


# Correctness before time


def fake(name: str, losses: list[float], networks: int = 1) -> Implementation:
    """One that gives these losses, step by step."""
    remaining = iter(losses)
    return Implementation(
        name, lambda: next(remaining), lambda loss: np.full((1, networks), loss), networks=networks
    )


def true_losses(drawn: Problem) -> list[float]:
    return [float(each) for each in problem.reference_losses(drawn)[:, 0]]


def test_who_computes_the_same_may_be_timed() -> None:
    drawn = new_problem(TINY)
    losses = true_losses(drawn)
    nearly = [each * (1 + 5e-5) for each in losses]
    assert check_agreement(drawn, [fake("a", losses), fake("b", nearly)]) == pytest.approx(5e-5)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (lambda losses: [losses[0], *losses[:-1]], 2),
        (lambda losses: [losses[0] * 1.01, *losses[1:]], 1),
        (lambda losses: [*losses[:-1], float("nan")], problem.STEPS_COMPARED),
        (lambda losses: [0.0, *losses[1:]], 1),
    ],
    ids=["a step behind", "another loss", "nan at the end", "nothing at first"],
)
def test_who_computes_something_else_is_named(change: Any, step: int) -> None:
    drawn = new_problem(dataclasses.replace(TINY, width=32))
    losses = true_losses(drawn)
    with pytest.raises(InputError, match=f"losses of wrong differ at step {step}:"):
        check_agreement(drawn, [fake("right", losses), fake("wrong", change(losses))])


def test_all_being_wrong_alike_is_found_by_the_reference() -> None:
    drawn = new_problem(TINY)
    wrong = [2 * each for each in true_losses(drawn)]
    with pytest.raises(InputError, match="losses of a differ at step 1"):
        check_agreement(drawn, [fake("a", wrong), fake("b", wrong)])


def test_a_wide_network_learns_without_jumps() -> None:
    """Losses that jump would differ between two libraries by much more than one step's rounding."""
    drawn = new_problem(Case(4, 1024, 64))
    eager = engine.engine_step(engine.EAGER, drawn, BACKEND)
    assert (np.diff(problem.first_losses(eager), axis=0) < 0).all()


def test_losses_that_stand_still_prove_nothing() -> None:
    drawn = new_problem(TINY)
    still = [0.7] * problem.STEPS_COMPARED
    with pytest.raises(InputError, match="the loss does not change"):
        check_agreement(drawn, [fake("a", still)])


def test_every_network_of_an_ensemble_is_compared() -> None:
    case = Case(1, 8, 9, networks=5)
    drawn = new_problem(case)
    assert not np.array_equal(drawn.weights[0][0], drawn.weights[0][1])
    eager, recorded = engine_steps(drawn)
    assert eager.losses is not None

    def last_one_off(loss: Any) -> Any:
        losses = recorded.losses(loss).copy()  # type: ignore[misc]
        losses[:, -1] *= 1.01
        return losses

    wrong = dataclasses.replace(recorded, losses=last_one_off)
    with pytest.raises(InputError, match="losses of recorded differ at step 1"):
        check_agreement(drawn, [eager, wrong])


def test_of_many_networks_a_few_may_differ_more() -> None:
    """Those in which rounding moved a point across a kink; not more of them, and not by more."""
    differences = np.full((2, 200), 1e-5)
    assert problem.is_accepted(differences, 1e-4).tolist() == [True, True]
    differences[1, 50:52] = 2e-4
    assert problem.is_accepted(differences, 1e-4).tolist() == [True, True]
    assert problem.is_accepted(differences[:, :99], 1e-4).tolist() == [True, False]
    for wrong in (2e-3, np.nan):
        changed = differences.copy()
        changed[1, 50] = wrong
        assert problem.is_accepted(changed, 1e-4).tolist() == [True, False]
    differences[0, :3] = 2e-4
    assert problem.is_accepted(differences, 1e-4).tolist() == [False, True]


def test_nothing_is_timed_before_the_losses_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an engine whose learning rate is another one."""

    def timed(*_: Any, **__: Any) -> None:
        raise AssertionError("was timed")

    monkeypatch.setattr(engine, "LEARNING_RATE", 0.5)
    monkeypatch.setattr(bench, "interleaved", timed)
    with pytest.raises(InputError, match="losses of recorded differ at step 2"):
        small()


# The peers


peer_cases = pytest.mark.parametrize(
    "case", [Case(1, 4, 6), Case(3, 5, 7), Case(2, 5, 7, 4)], ids=str
)


def engine_steps(drawn: Problem) -> list[Implementation]:
    return [engine.engine_step(name, drawn, BACKEND) for name in (engine.EAGER, engine.RECORDED)]


@peer_cases
def test_pytorch_makes_the_same_steps(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[bench]'")

    def refused(*_: Any) -> None:
        raise RuntimeError("no working C++ compiler\nand more lines")

    monkeypatch.setattr(torch_peer, "compiled_step", refused)
    drawn = new_problem(case)
    eager, line = torch_peer.torch_steps(drawn)
    assert isinstance(eager, Implementation) and eager.name == torch_peer.EAGER
    assert line == "torch.compile does not take part: no working C++ compiler"
    assert check_agreement(drawn, [*engine_steps(drawn), eager]) < 1e-5


def test_one_way_of_pytorch_that_fails_takes_no_case_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a GPU also the capture of its graph may fail."""

    def made(name: str, *_: Any) -> str:
        if name != torch_peer.EAGER:
            raise RuntimeError(f"{name} is out of order")
        return name

    monkeypatch.setattr(torch_peer, "import_torch", MagicMock())
    monkeypatch.setattr(torch_peer, "implementation", made)
    for backend, ways in (
        ("numpy", ["torch.compile"]),
        ("cupy", [torch_peer.GRAPH, "torch.compile"]),
    ):
        eager, *lines = torch_peer.torch_steps(new_problem(Case(1, 4, 6, backend=backend)))
        assert eager == torch_peer.EAGER
        assert lines == [f"{way} does not take part: {way} is out of order" for way in ways]


@peer_cases
def test_jax_makes_the_same_steps(case: Case) -> None:
    pytest.importorskip("jax", reason="JAX is not installed: pip install -e '.[bench]'")
    drawn = new_problem(case)
    found = list(jax_peer.jax_steps(drawn))
    assert [each.name for each in found] == [jax_peer.JIT, jax_peer.SCAN]
    assert check_agreement(drawn, [*engine_steps(drawn), *found]) < 1e-5


needs_compiler = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")


@needs_compiler
def test_the_compiled_step_takes_part_where_it_is_asked_for() -> None:
    result = small(compiled=True)
    assert "vectors of" in result.extra["versions"]["compiler"]
    for row in result.rows:
        assert engine.COMPILED in report.ratios(row)
        assert 0 < report.placements(row)[engine.COMPILED].of_peak
    assert "C++ step" in report.headline(result)


@needs_compiler
@pytest.mark.skipif(len(cores() or "12") < 2, reason="one core")
def test_the_networks_of_a_compiled_ensemble_are_timed_on_one_thread_and_on_several() -> None:
    result = small(compiled=True, threads=2)
    one, many = result.rows
    assert report.ONE_THREAD not in report.ratios(one)
    assert report.ONE_THREAD in report.ratios(many)
    (line,) = report.scaling_notes(result)
    assert line.startswith(f"{many.arm}: 2 threads compute") and line.endswith("of linear.")


def test_compiled_without_a_compiler_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert main(["bench", "--compiled", "--out", str(tmp_path)]) == 2
    assert "--compiled: no C++ compiler" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "title"), [("torch", "PyTorch"), ("jax", "JAX")])
def test_a_missing_peer_is_one_line_before_anything_is_measured(
    name: str,
    title: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(bench, "time_case", None)
    assert main(["bench", "--quick", "--peers", name, "--out", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--peers {name} needs {title}" in line and "pip install -e '.[bench]'" in line


# Timing


class Clock:
    """Stands for all clocks: a call takes as long as it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def timer(self) -> Timer:
        clock = self

        class Stopwatch(Timer):
            def __enter__(self) -> Timer:
                self._start = clock.now
                return self

            def __exit__(self, *_: object) -> None:
                self.seconds = clock.now - self._start

        return Stopwatch(lambda: None)

    def implementation(
        self, name: str, cost: float, turns: list[str], **options: Any
    ) -> Implementation:
        def call() -> None:
            self.now += cost
            turns.append(name)

        return Implementation(name, call, timer=self.timer, **options)


def test_implementations_take_turns_in_an_order_that_rotates() -> None:
    clock, turns = Clock(), []
    implementations = [clock.implementation(name, 1.0, turns) for name in "abc"]
    for each in implementations:
        calls_per_turn(each)
    turns.clear()
    advanced: list[int] = []
    seconds, busy = interleaved(implementations, 4, lambda: advanced.append(1))
    # Each turn is one call that does not count, then one that does.
    order = turns[-24::2]
    assert "".join(order) == "abc" + "bca" + "cab" + "abc"
    assert len(advanced) == 12
    assert all(each.tolist() == [1.0] * 4 for each in seconds.values()) and np.isnan(busy)


def test_a_time_is_that_of_one_step_of_one_network() -> None:
    clock, turns = Clock(), []
    scan = clock.implementation("scan", 60.0, turns, steps=20, networks=3)
    seconds, _ = interleaved([scan], 2, lambda: None)
    assert seconds["scan"].tolist() == [1.0, 1.0]


def test_the_share_of_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor computed in a quarter of the time of the turns."""
    clock, turns = Clock(), []
    monkeypatch.setattr(timing.time, "thread_time", lambda: clock.now / 4)
    _, busy = interleaved([clock.implementation("a", 1.0, turns)], 3, lambda: None, watched="a")
    assert busy == 0.75


@pytest.mark.parametrize(("cost", "calls"), [(1.0, 1), (0.004, 5), (0.0099, 2), (1e-9, 2000)])
def test_a_turn_is_filled_with_calls(cost: float, calls: int) -> None:
    assert calls_per_turn(Clock().implementation("a", cost, []), 0.02) == calls


def test_a_ratio_is_taken_within_a_round() -> None:
    """The machine halves its speed after every round: the ratio must not notice."""
    drift = 2.0 ** np.arange(11)
    row = bench.row_of(TINY, {"recorded": drift, "eager": 3 * drift}, 1e9, 1e9)
    assert report.ratios(row)["eager"] == Spread(3.0, 3.0, 3.0)
    assert row.record()["eager, seconds"] == (3 * drift).tolist()
    assert report.placements(row)["eager"].rate == count_step(TINY).operations / 96
    found = spread(np.arange(11.0))
    assert (found.low, found.median, found.high) == (1.0, 5.0, 9.0)


@pytest.mark.parametrize(
    ("value", "text"), [(0.954, "0.95"), (4.506, "4.51"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_a_ratio_has_as_many_digits_as_it_deserves(value: float, text: str) -> None:
    assert shown(value) == text


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no system call to pin with")
def test_all_run_on_one_core_and_one_thread_but_for_compiling_and_afterwards_as_before() -> None:
    from threadpoolctl import threadpool_info

    before = cores()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(cores).result() == before
        with limited(1):
            assert len(cores()) == 1 and pool.submit(cores).result() == cores()
            assert all(each["num_threads"] == 1 for each in threadpool_info())
            with on_cores(before):
                assert cores() == before and pool.submit(cores).result() == before
            assert len(cores()) == 1 and pool.submit(cores).result() == cores()
        assert cores() == before and pool.submit(cores).result() == before


def test_peers_are_built_on_all_cores_and_timed_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = cores(), []
    build, turns = bench.implementations, bench.interleaved

    def built(*arguments: Any) -> Any:
        seen.append(cores())
        yield from build(*arguments)

    def timed(*arguments: Any) -> Any:
        seen.append(cores())
        return turns(*arguments)

    monkeypatch.setattr(bench, "implementations", built)
    monkeypatch.setattr(bench, "interleaved", timed)
    small()
    assert [len(each) for each in seen] == [len(before), min(1, len(before))] * 2


def test_without_threadpoolctl_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert main(["bench", "--quick", "--out", str(tmp_path / "x")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "bench needs threadpoolctl" in line and "pip install threadpoolctl" in line


# The roofline


def test_a_step_is_placed_by_its_nearer_limit() -> None:
    """1,000 operations and 50 bytes in 2 s; a limit that is nearer is reached to a larger part."""
    count = StepCount(900, 100, 50, 50, 50)
    placed = place(count, 2.0, 1000.0, 1e3)
    assert (placed.rate, placed.of_peak, placed.of_bandwidth) == (500.0, 0.5, 0.025)
    assert place(count, 2.0, 1e9, 25.0).of_bandwidth == 1.0


@needs_compiler
def test_the_peak_of_a_core_is_counted_and_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    from scratchnet.backends.compile import find_compiler

    lanes = find_compiler().target.vector_bytes // 4
    assert fused_peak(1).work == 2 * 10 * roofline.FUSED * lanes
    assert fused_peak(3).work == 3 * fused_peak(1).work and "3 cores" in fused_peak(3).sentence
    fused_peak(1).implementation.call()


def test_limits_count_what_they_do() -> None:
    assert product_peak(BACKEND).work == 2 * 16**3
    assert addition(BACKEND, 2**12).work == 3 * 2**11
    assert addition(BACKEND, 1).work == 3 * 2**9
    assert addition(BACKEND, 2**40).work == 3 * 2**13


# A whole run


SMALL = (Case(1, 4, 5), Case(2, 4, 5, 3))


@pytest.fixture(autouse=True)
def small_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "FIGURES", SMALL)


def small(advance: Any = lambda steps=1, note="", value=None: None, **given: Any) -> Result:
    """The figures' run, of two small cases."""
    s = quick_settings(experiment, figures=True, rounds=3, backend="numpy", **given)
    experiment.check(s)
    run = Run(s, "bench", advance)
    experiment.run(run)
    return run.result


def recorded_of(result: Result) -> Any:
    """As result.json holds it."""
    facts = {"device": "a processor", "numpy": "2", "date": "2026-01-02T03:04:05+00:00"}
    return json.loads(to_json(record_of(result, (), facts)))


def test_the_figures_show_who_took_part_in_some_cases_only() -> None:
    """On a GPU a network may be too large for the kernel, the first or another one."""
    one = Spread(1.0, 1.0, 1.0)
    without, with_it = made_up({}), made_up({engine.COMPILED: one})
    for results in ([without, with_it], [with_it, without]):
        (axes,) = roofline_figure(joined(results)).axes
        assert f"{engine.COMPILED} 0%" in axes.get_title()
        (points,) = [each for each in axes.lines if each.get_label() == engine.COMPILED]
        assert np.isfinite(points.get_ydata()).sum() == 1


def test_a_run_measures_every_case_and_its_record_is_json() -> None:
    result = small()
    found = recorded_of(result)
    assert [row["network"] for row in found["rows"]] == ["2-[4]-1", "2-[4]*2-1"]
    names = {engine.EAGER, engine.RECORDED, engine.PRODUCTS, engine.LOOP}
    for row in found["rows"]:
        assert set(row["time_over_recorded"]) == set(row["seconds"]) == names
        assert row["time_over_recorded"]["recorded"]["median"] == 1.0
        assert all(len(row[f"{name}, seconds"]) == len(row["seeds"]) == 3 for name in names)
        assert row["largest_loss_difference"] < 1e-5
        assert row["peak_operations_per_second"] > 0 and row["bytes_per_second"] > 0
    assert found["claims"] == [] and found["extra"]["peak"] and found["extra"]["memory"]
    drawn = {name: draw() for name, draw in experiment.figures(result).items()}
    labels = [each.get_text() for each in drawn["time"].axes[0].get_yticklabels()]
    assert list(drawn) == ["time", "roofline"] and labels == [str(case) for case in SMALL]


def test_progress_reaches_its_end() -> None:
    done = 0.0

    def advance(steps: float = 1, note: str = "") -> None:
        nonlocal done
        done += steps

    result = small(advance)
    assert done == pytest.approx(experiment.work(result.settings))


ONE_CASE = "--depths 1 --widths 4 --batches 5,6 --rounds 2 --backend numpy".split()


def test_an_interruption_keeps_the_cases_that_are_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    timed = bench.time_case

    def second_interrupted(run: Run, case: Case, *others: Any) -> None:
        if case.batch == 6:
            raise KeyboardInterrupt
        timed(run, case, *others)

    monkeypatch.setattr(bench, "time_case", second_interrupted)
    assert main(["bench", *ONE_CASE, "--out", str(tmp_path)]) == 130
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["interrupted"] and [row["batch"] for row in found["rows"]] == [5]
    assert "Interrupted" in capsys.readouterr().out


def test_an_interruption_before_the_first_case_leaves_the_earlier_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["bench", *ONE_CASE, "--out", str(tmp_path)]
    assert main(arguments) == 0
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert set(before) == {"result.json", "time.png", "roofline.png"}

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    for step in ("time_case", "prepare_peers"):
        monkeypatch.setattr(bench, step, interrupted)
        assert main(arguments) == 130
        assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_forced_older_kernel_is_said_at_once_and_in_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench, "forced_older_kernel", lambda: "A=B forces an older kernel")

    def time_case(run: Run, case: Case, *_: Any) -> None:
        assert len(caught) == 1
        run.result.rows += made_up({}, case=case).rows
        run.result.extra |= {"peak": "a loop", "memory": "an addition"}

    monkeypatch.setattr(bench, "time_case", time_case)
    with pytest.warns(RuntimeWarning, match="A=B forces") as caught:
        result = small()
    assert "Caution: A=B forces an older kernel." in report.notes(result)
    facts = BACKEND.device_info()
    assert f"{facts['blas']}, {facts['kernel']} kernel" in next(iter(report.notes(result)))


ERRORS = [
    MemoryError("8 GiB asked for, 2 free"),
    DeviceMemoryError("8 GiB asked for, 2 free"),
    RuntimeError("CUDA out of memory. 8 GiB asked for, 2 free\nand more lines"),
    InputError(f"{SMALL[0]}: the losses differ"),
    OSError("no space left on device"),
]


def failing(error: Exception, *cases: Case) -> Any:
    def time_case(run: Run, case: Case, *_: Any) -> None:
        if case in cases:
            raise error
        run.result.rows += made_up({}, case=case).rows

    return time_case


@pytest.mark.parametrize("error", ERRORS, ids=str)
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_a_case_that_fails_leaves_the_others(
    error: Exception, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "time_case", failing(error, case))
    result = small()
    assert [row.arm for row in result.rows] == [str(each) for each in SMALL if each != case]
    (note,) = result.extra["notes"]
    reason = str(error).splitlines()[0].removeprefix(f"{case}: ")
    assert note == f"{case} was left out: {reason}."


@pytest.mark.parametrize("error", [InputError("the losses differ"), RuntimeError("illegal")])
def test_where_every_case_fails_the_reason_is_raised(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "time_case", failing(error, *SMALL))
    with pytest.raises(type(error), match=str(error)):
        small()


def test_a_mistake_of_the_program_is_not_hidden_by_what_was_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench, "time_case", failing(AttributeError("no such thing"), SMALL[1]))
    with pytest.raises(AttributeError, match="no such thing"):
        small()


class StandIn(NumpyBackend):
    """NumPy under CUDA's name, which counts what is copied to the host."""

    name = "cupy"
    copied = 0

    def to_numpy(self, array: Any) -> Any:
        StandIn.copied += array.nbytes
        return super().to_numpy(array)


@pytest.fixture
def on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "get_backend", lambda name, precision="fp32": StandIn())
    monkeypatch.setattr(report, "get_backend", lambda name, precision="fp32": StandIn())


def test_on_a_gpu_there_is_no_loop_and_the_peak_is_a_products(on_cuda: None) -> None:
    settings = quick_settings(experiment, depths=(1,), widths=(4,), batches=(5,), precision="tf32")
    run = Run(settings)
    experiment.check(settings)
    experiment.run(run)
    (row,) = run.result.rows
    assert (row.facts["backend"], row.facts["precision"]) == ("cupy", "tf32")
    assert row.arm == "2-[4]-1, 5 points, tf32"
    assert engine.LOOP not in report.ratios(row)
    assert "8 x 8" in run.result.extra["peak"]


def test_only_losses_are_copied_to_the_host() -> None:
    """The check of a recorded step compares parameters and gradients where they are."""
    StandIn.copied = 0
    drawn = new_problem(Case(2, 100, 5, networks=3, backend="cupy"))
    steps = [engine.engine_step(each, drawn, StandIn()) for each in ("recorded", "eager")]
    check_agreement(drawn, steps)
    assert 0 < StandIn.copied <= len(steps) * problem.STEPS_COMPARED * 3 * 4


def test_the_figures_of_a_gpu_hold_a_thousand_networks_and_large_matrices(on_cuda: None) -> None:
    chosen = bench.cases(quick_settings(experiment, figures=True))
    assert {case.backend for case in chosen} == {"cupy"}
    assert [str(case) for case in chosen[-4:]] == [
        "132 x 2-[32]*8-1, 400 points",
        "1,000 x 2-[32]*8-1, 400 points",
        "1,000 x 2-[32]*8-1, 400 points, tf32",
        "2-[8192]*4-1, 8,192 points, tf32",
    ]


# What is said


def made_up(ratios: dict[str, Spread], rounds: int = 20, case: Case = TINY) -> Result:
    """One case with these ratios to the recorded step."""
    one = {engine.RECORDED: np.ones(rounds) / 100, engine.EAGER: np.ones(rounds) / 100}
    row = bench.row_of(case, one, 1e9, 1e9)
    facts = {
        **row.facts,
        "time_over_recorded": {**row.facts["time_over_recorded"], **ratios},
        "largest_loss_difference": 1e-7,
        "share_of_other_processes": 0.0,
    }
    if engine.COMPILED in ratios:
        facts["roofline"] = {**facts["roofline"], engine.COMPILED: report.placements(row)["eager"]}
    settings = quick_settings(experiment, rounds=rounds, backend="numpy")
    extra = {"versions": {"JAX": "1"}, "peak": "a loop", "memory": "an addition", "notes": []}
    return Result(settings, [dataclasses.replace(row, facts=facts)], extra)


def joined(results: list[Result]) -> Result:
    return dataclasses.replace(results[0], rows=[row for each in results for row in each.rows])


def test_a_claim_needs_nine_of_ten_rounds_and_enough_of_them() -> None:
    spreads = [Spread(m, m - 0.1, m + 0.1) for m in (0.5, 1.0, 1.05, 2.0, 3.0)]

    def said(rounds: int) -> list[Any]:
        result = joined([made_up({jax_peer.JIT: each}, rounds) for each in spreads])
        assert "JAX jit 0.50 to 3.00" in report.headline(result)
        return list(report.ratio_table(result).rows[len(spreads) :])

    assert said(9) == []
    slower, faster = said(10)
    assert slower == ["slower than recorded in", "2 of 5", "0 of 5"]
    assert faster == ["faster in", "1 of 5", "0 of 5"]


def test_a_busy_machine_and_threads_beside_peers_are_said() -> None:
    result = made_up({})
    assert not any("Caution" in line for line in report.notes(result))
    facts = {**result.rows[0].facts, "share_of_other_processes": 0.3}
    busy = dataclasses.replace(result, rows=[dataclasses.replace(result.rows[0], facts=facts)])
    assert any("other processes took up to 30%" in line for line in report.notes(busy))
    s = dataclasses.replace(result.settings, threads=2, peers=("jax",))
    crowded = dataclasses.replace(result, settings=s)
    assert any("a pool of its own" in line for line in report.notes(crowded))


def test_the_report_fits_a_terminal_of_eighty_columns() -> None:
    everybody = dict.fromkeys(report.ORDER, Spread(12.25, 11.5, 123.0))
    result = joined([made_up(everybody, case=case) for case in (Case(8, 32, 400, 100), TINY)])
    out, screen = io.StringIO(), Screen(json=False)
    screen.console = Console(file=out, width=80, highlight=False)
    for table in experiment.tables(result):
        print_table(table, screen)
    text = out.getvalue()
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    assert "C++ step, one thread: 12.2 [11.5 to 123]" in text
    # The limits stand side by side, and so do the medians of many cases and few implementations.
    assert "MFLOP:" not in text
    many = joined([made_up({}, case=Case(8, 256, 512)) for _ in range(11)])
    assert report.ratio_table(many).rows[0] == ["2-[256]*8-1, 512 points", "1.00"]


# The README


def test_the_readme_holds_the_committed_results() -> None:
    readme = (ROOT / "README.md").read_text()
    records = committed_records()
    assert records, "demos/results holds no bench*.json"
    assert updated(readme, records) == readme, (
        "run: python -m scratchnet.demos.bench.readme_table README.md"
    )


def test_the_table_has_a_row_for_each_network_and_a_column_for_each_who_took_part() -> None:
    single = made_up(
        {torch_peer.EAGER: Spread(4.5, 4.25, 4.75), engine.PRODUCTS: Spread(0.5, 0.4, 0.6)}
    )
    many = made_up({torch_peer.EAGER: Spread(1.25, 1.1, 1.3)}, case=Case(8, 32, 400, 10))
    text = section([recorded_of(joined([single, many]))])
    assert text.endswith(NO_GPU)
    about, ratios, limits = (
        text.removesuffix(NO_GPU).rstrip().split("\n\nTi")[0],
        *(part.splitlines() for part in text.split(":\n\n")[1:]),
    )
    assert about == (
        "**a processor, 1 thread**, float32, 20 rounds, 2026-01-02; NumPy 2, JAX 1. The peak is a "
        "loop."
    )
    assert ratios[:6] == [
        "| step | PyTorch eager | matrix products | eager |",
        "| --- | --- | --- | --- |",
        "| `2-[5]*2-1`, 7 points | 4.50<br>[4.25–4.75] | 0.50<br>[0.40–0.60] "
        "| 1.00<br>[1.00–1.00] |",
        "| 10 × `2-[32]*8-1`, 400 points | 1.25<br>[1.10–1.30] |  | 1.00<br>[1.00–1.00] |",
        "| slower than recorded in | 2 of 2 | 0 of 2 | 0 of 2 |",
        "| faster in | 0 of 2 | 1 of 2 | 0 of 2 |",
    ]
    assert limits[:2] == [
        "| step | MFLOP | µs | recorded of peak | of memory |",
        "| --- | --- | --- | --- | --- |",
    ]
    assert limits[3] == "| 10 × `2-[32]*8-1`, 400 points | 179.2 | 10,000 | 179% | 30% |"


def test_the_table_names_the_kernel_of_the_products() -> None:
    (found,) = [each for each in committed_records() if each["environment"]["backend"] == "numpy"]
    facts = found["environment"] | {"numpy": "2.4", "blas": "openblas 0.3", "kernel": "Zen"}
    assert "NumPy 2.4 (openblas 0.3, Zen kernel)" in section([found | {"environment": facts}])


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    text = f"before\n{START}\nold\n{END}\nafter"
    new = updated(text, [])
    assert new.startswith("before\n") and new.endswith("\nafter") and "old" not in new
    assert updated(new, []) == new
    on_gpu = recorded_of(made_up({}))
    on_gpu["environment"]["backend"] = "cupy"
    assert "No GPU" in new and "No GPU" not in section([on_gpu])
    with pytest.raises(InputError, match="lacks the lines"):
        updated("no markers", [])


# Options


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--depths", "0"], ["--depths 0", "from 1"]),
        (["--widths", "8,8"], ["--widths 8,8", "without repetitions"]),
        (["--batches", "many"], ["--batches", "'many'"]),
        (["--ensembles", "1,-2"], ["--ensembles -2"]),
        (["--precision", "fp8"], ["--precision", "'fp8'", "fp32, tf32, bf16, fp16"]),
        (["--precision", "bf16", "--backend", "numpy"], ["--precision bf16", "must be fp32"]),
        (["--peers", "torch,tensorflow"], ["--peers", "'tensorflow'", "torch, jax"]),
        (["--peers", "jax,jax"], ["--peers jax,jax", "without repetitions"]),
        (["--rounds", "1"], ["--rounds 1", "from 2"]),
        (["--threads", "0"], ["--threads 0"]),
        (["--threads", "4096"], ["--threads 4096: must be at most", "the cores here"]),
        (["--figures", "--depths", "2"], ["--depths: must be left out with --figures"]),
        (["--figures", "--widths", "16,64,256"], ["--widths: must be left out with --figures"]),
        (["--widths", "100000", "--depths", "1000"], ["GiB of memory: must be at most"]),
        (["--backend", "cuda"], ["--backend", "numpy, cupy"]),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    expected: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert main(["bench", "--quick", "--out", str(tmp_path / "x"), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for part in expected:
        assert part in line
    assert not (tmp_path / "x").exists()


def test_the_options_become_every_combination() -> None:
    sweep = {"depths": (1, 2), "widths": (4, 8), "batches": (3,), "ensembles": (1, 5)}
    chosen = bench.cases(quick_settings(experiment, backend="numpy", **sweep))
    assert len(set(chosen)) == 8
    costs = [count_step(case).product_operations for case in chosen]
    assert costs[0] == min(costs) and costs[-1] == max(costs)
    assert chosen[0].network == "2-[4]-1" and str(chosen[-1]).startswith("5 x 2-[8]*2-1")


def test_the_figures_are_those_of_the_readme() -> None:
    (found,) = [each for each in committed_records() if each["environment"]["backend"] == "numpy"]
    assert {row["arm"] for row in found["rows"]} == {str(case) for case in FIGURES}


def test_json_is_what_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["bench", *ONE_CASE, "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert set(printed["environment"]) >= {"blas", "kernel", "device", "date"}
