import numpy as np

from scratchnet import losses as L


def train(model, X, y, optimizer, epochs, batch_size, rng):
    model.train()
    history = np.zeros(epochs)
    cuts = range(batch_size, len(X), batch_size)
    for epoch in range(epochs):
        for rows in np.split(rng.permutation(len(X)), cuts):
            value = L.binary_cross_entropy(model(X[rows]), y[rows][:, None])
            value.backward()
            optimizer.step()
            history[epoch] += value.item() * rows.size / len(X)
    return history
