"""What data may be: numbers, each of them finite, in rows of equal length.

Whatever takes data from outside asks here, so that all of it takes and refuses the same.
"""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import Backend, InputError
from scratchnet.files import one_line
from scratchnet.tensor import Tensor


def finite_numbers(name: str, values: Any, dtype: str, backend: Backend) -> NDArray[Any]:
    """The values as a NumPy array of numbers (kind b, i, u or f) that are finite in `dtype`.

    They may be a tensor, an array of the backend, or whatever NumPy makes an array of: lists,
    a data frame with columns of several kinds, an array of objects that are real numbers (Python's,
    NumPy's, fractions and decimals). `name` is what a message calls them. Raises `InputError` for
    strings, complex numbers and missing values, NaN, infinity and what overflows in `dtype`, each
    with its place; for rows of different lengths; and for masked and sparse arrays, also inside
    lists: NumPy would take what is masked for data.
    """
    if isinstance(values, Tensor):
        values = values.data
    if isinstance(values, backend.xp.ndarray) and not isinstance(values, np.ndarray):
        values = backend.to_numpy(values)
    if _is_masked(values):
        raise InputError(
            f"{name} is a masked array: must be a plain one; fill what is masked, as in "
            f"{name}.filled(0), or leave those rows out"
        )
    if hasattr(values, "toarray"):
        raise InputError(f"{name} is a sparse array: must be a dense one, {name}.toarray()")
    array = _as_array(name, values)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            wrong = ~np.isfinite(array.astype(dtype, copy=False))
        if wrong.any():
            _refuse(name, array, wrong, f"all values must be finite in {dtype}")
    return array


def _is_masked(values: Any) -> bool:
    """Whether these are masked arrays, or lists that hold one at any depth."""
    if isinstance(values, np.ma.MaskedArray):
        return True
    if isinstance(values, np.ndarray) and values.dtype.kind == "O":
        values = values.ravel().tolist()
    return isinstance(values, (list, tuple)) and any(map(_is_masked, values))


def _as_array(name: str, values: Any) -> NDArray[Any]:
    """The values as an array of kind b, i, u or f."""
    try:
        array = np.asarray(values)
    except Exception as error:
        # What stands behind `__array__` may raise anything.
        if "inhomogeneous" in str(error):
            raise InputError(
                f"{name} is not a table of numbers: its rows differ in length"
            ) from None
        raise InputError(
            f"{name} of type {type(values).__name__} cannot be read: {one_line(error, 80)}"
        ) from None
    if array.dtype.kind == "O":
        return _of_objects(name, array, values)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} of type {array.dtype}: must be real numbers")
    return array


def _of_objects(name: str, array: NDArray[Any], values: Any) -> NDArray[Any]:
    """Objects that are all numbers, as numbers: booleans, whole numbers or float64."""
    if array.ndim == 0:
        raise InputError(f"{name} of type {type(values).__name__}: must be an array of numbers")
    flat = array.ravel().tolist()
    wrong = [not isinstance(each, (Real, Decimal, np.bool_)) for each in flat]
    if any(wrong):
        _refuse(name, array, np.reshape(wrong, array.shape), "all values must be real numbers")
    kinds = {np.asarray(each).dtype.kind for each in flat}
    try:
        return array.astype(bool if kinds <= {"b"} else np.int64 if kinds <= {"i"} else np.float64)
    except OverflowError:
        raise InputError(f"{name} holds a number that overflows in float64") from None


def _refuse(name: str, array: NDArray[Any], wrong: NDArray[Any], must: str) -> None:
    """Raise `InputError` with the first wrong entry and its place."""
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    value = array[place]
    shown = str(value) if isinstance(value, np.generic) else one_line(repr(value), 80)
    raise InputError(f"{name}{list(place) if place else ''} is {shown}: {must}")
