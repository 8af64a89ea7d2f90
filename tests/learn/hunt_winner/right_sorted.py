RATES = [0.03, 0.1, 0.3, 1.0]


def best_rate(method, score):
    scored = sorted((score(method, rate, "validation"), rate) for rate in RATES)
    return scored[-1][1]


def compare(methods, score):
    return dict((m, score(m, best_rate(m, score), "test")) for m in reversed(methods))
