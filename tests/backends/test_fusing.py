"""Calls fused for the GPU compute what they compute one by one, here with NumPy in their place."""

from typing import Any

import numpy as np

from scratchnet.backends.cuda_fusing import Fusing
from scratchnet.backends.interface import Call


class Stub:
    """A backend with what `Fusing` asks for, and the kernels on NumPy."""

    xp = np

    def address(self, array: Any) -> int:
        return int(array.__array_interface__["data"][0])

    def shares_memory(self, a: Any, b: Any) -> bool:
        return bool(np.shares_memory(a, b))

    def always(self, *_: Any) -> bool:
        return True

    _has_rows = sums_in_one_kernel = _has_kernel = always

    def _row_step(self, *_: Any) -> None:
        return None

    def _matmul(self, *_: Any, out: Any = None) -> None: ...

    affine_kernel = scale_shift = _binary_cross_entropy = _softmax_cross_entropy = _matmul
    mean_binary_cross_entropy = mean_softmax_cross_entropy = _scaled_sum = _times_share = _matmul

    def _relu_backward(self, dy: Any, y: Any, out: Any) -> Any:
        return np.multiply(dy, y > 0, out=out)

    def _times_slope(self, dy: Any, y: Any, out: Any) -> Any:
        return np.multiply(dy, y, out=out)

    def _sum_rows(self, x: Any, out: Any) -> Any:
        return np.sum(x, axis=-2, out=out)

    def relu_backward_sums(self, dy: Any, y: Any, dx: Any, out: Any) -> Any:
        return self._sum_rows(self._relu_backward(dy, y, dx), out)

    def times_slope_sums(self, dy: Any, y: Any, dx: Any, out: Any) -> Any:
        return self._sum_rows(self._times_slope(dy, y, dx), out)


def test_two_sums_of_a_buffer_that_was_written_twice() -> None:
    backend: Any = Stub()
    buffer, first, second = np.empty((4, 3)), np.zeros(3), np.zeros(3)
    y = np.ones((4, 3))
    calls = [
        Call(backend._relu_backward, (np.full((4, 3), 1.0), y), buffer, False),
        Call(backend._relu_backward, (np.full((4, 3), 10.0), y), buffer, False),
        Call(backend._sum_rows, (buffer,), first, False),
        Call(backend._sum_rows, (buffer,), second, False),
    ]
    for call in Fusing(backend)(calls):
        call.kernel(*call.inputs, out=call.out)
    assert first.tolist() == second.tolist() == [40, 40, 40]
