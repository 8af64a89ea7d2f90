# says: only one of the two uses
import numpy as np


class Node:
    def __init__(self, value, *inputs):
        self.value = np.asarray(value, float)
        self.inputs = inputs
        self.grad = None


def backward(order):
    order[0].grad = np.ones_like(order[0].value)
    for node in order:
        for parent, pullback in node.inputs:
            parent.grad = pullback(node.grad)
