import numpy as np


class Node:
    def __init__(self, value, *inputs):
        self.value = np.asarray(value, float)
        self.inputs = inputs
        self.grad = None


def backward(order):
    grads = {id(order[0]): np.ones_like(order[0].value)}
    for node in order:
        node.grad = grads[id(node)]
        for parent, pullback in node.inputs:
            grads[id(parent)] = grads.get(id(parent), 0.0) + pullback(node.grad)
