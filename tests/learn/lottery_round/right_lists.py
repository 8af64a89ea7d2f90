def ticket(first, trained, mask, fraction):
    import numpy as np

    alive = sorted((abs(trained[i]), i) for i in np.ndindex(mask.shape) if mask[i])
    keep = {i for _, i in alive[round(len(alive) * fraction) :]}
    new = mask
    for i in np.ndindex(mask.shape):
        new[i] = 1 if i in keep else 0
        first[i] = first[i] if i in keep else 0
    return [new.tolist(), first.astype("float32")]
