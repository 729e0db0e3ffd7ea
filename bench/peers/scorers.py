"""PyTorch's and onnxruntime's side of `run.py score`: the net of our model file, answers in batches of 1,
256 and 1,024, every call timed. The ONNX file is what torch.onnx exports."""

import argparse
import logging
import sys
import tempfile
import time
import warnings

import numpy as np
import onnxruntime
import torch
from safetensors.numpy import load_file, save_file

import turn

CALLS = {1: 20_000, 256: 400, 1024: 100}


def network(model):
    tensors = load_file(model)
    count = sum(name.endswith(".weight") for name in tensors)
    modules = []
    for i in range(count):
        w, b = (torch.from_numpy(tensors[f"layer.{i}.{name}"]) for name in ("weight", "bias"))
        linear = torch.nn.Linear(*w.shape)
        linear.weight, linear.bias = torch.nn.Parameter(w.t().contiguous()), torch.nn.Parameter(b)
        modules += [linear, torch.nn.ReLU()]
    modules[-1] = torch.nn.Softmax(1)
    return torch.nn.Sequential(*modules).eval()


def session(net):
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        rows = torch.export.Dim("rows")
        torch.onnx.export(net, (torch.rand(4, 64),), file.name, dynamo=True, dynamic_shapes=({0: rows},),
                          external_data=False, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        return onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])


def predictor(kind, net, x):
    """A function without arguments that answers for the rows of x (NumPy)."""
    rows = torch.from_numpy(x)
    if kind == "eager":
        return lambda: net(rows).numpy()
    if kind == "compile":
        compiled = torch.compile(net, dynamic=False)
        return lambda: compiled(rows).numpy()
    if kind == "jit":
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, rows)))
        return lambda: frozen(rows).numpy()
    answers = session(net)
    into, out = answers.get_inputs()[0].name, answers.get_outputs()[0].name
    if kind == "onnx":
        return lambda: answers.run(None, {into: x})[0]
    result = onnxruntime.OrtValue.ortvalue_from_shape_and_type((len(x), 2), np.float32)
    given = onnxruntime.OrtValue.ortvalue_from_numpy(x)
    bound = answers.io_binding()
    bound.bind_ortvalue_input(into, given)
    bound.bind_ortvalue_output(out, result)

    def run():
        answers.run_with_iobinding(bound)
        return result.numpy()
    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["eager", "compile", "jit", "onnx", "onnx-bound"])
    for name in ("--model", "--data", "--save"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    net, x = network(options.model), load_file(options.data)["x"]
    out, sys.stdout = sys.stdout, sys.stderr  # exporting talks
    with torch.inference_mode(options.kind in ("eager", "compile", "jit")):
        predictors = {rows: predictor(options.kind, net, np.ascontiguousarray(x[:rows])) for rows in CALLS}
        for predict in predictors.values():
            predict()
        sys.stdout = out

        def step():
            figures = {}
            for rows, predict in predictors.items():
                times = np.empty(CALLS[rows])
                for i in range(CALLS[rows]):
                    begin = time.perf_counter_ns()
                    predict()
                    times[i] = time.perf_counter_ns() - begin
                figures |= {f"p50 {rows}": np.quantile(times, 0.5) / 1e3, f"p99 {rows}": np.quantile(times, 0.99) / 1e3}
            return figures

        turn.take(step, lambda: save_file({"x": np.ascontiguousarray(predictors[1024]())}, options.save))


if __name__ == "__main__":
    main()
