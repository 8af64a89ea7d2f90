import numpy as np

from scratchnet import Tensor, ops


def train(model, X, y, optimizer, epochs, batch_size, rng):
    model.train()
    for_epochs = []
    data = np.column_stack([X, y])
    for _ in range(epochs):
        rng.shuffle(data)
        before = []
        for start in range(0, len(data), batch_size):
            part = data[start : start + batch_size]
            z = model(part[:, :-1])
            t = Tensor(part[:, -1:], "float64")
            each = ops.softplus(z) - t * z
            each.mean().backward()
            optimizer.step()
            before.extend(each.numpy().ravel())
        for_epochs.append(np.mean(before))
    return for_epochs
