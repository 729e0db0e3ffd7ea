"""MNIST on YARN (nightly): the deep-belief network of examples/mnist, whole, with the sha256 of the local run, about
half an hour on two cores; and a job of 2014 on two digits.

SUPERSTEP_DATA names the folder that holds mnist; SUPERSTEP_MNIST_EPOCHS shortens the finetuning, to try the test itself.
"""

import json
import os
import unittest
from pathlib import Path

from cluster import Hdfs  # first: it names the folder of the next two
import properties_test
from support import end_line, sha256
from yarn_test import PATIENCE, SOURCE, YarnTest, setUpModule  # noqa: F401  unittest calls setUpModule

DATA = Path(os.environ.get("SUPERSTEP_DATA", SOURCE.parent / "shared/data"))
EPOCHS = int(os.environ.get("SUPERSTEP_MNIST_EPOCHS", "60"))
JOB = SOURCE / "examples/mnist/dbn.toml"
HOURS = 2


class MnistOnYarn(YarnTest):
    def setUp(self):
        super().setUp()
        if not (DATA / "mnist").is_dir():
            self.skipTest(f"no folder {DATA / 'mnist'}: set SUPERSTEP_DATA")

    def test_a_job_of_2014_with_relative_paths(self):
        """They are below the user's home on HDFS."""
        hdfs = Hdfs()
        self.addCleanup(hdfs.remove, f"/user/root{hdfs.folder}")
        rows = properties_test.two_digits()[::8]
        text = properties_test.metronome(rows)
        half = text.index("\n", len(text) // 2) + 1
        for name, part in (("part-0", text[:half]), ("part-1", text[half:])):
            hdfs.put(f"/user/root{hdfs.folder}/in/{name}", part.encode())
        folder = hdfs.folder.lstrip("/")
        job = self.write("job.properties", properties_test.JOB.format(
            rows=f"{folder}/in", model="", inputs=784, hidden="64,32", passes=1).replace("file://", f"{folder}/model"))
        process = self.start_program("train", job, "--engine", "yarn", "--set", f"engine.staging=file://{self.folder}/staging")
        process.wait(PATIENCE)
        code, _, messages = self.finish(process)
        self.assertEqual(code, 0, messages)
        self.assertIn(properties_test.IGNORED, messages)
        score = self.start_program("score", job)
        code, out, messages = self.finish(score)
        self.assertEqual(code, 0, messages)
        cells, f1 = properties_test.old_lines(out)
        self.assertEqual(sum(cells.values()), len(rows))
        self.assertGreater(f1, 0.97)

    def test_the_whole_network_has_the_bytes_of_the_local_run(self):
        hdfs = Hdfs()
        for file in (DATA / "mnist").glob("*-ubyte.gz"):
            hdfs.put(f"{hdfs.folder}/mnist/{file.name}", file.read_bytes())
        self.addCleanup(hdfs.remove, hdfs.folder)
        epochs = ("--set", f"finetune.epochs={EPOCHS}")
        process, name = self.start_on_yarn("--set", f"data.dir=hdfs://{hdfs.folder}/mnist", "--set", "engine.memory=900",
                                           *epochs, job=JOB)
        self.wait_for_steps(20, process)
        self.wait_for_workers(name, 3, process)
        process.wait(HOURS * 3600)
        code, _, messages = self.finish(process)
        self.assertEqual(code, 0, messages)
        state = self.wait_for(lambda: (a := self.application(name))["state"] == "FINISHED" and a, "the end")
        self.assertEqual(state["finalStatus"], "SUCCEEDED")
        self.assert_gone(name)
        local = self.folder / "local"
        process = self.start("train", JOB, "--set", f"output.dir={local}", "--set", f"data.dir={DATA / 'mnist'}", *epochs)
        process.wait(HOURS * 3600)
        code, _, messages = self.finish(process)
        self.assertEqual(code, 0, messages)
        self.assertEqual(sha256(self.run_folder), sha256(local))
        error = end_line(self.run_folder)["metrics"]["error"]
        print(f"{EPOCHS} epochs: test error {100 * error:.2f}%, {sha256(local)[:8]}..")
        if EPOCHS == 60:
            self.assertLessEqual(error, 0.0125)


if __name__ == "__main__":
    unittest.main()
