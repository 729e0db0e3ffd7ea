#!/usr/bin/env python3
"""From `superstep train --engine yarn` to the first superstep, and where the time goes. Prints Markdown.

    tools/hadoop/hadoop up
    bench/yarn_start.py build/package/superstep-0.1.0/bin/superstep [--rounds 5]

On the cluster of tools/hadoop, all on this machine. Cold: the staging folder on HDFS is empty, so that the package is
packed and sent, and each node fetches and unpacks it. Warm: the next jobs, which find it on the nodes.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(SOURCE / "tests/hadoop"), str(SOURCE / "tests/command")]
import support  # noqa: E402
from cluster import ROOT, Hdfs  # noqa: E402
from yarn_test import processes  # noqa: E402

JOB = dict(model={"kind": "mlp", "hidden": [32]}, finetune={"epochs": 20, "batch": 10},
           reduce={"replicas": 3, "local_steps": 3}, engine={"memory": 384})
# What is waited for, and what has been done by then.
STAGES = {
    "submitted": "Java, the package looked up or sent, the job written",
    "master": "its container granted; package fetched and unpacked where the node lacks it",
    "coordinator": "Java, registration with the ResourceManager",
    "worker": "its container granted; the package as above",
    "superstep": "data read, connections made, the first superstep",
}


class Start:
    """One job; `at` holds the seconds from the command's start to each of STAGES."""

    def __init__(self, program, folder, staging):
        self.at = {}
        run = folder / f"run-{uuid.uuid4().hex}"
        messages = folder / "messages"
        with open(messages, "w") as err:
            began = time.monotonic()
            process = subprocess.Popen(
                [program, "train", "job.toml", "--engine", "yarn", "--workers", "3", "--set", f"output.dir={run}", "--set",
                 f"engine.staging={staging}"], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
                env=os.environ | {"HADOOP_CONF_DIR": str(ROOT / "conf")})
        while len(self.at) < len(STAGES):
            for stage in self.reached(run, messages.read_text()):
                self.at.setdefault(stage, time.monotonic() - began)
            if process.poll():
                sys.exit(messages.read_text())
            time.sleep(0.01)
        if process.wait():
            sys.exit(messages.read_text())

    @staticmethod
    def reached(run, said):
        application = re.search(r"submitted as (application_\d+_\d+)", said)
        if not application:
            return
        yield "submitted"
        found = processes(application.group(1))
        yield from (kind for kind in ("master", "coordinator", "worker") if found[kind])
        if support.metrics_lines(run):
            yield from STAGES


def row(name, seconds):
    return f"| {name} | " + " | ".join(f"{value:.2f}" for value in seconds) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=lambda text: Path(text).resolve())
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    hdfs = Hdfs()
    with tempfile.TemporaryDirectory(prefix="superstep-bench-") as name:
        folder = Path(name)
        (folder / "rows.csv").write_text(support.picture_csv(400))
        (folder / "job.toml").write_text(support.job_toml("rows.csv", **JOB))
        try:
            cold = Start(given.program, folder, f"hdfs://{hdfs.folder}").at
            # The cold job has warmed the node of its master and those of its workers; three rounds of warming reach all.
            for _ in range(3):
                Start(given.program, folder, f"hdfs://{hdfs.folder}")
            warm = [Start(given.program, folder, f"hdfs://{hdfs.folder}").at for _ in range(given.rounds)]
        finally:
            hdfs.remove(hdfs.folder)
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
          f"{json.loads((ROOT / 'cluster.json').read_text())['ports']}xxx; seconds since the command's start\n")
    print("| | " + " | ".join(STAGES) + " |\n|---|" + "---:|" * len(STAGES))
    print(row("cold", [cold[stage] for stage in STAGES]))
    print(row(f"warm, median of {given.rounds}", [statistics.median(w[stage] for w in warm) for stage in STAGES]))
    for stage, what in STAGES.items():
        print(f"\nUntil {stage}: {what}.", end="")
    print()


if __name__ == "__main__":
    main()
