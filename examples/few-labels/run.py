#!/usr/bin/env python3
"""With and without pretraining, when few of MNIST's images have a label.

What is not pretrained is a net of the same shape with rectified units: without pretraining the
sigmoid units of the deep-belief network stay on a plateau (89.7% error with 1,000 labels).

For each number of labels and each seed, the labelled rows are drawn at random from the training
images; all other training images serve as unlabelled rows. --choose scores on 10,000 training images
that are neither, to choose settings by; without it the test images are opened.
"""

import argparse
import gzip
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
IMAGE = 28 * 28
# Step length chosen by --choose with 1,000 labels: 0.02 of 0.02 and 0.05.
NOT = ['model.kind="mlp"', 'data.unlabelled=""', "finetune.learning_rate=0.02"]


def read(folder, name, header, size):
    with gzip.open(os.path.join(folder, name)) as file:
        body = file.read()[header:]
    return [body[i : i + size] for i in range(0, len(body), size)]


def write(path, rows, axes):
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file:
        file.write(struct.pack(">HBB", 0, 8, len(axes)) + struct.pack(f">{len(axes)}I", *axes))
        file.write(b"".join(rows))


def write_pair(folder, name, images, labels):
    write(f"{folder}/{name}-images-idx3-ubyte.gz", images, (len(images), 28, 28))
    write(f"{folder}/{name}-labels-idx1-ubyte.gz", labels, (len(labels),))


def location(name):
    return f'{{ rows = "{name}-images-idx3-ubyte.gz", labels = "{name}-labels-idx1-ubyte.gz" }}'


def train(options, folder, run, *sets):
    command = [options.superstep, "train", f"{HERE}/job.toml", "--quiet", "--json",
               "--workers", str(options.workers), "--set", f"data.dir={folder}",
               "--set", f"data.test={location('judged')}", "--set", f"output.dir={folder}/{run}"]
    for assignment in (*options.set, *sets):
        command += ["--set", assignment]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return 100 * json.loads(done.stdout)["error"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder with the four files of MNIST")
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 1000, 3000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--choose", action="store_true", help="score on training images")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], help="any key of the job")
    parser.add_argument("--superstep", default=f"{HERE}/../../build/release/bin/superstep")
    options = parser.parse_args()

    images = read(options.data, "train-images-idx3-ubyte.gz", 16, IMAGE)
    labels = read(options.data, "train-labels-idx1-ubyte.gz", 8, 1)
    if options.choose:
        judged = (images[50000:], labels[50000:])
        images, labels = images[:50000], labels[:50000]
    else:
        judged = (read(options.data, "t10k-images-idx3-ubyte.gz", 16, IMAGE),
                  read(options.data, "t10k-labels-idx1-ubyte.gz", 8, 1))

    print("labels  seed  pretrained  not pretrained", flush=True)
    for count in options.labels:
        errors = {"pretrained": [], "not pretrained": []}
        for seed in options.seeds:
            chosen = random.Random(seed).sample(range(len(images)), count)
            with tempfile.TemporaryDirectory() as folder:
                write_pair(folder, "labelled", [images[i] for i in chosen],
                           [labels[i] for i in chosen])
                write_pair(folder, "judged", *judged)
                write(f"{folder}/train-images-idx3-ubyte.gz", images, (len(images), 28, 28))
                given = f"job.seed={seed}"
                errors["pretrained"].append(train(options, folder, "with", given))
                errors["not pretrained"].append(train(options, folder, "without", given, *NOT))
            print(f"{count:6}  {seed:4}  {errors['pretrained'][-1]:9.2f}%  {errors['not pretrained'][-1]:13.2f}%",
                  flush=True)
        for name, values in errors.items():
            spread = statistics.stdev(values) if len(values) > 1 else 0
            print(f"{count:6}  mean {statistics.mean(values):.2f}% +- {spread:.2f} ({name})",
                  flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
