"""`logistic` and `linear` reach the optimum that scikit-learn finds on the very same rows.

The rows, the jobs and their settings are those of examples/convex. Both sides minimise

    mean loss + l2 / 2 |w|^2        over all training rows, biases not penalised

which is strongly convex, so there is one optimum. scikit-learn weighs loss and penalty differently,
and gives two classes one column of weights:

    classes > 2   LogisticRegression(C = 1 / (l2 n))
    2 classes     LogisticRegression(C = 2 / (l2 n)), whose u is our w = (-u / 2, u / 2)
    a number      Ridge(alpha = l2 n), of targets in units of their deviation over the rows

Where the data are comes from the environment variable SUPERSTEP_DATA. `ctest -V` shows the figures.
"""

import json
import os
import shutil
import struct
import sys
import time
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/command"), str(ROOT / "examples/convex")]

import support

try:
    import numpy as np
    import rows
    from scipy.special import log_softmax
    from sklearn.linear_model import LogisticRegression, Ridge
except ImportError:
    rows = None

DATA = Path(os.environ.get("SUPERSTEP_DATA", ROOT.parent / "shared/data"))
FOLDERS = {"adult": DATA / "uci", "hours": DATA / "uci", "newsgroups": DATA / "20newsgroups"}
NEAR = 1e-3    # of the objective at scikit-learn's optimum
SOLVED = 1e-6  # norm of the gradient at what counts as scikit-learn's optimum, at most


class Problem:
    """What is minimised, of weights w (features, outputs) and biases b (outputs,)."""

    def __init__(self, train, l2):
        self.l2 = l2
        self.classifies = not np.issubdtype(train.y.dtype, np.number)
        if self.classifies:
            self.names = sorted(set(train.y))
        else:
            self.mean, self.deviation = train.y.mean(), train.y.std()

    def right(self, table):
        """What the outputs should be: one-hot rows, or scaled targets."""
        if self.classifies:
            return (table.y[:, None] == np.array(self.names)).astype(float)
        return ((table.y - self.mean) / self.deviation)[:, None]

    def loss(self, table, w, b):
        z, right = table.x @ w + b, self.right(table)
        if self.classifies:
            return -(right * log_softmax(z, axis=1)).sum(axis=1).mean()
        return ((z - right) ** 2).mean() / 2

    def objective(self, table, w, b):
        return self.loss(table, w, b) + self.l2 / 2 * (w ** 2).sum()

    def gradient_norm(self, table, w, b):
        z = table.x @ w + b
        said = np.exp(log_softmax(z, axis=1)) if self.classifies else z
        delta = (said - self.right(table)) / len(z)
        return np.sqrt(((table.x.T @ delta + self.l2 * w) ** 2).sum() +
                       (delta.sum(axis=0) ** 2).sum())

    def optimum(self, table):
        """(w, b) by scikit-learn."""
        weight = self.l2 * len(table.y)
        if not self.classifies:
            ridge = Ridge(alpha=weight, tol=1e-8).fit(table.x.toarray(), self.right(table)[:, 0])
            return ridge.coef_[:, None], np.array([ridge.intercept_])
        if len(self.names) == 2:
            fit = LogisticRegression(C=2 / weight, tol=1e-8, solver="newton-cholesky",
                                     max_iter=1000).fit(table.x.toarray(), table.y)
            both = np.array([[-0.5, 0.5]])
            return fit.coef_.T @ both, fit.intercept_ @ both
        fit = LogisticRegression(C=1 / weight, tol=1e-8, max_iter=10000).fit(table.x, table.y)
        return fit.coef_.T, fit.intercept_


def model_tensors(path):
    """The float32 tensors of a safetensors file, as {name: array}."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    return {name: np.frombuffer(content[8 + length:][slice(*entry["data_offsets"])],
                                "<f4").reshape(entry["shape"]).astype(float)
            for name, entry in header.items()
            if name != "__metadata__" and entry["dtype"] == "F32"}


@unittest.skipIf(rows is None, "scikit-learn is not installed: tools/bootstrap.sh installs it")
class Convex(support.CommandTest):
    """A test for each job of examples/convex."""

    def reaches_the_optimum(self, name):
        if not FOLDERS[name].is_dir():
            self.skipTest(f"no folder {FOLDERS[name]}: set SUPERSTEP_DATA")
        train, test = rows.DATA[name](FOLDERS[name])
        for part, table in (("train", train), ("test", test)):
            rows.write_csv(table, self.folder / f"{name}-{part}.csv")
        job = shutil.copy(ROOT / f"examples/convex/{name}.toml", self.folder)
        problem = Problem(train, tomllib.loads(Path(job).read_text())["finetune"]["l2"])

        w, b = problem.optimum(train)
        self.assertLess(problem.gradient_norm(train, w, b), SOLVED)
        theirs = problem.objective(train, w, b)

        started = time.monotonic()
        run = self.train(job, "run", "--set", f"data.dir={self.folder}")
        seconds = time.monotonic() - started
        tensors = model_tensors(run / "model.safetensors")
        ours_w, ours_b = tensors["layer.0.weight"], tensors["layer.0.bias"]
        ours = problem.objective(train, ours_w, ours_b)

        held_out = problem.loss(test, ours_w, ours_b)
        print(f"\n{name}: {len(train.y):,} rows, objective {ours:.6f}, scikit-learn "
              f"{theirs:.6f} (+{(ours - theirs) / theirs:.1e} of it); held-out loss "
              f"{held_out:.6f}, scikit-learn {problem.loss(test, w, b):.6f}; {seconds:.1f} s",
              file=sys.stderr)

        self.assertLess(ours, theirs * (1 + NEAR))
        # Nothing lies below the optimum: else the two do not minimise the same.
        self.assertGreater(ours, theirs * (1 - 1e-6))
        # The command says of the held-out rows what its tensors say.
        end = support.end_line(run)
        said = end["metrics"]
        self.assertEqual(end["metrics_rows"], "test")
        self.assertEqual(said["rows"], len(test.y))
        if problem.classifies:
            self.assertAlmostEqual(said["loss"], held_out, delta=1e-5 * held_out)
        else:
            rmse = problem.deviation * np.sqrt(2 * held_out)
            self.assertAlmostEqual(said["rmse"], rmse, delta=1e-5 * rmse)

    def test_adult_income(self):
        self.reaches_the_optimum("adult")

    def test_adult_hours_a_week(self):
        self.reaches_the_optimum("hours")

    def test_newsgroups(self):
        self.reaches_the_optimum("newsgroups")


if __name__ == "__main__":
    unittest.main()
