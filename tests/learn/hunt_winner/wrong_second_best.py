# says: that is its accuracy at
from collections.abc import Callable, Sequence

RATES = (0.03, 0.1, 0.3, 1.0)


def compare(methods: Sequence[str], score: Callable[[str, float, str], float]) -> dict[str, float]:
    """The accuracy of each method on the test set."""
    result = {}
    for method in methods:
        best = sorted(RATES, key=lambda rate: score(method, rate, "validation"))[-2]
        result[method] = score(method, best, "test")
    return result
