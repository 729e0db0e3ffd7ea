#!/usr/bin/env python3
"""Writes the rows of this example as CSV files of numbers: one-hot columns and TF-IDF weights.

    python3 examples/convex/rows.py adult      FOLDER OUT    # FOLDER has adult-train.csv.gz
    python3 examples/convex/rows.py hours      FOLDER OUT    # the same rows, another label
    python3 examples/convex/rows.py newsgroups FOLDER OUT    # FOLDER has 20news-bydate.tar.xz

writes OUT/NAME-train.csv and OUT/NAME-test.csv. Needs numpy and scikit-learn
(tools/requirements.txt). What is fitted (means, deviations, categories, the terms and their
weights) is fitted on the training rows. Values are rounded to float32 and written so that they are
read back with the same bits.
"""

import argparse
import csv
import gzip
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ADULT = ["age", "workclass", "fnlwgt", "education", "education-num", "marital-status",
         "occupation", "relationship", "race", "sex", "capital-gain", "capital-loss",
         "hours-per-week", "native-country", "income"]
ADULT_NUMBERS = {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss",
                 "hours-per-week"}
TERMS = 2000


class Table(NamedTuple):
    x: sparse.csr_matrix  # (rows, features), values of float32
    y: np.ndarray         # (rows,), class names or numbers


def tables(fitted, parts, labels):
    """The Table of each part: its labels, and what `fitted` makes of its rows."""
    def table(rows, y):
        x = sparse.csr_matrix(fitted.transform(rows)).astype(np.float32).astype(np.float64)
        return Table(x, np.array(y))
    return [table(rows, y) for rows, y in zip(parts, labels)]


def adult(folder, label="income"):
    """Census records (UCI adult): numbers standardised, categories one-hot ("?" is one, too)."""
    def read(name):
        with gzip.open(Path(folder) / name, "rt") as file:
            # In the file of the test rows there is a dot behind the income, the last field.
            return [[field.strip().rstrip(".") for field in record]
                    for record in csv.reader(file) if record]

    target = ADULT.index(label)
    records = [read("adult-train.csv.gz"), read("adult-test.csv.gz")]
    labels = [[record[target] for record in part] for part in records]
    if label in ADULT_NUMBERS:
        labels = [[float(text) for text in part] for part in labels]

    used = [i for i in range(len(ADULT)) if i != target]
    parts = [np.array([[record[i] for i in used] for record in part], dtype=object)
             for part in records]
    numbers = [k for k, i in enumerate(used) if ADULT[i] in ADULT_NUMBERS]
    categories = [k for k in range(len(used)) if k not in numbers]
    for part in parts:
        part[:, numbers] = part[:, numbers].astype(float)
    columns = ColumnTransformer([
        ("numbers", StandardScaler(), numbers),
        ("categories", OneHotEncoder(handle_unknown="ignore"), categories),
    ]).fit(parts[0])
    return tables(columns, parts, labels)


def hours(folder):
    """The same records; to be learned are the hours of work a week."""
    return adult(folder, label="hours-per-week")


def newsgroups(folder):
    """20 newsgroups by date: TF-IDF weights of the 2,000 terms that occur most often."""
    articles = {"train": [], "test": []}
    with tarfile.open(Path(folder) / "20news-bydate.tar.xz") as archive:
        for member in archive:
            if member.isfile():
                part, group, _ = member.name.split("/")[-3:]
                text = archive.extractfile(member).read().decode("latin-1")
                articles[part.rsplit("-", 1)[-1]].append((member.name, group, text))
    parts = [sorted(articles[part]) for part in ("train", "test")]
    texts = [[text for _, _, text in part] for part in parts]
    terms = TfidfVectorizer(max_features=TERMS, stop_words="english").fit(texts[0])
    return tables(terms, texts, [[group for _, group, _ in part] for part in parts])


DATA = {"adult": adult, "hours": hours, "newsgroups": newsgroups}


def write_csv(table, path):
    """Features, then the label in a column of that name. float32 keeps its bits in 9 digits."""
    x = table.x
    with open(path, "w") as file:
        file.write(",".join([*(f"x{k}" for k in range(x.shape[1])), "label"]) + "\n")
        for row, label in enumerate(table.y):
            fields = ["0"] * x.shape[1]
            for k in range(x.indptr[row], x.indptr[row + 1]):
                fields[x.indices[k]] = f"{x.data[k]:.9g}"
            file.write(",".join(fields) + f",{label}\n")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", choices=DATA)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for part, table in zip(("train", "test"), DATA[options.data](options.folder)):
        path = options.out / f"{options.data}-{part}.csv"
        write_csv(table, path)
        print(f"{path}: {table.x.shape[0]:,} rows, {table.x.shape[1]:,} features")


if __name__ == "__main__":
    main(sys.argv[1:])
