"""Two floors under the engine: the step written out by hand, and its matrix products alone."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from scratchnet.backends import Array, Backend
from scratchnet.backends.interface import Call


def numpy_loop(
    weights: Sequence[Any], biases: Sequence[Any], X: Any, y: Any, learning_rate: float
) -> Callable[[], Any]:
    """A function that makes one step in place on the weights and biases and returns the loss.

    The arithmetic of a step of gradient descent on binary cross-entropy through a ReLU network,
    with no tape, no layers and no choice: every buffer is allocated beforehand and every call is
    fixed. weights[l] (in, out), biases[l] (out,), X (N, in), y (N, 1), all of one dtype.
    """
    n, dtype, last = len(X), X.dtype, len(weights) - 1
    z = [np.empty((n, w.shape[1]), dtype) for w in weights]
    a = [X, *(np.empty_like(each) for each in z[:-1])]
    dz = [np.empty_like(each) for each in z]
    positive = [np.empty(each.shape, bool) for each in z]
    zeros = [np.zeros_like(each) for each in z]
    dW = [np.empty_like(w) for w in weights]
    db = [np.empty_like(b) for b in biases]
    ones = np.ones(n, dtype)
    small, large, ty = (np.empty_like(z[last]) for _ in range(3))

    def step() -> Any:
        """The loss before the step; weights and biases are moved in place."""
        for layer in range(last + 1):
            np.matmul(a[layer], weights[layer], out=z[layer])
            np.add(z[layer], biases[layer], out=z[layer])
            if layer < last:
                np.maximum(z[layer], zeros[layer], out=a[layer + 1])

        # softplus(z) - y z, and its derivative sigmoid(z) - y
        logits = z[last]
        np.exp(np.negative(np.absolute(logits, out=small), out=small), out=small)
        np.maximum(logits, 0.0, out=large)
        np.multiply(y, logits, out=ty)
        np.subtract(np.add(large, np.log1p(small), out=large), ty, out=large)
        loss = np.add.reduce(large[:, 0]) / n
        np.exp(np.minimum(logits, 0.0, out=large), out=large)
        np.divide(large, np.add(small, 1.0, out=small), out=dz[last])
        np.subtract(dz[last], y, out=dz[last])
        np.multiply(dz[last], 1.0 / n, out=dz[last])

        for layer in range(last, -1, -1):
            np.matmul(a[layer].T, dz[layer], out=dW[layer])
            np.matmul(ones, dz[layer], out=db[layer])
            if layer > 0:
                np.matmul(dz[layer], weights[layer].T, out=dz[layer - 1])
                np.greater(a[layer], 0.0, out=positive[layer - 1])
                np.multiply(dz[layer - 1], positive[layer - 1], out=dz[layer - 1])

        for parameters, gradients in zip((*weights, *biases), (*dW, *db), strict=True):
            np.multiply(gradients, learning_rate, out=gradients)
            np.subtract(parameters, gradients, out=parameters)
        return loss

    return step


def product_calls(
    backend: Backend, inputs: Array, weights: Sequence[Array], slopes: Array
) -> tuple[list[Call], list[Array], list[Array]]:
    """The products of a step through a linear network, as calls into buffers that exist.

    a_0 = inputs, a_(l+1) = a_l W_l; then from the last layer down dW_l = a_l^T dz_l and
    dz_(l-1) = dz_l W_l^T, where dz of the last layer is `slopes`. All a_l are kept, as a step must;
    the dz of hidden layers, which are of one width, take turns in two buffers. On the host all are
    NumPy's `matmul`, as in the hand-written loop; the engine has a faster one for a column times a
    row. Returns the calls, the a_l and the dW.
    """
    matmul = partial(Backend.matmul, backend) if backend.xp is np else backend.matmul
    activations, gradients, dz = [inputs], [], slopes
    with backend.recording() as calls:
        for weight in weights:
            activations.append(matmul(activations[-1], weight))
        spare = [backend.empty(activations[1].shape, dz.dtype) for _ in range(2)]
        for layer in reversed(range(len(weights))):
            gradients.append(matmul(activations[layer].mT, dz))
            if layer:
                dz = matmul(dz, weights[layer].mT, out=spare[layer % 2])
    return calls, activations[1:], gradients[::-1]
