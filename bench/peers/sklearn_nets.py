"""scikit-learn's side of `run.py epoch`: BernoulliRBM (persistent contrastive divergence, it has no
CD-1) and MLPClassifier (plain SGD), from the same first weights, in float32."""

import argparse

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.neural_network import BernoulliRBM, MLPClassifier

import turn


def machine(options, data, start):
    """An epoch of BernoulliRBM.fit(), which does not shuffle; fit() itself cannot go on."""
    w = start["layer.0.weight"]
    rbm = BernoulliRBM(n_components=w.shape[1], learning_rate=options.rate, batch_size=options.batch)
    rbm.components_ = np.asarray(w.T, order="F", dtype=np.float32)
    rbm.intercept_hidden_ = start["layer.0.bias"].copy()
    rbm.intercept_visible_ = start["layer.0.visible_bias"].copy()
    rbm.h_samples_ = np.zeros((options.batch, w.shape[1]), dtype=np.float32)
    random = np.random.RandomState(1)
    x = data["x"]

    def epoch():
        for begin in range(0, len(x), options.batch):
            rbm._fit(x[begin : begin + options.batch], random)

    def tensors():
        return {"layer.0.weight": rbm.components_.T, "layer.0.bias": rbm.intercept_hidden_,
                "layer.0.visible_bias": rbm.intercept_visible_}

    return epoch, tensors


def perceptron(options, data, start):
    count = len(start) // 2
    sizes = tuple(start[f"layer.{i}.bias"].size for i in range(count - 1))
    net = MLPClassifier(sizes, activation={"relu": "relu", "sigmoid": "logistic"}[options.activation], solver="sgd",
                        alpha=0, batch_size=options.batch, learning_rate_init=options.rate, momentum=0,
                        nesterovs_momentum=False, shuffle=True, random_state=1)
    x, labels = data["x"], data["labels"].astype(np.int64)
    net.partial_fit(x[: options.batch], labels[: options.batch], classes=np.arange(10))  # makes the tensors
    for i in range(count):
        net.coefs_[i][...] = start[f"layer.{i}.weight"]
        net.intercepts_[i][...] = start[f"layer.{i}.bias"]

    def epoch():
        net.partial_fit(x, labels)

    def tensors():
        return {f"layer.{i}.{name}": t for i in range(count)
                for name, t in (("weight", net.coefs_[i]), ("bias", net.intercepts_[i]))}

    return epoch, tensors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("net", choices=["rbm", "mlp"])
    for name in ("--data", "--start", "--save"):
        parser.add_argument(name, required=True)
    parser.add_argument("--activation", default="relu")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--batch", type=int, default=100)
    options = parser.parse_args()
    epoch, tensors = (machine if options.net == "rbm" else perceptron)(
        options, load_file(options.data), load_file(options.start))
    turn.take(epoch, lambda: save_file(
        {k: np.ascontiguousarray(t, dtype=np.float32) for k, t in tensors().items()}, options.save))


if __name__ == "__main__":
    main()
