def backward_order(result):
    done, finished, stack = set(), [], [(result, False)]
    while stack:
        node, is_finished = stack.pop()
        if is_finished:
            finished.append(node)
        elif node not in done:
            done.add(node)
            stack.append((node, True))
            stack += [(parent, False) for parent in node.inputs]
    return finished[::-1]
