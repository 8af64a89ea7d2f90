# says: recursion
def backward_order(result):
    seen, order = set(), []

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.inputs:
                visit(parent)
            order.append(node)

    visit(result)
    return order[::-1]
