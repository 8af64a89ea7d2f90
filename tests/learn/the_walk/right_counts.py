from collections import Counter, deque


def backward_order(result):
    seen, queue, counts = {result}, deque([result]), Counter()
    while queue:
        inputs = queue.popleft().inputs
        counts.update(inputs)
        for parent in inputs:
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
    order, queue = [], deque([result])
    while queue:
        node = queue.popleft()
        order.append(node)
        for parent in node.inputs:
            counts[parent] -= 1
            if not counts[parent]:
                queue.append(parent)
    return tuple(order)
