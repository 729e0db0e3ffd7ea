"""Jobs of 2014: a property file trains its model to the end, and every record is scored."""

import gzip
import os
import re
import subprocess
import unittest
from pathlib import Path

import support
from support import CommandTest, compressed, pictures, sha256

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SUPERSTEP_DATA", ROOT.parent / "shared/data"))

# As Metronome's own files were written: keys of every kind, jars and classes, lines of another model.
JOB = """# Path of the IterativeReduce JAR
iterativereduce.jar.path=iterativereduce-0.1-SNAPSHOT.jar
app.jar.path=Metronome-1.0-SNAPSHOT-jar-with-dependencies.jar
app.lib.jar.path=avro-1.7.1.jar,avro-ipc-1.7.1.jar

app.input.path={rows}
app.output.path=file://{model}
app.iteration.count=20
app.name=IR DBN TWO LABELS

yarn.memory=512
yarn.master.main=tv.floe.metronome.deeplearning.dbn.iterativereduce.MasterNode
yarn.master.args=
yarn.worker.main=tv.floe.metronome.deeplearning.dbn.iterativereduce.WorkerNode
yarn.worker.args=

tv.floe.metronome.neuralnetwork.conf.LearningRate=0.01
tv.floe.metronome.dbn.conf.LearningRate=0.01
tv.floe.metronome.dbn.conf.batchSize=10
tv.floe.metronome.dbn.conf.numberInputs={inputs}
tv.floe.metronome.dbn.conf.numberLabels=2
tv.floe.metronome.dbn.conf.hiddenLayerSizes={hidden}
tv.floe.metronome.dbn.conf.pretrain.passes=1
tv.floe.metronome.dbn.conf.finetune.passes={passes}
"""
IGNORED = ("ignored, for they mean nothing here: app.iteration.count, app.jar.path, app.lib.jar.path, "
           "iterativereduce.jar.path, tv.floe.metronome.dbn.conf.numberLabels, "
           "tv.floe.metronome.neuralnetwork.conf.LearningRate, yarn.master.args, yarn.worker.args\n")


def metronome(rows):
    """Records of (values from 0 to 255, class)."""
    return "".join(" ".join(f"{i}:{v / 255:.4g}" for i, v in enumerate(values) if v) +
                   f" | {label}:1.0\n" for values, label in rows)


def two_digits():
    """All zeros and ones of MNIST's rows to learn from."""
    folder = DATA / "mnist"
    images = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes())[8:]
    return [(images[784 * i:784 * (i + 1)], label) for i, label in enumerate(labels) if label < 2]


def old_lines(text):
    """{(actual, predicted): count} and the F1 score."""
    cells = re.findall(r"^Actual Class (\S+) was predicted with Predicted (\S+) with count (\d+) times$",
                       text, re.MULTILINE)
    f1 = re.search(r"^={26}F1 Scores={40}\n (\S+)\n={75}$", text, re.MULTILINE)
    return {(a, p): int(n) for a, p, n in cells}, float(f1.group(1))


class Properties(CommandTest):
    def write_job(self, rows, **settings):
        (self.folder / "in").mkdir()
        # Two files, one of them compressed, as splits were.
        half = len(rows) // 2
        self.write("in/part-0.metronome", metronome(rows[:half]))
        self.write("in/part-1.gz", compressed(metronome(rows[half:])))
        return self.write("job.properties",
                          JOB.format(rows="in", model=self.folder / "model", **settings))

    def check_trains_and_scores(self, rows):
        _, said = self.run_command("train", "job.properties")
        self.assertEqual(said.count("info: job.properties: " + IGNORED), 1, said)
        self.assertIn("finetune", said)
        out, _ = self.run_command("score", "job.properties")
        cells, f1 = old_lines(out)
        self.assertEqual(sum(cells.values()), len(rows))  # every record
        for label in (0, 1):
            of_label = sum(n for (actual, _), n in cells.items() if actual == str(label))
            self.assertEqual(of_label, sum(row[1] == label for row in rows))
        wrong = sum(n for (actual, predicted), n in cells.items() if actual != predicted)
        self.assertIn(f"error {100 * wrong / len(rows):.2f}%\n", out)
        self.assertRegex(out, rf"rows +{len(rows):,}\n")
        self.assertRegex(out, rf"macro f1 +{f1:.4f}\n")
        return wrong / len(rows)

    def test_a_small_dbn_learns_and_every_record_is_scored(self):
        rows = [row for row in pictures(1000) if row[1] < 2]
        self.write_job(rows, inputs=64, hidden="32, 16", passes=4)
        self.assertLess(self.check_trains_and_scores(rows), 0.02)

        # The script of 2014 says the same; another set may be named, of one class as well.
        out, _ = self.run_command("score", "job.properties")
        script = Path(support.SUPERSTEP).parent / "score_model.sh"
        done = subprocess.run([script, "job.properties"], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, out)
        ones = [row for row in rows if row[1] == 1]
        self.write("ones.metronome", metronome(ones))
        out, _ = self.run_command("score", "job.properties", "--data", "ones.metronome")
        self.assertEqual(sum(old_lines(out)[0].values()), len(ones))

    def test_the_model_is_that_of_the_same_job_in_toml(self):
        rows = [row for row in pictures(300) if row[1] < 2]
        self.write_job(rows, inputs=64, hidden="16", passes=1)
        self.run_command("train", "job.properties")
        first = sha256(self.folder / "model")
        again = self.train("model/job.toml", "again", workers=3)
        self.assertEqual(sha256(again), first)

    def test_errors_name_file_line_key_and_value(self):
        rows = [row for row in pictures(50) if row[1] < 2]
        job = self.write_job(rows, inputs=64, hidden="16", passes="some")
        line = JOB.splitlines().index("tv.floe.metronome.dbn.conf.finetune.passes={passes}") + 1
        _, said = self.run_command("train", "job.properties", code=2)
        self.assertIn(f"job.properties:{line}: tv.floe.metronome.dbn.conf.finetune.passes is 'some', "
                      "wanted a whole number", said)
        job.write_text(job.read_text().replace("finetune.passes=some", "finetune.pases=1"))
        _, said = self.run_command("train", "job.properties", code=2)
        self.assertIn(f"job.properties:{line}: no key 'tv.floe.metronome.dbn.conf.finetune.pases'; did "
                      "you mean 'tv.floe.metronome.dbn.conf.finetune.passes'?", said)
        job.write_text(job.read_text().replace("finetune.pases=1", "finetune.passes=1"))
        self.write("in/part-2.metronome", "3:1 | 0:1\n64:1 | 1:1\n")
        _, said = self.run_command("train", "job.properties", code=1)
        self.assertIn("an index of 64, wanted 64 columns from 0 on", said)
        self.write("in/part-2.metronome", "3:1 | 0:1\n3:x | 1:1\n")
        _, said = self.run_command("train", "job.properties", code=1)
        self.assertIn("in/part-2.metronome:2: index 3 holds 'x', wanted a number", said)

    def test_two_digits_of_mnist(self):
        if not (DATA / "mnist").is_dir():
            self.skipTest(f"no folder {DATA / 'mnist'}: set SUPERSTEP_DATA")
        # Every eighth row, for the sanitizers' sake; SUPERSTEP_ALL_ROWS=1 takes all 12,665.
        rows = two_digits()[::1 if os.environ.get("SUPERSTEP_ALL_ROWS") else 8]
        self.write_job(rows, inputs=784, hidden="500,250,100", passes=1)
        self.assertLess(self.check_trains_and_scores(rows), 0.01)


if __name__ == "__main__":
    unittest.main()
