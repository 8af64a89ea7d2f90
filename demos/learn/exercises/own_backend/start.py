"""A backend of your own.

The engine never asks which array library it computes with. It holds a backend, an object with a
method for each thing that it needs, and NumPy and CuPy are two of them. A network that is written
against those methods runs on any library that has them, even on none:

                        k.matmul, k.add, k.relu, ...
    the network  ------------------------------------------>  NumPy backend   numpy.ndarray
                                                        or    CuPy backend    cupy.ndarray
                                                        or    yours           list of lists

    hidden = k.relu(k.add(k.matmul(X, W1), b1))
    output = k.add(k.matmul(hidden, W2), b2)

What an array is only the backend knows. Here it is a list of rows, each a list of floats, and a
plain list for one row; `asarray` and `to_lists` go in and out. Take another library if you like
(array, CuPy, torch, or NumPy itself): then change these two as well.

Write the four operations. Each returns a new array and leaves its inputs as they are, since the
backward pass reads them once more.

    matmul(a, b)      (N, n) and (n, m) -> (N, m)         c_ij = sum over l of a_il b_lj
    add(a, b)         (N, m) and (N, m) -> (N, m), or (N, m) and a row (m,), added to each row
    relu(a)           (N, m) -> (N, m)                    max(0, a_ij)
    sum_rows(a)       (N, m) -> (m,)                      sum over i of a_ij: a bias's gradient

Source: backends/primitives.py:Primitives.matmul
Source: backends/interface.py:Backend.relu
"""

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
        raise NotImplementedError

    def add(self, a: Any, b: Any) -> Any:
        """a + b; b may be one row, which is added to each."""
        raise NotImplementedError

    def relu(self, a: Any) -> Any:
        """max(0, a)"""
        raise NotImplementedError

    def sum_rows(self, a: Any) -> Any:
        """The sum of all rows."""
        raise NotImplementedError
