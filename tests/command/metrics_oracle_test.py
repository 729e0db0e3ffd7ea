"""The figures of `evaluate --json` against scikit-learn's, computed from what `predict` writes."""

import csv
import json
import unittest

import support
from support import CommandTest

try:
    from sklearn import metrics as oracle
except ImportError:
    oracle = None

CLOSE = 5e-6  # probabilities are float32


@unittest.skipIf(oracle is None, "scikit-learn is not installed: tools/bootstrap.sh installs it")
class AgainstScikitLearn(CommandTest):
    def answers(self, data, label, *arguments):
        """Trains on some rows and asks about others: (figures, true labels, predicted rows)."""
        run = self.train(data("train.csv", 1), "run", "--label", label, *arguments)
        test = data("test.csv", 2)
        with open(test) as file:
            true = [row[label] for row in csv.DictReader(file)]
        figures = json.loads(self.run_command("evaluate", run, "--data", test, "--json")[0])
        out, _ = self.run_command("predict", run, "--data", test)
        answers = list(csv.DictReader(out.splitlines()))
        self.assertEqual(len(answers), len(true))
        self.assertEqual(figures["rows"], len(true))
        return figures, true, answers

    def assert_close(self, figures, wanted):
        for name, value in wanted.items():
            self.assertAlmostEqual(figures[name], value, delta=CLOSE * max(1, abs(value)), msg=name)

    def test_of_two_classes(self):
        figures, true, answers = self.answers(
            lambda name, seed: self.write(name, support.two_class_csv(1500, seed)), "side",
            "--set", "finetune.epochs=5")
        said = [answer["predicted"] for answer in answers]
        score = [float(answer["p(right)"]) for answer in answers]
        right = [label == "right" for label in true]
        self.assert_close(figures, {
            "error": 1 - oracle.accuracy_score(true, said),
            "accuracy": oracle.accuracy_score(true, said),
            "macro_f1": oracle.f1_score(true, said, average="macro"),
            "auroc": oracle.roc_auc_score(right, score),
            "average_precision": oracle.average_precision_score(right, score),
            "log_loss": oracle.log_loss(right, score),
            "loss": oracle.log_loss(right, score),
            "brier": oracle.brier_score_loss(right, score),
            "precision": oracle.precision_score(true, said, pos_label="right"),
            "recall": oracle.recall_score(true, said, pos_label="right"),
        })
        self.assertTrue(0.05 < figures["error"] < 0.4, "the classes overlap")

    def test_of_two_classes_with_many_equal_scores(self):
        """Rows of few different values: the order among equal scores must not matter."""
        def data(name, seed):
            lines = support.two_class_csv(800, seed).splitlines()
            coarse = [lines[0]]
            for line in lines[1:]:
                a, b, side = line.split(",")
                coarse.append(f"{round(float(a))},{round(float(b))},{side}")
            return self.write(name, "\n".join(coarse) + "\n")

        figures, true, answers = self.answers(data, "side", "--set", "finetune.epochs=3")
        score = [float(answer["p(right)"]) for answer in answers]
        self.assertLess(len(set(score)), 100)
        right = [label == "right" for label in true]
        self.assert_close(figures, {
            "auroc": oracle.roc_auc_score(right, score),
            "average_precision": oracle.average_precision_score(right, score),
        })

    def test_of_many_classes(self):
        figures, true, answers = self.answers(
            lambda name, seed: self.write(name, support.picture_csv(1200, seed)), "digit",
            "--set", "model.kind=logistic", "--set", "finetune.epochs=1")
        classes = [f"c{c}" for c in range(support.CLASSES)]
        said = [answer["predicted"] for answer in answers]
        chances = [[float(answer[f"p({c})"]) for c in classes] for answer in answers]
        self.assert_close(figures, {
            "error": 1 - oracle.accuracy_score(true, said),
            "macro_f1": oracle.f1_score(true, said, average="macro"),
            "loss": oracle.log_loss(true, chances, labels=classes),
        })
        self.assertEqual(figures["confusion"]["counts"],
                         oracle.confusion_matrix(true, said, labels=classes).tolist())
        precision, recall, f1, rows = oracle.precision_recall_fscore_support(
            true, said, labels=classes, zero_division=0)
        for c, name in enumerate(classes):
            self.assert_close(figures["per_class"][name],
                              {"precision": precision[c], "recall": recall[c], "f1": f1[c],
                               "rows": rows[c]})

    def test_of_numbers(self):
        figures, true, answers = self.answers(
            lambda name, seed: self.write(name, support.number_csv(1500, seed)), "y",
            "--set", "finetune.epochs=3")
        true = list(map(float, true))
        said = [float(answer["predicted"]) for answer in answers]
        self.assert_close(figures, {
            "rmse": oracle.root_mean_squared_error(true, said),
            "mae": oracle.mean_absolute_error(true, said),
            "r2": oracle.r2_score(true, said),
        })


if __name__ == "__main__":
    unittest.main()
