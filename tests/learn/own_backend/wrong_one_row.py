# says: N names of one row
from typing import Any


class Backend:
    """Arrays as lists of lists."""

    def asarray(self, values: Any) -> Any:
        """Rows of numbers, or one row, as an array of this backend; written already."""
        return [list(each) if isinstance(each, (list, tuple)) else float(each) for each in values]

    def to_lists(self, a: Any) -> Any:
        """An array as lists of floats; written already."""
        return a

    def matmul(self, a: Any, b: Any) -> Any:
        """a b, the product of matrices."""
        c = [[0.0] * len(b[0])] * len(a)
        for i in range(len(a)):
            for j in range(len(b[0])):
                for l in range(len(b)):
                    c[i][j] += a[i][l] * b[l][j]
        return c

    def add(self, a: Any, b: Any) -> Any:
        """a + b; b may be one row, which is added to each."""
        if isinstance(b[0], list):
            return [[x + y for x, y in zip(p, q)] for p, q in zip(a, b)]
        return [[x + y for x, y in zip(p, b)] for p in a]

    def relu(self, a: Any) -> Any:
        """max(0, a)"""
        return [[max(0.0, x) for x in row] for row in a]

    def sum_rows(self, a: Any) -> Any:
        """The sum of all rows."""
        return [sum(col) for col in zip(*a)]
