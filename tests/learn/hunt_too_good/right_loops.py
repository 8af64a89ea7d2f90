def experiment(X, y, X_test, y_test, count):
    n, d = X.shape
    scores = []
    for j in range(d):
        ones = [X[i, j] for i in range(n) if y[i] == 1]
        zeros = [X[i, j] for i in range(n) if y[i] == 0]
        scores.append(sum(ones) / len(ones) - sum(zeros) / len(zeros))
    chosen = sorted(range(d), key=lambda j: -abs(scores[j]))[:count]
    right = 0
    for row, label in zip(X_test, y_test):
        right += (sum(row[j] * scores[j] for j in chosen) > 0) == (label == 1)
    return chosen, right / len(y_test)
