#!/usr/bin/env python3
"""Threads and processes, one and two, on the MNIST DBN: what the wire costs and what a worker brings. Prints Markdown.

    SUPERSTEP_DATA=FOLDER bench/processes.py build/release/bin/superstep [--rounds 5] [--set ENGINE.KEY=VALUE]

A tenth of the epochs of examples/mnist/dbn.toml with `reduce.local_steps=50`, no test rows. In a round each contestant
runs once, and the order turns; the ratios are of runs of one round. Seconds are those of the supersteps. Beside them
what a lane waits in a superstep: for the slower lane, for the new mean, for its next unit.
"""

import argparse
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RECIPE = Path(__file__).resolve().parents[1] / "examples" / "mnist" / "dbn.toml"
CONTESTANTS = [("local", 1), ("local", 2), ("process", 1), ("process", 2)]
RATIOS = [("`process` over `local`, 2 workers", ("process", 2), ("local", 2), "at most 1.05"),
          ("`process` over `local`, 1 worker", ("process", 1), ("local", 1), ""),
          ("`process`, 1 worker over 2", ("process", 1), ("process", 2), "at least 1.85"),
          ("`local`, 1 worker over 2", ("local", 1), ("local", 2), "")]


def train(program, data, run, engine, workers, settings):
    """Seconds of the supersteps, the waiting of a lane in one (s), and the digest of the model."""
    command = [program, "train", str(RECIPE), "--quiet", "--engine", engine, "--workers", str(workers)]
    for setting in [f"data.dir={data}", "data.test=", "pretrain.epochs=1", "pretrain.initial_epochs=0", "finetune.epochs=6",
                    "reduce.local_steps=50", f"output.dir={run}", *settings]:
        command += ["--set", setting]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["event"] in ("superstep", "phase")]
    if engine == "process" and any(line["workers"] != workers for line in steps):
        print(f"# {engine} {workers}: a superstep had other workers", file=sys.stderr)
    return (sum(line["seconds"] for line in steps), sum(line["wait_seconds"] for line in steps) / workers / len(steps),
            hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest())


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=5, help="5")
    parser.add_argument("--set", action="append", default=[], help="as of `superstep train`, for all contestants")
    arguments = parser.parse_args()
    data = Path(os.environ.get("SUPERSTEP_DATA", "")) / "mnist"
    if not data.is_dir():
        sys.exit("set SUPERSTEP_DATA to the folder that holds mnist/")

    seconds, waits, digests = {}, {}, set()
    with tempfile.TemporaryDirectory(prefix="superstep-bench-") as folder:
        for turn in range(arguments.rounds):
            order = CONTESTANTS[turn % 4:] + CONTESTANTS[:turn % 4]
            for engine, workers in order:
                run = Path(folder) / f"{turn}-{engine}-{workers}"
                took, waited, digest = train(arguments.program, data, run, engine, workers, arguments.set)
                seconds.setdefault((engine, workers), []).append(took)
                waits.setdefault((engine, workers), []).append(1000 * waited)
                digests.add(digest)
                print(f"# {turn} {engine} {workers}: {took:.2f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    if len(digests) != 1:
        sys.exit(f"the models differ: {digests}")

    print(f"{platform.machine()}, {os.cpu_count()} cores, {arguments.rounds} rounds; one model: sha256 {digests.pop()[:16]}\n")
    print("| | seconds: median (range) | a lane waits, ms a superstep |\n|---|---|---|")
    for engine, workers in CONTESTANTS:
        print(f"| `{engine}`, {workers} | {spread(seconds[engine, workers], 2)} | {spread(waits[engine, workers], 1)} |")
    print("\n| ratio within rounds | median (range) | goal |\n|---|---|---|")
    for name, above, below, goal in RATIOS:
        print(f"| {name} | {spread([a / b for a, b in zip(seconds[above], seconds[below])], 3)} | {goal} |")


if __name__ == "__main__":
    main()
