def weights():
    return [[1, -1], [1, -1]], [-1, 1], [1, 1], -2
