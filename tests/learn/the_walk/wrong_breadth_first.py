# says: its gradient is not complete
def backward_order(result):
    order, seen = [result], {result}
    for node in order:
        for parent in node.inputs:
            if parent not in seen:
                seen.add(parent)
                order.append(parent)
    return order
