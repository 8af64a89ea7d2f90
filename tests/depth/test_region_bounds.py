"""The bounds have the values that were computed by hand, and are in order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnet import InputError
from scratchnet.depth.region_bounds import (
    arrangement_regions,
    central_arrangement_regions,
    expected_at_initialization,
    line_bound,
    lower_bound,
    textbook_bound,
    upper_bound,
)

widths = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def test_values_computed_by_hand() -> None:
    assert [arrangement_regions(n, 2) for n in (1, 2, 3, 8, 10)] == [2, 4, 7, 37, 56]
    assert arrangement_regions(20, 3) == 1351 and arrangement_regions(50, 2) == 1276
    assert arrangement_regions(3, 5) == 8
    assert central_arrangement_regions(8, 2) == 16
    assert central_arrangement_regions(3, 3) == 8 and central_arrangement_regions(4, 3) == 14
    assert textbook_bound([2, 2, 2, 2], 2) == 256
    assert textbook_bound([10, 10, 10], 2) == 175_616
    assert textbook_bound([20] * 5, 3) == 1351**5
    assert textbook_bound([50] * 3, 2) < 10**12 < textbook_bound([50] * 4, 2) == 1276**4
    assert upper_bound([2, 2, 2, 2], 2) == 85
    # The first layer's 4 regions by how many of its 2 units are active: 1, 2, 1.
    assert upper_bound([2, 3], 2) == 1 * 7 + 2 * 4 + 1 * 1
    assert lower_bound([4, 4, 4], 2) == 4 * 4 * 11
    assert lower_bound([5, 7, 6], 3) == 1 * 8 * 42
    assert line_bound([2] * 12) == 3**12
    assert expected_at_initialization(320, 2) == 51_200
    assert expected_at_initialization(12, 3) == 288


@given(widths, st.integers(1, 5))
def test_the_bounds_are_in_order(widths: list[int], dimensions: int) -> None:
    upper = upper_bound(widths, dimensions)
    assert upper <= textbook_bound(widths, dimensions)
    assert upper <= 2 ** sum(widths)
    if min(widths) >= 2 * dimensions:
        assert upper == textbook_bound(widths, dimensions)
    if min(widths) >= dimensions:
        assert lower_bound(widths, dimensions) <= upper
    if dimensions == 1:
        assert textbook_bound(widths, 1) == line_bound(widths)


@given(st.integers(1, 30), st.integers(1, 6))
def test_one_layer_has_one_bound(neurons: int, dimensions: int) -> None:
    exact = arrangement_regions(neurons, dimensions)
    assert exact == upper_bound([neurons], dimensions) == textbook_bound([neurons], dimensions)
    assert central_arrangement_regions(neurons, dimensions) <= exact


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: arrangement_regions(0, 2), "neurons is 0"),
        (lambda: central_arrangement_regions(3, 0), "dimensions is 0"),
        (lambda: central_arrangement_regions(0, 2), "neurons is 0"),
        (lambda: upper_bound([], 2), "widths []"),
        (lambda: upper_bound("22", 2), "widths '22'"),
        (lambda: textbook_bound([2, 0], 2), "a width is 0"),
        (lambda: line_bound([2.5]), "a width is 2.5"),
        (lambda: lower_bound([4, 1], 2), "at least 2 wide"),
        (lambda: expected_at_initialization(3, -1), "dimensions is -1"),
    ],
)
def test_bad_input_is_one_line_that_names_it(call: Any, named: str) -> None:
    with pytest.raises(InputError) as raised:
        call()
    assert named in str(raised.value) and "\n" not in str(raised.value)
