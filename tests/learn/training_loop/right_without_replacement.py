from scratchnet.losses import binary_cross_entropy


def train(model, X, y, optimizer, epochs, batch_size, rng):
    model.train()
    n, losses = len(X), []
    for _ in range(epochs):
        order, losses_of_epoch = rng.choice(n, n, replace=False), 0
        for k in range((n + batch_size - 1) // batch_size):
            rows = order[k * batch_size : min(n, (k + 1) * batch_size)]
            model.gradient_buffer[...] = 0
            loss = binary_cross_entropy(model(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses_of_epoch = losses_of_epoch + loss * float(len(rows))
        losses.append(losses_of_epoch / float(n))
    return losses
