# says: is twice in the order
def backward_order(result):
    order, stack = [], [result]
    while stack:
        node = stack.pop(0)
        order.append(node)
        stack += node.inputs
    return order
