# says: must be a list of nodes
def backward_order(result):
    print(result)
