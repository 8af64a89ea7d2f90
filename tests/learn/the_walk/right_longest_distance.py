def backward_order(result):
    """Sorted by the longest way from the result, found by peeling leaf after leaf."""
    inputs, stack = {}, [result]
    while stack:
        node = stack.pop()
        if node not in inputs:
            inputs[node] = node.inputs
            stack += inputs[node]
    height, waiting = {}, [result]
    while waiting:
        node = waiting[-1]
        below = [parent for parent in inputs[node] if parent not in height]
        if below:
            waiting.append(below[0])
        else:
            height[node] = 1 + max((height[parent] for parent in inputs[node]), default=0)
            waiting.pop()
    return sorted(height, key=height.get, reverse=True)
