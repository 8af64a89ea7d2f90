"""`scratchnet depth-limits`: the networks it compares, their first gradients, and its claims."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scratchnet import Linear, mlp
from scratchnet.demos.architectures import ARCHITECTURES, build
from scratchnet.demos.depth_limits.experiment import (
    BEFORE,
    RATES,
    Settings,
    adam,
    answer,
    arms,
    experiment,
    first_gradient,
    first_gradients,
    tables,
)
from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import resolve
from scratchnet.demos.tuning import Data
from scratchnet.demos.verdicts import judge
from scratchnet.model import Model

TINY = {"layers": (2, 5), "width": 8, "points": 20, "epochs": 4}


def made(kind: str, depth: int, width: int = 8) -> Model:
    return build(quick_settings(experiment, width=width), kind, (2, 1), depth, (0, 1))


# The networks


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("asked", [1, 4, 5, 64])
def test_a_network_has_the_layers_that_the_table_says_and_no_fewer_than_asked(
    kind: str, asked: int
) -> None:
    found = [each for _, each in made(kind, asked).root.walk() if isinstance(each, Linear)]
    assert len(found) - 1 == ARCHITECTURES[kind].layers(asked) >= asked


def normed(z: Any) -> Any:
    return (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5)


def relu(z: Any) -> Any:
    return np.maximum(z, 0)


@pytest.mark.parametrize("kind", ["residual", "scaled-residual", "resnet", "pre-activation"])
def test_shortcuts_compute_their_formulas(kind: str) -> None:
    """The outputs of a network of five layers, written out; initial biases are zero."""
    model = made(kind, 5)
    X = np.random.default_rng(0).standard_normal((30, 2))
    state = model.state_dict(network=0)
    W = [np.float64(each) for name, each in state.items() if name.endswith("weight")]
    W = [each for each in W if each.ndim == 2]
    first, *inner, last = W
    x = X @ first
    if kind in ("residual", "scaled-residual"):
        x = relu(x)
        for w in inner:
            x = x + relu(x @ w) * (0.5 if kind == "scaled-residual" else 1.0)
    elif kind == "resnet":
        x = relu(normed(x))
        for a, b in zip(inner[::2], inner[1::2], strict=True):
            x = relu(x + normed(relu(normed(x @ a)) @ b))
    else:
        for a, b in zip(inner[::2], inner[1::2], strict=True):
            x = x + relu(normed(relu(normed(x)) @ a)) @ b
        x = relu(normed(x))
    np.testing.assert_allclose(model.train()(X).numpy()[0], x @ last, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_first_gradients_are_central_differences_of_the_loss(kind: str) -> None:
    generator = np.random.default_rng(1)
    X, y = generator.standard_normal((20, 2)), np.arange(20) % 2
    model = made(kind, 4)
    norm = first_gradient(model, Data(X, y, X, y, X, y))
    weight = model.parameters()[0]
    gradient = np.array(weight.grad[0], float)
    at = tuple(np.unravel_index(abs(gradient).argmax(), gradient.shape))

    def loss(step: float) -> float:
        weight.data[0][at] += step
        z = model(X).numpy()[0, :, 0].astype(float)
        weight.data[0][at] -= step
        return float(np.mean(np.logaddexp(0, z) - y * z))

    assert (loss(2e-4) - loss(-2e-4)) / 4e-4 == pytest.approx(gradient[at], rel=0.05, abs=5e-3)
    assert norm[0] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)


def test_warm_up_shortens_the_first_step_of_each_network_and_clipping_reaches_training() -> None:
    moved = []
    for warmup in (None, 4):
        model = mlp([2, 3, 1], seed=[0, 1], ensemble=2)
        before = model.parameter_buffer.copy()
        model.gradient_buffer[...] = 1.0
        adam(warmup, model, [0.1, 0.2]).step()
        moved.append(before - model.parameter_buffer)
    np.testing.assert_allclose(moved[0], 4 * moved[1], rtol=1e-4)
    np.testing.assert_allclose(moved[0][:, 0], [0.1, 0.2], rtol=1e-4)
    result = run_small(experiment, kinds=("plain",), clip=1e-6, **TINY)
    assert [row.arm for row in result.verdict_rows()][-1] == "plain (clip 1e-06), 5 layers"
    plain, clipped = (result[name]["loss"] for name in list(result.tuned)[-2:])
    assert not np.array_equal(plain, clipped)


def test_every_arm_has_the_same_grid_and_the_quick_run_reaches_64_layers() -> None:
    found = arms(resolve(Settings, {}))
    assert {arm.rates for arm in found} == {RATES}
    assert len(RATES) >= 5 and RATES[-1] / RATES[0] >= 16
    assert {arm.facts["kind"] for arm in found} >= {"resnet", "pre-activation", "scaled-residual"}
    quick = arms(resolve(Settings, {"quick": True}))
    assert max(arm.facts["layers"] for arm in quick) >= 64
    assert {len(arm.rates) for arm in quick} == {1}


# The claims


def made_up(losses: dict[tuple[str, int], list[float]], **changed: Any) -> Result:
    rows = []
    for (kind, layers), values in losses.items():
        seeds = tuple(range(len(values)))
        name = f"{ARCHITECTURES[kind].label}, {layers} layers"
        facts = {"kind": kind, "asked_layers": layers, "layers": layers, "switch": ""}
        facts |= {"parameters": 9, "learning_rate": 0.01}
        gradients = 2.0 ** (layers if kind != "plain" else -layers) * np.ones(len(values))
        loss = np.array(values)
        accuracy = np.where(np.isnan(loss), np.nan, np.where(loss < 0.1, 1.0, 0.6))
        rows.append(Row(name, facts, seeds, {"loss": loss, "train_accuracy": accuracy}))
        rows.append(Row(name, facts, seeds, {"first_gradient": gradients}, part=BEFORE))
    layers = tuple({layers for _, layers in losses})
    kinds = tuple(dict.fromkeys(kind for kind, _ in losses))
    return Result(resolve(Settings, {"layers": layers, "kinds": kinds, **changed}), rows)


def test_degradation_and_remedies_are_judged_by_training_losses_with_their_sign() -> None:
    low, high, gone = [1e-3, 2e-3] * 5, [0.3, 0.5] * 5, [np.nan] * 10
    losses = {
        ("plain", 4): low,
        ("plain", 64): high,
        ("batch-norm", 64): [0.6, 0.7] * 5,
        ("residual", 64): gone,
        ("resnet", 64): low,
    }
    result = made_up(losses)
    verdicts = {each.claim.sentence: each for each in judge(experiment.claims(result))}
    assert [each.name for each in verdicts.values()] == [
        *("supported", "contradicted", "not tested", "supported"),
        "supported",
    ]
    assert "002-053" in next(iter(verdicts.values())).claim.ledger
    assert "shrink from 4 to 64" in list(verdicts)[-1]
    assert "plain 0, batch norm 0, residual 0, residual + BN 10" in answer(result, ())
    cells = [row for table in tables(result) for row in table.rows]
    assert ["0 (0–3)", "-"] in [list(row[4:6]) for row in cells]


def test_gradient_claims_name_the_direction_that_was_measured() -> None:
    values = {(kind, layers): [1.0] * 5 for kind in ("plain", "batch-norm") for layers in (2, 8)}
    result = made_up(values)
    verdicts = [
        each for each in judge(experiment.claims(result)) if "gradient" in each.claim.sentence
    ]
    assert [each.name for each in verdicts] == ["supported", "supported"]
    for row in result.rows:
        if row.part == BEFORE:
            row.measures["first_gradient"][:] = 1 / row.measures["first_gradient"]
    verdicts = [
        each for each in judge(experiment.claims(result)) if "gradient" in each.claim.sentence
    ]
    assert [each.name for each in verdicts] == ["contradicted", "contradicted"]


def test_one_depth_has_no_claim_of_degradation() -> None:
    assert experiment.claims(made_up({("plain", 8): [1.0] * 5})) == []


def test_gradients_explode_through_unscaled_shortcuts_alone_and_overflow_is_survived() -> None:
    X = np.random.default_rng(0).standard_normal((20, 2))
    data = Data(X, np.arange(20) % 2, X, X, X, X)
    norms = [first_gradient(made("scaled-residual", depth), data) for depth in (4, 200)]
    assert (norms[1] / norms[0] < 1e4).all()
    chosen = {"kinds": ("residual",), "layers": (200,), "points": 10, "epochs": 1, "seeds": 2}
    result = run_small(experiment, width=32, **chosen)
    (gradients,) = first_gradients(result).values()
    assert np.isnan(gradients).all()
    assert np.isnan(result["residual, 200 layers"]["train_accuracy"]).all()
    for draw in experiment.figures(result).values():
        assert draw().axes


def test_the_figures_draw_for_a_full_and_for_an_interrupted_run() -> None:
    result = run_small(experiment, quick=False, seeds=5, kinds=("plain", "resnet"), **TINY)
    assert set(experiment.figures(result)) == {"overview", "learning-rates", "loss"}
    result.rows = [row for row in result.rows if row.facts["asked_layers"] == 2]
    for draw in experiment.figures(result).values():
        assert draw().axes


def test_the_line_of_chance_lies_within_the_picture_where_all_networks_learn() -> None:
    figure = experiment.figures(made_up({("plain", 4): [1e-3] * 5}))["overview"]()
    low, high = figure.axes[0].get_ylim()
    assert low <= 0.5 < 1.0 < high


def test_all_panels_of_the_losses_lie_within_the_shared_axis() -> None:
    given: dict[str, Any] = {"kinds": ("plain",), "layers": (1, 2), "epochs": 3, "seeds": 2}
    result = run_small(experiment, **given)
    for number, row in enumerate(result.verdict_rows()):
        row.arrays["loss_curve"] = np.full((3, 2), [1.0, 1e-4][number])  # type: ignore[index]
    low, high = experiment.figures(result)["loss"]().axes[0].get_ylim()
    assert low < 1e-4 and high > 1
