import numpy as np


class Node:
    def __init__(self, value, *inputs):
        self.value = np.asarray(value, float)
        self.inputs = inputs
        self.grad = None


def backward(order):
    for node in order:
        node.grad = None
    order[0].grad = np.ones_like(order[0].value)
    for node in order:
        for parent, pullback in node.inputs:
            if parent.grad is None:
                parent.grad = np.array(pullback(node.grad))
            else:
                parent.grad += pullback(node.grad)
