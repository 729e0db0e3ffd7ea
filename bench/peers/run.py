#!/usr/bin/env python3
"""Superstep beside PyTorch, scikit-learn and onnxruntime, on one pinned thread, in turns.

    bench/peers/run.py --install                # the peers, into build/peers (about 6 GB)
    bench/peers/run.py epoch --mnist FOLDER     # seconds an epoch, and what was learned
    bench/peers/run.py bags --newsgroups FILE   # the same on bags of words
    bench/peers/run.py score                    # rows a second through a trained net; one answer
    bench/peers/run.py products                 # products beside PyTorch's and the core's peak
    bench/peers/run.py inside --mnist FOLDER    # the products within our epochs: time, share of peak
    bench/peers/run.py all                      # what `make bench` does: skipped where not installed

All contestants of a table are processes that stay, pinned to one core, and take turns: a round is a
turn of each. A table gives medians and the 10th percentile of all rounds but the first, and ratios
within rounds, so a disturbance that lasts longer than a round does not count. Tables are Markdown, for
bench/RESULTS.md. Nets start from the same tensors (ours writes them) and are judged by one measure
(quality.py) after the same number of epochs. `make build` and the bench programs come first: see README.md.
"""

import argparse
import collections
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = ROOT / "build" / "peers"
REQUIREMENTS = HERE / "requirements.txt"
BIN = ROOT / "build" / "release" / "bin"
THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def installed():
    stamp = VENV / ".requirements"
    return stamp.exists() and stamp.read_text() == REQUIREMENTS.read_text()


def install():
    if installed():
        return
    print("installing the peers into build/peers: about 6 GB", file=sys.stderr)
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    subprocess.run([python, "-m", "venv", VENV], check=True)
    subprocess.run([VENV / "bin" / "python", "-m", "pip", "install", "-q", "-r", REQUIREMENTS], check=True)
    (VENV / ".requirements").write_text(REQUIREMENTS.read_text())


class Contestant:
    """A process that answers each line with a line of JSON."""

    def __init__(self, name, command):
        self.name, self.turns = name, []
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.answer()  # ready

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name}: ended with status {self.process.wait()} before it had answered")
        return json.loads(line)

    def turn(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.turns.append(self.answer())

    def close(self):
        """Ends it; what it saves is there afterwards."""
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit(f"{self.name}: ended with status {self.process.returncode}")

    def values(self, key):
        """Of all turns but the first, which warms up."""
        return [turn[key] for turn in self.turns[1:]]


def contest(contestants, rounds):
    """A round begins with another contestant each time, so none is always behind the same one."""
    for r in range(rounds + 1):
        for i in range(len(contestants)):
            contestants[(i + r) % len(contestants)].turn()
        print(f"  round {r} of {rounds}: " + ", ".join(
            f"{c.name} {c.turns[-1]['seconds']:.2f} s" for c in contestants), file=sys.stderr)
    for c in contestants:
        c.close()


def low(values):
    """The 10th percentile."""
    return statistics.quantiles(values, n=10, method="inclusive")[0] if len(values) > 1 else values[0]


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def peak():
    """GFLOP/s of the core."""
    out = subprocess.run([BIN / "epoch_bench", "--peak", "--json"], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)["value"]


def machine(options):
    from importlib.metadata import version

    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown processor")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True, check=True,
                            stdout=subprocess.PIPE).stdout.strip()
    versions = ", ".join(f"{name} {version(package)}" for name, package in (
        ("PyTorch", "torch"), ("scikit-learn", "scikit-learn"), ("onnxruntime", "onnxruntime"), ("NumPy", "numpy")))
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    return (f"{datetime.date.today()}, `bench/peers/run.py {' '.join(sys.argv[1:])}`, commit {commit}; {model}, "
            f"{os.cpu_count()} cores, one thread pinned to core {options.core}, peak {peak():.0f} GFLOP/s, load {load}; "
            f"{versions}. {options.rounds} rounds.\n")


def report(title, contestants, operations, quality):
    """Seconds an epoch. `operations`: of dense products, an epoch; `quality`: figures by name."""
    top = peak()
    print(f"**{title}**\n")
    figures = list(next(iter(quality.values())))
    rows, ours = [], contestants[0]
    for c in contestants:
        wall, processor = c.values("seconds"), c.values("processor")
        by_wall = [p / o for p, o in zip(wall, ours.values("seconds"))]
        by_processor = [p / o for p, o in zip(processor, ours.values("processor"))]
        rows.append([c.name, f"{statistics.median(wall):.2f}", f"{low(wall):.2f}", f"{low(processor):.2f}",
                     f"{statistics.median(by_wall):.2f} ({min(by_wall):.2f} to {max(by_wall):.2f})",
                     f"{statistics.median(by_processor):.2f}",
                     f"{1e-9 * operations / low(processor) / top:.0%}"]
                    + [f"{quality[c.name][name]:.4g}" for name in figures])
    table(["", "s an epoch, median", "10th percentile", "processor time, 10th percentile",
           "ours is so many times faster: median of rounds (range)", "the same by processor time",
           "dense operations, share of peak"] + figures, rows)


def net_contest(options, net, folder, file, epochs_title, variants, ours, arguments, operations, judge):
    """`variants`: of PyTorch; `ours`: by name, more arguments of epoch_bench; the first writes the start."""
    from safetensors.numpy import load_file

    start = folder / "start.safetensors"

    def paths(name):
        return ["--data", file, "--save", folder / f"{name}.safetensors"]

    contestants = []
    for name, more in ours.items():
        # The first tensors are ours; a bare loop and the peers take them from the file.
        begin = ["--save-start", start] if not contestants else ["--start", start]
        contestants.append(Contestant(name, [BIN / "epoch_bench", "--turns", "--net", net, *paths(name), *begin,
                                             *arguments, *more]))
    names = [(f"PyTorch {v}", "torch_nets.py", [v]) for v in variants]
    if options.sklearn:
        names.append(("scikit-learn", "sklearn_nets.py", []))
    shared = [a for pair in zip(arguments[::2], arguments[1::2]) if pair[0] not in ("--hidden",) for a in pair]
    for name, script, more in names:
        own = [a for pair in zip(shared[::2], shared[1::2])
               if script != "sklearn_nets.py" or pair[0] != "--visible" for a in pair]
        contestants.append(Contestant(name, [sys.executable, HERE / script, net, *more, *paths(name), "--start", start,
                                             *own]))
    contest(contestants, options.rounds)
    quality = {"at the start": judge(load_file(start))} | {
        c.name: judge(load_file(folder / f"{c.name}.safetensors")) for c in contestants}
    report(f"{epochs_title}; after {options.rounds + 1} epochs (at the start: " + ", ".join(
        f"{k} {v:.4g}" for k, v in quality["at the start"].items()) + ")", contestants, operations, quality)


OURS = {"Superstep": [], "Superstep, bare loop": ["--loop", "bare"], "Superstep, zeros kept": ["--form", "dense"]}


def epoch(options):
    import quality
    import rows

    train, test, name = rows.digits(options.mnist)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        file = folder / "rows.safetensors"
        rows.write(file, *train)
        n = len(train[0])
        if "rbm" in options.nets:
            net_contest(options, "rbm", folder, file, f"RBM 784-500, CD-1, batch 100, {name}",
                        options.torch or ["eager", "onednn", "compile"], OURS,
                        ["--hidden", "500", "--rate", "0.1", "--visible", "binary"], 10 * n * 784 * 500,
                        lambda tensors: quality.machine(tensors, test[0]))
        for activation in ("relu", "sigmoid"):
            if f"mlp-{activation}" not in options.nets:
                continue
            operations = n * (4 * 784 * 500 + 6 * 500 * 250 + 6 * 250 * 10)
            net_contest(options, "mlp", folder, file, f"MLP 784-500-250-10, {activation}, SGD, batch 100, {name}",
                        options.torch or ["eager", "onednn", "compile", "autograd"], OURS,
                        ["--hidden", "500,250", "--rate", "0.1", "--activation", activation], operations,
                        lambda tensors, a=activation: quality.perceptron(tensors, *test, a))


def bags(options):
    import quality
    import rows

    train, test = rows.bags(options.newsgroups, 2000)
    options.sklearn = False  # BernoulliRBM has no units for counts
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        file = folder / "rows.safetensors"
        rows.write(file, train.toarray())
        share = train.nnz / (train.shape[0] * train.shape[1])
        net_contest(options, "rbm", folder, file,
                    f"RBM 2000-500 over counts (softmax units), CD-1, batch 100, 20newsgroups, {train.shape[0]:,} rows, "
                    f"{share:.1%} not zero", options.torch or ["eager", "sparse"],
                    OURS | {"Superstep, sampled reconstruction": ["--sample"]},
                    ["--hidden", "500", "--rate", "0.0001", "--visible", "softmax"], 10 * train.shape[0] * 2000 * 500,
                    lambda tensors: quality.machine(tensors, test.toarray(), counts=True))


def score(options):
    import numpy as np
    import rows
    from safetensors.numpy import load_file

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        random = np.random.default_rng(1)
        x = random.random((1024, 64), dtype=np.float32)
        rows.write(folder / "rows.safetensors", x)
        labels = (x[:, 0] > x[:, 1]).astype(int)
        np.savetxt(folder / "rows.csv", np.column_stack([x, labels]), fmt="%.6g", delimiter=",")
        subprocess.run([BIN / "superstep", "train", folder / "rows.csv", "--label", "64", "--set", "data.scale=none",
                        "--set", "model.hidden=[256,128]", "--set", f"output.dir={folder}/run"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        model = folder / "run" / "model.safetensors"

        def paths(name):
            return ["--model", model, "--data", folder / "rows.safetensors", "--save", folder / f"{name}.safetensors"]

        contestants = [Contestant("Superstep", [BIN / "predict_bench", "--turns", *paths("Superstep")])]
        for name, script in (("PyTorch eager", "eager"), ("PyTorch compile", "compile"), ("PyTorch jit", "jit"),
                             ("onnxruntime", "onnx"), ("onnxruntime, bound memory", "onnx-bound")):
            contestants.append(Contestant(name, [sys.executable, HERE / "scorers.py", script, *paths(name)]))
        contest(contestants, options.rounds)
        answers = {c.name: load_file(folder / f"{c.name}.safetensors")["x"] for c in contestants}
        print("**64-256-128-2, relu, softmax: rows a second and the time of a call**\n")
        ours, lines = contestants[0], []
        for c in contestants:
            cells = [c.name]
            for size in ("1", "256", "1024"):
                p50, p99 = c.values(f"p50 {size}"), c.values(f"p99 {size}")
                ratio = statistics.median(p / o for p, o in zip(p50, ours.values(f"p50 {size}")))
                cells += [f"{int(size) / low(p50):.3g}", f"{low(p50):.4g}", f"{low(p99):.4g}", f"{ratio:.2f}"]
            lines.append(cells + [f"{abs(answers[c.name] - answers['Superstep']).max():.1g}"])
        table(["", *(f"{size}: {what}" for size in ("one row", "256", "1,024")
                     for what in ("million rows/s", "p50, us", "p99, us", "p50 / ours")),
               "largest difference of an answer"], lines)


def products(options):
    command = [BIN / "kernels_bench", "--benchmark_filter=^dense", "--benchmark_format=json",
               "--benchmark_min_time=0.02", "--benchmark_repetitions=5"]
    torch = Contestant("PyTorch", [sys.executable, HERE / "torch_products.py"])
    ours = []
    for r in range(options.rounds + 1):
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        best = collections.defaultdict(float)  # of the repetitions, as torch_products.py has it
        for b in json.loads(out)["benchmarks"]:
            if b["run_type"] == "iteration":
                name = b["name"].removeprefix("dense/")
                best[name] = max(best[name], b["GFLOP/s"])
        ours.append(best)
        torch.turn()
        print(f"  round {r} of {options.rounds}", file=sys.stderr)
    torch.close()
    top, rows = peak(), []
    for name in ours[0]:
        mine = statistics.median(turn[name] for turn in ours[1:])
        theirs = statistics.median(torch.values(name))
        ratio = statistics.median(m[name] / t for m, t in zip(ours[1:], torch.values(name)))
        rows.append([name, f"{mine:.0f}", f"{mine / top:.0%}", f"{theirs:.0f}", f"{theirs / top:.0%}", f"{ratio:.2f}"])
    print(f"**Products, float32, by processor time; best of five windows a round, median of rounds; peak of the core {top:.0f} GFLOP/s**\n")
    table(["rows x inputs x outputs", "GFLOP/s", "of peak", "PyTorch", "of peak", "ours / PyTorch"], rows)


def inside(options):
    """oneDNN tells how long each product took; a product that our own vector code makes is not among them."""
    import rows

    top = peak()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.safetensors"
        rows.write(file, *rows.digits(options.mnist)[0])
        for net, hidden in (("rbm", "500"), ("mlp", "500,250")):
            out = subprocess.run([BIN / "epoch_bench", "--turns", "--loop", "bare", "--net", net, "--hidden", hidden,
                                  "--data", file], input=options.rounds * "go\n", text=True, check=True,
                                 stdout=subprocess.PIPE, env=os.environ | {"ONEDNN_VERBOSE": "profile_exec"}).stdout
            times, epochs = collections.defaultdict(list), []
            for line in out.splitlines():
                if line.startswith("{") and "processor" in line:
                    epochs.append(json.loads(line)["processor"])
                elif ",exec,cpu,matmul," in line:
                    *_, sizes, milliseconds = line.split(",")
                    times[sizes + (" +=" if "sum" in line else "")].append(float(milliseconds))
            print(f"**Products within an epoch, {net} {hidden}: {low(epochs):.2f} s of processor time an epoch (10th "
                  f"percentile, with the log of products); peak {top:.0f} GFLOP/s**\n")
            lines = []
            for sizes, all_times in times.items():
                (m, k), (_, n) = (part.split("x") for part in sizes.split()[0].split(":"))
                rate = 2e-6 * int(m) * int(k) * int(n) / low(all_times)
                seconds = 1e-3 * low(all_times) * len(all_times) / options.rounds
                lines.append([sizes, len(all_times) // options.rounds, f"{low(all_times):.3f}", f"{seconds:.3f}",
                              f"{rate:.0f}", f"{rate / top:.0%}"])
            table(["product", "an epoch", "ms, 10th percentile", "s an epoch", "GFLOP/s", "of peak"], lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["epoch", "bags", "score", "products", "inside", "all"])
    parser.add_argument("--install", action="store_true", help="install the peers first where they are not")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1)
    parser.add_argument("--nets", default="rbm,mlp-relu,mlp-sigmoid", type=lambda s: s.split(","))
    parser.add_argument("--torch", default=[], type=lambda s: s.split(","), help="variants: see torch_nets.py")
    parser.add_argument("--no-sklearn", dest="sklearn", action="store_false")
    data = os.environ.get("SUPERSTEP_DATA")
    parser.add_argument("--mnist", default=data and f"{data}/mnist", help="folder of the four files; else made-up rows")
    parser.add_argument("--newsgroups", default=data and f"{data}/20newsgroups/20news-bydate.tar.xz")
    options = parser.parse_args()
    if options.install:
        install()
    if not options.what:
        return
    if not installed():
        print("bench/peers: skipped, for the peers are not installed (bench/peers/run.py --install)")
        sys.exit(0 if options.what == "all" else 2)
    if Path(sys.prefix) != VENV:
        os.execv(VENV / "bin" / "python", [VENV / "bin" / "python", __file__, *sys.argv[1:]])
    missing = [name for name in ("superstep", "epoch_bench", "predict_bench", "kernels_bench")
               if not (BIN / name).exists()]
    if missing:
        sys.exit(f"{BIN} lacks {', '.join(missing)}: cmake --preset release && cmake --build build/release")
    os.sched_setaffinity(0, {options.core})
    os.environ.update(THREADS)
    print(machine(options))
    if options.what in ("products", "all"):
        products(options)
    if options.what in ("inside", "all"):
        inside(options)
    if options.what in ("score", "all"):
        score(options)
    if options.what in ("epoch", "all"):
        epoch(options)
    if options.what == "bags" or (options.what == "all" and options.newsgroups):
        if not options.newsgroups:
            sys.exit("bags needs --newsgroups 20news-bydate.tar.xz, or the folder SUPERSTEP_DATA")
        bags(options)


if __name__ == "__main__":
    main()
