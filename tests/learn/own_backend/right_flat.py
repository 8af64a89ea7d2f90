class Backend:
    """An array is a dictionary from places to numbers, and its shape."""

    def asarray(self, values):
        if isinstance(values[0], (list, tuple)):
            shape = (len(values), len(values[0]))
            return {(i, j): values[i][j] for i in range(shape[0]) for j in range(shape[1])}, shape
        return {(0, j): x for j, x in enumerate(values)}, (1, len(values))

    def to_lists(self, a):
        entries, (n, m) = a
        return [[entries[i, j] for j in range(m)] for i in range(n)]

    def matmul(self, a, b):
        (x, (n, l)), (y, (_, m)) = a, b
        places = [(i, j) for i in range(n) for j in range(m)]
        return {(i, j): sum(x[i, q] * y[q, j] for q in range(l)) for i, j in places}, (n, m)

    def add(self, a, b):
        (x, shape), (y, (n, _)) = a, b
        return {(i, j): v + y[i % n, j] for (i, j), v in x.items()}, shape

    def relu(self, a):
        return {place: (v + abs(v)) / 2 for place, v in a[0].items()}, a[1]

    def sum_rows(self, a):
        x, (n, m) = a
        return {(0, j): sum(x[i, j] for i in range(n)) for j in range(m)}, (1, m)
