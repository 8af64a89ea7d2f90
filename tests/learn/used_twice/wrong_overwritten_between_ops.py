# says: use in the sum is lost
import numpy as np


class Node:
    def __init__(self, value, *inputs):
        self.value = np.asarray(value, float)
        self.inputs = inputs
        self.grad = None


def backward(order):
    order[0].grad = np.ones_like(order[0].value)
    for node in order:
        for parent in {parent for parent, _ in node.inputs}:
            parent.grad = sum(
                pullback(node.grad) for each, pullback in node.inputs if each is parent
            )
