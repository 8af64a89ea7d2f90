# says: is missing in the order
def backward_order(result):
    order, stack, seen = [], [result], set()
    while stack:
        node = stack.pop()
        if node.inputs and node not in seen:
            seen.add(node)
            order.append(node)
            stack += node.inputs
    return order or [result]
