# says: absolute value
"""A right solution."""

from typing import Any


class Backend:
    """Arrays as lists of lists."""

    def asarray(self, values: Any) -> Any:
        """Rows of numbers, or one row, as an array of this backend."""
        return [list(each) if isinstance(each, (list, tuple)) else float(each) for each in values]

    def to_lists(self, a: Any) -> Any:
        """An array as lists of floats."""
        return a

    def matmul(self, a: Any, b: Any) -> Any:
        """a b, the product of matrices."""
        columns = list(zip(*b, strict=True))
        return [[sum(x * y for x, y in zip(row, c, strict=True)) for c in columns] for row in a]

    def add(self, a: Any, b: Any) -> Any:
        """a + b; b may be one row, which is added to each."""
        rows = b if isinstance(b[0], list) else [b] * len(a)
        return [[x + y for x, y in zip(*pair, strict=True)] for pair in zip(a, rows, strict=True)]

    def relu(self, a: Any) -> Any:
        """max(0, a)"""
        return [[abs(x) for x in row] for row in a]

    def sum_rows(self, a: Any) -> Any:
        """The sum of all rows."""
        return [sum(column) for column in zip(*a, strict=True)]
