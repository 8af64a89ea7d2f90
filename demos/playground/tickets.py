"""Lottery tickets: some weights of a network, put back to their initial values, trained alone.

Frankle and Carbin (2019): where the kept weights are the largest after training, the sparse network
often learns what the whole one did; the same number of weights at random places often does not.
"""

from __future__ import annotations

import numpy as np

from scratchnet.demos.playground.learning import Learning, make_model
from scratchnet.pruning import magnitudes, prune, random_scores


def ticket(learning: Learning, share: float, mask: str) -> Learning:
    """A new training without that share of the weights: the smallest ones by now, or random ones.

    Of a network that is a ticket itself the whole network counts. Biases are kept.
    """
    whole = learning.whole or learning
    model = make_model(whole.state, whole.task)
    if mask == "smallest":
        scores = magnitudes(whole.model)
    else:
        scores = random_scores(model, [np.random.default_rng(whole.state.training.seed)])
    prune(model, sparsity=share, scores=scores)
    found = Learning(whole.state, whole.task, model)
    found.whole = whole
    return found
