# says: are dead
from scratchnet import Model, mlp
from scratchnet.init import constant_bias


def build(seed: int) -> Model:
    """A network with two hidden layers of 32 ReLUs for points in the plane, untrained."""
    return mlp(
        [2, 32, 32, 1],
        activation="relu",
        init=lambda rng, i, o: -abs(rng.standard_normal((i, o))) / i,
        seed=seed,
    )
