"""Bug hunt: too good to be true.

50 samples for training, 50 for the test, 1,000 features each. The 20 features that vary most with
the labels are chosen, and a linear classifier is fitted to them. It gets four test samples of five
right, on data for which nobody can: features and labels here are random numbers, drawn apart from
each other, and the labels are coin flips. An honest test gives one half.

                 training set            test set
                 X, y                    X_test, y_test
    choose       ?                       ?
    fit          x
    test                                 x

What is chosen by means of the test set cannot be tested by it any more. Of 1,000 random features
some fit the 50 labels of the test set by chance, and those are what a choice finds. The same holds
for a choice of layers, of a learning rate, or of the epoch at which to stop, and for means and
variances by which data is scaled.

Find the bug and mend it, in any way you like. How features are scored and how many are chosen, the
fit and the test remain as they are.

Source: demos/tuning.py:Data
"""

import numpy as np


def best_features(X: np.ndarray, y: np.ndarray, count: int) -> np.ndarray:
    """The columns of X that vary most with the labels, by the size of their covariance."""
    covariance = X.T @ (y - y.mean()) / len(y)
    return np.argsort(-np.abs(covariance))[:count]


def fit(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A weight for each column: the difference of the two classes' means."""
    return np.asarray(X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0))


def experiment(
    X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray, count: int
) -> tuple[np.ndarray, float]:
    """Which columns are chosen, and the accuracy on the test set of what is fitted to them."""
    chosen = best_features(np.concatenate([X, X_test]), np.concatenate([y, y_test]), count)
    weights = fit(X[:, chosen], y)
    predicted = X_test[:, chosen] @ weights > 0
    return chosen, float((predicted == (y_test == 1)).mean())
