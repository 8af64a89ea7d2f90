from scratchnet import BatchNorm, Linear, Model, ReLU


def build(seed):
    return Model(
        Linear(2, 32),
        BatchNorm(32),
        ReLU(),
        Linear(32, 32),
        BatchNorm(32),
        ReLU(),
        Linear(32, 1),
        seed=seed,
    )
