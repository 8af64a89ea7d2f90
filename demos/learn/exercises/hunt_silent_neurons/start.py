"""Bug hunt: silent neurons.

Two circles, one around the other: two hidden layers of ReLUs separate them in a moment. This
network does not. Its loss comes to ln 2 = 0.693 and no further, and its accuracy stays at 50 %,
whatever the optimizer and the learning rate. No NaN, no error.

    y = max(0, z)      dL/dz = dL/dy where z > 0, and else 0

A ReLU with z below 0 gives 0, and has no gradient. Where that is so for *every* sample, the neuron
is dead: the next layer gets nothing from it, its own weights get no gradient, and so it stays
dead. The inputs here lie near [-1, 1], and about half of the neurons should be active on a sample.
Look at what each layer gives:

    X, y = scratchnet.datasets.circles(200)
    for name, a in build(0).activations(X).items():
        print(name, (a > 0).mean())

Find the bug and mend it, in any way you like. There must remain two hidden layers of 32 neurons,
and they must bend: a ReLU that is active on every sample is no more than a line.

Source: scratchnet/init.py:zero_bias
"""

from scratchnet import Model, mlp
from scratchnet.init import constant_bias


def build(seed: int) -> Model:
    """A network with two hidden layers of 32 ReLUs for points in the plane, untrained."""
    return mlp([2, 32, 32, 1], activation="relu", bias_init=constant_bias(-3.0), seed=seed)
