"""ReLU networks as they are before training, with random biases too."""

from collections.abc import Sequence

import numpy as np

from scratchnet.model import Model, mlp

BIAS_DEVIATION = 0.3

# A seed's biases come from a stream of their own, beside those that its network draws from.
BIASES = 5


def random_networks(
    widths: Sequence[int],
    seed: int | Sequence[int],
    networks: int,
    backend: str = "auto",
    bias_deviation: float = BIAS_DEVIATION,
) -> Model:
    """An ensemble of He-initialised ReLU networks in float64; network i has the seed `seed + i`, or
    the i-th of several.

    The biases of all layers are normal with mean 0 and that standard deviation. With zero biases
    each neuron would bend along lines through the origin only.
    """
    model = mlp(widths, seed=seed, ensemble=networks, dtype="float64", backend=backend)
    state = model.state_dict()
    generators = [
        np.random.default_rng(np.random.SeedSequence(each, spawn_key=(BIASES,)))
        for each in model.seeds
    ]
    for name, values in state.items():
        if name.endswith("bias"):
            drawn = [rng.normal(0, bias_deviation, values.shape[1:]) for rng in generators]
            state[name] = np.stack(drawn)
    model.load_state_dict(state)
    return model
