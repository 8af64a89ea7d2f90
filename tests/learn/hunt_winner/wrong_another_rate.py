# says: at one rate, 0.3
from collections.abc import Callable, Sequence

RATES = (0.03, 0.1, 0.3, 1.0)


def compare(methods: Sequence[str], score: Callable[[str, float, str], float]) -> dict[str, float]:
    """The accuracy of each method on the test set."""
    results = {}
    for method in methods:
        best = RATES[2]
        results[method] = score(method, best, "test")
    return results
