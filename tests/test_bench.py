"""`scratchnet bench`: what is counted, what is compared, what is said; no test reads a clock."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from scratchnet import InputError, Linear, Model, get_backend
from scratchnet.backends import DeviceMemoryError, NumpyBackend
from scratchnet.backends.compile import compiler_available
from scratchnet.backends.interface import Timer
from scratchnet.demos import timing
from scratchnet.demos.bench import engine, floors, jax_peer, problem, torch_peer
from scratchnet.demos.bench import figures as drawings
from scratchnet.demos.bench import run as experiment
from scratchnet.demos.bench.command import record
from scratchnet.demos.bench.counting import BYTES_OF_A_NUMBER, StepCount, count_step
from scratchnet.demos.bench.floors import loop_contestant, product_calls, products_contestant
from scratchnet.demos.bench.numpy_loop import numpy_loop
from scratchnet.demos.bench.problem import Problem, check_agreement, new_problem
from scratchnet.demos.bench.readme_table import (
    END,
    NO_GPU,
    START,
    committed_records,
    section,
    updated,
)
from scratchnet.demos.bench.report import crossover_sentences, description, report, sentences
from scratchnet.demos.bench.roofline import Ceilings, measured_size, place
from scratchnet.demos.bench.run import Result, Row, run, total_cost
from scratchnet.demos.bench.settings import Case, Options, Settings, choose_settings
from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import Screen
from scratchnet.demos.results import to_json
from scratchnet.demos.settings import resolve
from scratchnet.demos.timing import (
    Contestant,
    Spread,
    calls_per_turn,
    figures,
    interleaved,
    pinned,
    ratio,
)

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
def small_ceilings(monkeypatch: pytest.MonkeyPatch, short_turns: None) -> None:
    """Ceilings of matrices that are multiplied at once, in turns as short."""
    monkeypatch.setattr("scratchnet.demos.bench.roofline.TRIES", 1)
    monkeypatch.setattr("scratchnet.demos.bench.roofline.SECONDS_PER_TRY", 1e-5)
    sizes = {"numpy": (8, 16), "cupy": (8,)}
    monkeypatch.setattr("scratchnet.demos.bench.roofline.PRODUCT_SIZES", sizes)
    monkeypatch.setattr(experiment, "PRODUCT_SIZES", sizes)


# Counting


def recorded_calls(case: Case) -> list[Any]:
    """What the engine calls in one eager step; with one point there is no sum over the batch."""
    drawn = new_problem(case)
    step = engine.training_step(engine.new_model(drawn, BACKEND), drawn, is_recorded=False)
    with BACKEND.recording() as calls:
        step()
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
    step = engine.training_step(engine.new_model(drawn, BACKEND), drawn, is_recorded=True)
    loop = loop_contestant(drawn)
    assert loop.losses is not None
    for _ in range(4):
        expected = np.atleast_1d(step().numpy())[np.newaxis]
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
    contestant = products_contestant(new_problem(TINY), BACKEND)
    assert contestant.call() is None and contestant.losses is None


# Correctness before time


def fake(name: str, losses: list[float], networks: int = 1) -> Contestant:
    """One that gives these losses, step by step."""
    remaining = iter(losses)
    return Contestant(
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
    (eager,) = engine.engine_contestants(drawn, BACKEND, ("eager",))
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
    eager, recorded = engine.engine_contestants(drawn, BACKEND)
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
    """With a hand-written loop whose learning rate is another one."""

    def timed(*_: Any, **__: Any) -> None:
        raise AssertionError("was timed")

    monkeypatch.setattr(floors, "LEARNING_RATE", 0.5)
    monkeypatch.setattr(experiment, "interleaved", timed)
    with pytest.raises(InputError, match="losses of hand-written loop differ at step 2"):
        run(Settings((Case(1, 8, 9),), rounds=2, baseline=True))


# The peers


peer_cases = pytest.mark.parametrize(
    "case", [Case(1, 4, 6), Case(3, 5, 7), Case(2, 5, 7, 4)], ids=str
)


@peer_cases
def test_pytorch_makes_the_same_steps(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[bench]'")
    monkeypatch.setattr(torch_peer, "COMPILERS", ())
    drawn = new_problem(case)
    found, missing = torch_peer.torch_contestants(drawn, on_cuda=False)
    assert [each.name for each in found] == [
        torch_peer.BATCHED if case.ensemble else torch_peer.EAGER
    ]
    (line,) = missing
    assert "torch.compile" in line and "install g++" in line
    assert check_agreement(drawn, [*engine.engine_contestants(drawn, BACKEND), *found]) < 1e-5


@peer_cases
def test_jax_makes_the_same_steps(case: Case) -> None:
    pytest.importorskip("jax", reason="JAX is not installed: pip install -e '.[bench]'")
    drawn = new_problem(case)
    found = jax_peer.jax_contestants(drawn, on_cuda=False)
    assert [each.name for each in found] == (
        [jax_peer.MAPPED, jax_peer.MAPPED_AND_SCANNED]
        if case.ensemble
        else [jax_peer.JIT, jax_peer.SCANNED]
    )
    assert check_agreement(drawn, [*engine.engine_contestants(drawn, BACKEND), *found]) < 1e-5


@pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")
def test_the_compiled_step_takes_part_where_it_is_asked_for(tmp_path: Path) -> None:
    shape = ["--depths", "2", "--widths", "5", "--batches", "7", "--ensembles", "1,2"]
    arguments = ["bench", *shape, "--rounds", "2", "--compiled", "--out", str(tmp_path)]
    assert main(arguments) == 0
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["settings"]["compiled"] is True
    assert "vectors of" in found["environment"]["compiler"]
    assert len(found["rows"]) == 2
    for row in found["rows"]:
        assert engine.COMPILED in row["time_over_recorded"]
        assert engine.COMPILED in row["roofline"]
    assert any("compiled step reaches" in line for line in found["summary"]["sentences"])


def test_compiled_without_a_compiler_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert main(["bench", "--compiled", "--out", str(tmp_path)]) == 2
    assert "--compiled: no C++ compiler" in capsys.readouterr().err


@pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")
def test_with_the_compiled_step_the_figures_have_more_networks() -> None:
    given: dict[str, Any] = {"figures": True, "backend": "numpy"}
    plain = choose_settings(resolve(Options, given)).cases
    more = choose_settings(resolve(Options, {**given, "compiled": True})).cases
    assert set(plain) < set(more)
    assert {str(case) for case in set(more) - set(plain)} == {
        "2-[16]*8-1, 512 points",
        "100 x 2-[32]*8-1, 400 points",
    }


@pytest.mark.parametrize(("name", "title"), [("torch", "PyTorch"), ("jax", "JAX")])
def test_a_missing_peer_is_one_line_before_anything_is_measured(
    name: str,
    title: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(experiment, "time_case", None)
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

    def contestant(self, name: str, cost: float, turns: list[str], **options: Any) -> Contestant:
        def call() -> None:
            self.now += cost
            turns.append(name)

        return Contestant(name, call, timer=self.timer, **options)


def test_contestants_take_turns_in_an_order_that_rotates() -> None:
    clock, turns = Clock(), []
    contestants = [clock.contestant(name, 1.0, turns) for name in "abc"]
    for each in contestants:
        calls_per_turn(each)
    turns.clear()
    advanced: list[int] = []
    found = interleaved(contestants, 4, lambda: advanced.append(1))
    # Each turn is one call that does not count, then one that does.
    order = turns[-24::2]
    assert "".join(order) == "abc" + "bca" + "cab" + "abc"
    assert len(advanced) == 12
    assert all(each.tolist() == [1.0] * 4 for each in found.seconds.values())


def test_a_time_is_that_of_one_step_of_one_network() -> None:
    clock, turns = Clock(), []
    contestant = clock.contestant("scan", 60.0, turns, steps=20, networks=3)
    found = interleaved([contestant], 2, lambda: None)
    assert found.seconds["scan"].tolist() == [1.0, 1.0]


def test_processor_time_counts_until_an_asynchronous_library_has_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call takes no processor time here, the wait for its result 3 s: they are the step's."""
    clock, turns = Clock(), []
    monkeypatch.setattr(timing.time, "process_time", lambda: clock.now)

    class Waiting(Timer):
        def __exit__(self, *_: object) -> None:
            clock.now += 3.0
            self.seconds = 100.0

    contestant = clock.contestant("jax", 0.0, turns)
    contestant = dataclasses.replace(contestant, timer=lambda: Waiting(lambda: None))
    found = interleaved([contestant], 2, lambda: None, by_processor=True)
    assert found.seconds["jax"].tolist() == [3.0, 3.0]
    assert interleaved([contestant], 2, lambda: None).seconds["jax"].tolist() == [100.0, 100.0]


@pytest.mark.parametrize(("cost", "calls"), [(1.0, 1), (0.004, 5), (0.0099, 2), (1e-9, 2000)])
def test_a_turn_is_filled_with_calls(cost: float, calls: int) -> None:
    assert calls_per_turn(Clock().contestant("a", cost, []), 0.02) == calls


def test_a_ratio_is_taken_within_a_round() -> None:
    """The machine halves its speed after every round: the ratio must not notice."""
    drift = 2.0 ** np.arange(11)
    assert ratio(3 * drift, drift) == Spread(3.0, 3.0, 3.0)
    found = ratio(np.arange(11.0), np.ones(11))
    assert (found.low, found.median, found.high) == (1.0, 5.0, 9.0)


@pytest.mark.parametrize(
    ("value", "text"), [(0.954, "0.95"), (4.506, "4.51"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_a_ratio_has_as_many_digits_as_it_deserves(value: float, text: str) -> None:
    assert figures(value) == text


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no system call to pin with")
def test_everybody_runs_on_one_core_and_one_thread_and_afterwards_as_before() -> None:
    from threadpoolctl import threadpool_info

    before = os.sched_getaffinity(0)
    with pinned(1) as cores:
        assert cores == 1 and len(os.sched_getaffinity(0)) == 1
        assert all(pool["num_threads"] == 1 for pool in threadpool_info())
    assert os.sched_getaffinity(0) == before
    with pytest.raises(InputError, match="--threads 4096: this process may use"), pinned(4096):
        pass
    assert os.sched_getaffinity(0) == before


# The roofline


@given(
    products=st.integers(1, 10**12),
    elementwise=st.integers(1, 10**9),
    moved=st.integers(1, 10**12),
    rate=st.floats(1e6, 1e15),
    bandwidth=st.floats(1e6, 1e13),
    seconds=st.floats(1e-6, 1e3),
)
def test_the_nearer_limit_binds(
    products: int, elementwise: int, moved: int, rate: float, bandwidth: float, seconds: float
) -> None:
    count = StepCount(products, elementwise, moved, moved, moved)
    placed = place(count, seconds, rate, bandwidth)
    assert placed.rate == pytest.approx((products + elementwise) / seconds)
    assert placed.of_product_rate == pytest.approx(placed.rate / rate)
    assert placed.of_bandwidth == pytest.approx(moved / seconds / bandwidth)
    assert placed.of_roof == max(placed.of_product_rate, placed.of_bandwidth)
    # Below the ridge, where rate / bandwidth operations come with a byte, memory binds.
    intensity, ridge = (products + elementwise) / moved, rate / bandwidth
    if abs(intensity / ridge - 1) > 1e-9:
        assert placed.binds == ("compute" if intensity > ridge else "memory")


def test_a_step_at_its_roof_reaches_all_of_it() -> None:
    count = StepCount(900, 100, 50, 50, 50)
    assert place(count, 10.0, 100.0, 1e9) == place(count, 10.0, 100.0, 1e9)
    assert place(count, 10.0, 100.0, 1e9).of_roof == 1.0
    assert place(count, 5.0, 1e9, 10.0).of_roof == 1.0


@pytest.mark.parametrize(
    ("working_set", "size"),
    [(1, 2**15), (2**15 + 1, 2**16), (2**20, 2**20), (2**20 + 1, 2**21), (2**40, 2**28)],
)
def test_bandwidth_is_measured_at_the_next_power_of_two(working_set: int, size: int) -> None:
    assert measured_size(working_set, "numpy") == size
    assert Ceilings(1.0, {size: 5.0}).bandwidth(working_set, "numpy") == 5.0


# A whole run


SMALL = Settings((Case(1, 4, 5), Case(2, 4, 5, 3)), rounds=3, baseline=True)


@pytest.fixture
def small() -> Result:
    return run(SMALL)


def test_a_run_measures_every_case_and_its_record_is_json(small: Result) -> None:
    found = json.loads(to_json(record(small)))
    assert [row["network"] for row in found["rows"]] == ["2-[4]-1", "2-[4]*2-1"]
    for row in found["rows"]:
        assert set(row["time_over_recorded"]) == {"eager", "recorded", floors.PRODUCTS, floors.LOOP}
        assert row["time_over_recorded"]["recorded"]["median"] == 1.0
        assert row["largest_loss_difference"] < 1e-5
        assert row["roofline"]["recorded"]["binds"] in ("compute", "memory")
    assert found["environment"]["backend"] == "numpy" and "date" in found["environment"]
    assert found["summary"]["ceilings"][0]["product_operations_per_second"] > 0
    assert [draw() for draw in drawings.figures(small).values()]


def test_progress_reaches_its_end() -> None:
    done = 0.0

    def advance(steps: float = 1, note: str = "") -> None:
        nonlocal done
        done += steps

    run(SMALL, advance)
    assert done == pytest.approx(total_cost(SMALL))


def test_an_interruption_keeps_the_cases_that_are_finished() -> None:
    def advance(steps: float = 1, note: str = "") -> None:
        if note == str(SMALL.cases[1]):
            raise KeyboardInterrupt

    result = run(SMALL, advance)
    assert result.interrupted and [row.case for row in result.rows] == [SMALL.cases[0]]
    assert sentences(result)[-1].startswith("Interrupted")


def test_an_interruption_before_the_first_case_leaves_the_earlier_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = "bench --depths 1 --widths 4 --batches 5,6 --ensembles 1 --rounds 2".split()
    arguments += ["--backend", "numpy", "--out", str(tmp_path)]
    assert main(arguments) == 0
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert len(json.loads(before["result.json"])["rows"]) == 2

    def interrupted(*_: Any) -> Row:
        raise KeyboardInterrupt

    for step in ("time_case", "all_ceilings"):
        monkeypatch.setattr(experiment, step, interrupted)
        capsys.readouterr()
        assert main(arguments) == 130
        assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
        assert "Interrupted before anything was measured" in capsys.readouterr().out


def test_a_forced_older_kernel_is_said_at_once_and_in_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(experiment, "forced_older_kernel", lambda: "A=B forces an older kernel")

    def time_case(case: Case, *_: Any) -> Row:
        assert len(caught) == 1
        return made_up({}, case=case).rows[0]

    monkeypatch.setattr(experiment, "time_case", time_case)
    with pytest.warns(RuntimeWarning, match="A=B forces") as caught:
        result = run(SMALL)
    assert "Caution: A=B forces an older kernel." in sentences(result)
    facts = result.environments["numpy"]
    first = next(iter(description(result)))
    assert f"{facts['blas']}, {facts['kernel']} kernel; numpy" in first


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("8 GiB asked for, 2 free"),
        DeviceMemoryError("8 GiB asked for, 2 free"),
        RuntimeError("CUDA out of memory. 8 GiB asked for, 2 free\nand more lines"),
        RuntimeError("RESOURCE_EXHAUSTED: 8 GiB asked for, 2 free"),
    ],
)
def test_a_case_that_does_not_fit_into_memory_leaves_the_others(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def time_case(case: Case, *rest: Any) -> Row:
        if case == SMALL.cases[0]:
            raise error
        return made_up({}, case=case).rows[0]

    monkeypatch.setattr(experiment, "time_case", time_case)
    result = run(SMALL)
    assert [row.case for row in result.rows] == [SMALL.cases[1]]
    (note,) = result.notes
    assert note.startswith("2-[4]-1, 5 points on numpy was left out: ")
    assert note.endswith("8 GiB asked for, 2 free")


def test_another_mistake_of_a_library_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def time_case(*_: Any) -> Row:
        raise RuntimeError("an illegal instruction")

    monkeypatch.setattr(experiment, "time_case", time_case)
    with pytest.raises(RuntimeError, match="illegal"):
        run(SMALL)


def test_a_case_that_fails_does_not_take_with_it_what_was_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timed = experiment.time_case

    def second_fails(case: Case, *others: Any) -> Row:
        if case is SMALL.cases[1]:
            raise InputError(f"{case}: the losses differ")
        return timed(case, *others)

    monkeypatch.setattr(experiment, "time_case", second_fails)
    result = run(SMALL)
    assert [row.case for row in result.rows] == [SMALL.cases[0]]
    assert result.notes[0] == f"{SMALL.cases[1]} on numpy was left out: the losses differ"


def test_a_mistake_of_the_program_is_not_hidden_by_what_was_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def second_fails(case: Case, *_: Any) -> Row:
        if case is SMALL.cases[1]:
            raise AttributeError("no such thing")
        return made_up({}, case=case).rows[0]

    monkeypatch.setattr(experiment, "time_case", second_fails)
    with pytest.raises(AttributeError, match="no such thing"):
        run(SMALL)


def test_a_gpu_is_measured_beside_a_core_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NumPy standing in for CUDA: who takes part, and a throughput per network."""
    monkeypatch.setattr(experiment, "get_backend", lambda name, precision="fp32": BACKEND)
    case = Case(1, 3, 4, networks=12, backend="cupy")
    contestants, _ = experiment.all_contestants(
        new_problem(case), BACKEND, Settings((case,), figures=True, baseline=True)
    )
    networks = {each.name: each.networks for each in contestants}
    assert networks == {
        "eager": 12,
        "recorded": 12,
        floors.PRODUCTS: 12,
        experiment.ONE_CORE: experiment.NETWORKS_ON_A_CORE,
    }
    check_agreement(new_problem(case), [contestants[0], contestants[-1]])


class StandIn(NumpyBackend):
    """NumPy under CUDA's name."""

    name = "cupy"


def test_both_backends_are_measured_set_side_by_side_and_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backends = {"numpy": BACKEND, "cupy": StandIn()}
    monkeypatch.setattr(experiment, "get_backend", lambda name, precision="fp32": backends[name])
    monkeypatch.setattr(experiment, "environment", lambda name: backends[name].device_info())
    monkeypatch.setattr(
        "scratchnet.demos.bench.settings.available_backends", lambda: dict.fromkeys(backends)
    )
    monkeypatch.setattr("scratchnet.demos.bench.report.available_backends", dict)
    sizes = {"numpy": (2**15, 2**28), "cupy": (2**15, 2**32)}
    monkeypatch.setattr("scratchnet.demos.bench.roofline.SET_SIZES", sizes)
    sweep = {"depths": (1, 2), "widths": (4, 8), "batches": (5,), "ensembles": (1,)}
    given = {**sweep, "precision": ("fp32", "tf32"), "rounds": 2, "baseline": True}
    result = run(choose_settings(resolve(Options, given)))
    devices = [(row.case.backend, row.case.precision) for row in result.rows]
    assert sorted(set(devices)) == [("cupy", "fp32"), ("cupy", "tf32"), ("numpy", "fp32")]
    assert len(devices) == 12 and set(result.ceilings) == set(devices)
    assert any("of 4 cases that both have" in line for line in sentences(result))
    assert record(result)["environment"]["backend"] == "cupy"
    assert len(drawings.figures(result)["time"]().axes) == 3
    loops = {row.case.backend for row in result.rows if floors.LOOP in row.ratios}
    assert loops == {"numpy"}


def test_the_figures_of_a_gpu_hold_a_thousand_networks_and_large_matrices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "scratchnet.demos.bench.settings.available_backends", lambda: {"numpy": None, "cupy": None}
    )
    chosen = choose_settings(resolve(Options, {"figures": True})).cases
    assert {case.backend for case in chosen} == {"cupy"}
    assert [str(case) for case in chosen[-2:]] == [
        "1,000 x 2-[32]*8-1, 400 points",
        "2-[8192]*4-1, 8,192 points",
    ]
    assert chosen[-1].precision == "tf32"


# What is said


def made_up(
    ratios: dict[str, Spread], rounds: int = 20, case: Case = TINY, seconds: float = 1.0
) -> Result:
    """One case with these ratios to the recorded step."""
    times = {name: Spread(seconds * each.median, 0, 0) for name, each in ratios.items()}
    count = count_step(case)
    placed = place(count, seconds, 1e11, 1e11)
    one = Spread(1.0, 1.0, 1.0)
    row = Row(
        case,
        count,
        {engine.RECORDED: Spread(seconds, seconds, seconds), **times},
        {engine.RECORDED: one, engine.EAGER: one, **ratios},
        dict.fromkeys((engine.RECORDED, engine.EAGER), placed),
        1e-7,
        0.0,
        0.0,
    )
    facts = {"device": "a processor", "numpy": "2", "date": "2026-01-02T03:04:05+00:00"}
    ceilings = {(case.backend, case.precision): Ceilings(1e9, {2**15: 1e9})}
    return Result(Settings((case,), rounds=rounds), ceilings, {case.backend: facts}, [row])


@pytest.mark.parametrize(
    ("spread", "rounds", "expected"),
    [
        (
            Spread(2.0, 1.5, 2.5),
            20,
            "2.00 times the recorded step's time; the recorded step is faster in 1 of 1 cases",
        ),
        (
            Spread(0.5, 0.4, 0.9),
            20,
            "faster in 0 of 1 cases, slower in 1, and within the spread in 0",
        ),
        (Spread(1.1, 0.9, 1.3), 20, "and within the spread in 1."),
        (Spread(2.0, 1.5, 2.5), 5, "in 5 rounds, too few to claim more"),
    ],
)
def test_a_claim_needs_nine_of_ten_rounds_and_enough_of_them(
    spread: Spread, rounds: int, expected: str
) -> None:
    lines = sentences(made_up({torch_peer.EAGER: spread}, rounds))
    (line,) = [each for each in lines if each.startswith("PyTorch eager")]
    assert expected in line


def test_several_cases_are_counted() -> None:
    results = [
        made_up({jax_peer.JIT: Spread(m, m - 0.1, m + 0.1)}) for m in (0.5, 1.0, 1.05, 2.0, 3.0)
    ]
    joined = dataclasses.replace(results[0], rows=[row for each in results for row in each.rows])
    (line,) = [each for each in sentences(joined) if each.startswith("JAX jit")]
    assert line.endswith(
        "0.50 to 3.00 times the recorded step's time; the recorded step is faster in 2 of 5 cases, "
        "slower in 1, and within the spread in 2."
    )


def test_what_takes_the_time_far_below_both_limits_is_left_open() -> None:
    (line,) = [each for each in sentences(made_up({})) if "neither limit" in each]
    assert "In 1 of 1 cases" in line and "does not tell them apart" in line
    assert not any("neither limit" in each for each in sentences(made_up({}, seconds=1e-9)))


def test_a_busy_machine_and_other_threads_are_said() -> None:
    result = made_up({})
    quiet = sentences(result)
    assert not any("Caution" in line for line in quiet)
    row = dataclasses.replace(result.rows[0], other_processes=0.3, other_threads=0.2)
    busy = sentences(dataclasses.replace(result, rows=[row]))
    assert any("other processes took up to 30%" in line for line in busy)
    assert any("threads of another library computed beside the engine" in line for line in busy)


def test_where_the_gpu_is_faster_and_where_the_cpu() -> None:
    shapes = [Case(1, width, 1000) for width in (4, 16, 64)]
    sizes = [figures(count_step(case).operations / 1e6) for case in shapes]
    cpu = [made_up({}, case=case).rows[0] for case in shapes]
    assert list(crossover_sentences(cpu)) == []

    def said(*gpu_seconds: float) -> list[str]:
        on_it = [dataclasses.replace(case, backend="cupy") for case in shapes]
        made = zip(on_it, gpu_seconds, strict=True)
        rows = [made_up({}, case=case, seconds=each).rows[0] for case, each in made]
        return list(crossover_sentences([*cpu, *rows]))

    gpu, processor = said(3.0, 2.0, 0.25)
    assert gpu.startswith("The GPU is faster in 1 of 3 cases")
    assert f"from {sizes[2]} to {sizes[2]} MFLOP" in gpu and "by up to 4.00 times" in gpu
    assert f"from {sizes[0]} to {sizes[1]} MFLOP" in processor and "3.00 times" in processor
    (line,) = said(0.1, 0.2, 0.5)
    assert line.startswith("The GPU is faster in 3 of 3 cases")


def test_the_report_fits_a_terminal_of_eighty_columns() -> None:
    """The sweep's longest names, with all peers and floors, and the longest on two devices."""
    everybody = dict.fromkeys(
        [
            *(torch_peer.BATCHED, torch_peer.COMPILED, jax_peer.MAPPED),
            *(jax_peer.MAPPED_AND_SCANNED, engine.COMPILED),
            *(floors.PRODUCTS, floors.LOOP),
        ],
        Spread(12.25, 11.5, 123.0),
    )
    big = Case(8, 256, 512, networks=10)
    one = made_up(everybody, case=big)
    on_cuda = made_up(everybody, case=dataclasses.replace(big, precision="tf32", backend="cupy"))
    settings = dataclasses.replace(one.settings, peers=("torch", "jax"), baseline=True)
    for rows in (one.rows * 2, one.rows, [*one.rows, *on_cuda.rows]):
        out, screen = io.StringIO(), Screen(json=False)
        result = dataclasses.replace(one, rows=rows, settings=settings)
        screen.console = Console(file=out, width=80, highlight=False)
        report(result, screen)
        text = out.getvalue()
        assert "…" not in text
        assert "10 x 2-[256]*8-1" in text and "What this run showed" in text


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
        {torch_peer.EAGER: Spread(4.5, 4.25, 4.75), floors.PRODUCTS: Spread(0.5, 0.4, 0.6)}
    )
    many = made_up({torch_peer.BATCHED: Spread(1.25, 1.1, 1.3)}, case=Case(8, 32, 400, 10))
    joined = dataclasses.replace(single, rows=[*single.rows, *many.rows])
    text = section([json.loads(to_json(record(joined)))])
    assert text.endswith(NO_GPU)
    assert text.removesuffix(NO_GPU).rstrip().splitlines() == [
        "**a processor, 1 core**, float32, 20 rounds, 2026-01-02; NumPy 2.",
        "",
        "| network | PyTorch eager | matrix products | eager |",
        "|---|---|---|---|",
        "| `2-[5]*2-1`, 7 points | 4.50 [4.25–4.75] | 0.50 [0.40–0.60] | 1.00 [1.00–1.00] |",
        "| 10 × `2-[32]*8-1`, 400 points | 1.25 [1.10–1.30] |  | 1.00 [1.00–1.00] |",
    ]


def test_the_table_names_the_kernel_of_the_products() -> None:
    (found,) = [each for each in committed_records() if each["environment"]["backend"] == "numpy"]
    facts = found["environment"] | {"numpy": "2.4", "blas": "openblas 0.3", "kernel": "Zen"}
    assert "NumPy 2.4 (openblas 0.3, Zen kernel)" in section([found | {"environment": facts}])


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    text = f"before\n{START}\nold\n{END}\nafter"
    new = updated(text, [])
    assert new.startswith("before\n") and new.endswith("\nafter") and "old" not in new
    assert updated(new, []) == new
    on_gpu = record(made_up({}, case=dataclasses.replace(TINY, backend="cupy")))
    on_gpu["environment"] = {**on_gpu["environment"], "backend": "cupy"}
    assert "No GPU" in new and "No GPU" not in section([json.loads(to_json(on_gpu))])
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
        (["--precision", "fp32,bf16", "--backend", "numpy"], ["--precision bf16 needs CUDA"]),
        (["--peers", "torch,tensorflow"], ["--peers", "'tensorflow'", "torch, jax"]),
        (["--peers", "jax,jax"], ["--peers jax,jax", "without repetitions"]),
        (["--rounds", "1"], ["--rounds 1", "from 2"]),
        (["--threads", "0"], ["--threads 0"]),
        (["--threads", "4096"], ["--threads 4096", "of the cores"]),
        (["--clock", "processor", "--threads", "2"], ["--clock processor", "one thread"]),
        (["--figures", "--depths", "2"], ["--depths with --figures"]),
        (["--figures", "--widths", "3"], ["--widths with --figures"]),
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
    chosen = choose_settings(resolve(Options, {**sweep, "backend": "numpy"}))
    assert len(set(chosen.cases)) == 8
    costs = [count_step(case).product_operations for case in chosen.cases]
    assert costs[0] == min(costs) and costs[-1] == max(costs)
    assert chosen.cases[0].network == "2-[4]-1" and str(chosen.cases[-1]).startswith(
        "5 x 2-[8]*2-1"
    )


def test_the_figures_are_those_of_the_readme() -> None:
    chosen = choose_settings(resolve(Options, {"figures": True, "backend": "numpy"}))
    assert chosen.baseline and [str(case) for case in chosen.cases] == [
        "2-[32]-1, 400 points",
        "2-[32]*8-1, 400 points",
        "2-[64]*4-1, 64 points",
        "2-[128]*4-1, 256 points",
        "2-[256]*4-1, 512 points",
        "10 x 2-[32]*8-1, 400 points",
    ]


def test_the_command_writes_its_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = "--depths 1 --widths 4 --batches 5 --ensembles 1 --rounds 2 --backend numpy --json"
    assert main(["bench", *arguments.split(), "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert {each.name for each in tmp_path.iterdir()} == {"result.json", "roofline.png", "time.png"}
