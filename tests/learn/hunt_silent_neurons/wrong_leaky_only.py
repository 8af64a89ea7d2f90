# says: a hidden bias starts at -3
from scratchnet import Model, mlp
from scratchnet.init import constant_bias


def build(seed: int) -> Model:
    """A network with two hidden layers of 32 ReLUs for points in the plane, untrained."""
    return mlp([2, 32, 32, 1], activation="leaky_relu", bias_init=constant_bias(-3.0), seed=seed)
