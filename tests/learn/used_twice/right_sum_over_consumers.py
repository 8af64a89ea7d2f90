import numpy as np


class Node:
    def __init__(self, value, *inputs):
        self.value = np.asarray(value, float)
        self.inputs = inputs
        self.grad = None


def backward(order):
    for place, node in enumerate(order):
        parts = [
            pullback(user.grad)
            for user in order[:place]
            for parent, pullback in user.inputs
            if parent is node
        ]
        node.grad = np.sum(parts, axis=0) if parts else np.ones_like(node.value)
