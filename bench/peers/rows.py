"""Rows for the contests, as a safetensors file that bench/rows.h reads too: MNIST, made-up rows like it,
bags of words of 20newsgroups."""

import gzip
import tarfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def idx(path, header):
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def mnist(folder, part):
    folder = Path(folder)
    x = idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32) / 255
    return x, idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)


def like_mnist(rows, seed):
    """Rows of ten classes, 784 values, 19% of them not zero; which depends on the class."""
    often = np.random.default_rng(1).random((10, 784))
    random = np.random.default_rng(seed)
    labels = np.arange(rows, dtype=np.uint8) % 10
    x = random.random((rows, 784), dtype=np.float32)
    x[random.random((rows, 784), dtype=np.float32) >= 0.38 * often[labels]] = 0
    return x, labels


def digits(folder):
    """(train, test, name), each of the first two (x, labels): MNIST where its files are, else made up."""
    if folder and (Path(folder) / "train-images-idx3-ubyte.gz").exists():
        return mnist(folder, "train"), mnist(folder, "t10k"), "MNIST, 60,000 rows"
    return like_mnist(60_000, 2), like_mnist(10_000, 3), "made-up rows like MNIST's, 60,000"


def bags(archive, words):
    """Counts of the most frequent words, of the files of 20news-bydate.tar.xz: CSR train and test."""
    from sklearn.feature_extraction.text import CountVectorizer

    texts = {"train": [], "test": []}
    with tarfile.open(archive) as files:
        for member in files:
            part = "train" if "-train/" in member.name else "test"
            if member.isfile():
                texts[part].append(files.extractfile(member).read().decode("latin-1"))
    counter = CountVectorizer(max_features=words, dtype=np.float32)
    train = counter.fit_transform(texts["train"])
    return train, counter.transform(texts["test"])


def write(path, x, labels=None):
    save_file({"x": np.ascontiguousarray(x, np.float32)} | ({} if labels is None else {"labels": labels}), path)
