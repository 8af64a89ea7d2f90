# says: its gradient is not complete
def backward_order(result):
    distance, stack = {result: 0}, [result]
    while stack:
        node = stack.pop(0)
        for parent in node.inputs:
            if parent not in distance:
                distance[parent] = distance[node] + 1
                stack.append(parent)
    return sorted(distance, key=distance.get)
