import numpy as np


class Node:
    def __init__(self, value, *inputs):
        self.value = np.asarray(value, float)
        self.inputs = inputs
        self.grad = None


def backward(order):
    for node in order:
        node.grad = np.zeros(node.value.shape)
    order[0].grad = np.ones(order[0].value.shape)
    for node in order:
        for parent, pullback in node.inputs:
            parent.grad = parent.grad + pullback(node.grad)
