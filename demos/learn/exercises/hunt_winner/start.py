"""Bug hunt: the winner of a comparison.

Two methods, such as two and four hidden layers, or two optimizers, are compared: which one has the
better accuracy? `score(method, rate, data)` trains the method at that learning rate and gives its
accuracy on data, "validation" or "test"; the mean over some seeds. Here is what it gives for two
and four layers on the two spirals, by gradient descent:

    rate              0.03    0.1     0.3     1
    two layers        .64     .62     .96    1.00
    four layers       .62     .98    1.00     .75

At a rate of 0.1 four layers win by far. At a rate of 1 two layers do. Each is a true sentence about
one rate; neither is one about depth. A method is what it can do at its own best learning rate.

And the best rate must not be chosen by the numbers that are reported in the end: the largest of
several noisy numbers is too large. So the validation set chooses, and the test set has no say.

Find the bug in `compare` and mend it, in any way you like. It returns the accuracy on the test set
of each method, at the rate of RATES that is best for that method on the validation set.

Source: demos/tuning.py:choose_rate
"""

from collections.abc import Callable, Sequence

RATES = (0.03, 0.1, 0.3, 1.0)


def compare(methods: Sequence[str], score: Callable[[str, float, str], float]) -> dict[str, float]:
    """The accuracy of each method on the test set."""
    return {method: score(method, RATES[1], "test") for method in methods}
