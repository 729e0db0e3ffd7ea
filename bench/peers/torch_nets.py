"""PyTorch's side of `run.py epoch` and `run.py bags`: CD-1 of a machine, plain SGD of a perceptron.

Written to be fast: memory of every product is there beforehand, weights move in place by products
(no gradient buffers, no optimizer's pass), and the two statistics of CD-1 are one product. Nothing is
computed that the update does not need (ours also computes the reconstruction error). Variants:

    eager     products by MKL, as PyTorch chooses
    onednn    layers by oneDNN's product with bias and sigmoid fused, which torch.compile uses too
    compile   torch.compile of the step
    autograd  (perceptron) torch.nn and torch.optim.SGD as the tutorials have it
    sparse    (bags) products with the data by torch.sparse
"""

import argparse

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

import turn


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("net", choices=["rbm", "mlp"])
    parser.add_argument("variant")
    parser.add_argument("--data", required=True)
    parser.add_argument("--start", required=True)
    parser.add_argument("--save", required=True)
    parser.add_argument("--activation", default="relu")
    parser.add_argument("--visible", default="binary")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--batch", type=int, default=100)
    return parser.parse_args()


class Rbm:
    """W (visible, hidden), c (hidden), b (visible); CD-1 with states of the hidden units sampled."""

    def __init__(self, options, start):
        self.w, self.c, self.b = (start[f"layer.0.{name}"] for name in ("weight", "bias", "visible_bias"))
        self.counts = options.visible == "softmax"
        self.variant, self.rate = options.variant, options.rate
        n, (visible, hidden) = options.batch, self.w.shape
        self.v, self.h = torch.empty(2 * n, visible), torch.empty(2 * n, hidden)
        self.random, self.state = torch.empty(n, hidden), torch.empty(n, hidden)
        self.step = self.compiled if options.variant == "compile" else self.eager
        if options.variant == "compile":
            self.update = torch.compile(self.update, dynamic=False)

    def tensors(self):
        return {"layer.0.weight": self.w, "layer.0.bias": self.c, "layer.0.visible_bias": self.b}

    def hidden(self, v, totals, out):
        if self.variant == "onednn" and totals is None:
            return out.copy_(torch.ops.mkldnn._linear_pointwise(v, self.w.t(), self.c, "sigmoid", [], ""))
        if totals is None:
            torch.addmm(self.c, v, self.w, out=out)
        else:
            torch.mm(v, self.w, out=out).addcmul_(totals, self.c)
        return torch.sigmoid_(out)

    def visible(self, h, totals, out):
        if self.variant == "onednn" and totals is None:
            return out.copy_(torch.ops.mkldnn._linear_pointwise(h, self.w, self.b, "sigmoid", [], ""))
        torch.addmm(self.b, h, self.w.t(), out=out)
        if totals is None:
            return torch.sigmoid_(out)
        return torch.softmax(out, 1, out=out).mul_(totals)

    def eager(self, v0, rows):
        """`v0` lies in self.v already, or is sparse."""
        n, sparse = rows, v0.layout == torch.sparse_csr
        v1, h0, h1 = self.v[n : 2 * n], self.h[:n], self.h[n : 2 * n]
        totals = None
        if self.counts:
            totals = (torch.mv(v0, torch.ones(v0.shape[1])) if sparse else v0.sum(1))[:, None]
        if sparse:
            torch.sigmoid(torch.sparse.mm(v0, self.w).addcmul_(totals, self.c), out=h0)
        else:
            self.hidden(v0, totals, h0)
        torch.rand(n, h0.shape[1], out=self.random[:n])
        torch.lt(self.random[:n], h0, out=self.state[:n])
        self.visible(self.state[:n], totals, v1)
        self.hidden(v1, totals, h1)
        rate = self.rate / n
        if sparse:
            visible_sum = torch.zeros_like(self.b).index_add_(0, v0.col_indices(), v0.values())
        else:
            visible_sum = v0.sum(0)
        self.b.add_(visible_sum.sub_(v1.sum(0)), alpha=rate)
        if totals is None:
            self.c.add_(h0.sum(0).sub_(h1.sum(0)), alpha=rate)
        else:
            self.c.add_((totals * (h0 - h1)).sum(0), alpha=rate)
        if sparse:
            self.w.add_(torch.sparse.mm(v0.t(), h0), alpha=rate)
            self.w.addmm_(v1.t(), h1, alpha=-rate)
        else:
            h1.neg_()
            self.w.addmm_(self.v[: 2 * n].t(), self.h[: 2 * n], alpha=rate)

    def update(self, v0, w, b, c):
        h0 = torch.sigmoid(torch.addmm(c, v0, w))
        state = (torch.rand_like(h0) < h0).float()
        v1 = torch.sigmoid(torch.addmm(b, state, w.t()))
        h1 = torch.sigmoid(torch.addmm(c, v1, w))
        rate = self.rate / v0.shape[0]
        b.add_(v0.sum(0) - v1.sum(0), alpha=rate)
        c.add_(h0.sum(0) - h1.sum(0), alpha=rate)
        w.addmm_(v0.t(), h0, alpha=rate)
        w.addmm_(v1.t(), h1, alpha=-rate)

    def compiled(self, v0, rows):
        self.update(v0, self.w, self.b, self.c)

    def place(self, rows):
        """Where a minibatch is to be put."""
        return self.v[:rows]


class Mlp:
    """Layers of weight (inputs, outputs) and bias; softmax cross-entropy; plain SGD."""

    def __init__(self, options, start):
        count = len(start) // 2
        self.w = [start[f"layer.{i}.weight"] for i in range(count)]
        self.b = [start[f"layer.{i}.bias"] for i in range(count)]
        self.relu, self.variant, self.rate = options.activation == "relu", options.variant, options.rate
        n = options.batch
        self.x = torch.empty(n, self.w[0].shape[0])
        self.y = [torch.empty(n, w.shape[1]) for w in self.w]
        self.d = [torch.empty(n, w.shape[1]) for w in self.w]
        if options.variant == "compile":
            self.update = torch.compile(self.update, dynamic=False)
        if options.variant == "autograd":
            self.build()

    def tensors(self):
        if self.variant == "autograd":
            layers = [m for m in self.net if isinstance(m, torch.nn.Linear)]
            self.w, self.b = [m.weight.detach().t().contiguous() for m in layers], [m.bias.detach() for m in layers]
        return {f"layer.{i}.{name}": t for i, pair in enumerate(zip(self.w, self.b))
                for name, t in zip(("weight", "bias"), pair)}

    def build(self):
        torch.set_grad_enabled(True)
        modules = []
        for w, b in zip(self.w, self.b):
            linear = torch.nn.Linear(*w.shape)
            with torch.no_grad():
                linear.weight.copy_(w.t())
                linear.bias.copy_(b)
            modules += [linear, torch.nn.ReLU(inplace=True) if self.relu else torch.nn.Sigmoid()]
        self.net = torch.nn.Sequential(*modules[:-1])
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=self.rate)

    def place(self, rows):
        return self.x[:rows]

    def step(self, x, labels):
        if self.variant == "autograd":
            self.optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(self.net(x), labels).backward()
            self.optimizer.step()
        elif self.variant == "compile":
            self.update(x, labels, self.w, self.b)
        else:
            self.eager(x, labels)

    def eager(self, x, labels):
        n, last = x.shape[0], len(self.w) - 1
        y, d = [t[:n] for t in self.y], [t[:n] for t in self.d]
        for i, (w, b) in enumerate(zip(self.w, self.b)):
            below = x if i == 0 else y[i - 1]
            if self.variant == "onednn":
                kind = "none" if i == last else "relu" if self.relu else "sigmoid"
                y[i] = torch.ops.mkldnn._linear_pointwise(below, w.t(), b, kind, [], "")
                continue
            torch.addmm(b, below, w, out=y[i])
            if i < last:
                torch.relu_(y[i]) if self.relu else torch.sigmoid_(y[i])
        torch.softmax(y[last], 1, out=d[last])
        d[last][torch.arange(n), labels] -= 1
        d[last].mul_(1 / n)
        for i in range(last, -1, -1):
            if i > 0:
                torch.mm(d[i], self.w[i].t(), out=d[i - 1])
                below = y[i - 1]
                if self.relu:
                    torch.ops.aten.threshold_backward.grad_input(d[i - 1], below, 0, grad_input=d[i - 1])
                else:
                    torch.ops.aten.sigmoid_backward.grad_input(d[i - 1], below, grad_input=d[i - 1])
            self.w[i].addmm_((x if i == 0 else y[i - 1]).t(), d[i], alpha=-self.rate)
            self.b[i].add_(d[i].sum(0), alpha=-self.rate)

    def update(self, x, labels, weights, biases):
        last = len(weights) - 1
        y = [x]
        for i, (w, b) in enumerate(zip(weights, biases)):
            z = torch.addmm(b, y[-1], w)
            y.append(z if i == last else torch.relu(z) if self.relu else torch.sigmoid(z))
        d = (torch.softmax(y[-1], 1) - torch.nn.functional.one_hot(labels, y[-1].shape[1])) * (1 / x.shape[0])
        for i in range(last, -1, -1):
            below = None
            if i > 0:
                below = d @ weights[i].t()
                below = below * (y[i] > 0) if self.relu else below * y[i] * (1 - y[i])
            weights[i].addmm_(y[i].t(), d, alpha=-self.rate)
            biases[i].add_(d.sum(0), alpha=-self.rate)
            d = below


def sparse_batches(rows, batch):
    """Minibatches by scipy, which takes rows of a CSR matrix by number."""
    shuffled = rows[np.random.default_rng().permutation(rows.shape[0])]
    for begin in range(0, rows.shape[0], batch):
        part = shuffled[begin : begin + batch]
        yield torch.sparse_csr_tensor(torch.from_numpy(part.indptr).long(), torch.from_numpy(part.indices).long(),
                                      torch.from_numpy(part.data), size=part.shape, check_invariants=False)


def main():
    options = parse()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    data = load_file(options.data)
    x = torch.from_numpy(data["x"])
    labels = torch.from_numpy(data["labels"]).long() if "labels" in data else None
    start = {name: torch.from_numpy(t) for name, t in load_file(options.start).items()}
    net = (Rbm if options.net == "rbm" else Mlp)(options, start)

    if options.variant == "sparse":
        import warnings

        import scipy.sparse

        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        rows = scipy.sparse.csr_matrix(data["x"])

    def epoch():
        if options.variant == "sparse":
            for v0 in sparse_batches(rows, options.batch):
                net.eager(v0, v0.shape[0])
            return
        order = torch.randperm(len(x))
        for begin in range(0, len(x), options.batch):
            chosen = order[begin : begin + options.batch]
            place = net.place(len(chosen))
            torch.index_select(x, 0, chosen, out=place)
            net.step(place, len(chosen) if options.net == "rbm" else labels[chosen])

    if options.variant == "compile":  # compiling is not what is measured: a step on copies
        kept = {name: t.clone() for name, t in net.tensors().items()}
        sizes = {options.batch, len(x) % options.batch} - {0}
        for rows in sizes:
            net.step(x[:rows], rows if options.net == "rbm" else labels[:rows])
        for name, t in net.tensors().items():
            t.copy_(kept[name])
    turn.take(epoch, lambda: save_file({k: t.contiguous().numpy() for k, t in net.tensors().items()}, options.save))


if __name__ == "__main__":
    main()
