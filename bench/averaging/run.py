#!/usr/bin/env python3
"""Two claims of the 2014 talk, measured: that averaging regularises, and what AdaGrad does under it.

    build/venv/bin/python bench/averaging/run.py regularisation --mnist FOLDER
    build/venv/bin/python bench/averaging/run.py adagrad --newsgroups FOLDER [--choose]

`regularisation`: a net without dropout or decay learns 10,000 images of MNIST with 1, 4 and 16
replicas; the gap between its error on them and on 10,000 other training images.

`adagrad`: logistic regression on TF-IDF of 20newsgroups with 4 replicas; SGD and AdaGrad, their state
averaged or reset at every superstep. Error on held-out training rows; error on the quarter of them
that leans most on rare terms; and how far weights of rare terms move compared with common ones (the
medians of |w| over the rarest and the most common third of the terms: even pacing would be 1). With
--choose the step lengths are swept, without it those that were chosen so are used.

Test rows are never opened. Prints tables in Markdown: mean and standard deviation of the seeds.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples" / "few-labels"), str(ROOT / "examples" / "convex")]
import rows as convex  # noqa: E402
import run as few_labels  # noqa: E402

# Chosen by --choose: 20 epochs, seed 1.
STEP_LENGTHS = {"sgd": 3.0, "adagrad": 0.3}


def spread(values, digits=2):
    deviation = statistics.stdev(values) if len(values) > 1 else 0
    return f"{statistics.mean(values):.{digits}f} +- {deviation:.{digits}f}"


def tensor(run, name):
    content = (run / "model.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    entry = json.loads(content[8 : 8 + size])[name]
    begin, end = entry["data_offsets"]
    return np.frombuffer(content[8 + size + begin : 8 + size + end], "<f4").reshape(entry["shape"])


def regularisation(options):
    images = few_labels.read(options.mnist, "train-images-idx3-ubyte.gz", 16, few_labels.IMAGE)
    labels = few_labels.read(options.mnist, "train-labels-idx1-ubyte.gz", 8, 1)
    print("| replicas | batch of one | error on the rows learned | on held-out rows | gap |")
    print("|---|---|---|---|---|")
    for replicas, batch in ((1, 32), (4, 32), (16, 32), (4, 8), (16, 2), (1, 8), (1, 2)):
        learned, held_out = [], []
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as folder:
                few_labels.write_pair(folder, "learned", images[:10000], labels[:10000])
                few_labels.write_pair(folder, "held-out", images[50000:], labels[50000:])
                job = dict(job={"seed": seed},
                           model={"kind": "mlp", "hidden": [300]},
                           finetune={"epochs": 30, "batch": batch, "learning_rate": 0.02,
                                     "keep_best": False},
                           reduce={"replicas": replicas, "local_steps": 50})
                data = (f'dir = "{folder}"\nvalid_fraction = 0.0\n'
                        f"train = {few_labels.location('learned')}\n"
                        f"test = {few_labels.location('held-out')}\n")
                metrics, run = train(options, folder, data, **job)
                held_out.append(100 * metrics["error"])
                again = subprocess.run(
                    [options.superstep, "evaluate", str(run), "--json", "--data",
                     f"{folder}/learned-images-idx3-ubyte.gz"],
                    stdout=subprocess.PIPE, text=True, check=True)
                learned.append(100 * json.loads(again.stdout)["error"])
        gaps = [h - l for h, l in zip(held_out, learned)]
        print(f"| {replicas} | {batch} | {spread(learned)}% | {spread(held_out)}% | {spread(gaps)} |",
              flush=True)


def train(options, folder, data, **job):
    """Trains on a [data] section and others; the figures and the run's folder."""
    text = "[data]\n" + data
    for section, values in job.items():
        text += f"[{section}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items())
    Path(f"{folder}/job.toml").write_text(text)
    run = Path(f"{folder}/run")
    answer = subprocess.run(
        [options.superstep, "train", f"{folder}/job.toml", "--quiet", "--json", "--workers",
         str(options.workers), "--set", f"output.dir={run}"],
        stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(answer), run


def write_csv(path, x, y):
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow([f"t{i}" for i in range(x.shape[1])] + ["label"])
        dense = x.toarray()
        for row, label in zip(dense, y):
            out.writerow([f"{v:.9g}" for v in row] + [label])


def adagrad(options):
    table = convex.newsgroups(options.newsgroups)[0]  # the training rows
    order = np.random.default_rng(1).permutation(len(table.y))
    x, y = table.x[order], table.y[order]
    cut = len(y) * 3 // 4
    present = np.asarray((x[:cut] > 0).sum(axis=0)).ravel()  # rows that hold a term
    third = len(present) // 3
    by_count = np.argsort(present, kind="stable")
    rare, common = by_count[:third], by_count[-third:]
    held_out = x[cut:]
    share = np.asarray(held_out[:, rare].sum(axis=1)).ravel() / np.maximum(
        np.asarray(held_out.sum(axis=1)).ravel(), 1e-12)
    leaning = np.argsort(-share, kind="stable")[: len(share) // 4]

    with tempfile.TemporaryDirectory() as folder:
        write_csv(f"{folder}/learned.csv", x[:cut], y[:cut])
        write_csv(f"{folder}/held-out.csv", held_out, y[cut:])
        classes = sorted(set(y))

        def measure(rule, state, rate, seed):
            data = f'dir = "{folder}"\ntrain = "learned.csv"\ntest = "held-out.csv"\n'
            data += 'label = "label"\nscale = "none"\nvalid_fraction = 0.0\n'
            subprocess.run(["rm", "-rf", f"{folder}/run"], check=True)
            metrics, run = train(
                options, folder, data, job={"seed": seed}, model={"kind": "logistic"},
                finetune={"epochs": 20, "batch": 25, "l2": 1e-5, "optimizer": rule,
                          "optimizer_state": state, "learning_rate": rate},
                reduce={"replicas": 4, "local_steps": 25})
            w, b = tensor(run, "layer.0.weight"), tensor(run, "layer.0.bias")
            guessed = np.array(classes)[np.argmax(held_out @ w + b, axis=1)]
            wrong = guessed != y[cut:]
            moved = np.abs(w).mean(axis=1)
            return (100 * metrics["error"], 100 * wrong[leaning].mean(),
                    float(np.median(moved[rare]) / np.median(moved[common])))

        if options.choose:
            print("| rule | state | step length | error |\n|---|---|---|---|")
            for rule, rates in (("sgd", (1, 3, 10, 30)), ("adagrad", (0.03, 0.1, 0.3, 1))):
                for state in ("average", "reset"):
                    for rate in rates:
                        error = measure(rule, state, float(rate), 1)[0]
                        print(f"| {rule} | {state} | {rate} | {error:.2f}% |", flush=True)
            return
        print("| rule | state | error | on rows of rare terms | rare weights move |")
        print("|---|---|---|---|---|")
        for rule in ("sgd", "adagrad"):
            for state in ("average", "reset"):
                figures = [measure(rule, state, STEP_LENGTHS[rule], seed) for seed in options.seeds]
                error, rare_error, pace = zip(*figures)
                print(f"| {rule} | {state} | {spread(error)}% | {spread(rare_error)}% | "
                      f"{spread(pace)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["regularisation", "adagrad"])
    parser.add_argument("--mnist", help="folder with the files of MNIST")
    parser.add_argument("--newsgroups", help="folder with 20news-bydate.tar.xz")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--superstep", default=str(ROOT / "build" / "release" / "bin" / "superstep"))
    options = parser.parse_args()
    {"regularisation": regularisation, "adagrad": adagrad}[options.what](options)


if __name__ == "__main__":
    main()
