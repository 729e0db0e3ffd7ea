#!/usr/bin/env python3
"""How soon training goes on after a loss, and what a worker at half speed costs. Prints Markdown.

    bench/recovery.py build/release/bin/superstep [--rounds 5]

A lease cannot be seen as it is granted, so what is measured ends later: with the first superstep that is
done after a worker's SIGKILL (it needs every unit of the lost worker), or by the coordinator's successor.
"""

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "command"))
import support  # noqa: E402
from processes_test import children  # noqa: E402

# Units of about a quarter of a second, 16 a superstep.
HALF_SPEED = dict(model={"kind": "mlp", "hidden": [1500, 800]}, finetune={"epochs": 8, "batch": 10},
                  reduce={"replicas": 16, "local_steps": 100})
LOSSES = dict(model={"kind": "dbn", "hidden": [256, 128]}, pretrain={"epochs": 3, "batch": 10},
              finetune={"epochs": 1_000_000, "batch": 10}, reduce={"replicas": 8, "local_steps": 2},
              output={"checkpoint_seconds": 1})


class Training:
    """`superstep train` with two worker processes, in a folder of its own."""

    def __init__(self, program, folder, job, rows, *settings):
        self.run = folder / f"run-{time.monotonic_ns()}"
        (folder / "rows.csv").write_text(support.picture_csv(rows))
        (folder / "job.toml").write_text(support.job_toml("rows.csv", **job))
        self.process = subprocess.Popen(
            [program, "train", "job.toml", "--engine", "process", "--workers", "2", "--quiet", "--set",
             f"output.dir={self.run}", *settings], cwd=folder, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def supersteps(self):
        metrics = self.run / "metrics.jsonl"
        return metrics.stat().st_size if metrics.exists() else 0

    def wait_for_superstep(self):
        """Until metrics.jsonl grows; what a new attempt cuts off is not counted."""
        last = self.supersteps()
        while True:
            if self.process.poll() is not None:
                sys.exit("the training ended too early")
            now = self.supersteps()
            if now > last:
                return
            last = now
            time.sleep(0.001)


def losses(program, folder, rounds):
    """Seconds from SIGKILL to the next superstep: {who: [seconds]}."""
    training = Training(program, folder, LOSSES, 400)
    took = {"worker": [], "coordinator": []}
    for _ in range(rounds):
        for who, seconds in took.items():
            for _ in range(100):
                training.wait_for_superstep()
            victim = children(training.process.pid)[who][0]
            os.kill(victim, signal.SIGKILL)
            begun = time.monotonic()
            while victim in children(training.process.pid)[who]:
                pass
            training.wait_for_superstep()
            seconds.append(time.monotonic() - begun)
    training.process.terminate()
    training.process.wait()
    return took


# The same work as HALF_SPEED, all of a worker's share in one unit: nothing can be dealt anew.
WAITED_FOR = HALF_SPEED | {"reduce": {"replicas": 2, "local_steps": 800}}


def seconds_of_training(program, folder, period, backups, job=HALF_SPEED):
    """Of the supersteps; one of two workers is stopped for the second half of every `period` (0: never)."""
    training = Training(program, folder, job, 8000, "--set", f"engine.backups={str(backups).lower()}")
    training.wait_for_superstep()
    begun, victim, over = time.monotonic(), children(training.process.pid)["worker"][0], threading.Event()

    def slow_down():
        try:
            while not over.wait(period / 2):
                os.kill(victim, signal.SIGSTOP)
                over.wait(period / 2)
                os.kill(victim, signal.SIGCONT)
        except ProcessLookupError:
            pass  # the job is done

    thread = threading.Thread(target=slow_down)
    if period:
        thread.start()
    while support.status_of(training.run)["state"] == "running":
        time.sleep(0.01)
    took = time.monotonic() - begun
    over.set()
    if period:
        thread.join()
    training.process.wait()
    return took, support.end_line(training.run)["leases"]["backups"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    program = str(Path(arguments.program).resolve())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
          f"`bench/recovery.py PROGRAM --rounds {arguments.rounds}`\n")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        print("| SIGKILL of | seconds to the next superstep, median | most |\n|---|---|---|")
        for who, seconds in losses(program, folder, arguments.rounds).items():
            print(f"| {who} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |", flush=True)
        print("\n| one of 2 workers, 16 replicas | seconds | backups |\n|---|---|---|")
        whole, _ = seconds_of_training(program, folder, 0, True)
        print(f"| at full speed | {whole:.1f} | |", flush=True)
        print(f"| at half speed, its 8 replicas waited for: twice that | {2 * whole:.1f} | |")
        waited, _ = seconds_of_training(program, folder, 0.2, False, WAITED_FOR)
        print(f"| stopped for half of every 0.2 s, its share in one unit (2 replicas) | {waited:.1f} | |", flush=True)
        for period in (0.2, 6):
            for backups in (False, True):
                took, issued = seconds_of_training(program, folder, period, backups)
                print(f"| stopped for half of every {period} s, {'backups' if backups else 'no backups'} "
                      f"| {took:.1f} | {issued} |", flush=True)


if __name__ == "__main__":
    main()
