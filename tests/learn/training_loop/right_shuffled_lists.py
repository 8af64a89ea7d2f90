from scratchnet.losses import binary_cross_entropy


def train(model, X, y, optimizer, epochs, batch_size, rng):
    model.train(True)
    result = []
    for _ in range(epochs):
        order = list(range(len(X)))
        rng.shuffle(order)
        losses = []
        while order:
            batch, order = order[:batch_size], order[batch_size:]
            loss = binary_cross_entropy(model(X[batch]), y[batch])
            loss.backward()
            optimizer.step()
            losses += [float(loss)] * len(batch)
        result.append(sum(losses) / len(losses))
    return tuple(result)
