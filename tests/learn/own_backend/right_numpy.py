import numpy as np


class Backend:
    def asarray(self, values):
        return np.asarray(values, dtype=np.float32)

    def to_lists(self, a):
        return a.tolist()

    def matmul(self, a, b):
        return a @ b

    def add(self, a, b):
        return a + b

    def relu(self, a):
        return np.maximum(a, 0)

    def sum_rows(self, a):
        return a.sum(axis=0)
