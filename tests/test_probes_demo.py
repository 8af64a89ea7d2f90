"""`scratchnet probes`: the layers and the controls that it measures, its claims, its figures."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from scratchnet import mlp
from scratchnet.backends.errors import InputError
from scratchnet.demos.data import data_of
from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.probes.experiment import (
    NETWORK,
    RANDOM,
    RAW,
    TRAINED,
    UNTRAINED,
    build,
    claims,
    experiment,
    layers_to_show,
    rises,
    tables,
)
from scratchnet.demos.running import Result, Row
from scratchnet.demos.verdicts import judge
from scratchnet.depth.probes import fit_probe
from scratchnet.layer_statistics import hidden_outputs

TINY: dict[str, Any] = {"depth": 3, "width": 6, "epochs": 20, "points": 40}


@pytest.fixture(scope="module")
def tiny() -> Result:
    return run_small(experiment, **TINY)


def test_the_controls_are_the_raw_inputs_and_networks_that_were_not_trained(tiny: Result) -> None:
    data = data_of("spirals", 40, 40)((0, 1, 2))
    for i in range(3):
        X, X_test = data.X[i], data.X_test[i]
        assert tiny[RAW].arrays["test"][0, i] == fit_probe(X, data.y).accuracy(X_test, data.y_test)
        for name, bias in ((UNTRAINED, "zeros"), (RANDOM, "uniform")):
            alone = mlp([2, 6, 6, 6, 1], seed=i, bias_init=bias)
            for layer, outputs in enumerate(hidden_outputs(alone, X)):
                test = hidden_outputs(alone, X_test)[layer]
                expected = fit_probe(outputs, data.y).accuracy(test, data.y_test)
                assert tiny[name].arrays["test"][layer, i] == expected
                assert tiny[name][f"test {layer + 1}"][i] == expected


def test_a_random_network_without_biases_cannot_tell_radii_apart() -> None:
    s = quick_settings(experiment, depth=3)
    X = np.random.default_rng(0).standard_normal((20, 2))
    for bias, is_homogeneous in (("zeros", True), ("uniform", False)):
        last, scaled = (hidden_outputs(build(s, (0,), bias), c * X)[-1] for c in (1, 5))
        assert np.allclose(scaled, 5 * last, rtol=1e-3, atol=1e-4) == is_homogeneous


@pytest.mark.parametrize("kind", ["resnet", "pre-activation", "bottleneck"])
def test_blocks_are_probed_one_by_one(kind: str) -> None:
    result = run_small(experiment, kind=kind, **{**TINY, "depth": 5, "width": 8})
    shapes = {result[name].arrays["test"].shape for name in (TRAINED, UNTRAINED, RANDOM)}
    assert len(shapes) == 1 and shapes.pop()[0] >= 3
    assert tables(result)


@pytest.mark.parametrize(
    ("depth", "shown"), [(2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (20, (1, 2, 4, 20))]
)
def test_a_figure_shows_at_most_four_layers(depth: int, shown: tuple[int, ...]) -> None:
    assert layers_to_show(depth) == shown


def made_up(trained: Any, random: float = 0.8, untrained: float = 0.6) -> Result:
    """Probe accuracies (layers, seeds) of the trained network, and one for each control."""
    trained = np.array(trained, float)
    seeds = tuple(range(trained.shape[1]))

    def row(name: str, probe: Any) -> Row:
        arrays = {each: np.full(probe.shape, 0.5) for each in ("zero_share", "effective_rank")}
        arrays |= {"dead_share": np.zeros(probe.shape), "converged": np.ones(probe.shape, bool)}
        return Row(name, {"layers": len(probe)}, seeds, {}, {"test": probe, **arrays})

    same = np.ones_like(trained)
    rows = [row(RAW, 0.6 * same[:1]), row(UNTRAINED, untrained * same), row(TRAINED, trained)]
    rows += [row(RANDOM, random * same)]
    rows += [Row(NETWORK, {}, seeds, {"test_accuracy": trained[-1]})]
    settings = quick_settings(experiment, dataset="digits")
    return Result(settings, rows, {"test_samples": 400})


def verdicts_of(result: Result) -> dict[str, str]:
    found = {each.claim.sentence: each.name for each in judge(claims(result))}
    return {
        key.replace("After training, a probe reads more from the last layer than from ", ""): v
        for key, v in found.items()
    }


def test_training_gets_the_credit_only_beyond_random_networks_with_biases() -> None:
    found = verdicts_of(made_up([[0.6, 0.61] * 5, [0.8, 0.81] * 5]))
    assert (
        found["the first"]
        == found["the raw inputs"]
        == found["that before training"]
        == "supported"
    )
    assert found["any of a random network with biases"] in ("equivalent", "undecided")
    assert found["The share of zero outputs is the share of dead units"] == "contradicted"
    falling = verdicts_of(made_up([[0.95, 0.96] * 5, [0.5, 0.51] * 5], untrained=0.7))
    assert falling["the first"] == falling["that before training"] == "contradicted"


def test_runs_that_rise_are_counted_and_one_that_does_not_is_enough_to_fail() -> None:
    probe = np.array([[0.6, 0.6, 0.9], [0.7, 0.7, 0.8], [0.9, 0.7, 0.95]])
    assert rises(probe) == (1, 2)
    verdicts = judge(claims(made_up(probe)))
    rising = next(each for each in verdicts if "every layer" in each.claim.sentence)
    assert rising.name == "fails"
    assert rising.measured == "in 1 of 3 networks (in 2 it never falls)"
    at_its_maximum = judge(claims(made_up([[0.6, 0.7], [1, 1], [1, 1]])))
    assert [each.name for each in at_its_maximum if "every layer" in each.claim.sentence] == [
        "not tested"
    ]


def test_the_chapters_numbers_are_compared_layer_by_layer() -> None:
    wanted = [0.30, 0.4, 0.55, 0.6, 0.7, 0.78, 0.8, 0.85]
    for shift, name in ((0.04, "holds"), (0.06, "fails")):
        result = made_up([[each + shift] * 5 for each in wanted])
        result.settings = quick_settings(experiment)
        assert (
            verdicts_of(result)[
                "Layers 1, 3, 6 and the last give probes 30, 55, 78 and 85 % (within 5 points)"
            ]
            == name
        )


def test_a_network_that_diverged_has_no_probes_and_its_figures_are_drawn() -> None:
    result = run_small(experiment, quick=False, optimizer="sgd", seeds=5, **{**TINY, "depth": 2})
    result[TRAINED].arrays["test"][:, 0] = np.nan
    assert "nan" not in str(tables(result)[0].rows)
    assert set(experiment.figures(result)) == {"probes", "layers", "learning-rates"}
    for draw in experiment.figures(result).values():
        assert draw().axes
    result.rows = [row for row in result.rows if row.arm in (RAW, UNTRAINED)]
    for draw in experiment.figures(result).values():
        assert draw().axes
    assert claims(result) == []


def test_t_sne_without_scikit_learn_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(InputError, match="scikit-learn"):
        run_small(experiment, embedding="tsne", **TINY)
