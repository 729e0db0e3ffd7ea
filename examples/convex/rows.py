#!/usr/bin/env python3
"""Writes the rows of this example as CSV files of numbers: one-hot columns and TF-IDF weights.

    python3 examples/convex/rows.py adult      FOLDER OUT    # FOLDER has adult-train.csv.gz
    python3 examples/convex/rows.py hours      FOLDER OUT    # the same rows, another label
    python3 examples/convex/rows.py newsgroups FOLDER OUT    # FOLDER has 20news-bydate.tar.xz

writes OUT/NAME-train.csv and OUT/NAME-test.csv; `--rows 2000` keeps so many of each, drawn by a
fixed seed. Needs numpy and scikit-learn (tools/requirements.txt). What is fitted (means, deviations,
categories, the terms and their weights) is fitted on the training rows. Values are rounded to
float32 and written so that they are read back with the same bits.
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
    columns: list         # names of the features


def some(rows, count, seed=0):
    """`count` of the rows, or all where there are no more, in their order."""
    if count is None or count >= len(rows):
        return rows
    kept = np.sort(np.random.default_rng(seed).choice(len(rows), count, replace=False))
    return [rows[i] for i in kept]


def tables(fitted, parts, labels, columns):
    """The Table of each part, with what `fitted` makes of it."""
    def table(rows, y):
        x = sparse.csr_matrix(fitted.transform(rows)).astype(np.float32).astype(np.float64)
        return Table(x, np.array(y), columns)
    return [table(rows, y) for rows, y in zip(parts, labels)]


def adult(folder, rows=None, label="income"):
    """Census records (UCI adult): numbers standardised, categories one-hot ("?" is one, too)."""
    def read(name):
        with gzip.open(Path(folder) / name, "rt") as file:
            records = [[field.strip() for field in record] for record in csv.reader(file)]
        return some([record for record in records if len(record) == len(ADULT)], rows)

    target = ADULT.index(label)
    records = [read("adult-train.csv.gz"), read("adult-test.csv.gz")]
    # The file of the test rows has a dot behind the income.
    labels = [[record[target].rstrip(".") for record in part] for part in records]
    if label in ADULT_NUMBERS:
        labels = [[float(text) for text in part] for part in labels]

    used = [i for i in range(len(ADULT)) if i != target]
    parts = [np.array([[record[i].rstrip(".") for i in used] for record in part], dtype=object)
             for part in records]
    is_number = [ADULT[i] in ADULT_NUMBERS for i in used]
    numbers = [k for k, number in enumerate(is_number) if number]
    for part in parts:
        part[:, numbers] = part[:, numbers].astype(float)
    columns = ColumnTransformer([
        ("number", StandardScaler(), numbers),
        ("one-hot", OneHotEncoder(handle_unknown="ignore"),
         [k for k, number in enumerate(is_number) if not number]),
    ]).fit(parts[0])
    return tables(columns, parts, labels, [f"x{i}" for i in range(columns.transform(parts[0][:1]).shape[1])])


def hours(folder, rows=None):
    """The same records; to be learned are the hours of work a week."""
    return adult(folder, rows, label="hours-per-week")


def newsgroups(folder, rows=None):
    """20 newsgroups by date: TF-IDF weights of the 2,000 terms that most articles have."""
    articles = {"train": [], "test": []}
    with tarfile.open(Path(folder) / "20news-bydate.tar.xz") as archive:
        for member in archive:
            if member.isfile():
                part, group, _ = member.name.split("/")[-3:]
                text = archive.extractfile(member).read().decode("latin-1")
                articles[part.rsplit("-", 1)[-1]].append((member.name, group, text))
    kept = [some(sorted(articles[part]), rows) for part in ("train", "test")]
    texts = [[text for _, _, text in part] for part in kept]
    terms = TfidfVectorizer(max_features=TERMS, stop_words="english").fit(texts[0])
    return tables(terms, texts, [[group for _, group, _ in part] for part in kept],
                  [f"t{i}" for i in range(len(terms.vocabulary_))])


DATA = {"adult": adult, "hours": hours, "newsgroups": newsgroups}


def write_csv(table, path):
    """Features, then the label in a column of that name. float32 keeps its bits in 9 digits."""
    with open(path, "w") as file:
        file.write(",".join([*table.columns, "label"]) + "\n")
        x = table.x.tocsr()
        for row, label in enumerate(table.y):
            fields = ["0"] * len(table.columns)
            for k in range(x.indptr[row], x.indptr[row + 1]):
                fields[x.indices[k]] = f"{x.data[k]:.9g}"
            file.write(",".join(fields) + f",{label}\n")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", choices=DATA)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, help="Of each file, at most. Default: all.")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for part, table in zip(("train", "test"), DATA[options.data](options.folder, options.rows)):
        path = options.out / f"{options.data}-{part}.csv"
        write_csv(table, path)
        print(f"{path}: {table.x.shape[0]:,} rows, {table.x.shape[1]:,} features")


if __name__ == "__main__":
    main(sys.argv[1:])
