from collections import deque


def parity(bits, xor):
    waiting = deque(bits)
    while len(waiting) > 1:
        waiting.append(xor(waiting.popleft(), waiting.popleft()))
    return waiting.pop()
