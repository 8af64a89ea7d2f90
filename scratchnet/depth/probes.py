"""What a layer represents: linear probes, principal components, and t-SNE of its outputs.

A *linear probe* is a linear classifier that reads the class from a layer's outputs, which it cannot
change (Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016).
Its accuracy says how far that layer has made the classes linearly separable. Two controls belong to
it: a probe of the raw inputs, and one of the same layer before training, for many random features
are separable too.

`A` is a layer's outputs (N, units), such as an entry of `layer_statistics.hidden_outputs`; `y` (N,)
holds the classes, whole numbers from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.backends.errors import nonnegative, positive_whole
from scratchnet.extras import require
from scratchnet.layer_statistics import hidden_layers
from scratchnet.model import Model

PENALTY = 1e-3

GRADIENT_TOLERANCE = 1e-5
MOST_ITERATIONS = 2000

# A unit whose spread is smaller than this part of its largest value varies by rounding only.
SMALLEST_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Probe:
    """Softmax regression on standardised outputs: class scores ((A - mean) / scale) W + b."""

    mean: Any
    scale: Any
    weight: Any
    """(units, classes)"""
    bias: Any
    """(classes,)"""
    iterations: int
    largest_gradient: float
    """The largest entry of the gradient where training stopped."""

    @property
    def converged(self) -> bool:
        """Whether the stopping rule was met, within `MOST_ITERATIONS`."""
        return self.largest_gradient <= GRADIENT_TOLERANCE

    def predict(self, A: Any) -> Any:
        """The class of each row of A (N, units), of shape (N,)."""
        Z = (np.asarray(A, dtype=np.float64) - self.mean) / self.scale
        return (Z @ self.weight + self.bias).argmax(axis=1)

    def accuracy(self, A: Any, y: Any) -> float:
        """The share of rows whose class it gets right."""
        return float((self.predict(A) == np.asarray(y)).mean())


def fit_probe(A: Any, y: Any, penalty: float = PENALTY) -> Probe:
    """The probe that minimises  mean of -ln p_class + penalty / 2 * |W|^2,  p = softmax(scores).

    Units are standardised first (mean 0, standard deviation 1 on A), so that the penalty does not
    depend on a layer's scale; the bias is not penalised. For two classes this is logistic
    regression with the weights w = W_1 - W_0 and a penalty of penalty / 4 * |w|^2.

    Starts from zero and runs L-BFGS (scipy) until no entry of the gradient is above
    `GRADIENT_TOLERANCE`; the problem is convex, so what it finds does not depend on the start. With
    penalty 0 there is no minimum where the classes are separable, and it stops where the gradient
    is that small. Computes in float64. Raises `InputError` for shapes that do not fit, numbers that
    are not finite, labels that are no whole numbers from 0, or a negative penalty.
    """
    from scipy.optimize import minimize

    A, y = _checked(A, y)
    nonnegative("penalty of a probe", penalty)
    classes = max(2, int(y.max()) + 1)
    mean, spread = A.mean(axis=0), A.std(axis=0)
    scale = np.where(spread > SMALLEST_SPREAD * np.abs(A).max(axis=0), spread, np.inf)
    Z = (A - mean) / scale
    wanted = np.eye(classes)[y]
    N, units = Z.shape

    def objective(theta: Any) -> tuple[float, Any]:
        """The penalised mean cross-entropy of the packed W and b, and its gradient."""
        W, b = theta[:-classes].reshape(units, classes), theta[-classes:]
        scores = Z @ W + b
        scores -= scores.max(axis=1, keepdims=True)
        exponentials = np.exp(scores)
        sums = exponentials.sum(axis=1, keepdims=True)
        loss = (np.log(sums).sum() - (wanted * scores).sum()) / N + penalty / 2 * (W * W).sum()
        slopes = (exponentials / sums - wanted) / N
        return loss, np.concatenate([(Z.T @ slopes + penalty * W).ravel(), slopes.sum(axis=0)])

    found = minimize(
        objective,
        np.zeros((units + 1) * classes),
        jac=True,
        method="L-BFGS-B",
        options={
            "gtol": GRADIENT_TOLERANCE,
            "ftol": 0.0,
            "maxcor": 30,
            "maxiter": MOST_ITERATIONS,
            "maxfun": 2 * MOST_ITERATIONS,
        },
    )
    W, b = found.x[:-classes].reshape(units, classes), found.x[-classes:]
    return Probe(mean, scale, W, b, int(found.nit), float(np.abs(found.jac).max()))


def _checked(A: Any, y: Any) -> tuple[Any, Any]:
    """A (N, units) in float64 and labels (N,) in int64, or `InputError`."""
    A, y = np.asarray(A, dtype=np.float64), np.asarray(y)
    if A.ndim != 2 or 0 in A.shape:
        raise InputError(f"a probe of outputs of shape {A.shape}: needs (N, units)")
    if y.shape != A.shape[:1]:
        raise InputError(f"a probe with labels of shape {y.shape} for {len(A)} rows of outputs")
    if not np.isfinite(A).all():
        raise InputError("a probe of outputs that are not all finite: the network has diverged")
    if y.dtype.kind not in "iub" or y.min() < 0:
        raise InputError("a probe needs labels that are whole numbers from 0")
    return A, y.astype(np.int64)


@dataclass(frozen=True, eq=False)
class ProbeAccuracy:
    """How often probes name the right class; arrays of shape (), or (E,) with one for each network.

    A network whose outputs are not finite has NaN, and counts as converged.
    """

    train: Any
    test: Any
    converged: Any


def probe_accuracy(
    A: Any, y: Any, A_test: Any, y_test: Any, penalty: float = PENALTY
) -> ProbeAccuracy:
    """Fit a probe on A and y, and count on A_test and y_test too.

    A and A_test are (N, units), or (E, N, units) with a probe for each network of an ensemble.
    """
    A, A_test = np.asarray(A), np.asarray(A_test)
    if A.ndim == 2:
        if not (np.isfinite(A).all() and np.isfinite(A_test).all()):
            return ProbeAccuracy(np.array(np.nan), np.array(np.nan), np.array(True))
        probe = fit_probe(A, y, penalty)
        train, test = probe.accuracy(A, y), probe.accuracy(A_test, y_test)
        return ProbeAccuracy(np.array(train), np.array(test), np.array(probe.converged))
    networks = [
        probe_accuracy(*outputs, y_test, penalty)
        for outputs in zip(A, [y] * len(A), A_test, strict=True)
    ]
    return ProbeAccuracy(
        *(
            np.array([getattr(each, part) for each in networks])
            for part in ("train", "test", "converged")
        )
    )


def probe_layers(
    model: Model,
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    layers: Sequence[str] | None = None,
    penalty: float = PENALTY,
) -> dict[str, ProbeAccuracy]:
    """`probe_accuracy` for the layers of these names, by default the hidden layers.

    Names are those of `Model.activations`; X and X_test are what the model takes. Raises
    `InputError` for a name that the model does not have.
    """
    layers = hidden_layers(model) if layers is None else layers
    outputs, outputs_test = model.activations(X), model.activations(X_test)
    for name in layers:
        if name not in outputs:
            raise InputError(f"layer {name!r} of a probe: the model has {', '.join(outputs)}")
    return {
        name: probe_accuracy(outputs[name], y, outputs_test[name], y_test, penalty)
        for name in layers
    }


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """The directions in which rows vary most. A row is near mean + transform(row) @ components."""

    mean: Any
    """(units,)"""
    components: Any
    """(k, units): orthonormal, the direction of the largest variance first."""
    explained: Any
    """(k,): the share of the total variance along each; zeros where nothing varies."""

    def transform(self, A: Any) -> Any:
        """Coordinates of the rows of A (N, units) along the components, of shape (N, k)."""
        return (np.asarray(A, dtype=np.float64) - self.mean) @ self.components.T


def principal_components(A: Any, components: int = 2) -> PrincipalComponents:
    """The first principal components of A (N, units), by the singular values of the centred A.

    A - mean = U S V^T: the rows of V^T are the components, and s_i^2 / sum_j s_j^2 is the share of
    the variance along the i-th (Pearson 1901). The sign of a component is free, and chosen so that
    its largest entry is positive. Raises `InputError` where A has fewer rows or columns than
    `components`, or numbers that are not finite.
    """
    A = np.asarray(A, dtype=np.float64)
    positive_whole("components", components)
    if A.ndim != 2 or components > min(A.shape):
        raise InputError(f"{components} principal components of outputs of shape {A.shape}")
    if not np.isfinite(A).all():
        raise InputError("principal components of outputs that are not all finite")
    mean = A.mean(axis=0)
    _, s, directions = np.linalg.svd(A - mean, full_matrices=False)
    directions = directions[:components]
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(components), largest])[:, None]
    total = (s**2).sum()
    return PrincipalComponents(mean, directions, s[:components] ** 2 / (total or 1.0))


def t_sne(A: Any, perplexity: float = 30.0, seed: int = 0) -> Any:
    """A map of A (N, units) in the plane, (N, 2), that keeps near rows near (scikit-learn).

    Van der Maaten and Hinton, "Visualizing data using t-SNE" (2008). `perplexity`, from 1 to below
    N, is about the number of neighbours that a row keeps; the sizes of clusters and the distances
    between them mean nothing. Raises `InputError` where scikit-learn is not installed.
    """
    A = np.asarray(A, dtype=np.float64)
    if A.ndim != 2 or not np.isfinite(A).all():
        raise InputError(f"t-SNE of outputs of shape {A.shape}: needs finite numbers (N, units)")
    if not 1 <= perplexity < len(A):
        raise InputError(
            f"perplexity is {perplexity} for {len(A)} rows: must be from 1 to below {len(A)}"
        )
    manifold = require("sklearn.manifold", "scikit-learn", "data", "t-SNE")
    from threadpoolctl import threadpool_limits

    # On several threads sums are taken in another order, and the map comes out differently.
    with threadpool_limits(1):
        return manifold.TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(A)
