"""The width that spends a budget of parameters, against the networks themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import refused

from scratchnet import mlp
from scratchnet.depth.budget import mlp_for_budget, parameter_count, width_for_budget

SHAPES = {
    "depth": st.integers(1, 9),
    "inputs": st.integers(1, 40),
    "outputs": st.integers(1, 5),
    "batch_norm": st.booleans(),
}


@settings(deadline=None)
@given(width=st.integers(1, 12), **SHAPES)
def test_parameter_count_is_that_of_the_network(
    depth: int, width: int, inputs: int, outputs: int, batch_norm: bool
) -> None:
    model = mlp([inputs, *[width] * depth, outputs], batch_norm=batch_norm)
    counted = parameter_count(depth, width, inputs, outputs, batch_norm)
    assert counted == model.parameter_count


@settings(deadline=None)
@given(parameters=st.integers(1, 30_000), **SHAPES)
def test_no_other_width_is_within_half_a_unit_of_the_budget(
    parameters: int, depth: int, inputs: int, outputs: int, batch_norm: bool
) -> None:
    def count(width: float) -> float:
        b = inputs + 1 + (depth - 1) + outputs + (2 * depth if batch_norm else 0)
        return (depth - 1) * width**2 + b * width + outputs

    by_force = [w for w in range(1, 30_001) if count(w - 0.5) <= parameters <= count(w + 0.5)]
    if parameters < count(1):
        with refused(f"budget of {parameters:,} parameters", f"from {count(1):,}"):
            width_for_budget(parameters, depth, inputs, outputs, batch_norm)
    else:
        assert width_for_budget(parameters, depth, inputs, outputs, batch_norm) in by_force


@pytest.mark.parametrize(("depth", "width"), [(1, 2273), (2, 212), (4, 125), (8, 82)])
def test_widths_of_50000_parameters_on_20_inputs(depth: int, width: int) -> None:
    assert width_for_budget(50_000, depth, 20) == width


@settings(deadline=None)
@given(width=st.integers(1, 10_000_000), **SHAPES)
def test_a_budget_that_is_met_exactly_gives_its_width_at_any_size(
    width: int, depth: int, inputs: int, outputs: int, batch_norm: bool
) -> None:
    budget = parameter_count(depth, width, inputs, outputs, batch_norm)
    assert width_for_budget(budget, depth, inputs, outputs, batch_norm) == width


def test_the_network_has_that_width_and_takes_the_options_of_mlp() -> None:
    width, model = mlp_for_budget(500, 3, 4, 2, batch_norm=True, seed=7, ensemble=2)
    assert model.parameter_count == parameter_count(3, width, 4, 2, batch_norm=True)
    assert (model.seeds, model(np.zeros((5, 4))).shape) == ((7, 8), (2, 5, 2))


@pytest.mark.parametrize("wrong", [0, -3, 2.5, True, "100"])
def test_budgets_and_depths_are_whole_numbers_from_1(wrong: object) -> None:
    with refused("parameters", "from 1"):
        width_for_budget(wrong, 2, 3)  # type: ignore[arg-type]
    with refused("depth", "from 1"):
        width_for_budget(100, wrong, 3)  # type: ignore[arg-type]
