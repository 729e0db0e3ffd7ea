#!/usr/bin/env python3
"""Two commits beside each other: builds both, runs their benchmarks in turns, prints ratios.

    bench/compare.py main~5 HEAD                             # all *_bench programs but kernels_bench
    bench/compare.py main HEAD epoch_bench 'kernels_bench=dense/.*|sparse/.*'
    bench/compare.py main HEAD --overlay                     # this checkout's bench/ in both

Each commit is checked out as a worktree below build/compare and built there (release preset, what is
fetched and ccache shared with this checkout); `--clean` removes them. In a round each program runs once of
each commit, pinned to a core; the first of a round alternates. For every figure a program prints with
--json: the median and the 10th percentile (of a rate the 90th) of each commit, and the median and range
over rounds of the ratio, first to second. `=` after a program's name: which figures to run or to keep, as
a regular expression. --overlay serves commits whose own bench/ is too old to print figures as JSON.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "compare"
PROGRAMS = ["epoch_bench", "local_overhead_bench", "predict_bench"]


def git(*words, cwd=ROOT):
    return subprocess.run(["git", *words], cwd=cwd, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def check_out(revision, overlay):
    """The folder of a commit's worktree."""
    try:
        commit = git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except subprocess.CalledProcessError:
        sys.exit(f"compare: '{revision}' is no commit of this repository")
    tree = FOLDER / commit[:12]
    if not tree.exists():
        git("worktree", "add", "--detach", str(tree), commit)
    git("checkout", "-q", "--force", commit, cwd=tree)
    git("clean", "-qfd", "bench", cwd=tree)
    if overlay:
        shutil.copytree(ROOT / "bench", tree / "bench", dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "build").mkdir(exist_ok=True)
    for name in ("deps", "venv"):
        link = tree / "build" / name
        if not link.exists() and (ROOT / "build" / name).exists():
            link.symlink_to((ROOT / "build" / name).resolve())
    return tree


def build(tree, programs):
    for program in programs:
        if not (tree / "bench" / f"{program}.cpp").exists():
            sys.exit(f"compare: commit {tree.name} has no bench/{program}.cpp; --overlay takes this checkout's bench/")
    environment = os.environ | {"CCACHE_BASEDIR": str(tree), "CCACHE_NOHASHDIR": "1"}
    log = tree / "build" / "compare.log"
    with log.open("w") as out:
        for command in (["cmake", "--preset", "release"],
                        ["cmake", "--build", "build/release", "--target", *programs]):
            if subprocess.run(command, cwd=tree, env=environment, stdout=out, stderr=out).returncode != 0:
                sys.exit(f"compare: {tree.name} does not build: {log}")


def measure(tree, program, pattern):
    """{figure: (value, unit)} of a run."""
    binary = tree / "build" / "release" / "bin" / program
    google = program == "kernels_bench"
    options = ["--benchmark_format=json", f"--benchmark_filter={pattern or '.*'}"] if google else ["--json"]
    run = subprocess.run([binary, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(f"compare: {binary} ended with status {run.returncode}: {run.stderr.strip()[-300:]}")
    if google:
        return {b["name"]: (b["cpu_time"], b["time_unit"]) for b in json.loads(run.stdout)["benchmarks"]}
    try:
        figures = [json.loads(line) for line in run.stdout.splitlines()]
    except json.JSONDecodeError:
        sys.exit(f"compare: {program} of {tree.name} does not print JSON; --overlay takes this checkout's bench/")
    return {f["name"]: (f["value"], f["unit"]) for f in figures if re.search(pattern, f["name"])}


def is_rate(unit):
    return "a second" in unit or "/s" in unit or "operations" in unit


def low(values, unit):
    """The 10th percentile; the 90th of what is better when it is more."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=10, method="inclusive")[8 if is_rate(unit) else 0]


def report(name, first, second):
    """`first`, `second`: what measure() gave, round by round."""
    print(f"**{name}**\n\n| figure | unit | first: median | low | second: median | low | first / second: median (range) |")
    print("|" + "---|" * 7)
    for figure, (_, unit) in first[0].items():
        pairs = [(f[figure][0], s[figure][0]) for f, s in zip(first, second) if figure in f and figure in s]
        if not pairs:
            continue
        a, b = zip(*pairs)
        ratios = [x / y for x, y in pairs if y]
        ratio = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})" if ratios else "-"
        print(f"| {figure} | {unit} | {statistics.median(a):.4g} | {low(a, unit):.4g} | {statistics.median(b):.4g} | "
              f"{low(b, unit):.4g} | {ratio} |")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", nargs="?", help="a commit: branch, tag, hash")
    parser.add_argument("second", nargs="?", help="another, or the same to see the noise")
    parser.add_argument("programs", nargs="*", help=f"program or program=figures; default: {' '.join(PROGRAMS)}")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1)
    parser.add_argument("--overlay", action="store_true", help="use this checkout's bench/ for both commits")
    parser.add_argument("--clean", action="store_true", help="remove the worktrees")
    options = parser.parse_args()
    if options.clean:
        for tree in FOLDER.glob("*"):
            git("worktree", "remove", "--force", str(tree))
        return
    if not options.second:
        parser.error("two commits are needed")
    if not (ROOT / "build" / "deps").exists():
        sys.exit("compare: build this checkout first (make build): what it fetched is shared")
    programs = dict(p.partition("=")[::2] for p in options.programs or PROGRAMS)
    trees = [check_out(revision, options.overlay) for revision in (options.first, options.second)]
    for tree in trees:
        build(tree, programs)
    print(f"first: {options.first} ({trees[0].name}), second: {options.second} ({trees[1].name}); core {options.core}, "
          f"{options.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    os.sched_setaffinity(0, {options.core})
    for program, pattern in programs.items():
        found = [[], []]
        for r in range(options.rounds):
            for side in (0, 1) if r % 2 == 0 else (1, 0):
                found[side].append(measure(trees[side], program, pattern))
            print(f"  {program}: round {r + 1} of {options.rounds}", file=sys.stderr)
        report(program, *found)


if __name__ == "__main__":
    main()
