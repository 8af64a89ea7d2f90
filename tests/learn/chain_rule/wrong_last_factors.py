# says: this is the last factor alone
def backward(x, w, b, t):
    return x, 1, w
