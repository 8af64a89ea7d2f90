"""Linear models of a table, to their minimum: what a network must beat."""

from __future__ import annotations

from typing import Any

import numpy as np


def with_one(X: Any) -> Any:
    """Rows with an input of 1 behind the others, whose weight is the bias."""
    return np.concatenate([X, np.ones((len(X), 1))], axis=1).astype(np.float64)


def ridge(X: Any, y: Any) -> tuple[Any, Any]:
    """w (inputs, 1) and b (1,) where |X w + b - y|^2 + |w|^2 is least (Hoerl and Kennard 1970)."""
    middle, mean = X.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
    centred = X - middle
    if len(centred) > centred.shape[1]:
        squares = centred.T @ centred
        w = np.linalg.solve(squares + np.eye(len(squares)), centred.T @ (y - mean))
    else:
        # The same by a matrix of rows: (X^T X + I)^-1 X^T = X^T (X X^T + I)^-1.
        squares = centred @ centred.T
        w = centred.T @ np.linalg.solve(squares + np.eye(len(squares)), y - mean)
    return w, mean - middle @ w


def least_cross_entropy(X: Any, targets: Any) -> Any:
    """W (inputs + 1, classes) of logistic regression, found by L-BFGS (Liu and Nocedal 1989).

    The last column of X (N, inputs + 1) is 1; targets (N, classes) are one-hot.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    n, shape = len(X), (X.shape[1], targets.shape[1])
    penalised = np.ones(shape)
    penalised[-1] = 0

    def loss_and_gradient(flat: Any) -> tuple[float, Any]:
        """The mean cross-entropy plus penalty / n of the flat weights, and its gradient."""
        W = flat.reshape(shape)
        log_p = log_softmax(X @ W, axis=1)
        loss = -(targets * log_p).sum() + (penalised * W**2).sum() / 2
        return loss / n, ((X.T @ (np.exp(log_p) - targets) + penalised * W) / n).ravel()

    return minimize(
        loss_and_gradient, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B"
    ).x.reshape(shape)
