def backward_order(result):
    counts, todo = {result: 0}, [result]
    for node in todo:
        for parent in node.inputs:
            if parent not in counts:
                todo.append(parent)
            counts[parent] = counts.get(parent, 0) + 1
    ready = [result]
    while ready:
        node = ready.pop()
        yield node
        for parent in node.inputs:
            counts[parent] -= 1
            if counts[parent] == 0:
                ready.append(parent)
