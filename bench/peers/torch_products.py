"""PyTorch's side of `run.py products`: GFLOP/s of the three products of a layer, memory given; by
processor time, as Google Benchmark counts ours."""

import time

import torch

import turn

# As in bench/kernels_bench.cpp.
LAYERS = [(100, 784, 500), (100, 500, 500), (100, 500, 2000), (100, 1000, 500), (100, 784, 1000), (100, 2000, 10)]
WINDOWS, SECONDS = 5, 0.02


def rate(product, operations):
    """The best of some windows."""
    product()
    best = 0
    for _ in range(WINDOWS):
        calls, begin = 0, time.process_time()
        while (seconds := time.process_time() - begin) < SECONDS:
            product()
            calls += 1
        best = max(best, 1e-9 * operations * calls / seconds)
    return best


def step():
    figures = {}
    for rows, inputs, outputs in LAYERS:
        x, w, y = torch.rand(rows, inputs), torch.rand(inputs, outputs), torch.rand(rows, outputs)
        name, operations = f"{rows}x{inputs}x{outputs}", 2 * rows * inputs * outputs
        figures[f"{name}/x_W"] = rate(lambda: torch.mm(x, w, out=y), operations)
        figures[f"{name}/dy_Wt"] = rate(lambda: torch.mm(y, w.t(), out=x), operations)
        figures[f"{name}/xt_dy"] = rate(lambda: w.addmm_(x.t(), y, beta=1e-9), operations)
    return figures


torch.set_num_threads(1)
turn.take(step)
