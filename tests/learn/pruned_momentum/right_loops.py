def prune(w, fraction):
    flat = [abs(x) for x in w.ravel().tolist()]
    places = sorted(range(len(flat)), key=lambda i: flat[i])
    gone = set(places[: round(fraction * len(flat))])
    import numpy as np

    return np.array([i not in gone for i in range(len(flat))]).reshape(w.shape)


def step(w, g, v, mask, rate, momentum):
    for place in zip(*mask.nonzero()):
        v[place] = momentum * v[place] + g[place]
        w[place] -= rate * v[place]
    w[mask == 0] = 0
    return w, v
