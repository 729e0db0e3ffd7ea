"""What nets have learned, by one measure for all contestants, from their tensors alone."""

import numpy as np


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def machine(tensors, x, counts=False):
    """Of going up and down by means: squared error a row, or of counts the cross-entropy a word;
    and of binary units the pseudo-log-likelihood a row in nats, from free energies with one pixel flipped,
    pixels rounded to states."""
    w, c, b = (tensors[f"layer.0.{n}"].astype(np.float64) for n in ("weight", "bias", "visible_bias"))
    total = x.sum(1, keepdims=True) if counts else 1
    h = sigmoid(x @ w + total * c)
    if counts:
        return {"reconstruction, nats a word": float(-(x * np.log(softmax(h @ w.T + b))).sum() / x.sum())}
    figures = {"reconstruction error": float(((x - sigmoid(h @ w.T + b)) ** 2).sum(1).mean())}

    def free_energy(v):
        return -v @ b - np.logaddexp(0, v @ w + c).sum(1)

    states = np.round(x)
    flipped = states.copy()
    pixel = np.random.default_rng(1).integers(x.shape[1], size=len(x))
    flipped[np.arange(len(x)), pixel] = 1 - states[np.arange(len(x)), pixel]
    change = free_energy(flipped) - free_energy(states)
    figures["pseudo-log-likelihood"] = float(-x.shape[1] * np.logaddexp(0, -change).mean())
    return figures


def perceptron(tensors, x, labels, activation):
    y, count = x, len(tensors) // 2
    for i in range(count):
        y = y @ tensors[f"layer.{i}.weight"] + tensors[f"layer.{i}.bias"]
        if i < count - 1:
            y = np.maximum(y, 0) if activation == "relu" else sigmoid(y)
    return {"test error": float((y.argmax(1) != labels).mean())}
