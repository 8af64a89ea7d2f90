# says: the whole network is linear
from scratchnet import Linear, Model


def build(seed):
    return Model(Linear(2, 32), Linear(32, 32), Linear(32, 1), seed=seed)
