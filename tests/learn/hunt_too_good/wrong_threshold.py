# says: the fit or the test has changed
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
    chosen = best_features(X, y, count)
    weights = fit(X[:, chosen], y)
    predicted = X_test[:, chosen] @ weights > 1
    return chosen, float((predicted == (y_test == 1)).mean())
