# says: follows every way
def backward_order(result):
    way, stack = [], [result]
    while stack:
        node = stack.pop()
        way.append(node)
        stack += node.inputs
    last = {node: place for place, node in enumerate(way)}
    return sorted(last, key=last.get)
