# says: loss.backward() comes before
"""The training loop: the solution."""

from scratchnet.losses import binary_cross_entropy


def train(model, X, y, optimizer, epochs, batch_size, rng):
    """Train the model in place; the mean loss of every epoch."""
    model.train()
    losses = []
    for _ in range(epochs):
        order = rng.permutation(len(X))
        total = 0.0
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            loss = binary_cross_entropy(model(X[rows]), y[rows])
            optimizer.step()
            total += float(loss) * len(rows)
        losses.append(total / len(X))
    return losses
