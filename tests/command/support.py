"""What the tests of the command share: small seeded data, and a way to run the built binary.

The binary's path comes from the environment variable SUPERSTEP (ctest sets it). Everything is
written below a temporary folder that goes when the test case ends.
"""

import gzip
import hashlib
import json
import os
import random
import re
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

SUPERSTEP = os.environ.get("SUPERSTEP", "")
PATIENCE = 120  # seconds after which a command that still runs has failed


class CommandTest(unittest.TestCase):
    """A test case with a folder of its own, in which the command runs."""

    def setUp(self):
        if not SUPERSTEP:
            self.fail("set SUPERSTEP to the path of the built command")
        self.folder = Path(tempfile.mkdtemp(prefix="superstep-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        # No config of this machine or user, no locale but C.
        self.environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder),
                            "LC_ALL": "C"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def start(self, *arguments, **options):
        """Starts the command; output goes to files so that no pipe can fill up. `prefix`: what runs it."""
        out = open(self.folder / f"out-{time.monotonic_ns()}", "w+b")
        err = open(self.folder / f"err-{time.monotonic_ns()}", "w+b")
        self.addCleanup(out.close)
        self.addCleanup(err.close)
        process = subprocess.Popen(
            [*options.pop("prefix", []), SUPERSTEP, *map(str, arguments)], cwd=self.folder, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=options.pop("stdout", out), stderr=err, **options)
        process.out, process.err = out, err

        def end():
            if process.poll() is None:
                process.kill()
                process.wait()

        self.addCleanup(end)
        return process

    def finish(self, process):
        """Waits for the end; returns (exit code, standard output, standard error)."""
        code = process.wait(PATIENCE)
        texts = []
        for file in (process.out, process.err):
            file.seek(0)
            texts.append(file.read().decode())
        return code, *texts

    def run_command(self, *arguments, code=0, **options):
        """Runs the command to its end, asserts its exit code; returns (output, messages)."""
        got, out, err = self.finish(self.start(*arguments, **options))
        self.assertEqual(got, code, f"superstep {' '.join(map(str, arguments))}\n{out}{err}")
        return out, err

    def train(self, job, run, *arguments, workers=2, **options):
        """Trains `job` into the folder `run` and returns its path."""
        path = self.folder / run
        self.run_command("train", job, "--set", f"output.dir={path}", "--workers", workers,
                         *arguments, **options)
        return path

    def write(self, name, content):
        path = self.folder / name
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return path


def sha256(run):
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def metrics_lines(run):
    """The whole lines of a metrics.jsonl that may be written at this moment."""
    try:
        text = (run / "metrics.jsonl").read_text()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


def status_of(run):
    """What status.json says now; None where there is none."""
    try:
        return json.loads((run / "status.json").read_text())
    except FileNotFoundError:
        return None


def end_line(run):
    return metrics_lines(run)[-1]


def resumed_at(messages):
    """The superstep that a resumed run says it goes on from, or None."""
    found = re.search(r"resume\s+from superstep ([\d,]+)", messages)
    return int(found.group(1).replace(",", "")) if found else None


# Data -------------------------------------------------------------------------------------------

SIDE = 8  # of a picture, in pixels
CLASSES = 5


def pictures(rows, seed=1):
    """[(pixels from 0 to 255, class)]: a noisy bar whose place says the class."""
    rng = random.Random(seed)
    drawn = []
    for _ in range(rows):
        label = rng.randrange(CLASSES)
        shift = rng.randrange(2)
        pixels = []
        for y in range(SIDE):
            for x in range(SIDE):
                on = (x == label + shift) if label % 2 else (y == label + shift)
                pixels.append(max(0, min(255, int(rng.gauss(200 if on else 30, 25)))))
        drawn.append((pixels, label))
    return drawn


def picture_csv(rows, seed=1):
    lines = [",".join([f"p{i}" for i in range(SIDE * SIDE)] + ["digit"])]
    lines += [",".join(map(str, [*pixels, f"c{label}"])) for pixels, label in pictures(rows, seed)]
    return "\n".join(lines) + "\n"


def idx_images(rows, seed=1):
    drawn = pictures(rows, seed)
    return (struct.pack(">BBBBIII", 0, 0, 8, 3, rows, SIDE, SIDE) +
            b"".join(bytes(pixels) for pixels, _ in drawn))


def idx_labels(rows, seed=1):
    return (struct.pack(">BBBBI", 0, 0, 8, 1, rows) +
            bytes(label for _, label in pictures(rows, seed)))


def compressed(content):
    return gzip.compress(content if isinstance(content, bytes) else content.encode(), mtime=0)


def bags_svm(rows, seed=1, words=300):
    """Bags of words in three topics, as SVMLight: about one word in fifteen occurs in a row."""
    generator = random.Random(seed)
    lines = []
    for _ in range(rows):
        topic = generator.randrange(3)
        bag = {}
        for _ in range(20):
            own = generator.random() < 0.5
            word = generator.randrange(words // 10) + topic * 30 if own else generator.randrange(words)
            bag[word + 1] = bag.get(word + 1, 0) + 1
        lines.append(f"{['sport', 'war', 'food'][topic]} "
                     + " ".join(f"{word}:{count}" for word, count in sorted(bag.items())))
    return "\n".join(lines) + "\n"


def number_csv(rows, seed=1):
    """Three features and a target that is nearly linear in them."""
    rng = random.Random(seed)
    lines = ["a,b,c,y"]
    for _ in range(rows):
        a, b, c = (rng.gauss(0, 1) for _ in range(3))
        y = 3 * a - 2 * b + 0.5 * c * c + rng.gauss(0, 0.1)
        lines.append(f"{a:.6f},{b:.6f},{c:.6f},{y:.6f}")
    return "\n".join(lines) + "\n"


def two_class_csv(rows, seed=1):
    """Two features; the classes overlap, so that every figure is between its bounds."""
    rng = random.Random(seed)
    lines = ["a,b,side"]
    for _ in range(rows):
        right = rng.random() < 0.4
        a, b = rng.gauss(0.8 if right else -0.8, 1), rng.gauss(0.3 if right else 0, 1)
        lines.append(f"{a:.6f},{b:.6f},{'right' if right else 'left'}")
    return "\n".join(lines) + "\n"


def job_toml(rows, label="digit", **sections):
    """A job file: job_toml("rows.csv", model={"kind": "dbn"})."""
    sections = {"data": {"train": str(rows), "label": label} | sections.pop("data", {})} | sections
    text = ""
    for name, keys in sections.items():
        text += f"[{name}]\n"
        for key, value in keys.items():
            # JSON's numbers, strings, lists and booleans are TOML's, too.
            text += f"{key} = {json.dumps(value)}\n" if value is not None else ""
    return text
