"""The deep-belief network of examples/mnist, whole: MNIST on HDFS, three containers, the sha256 of the local run.

About half an hour on two cores (nightly). SUPERSTEP_DATA names the folder that holds mnist; SUPERSTEP_MNIST_EPOCHS
shortens the finetuning, to try the test itself.
"""

import json
import os
import unittest
from pathlib import Path

import yarn_test
from cluster import Hdfs
from support import end_line, sha256
from yarn_test import PATIENCE, SOURCE, YarnTest, processes, setUpModule  # noqa: F401  unittest calls setUpModule

DATA = Path(os.environ.get("SUPERSTEP_DATA", SOURCE.parent / "shared/data"))
EPOCHS = int(os.environ.get("SUPERSTEP_MNIST_EPOCHS", "60"))
JOB = SOURCE / "examples/mnist/dbn.toml"
HOURS = 2


class MnistOnYarn(YarnTest):
    def test_the_whole_network_has_the_bytes_of_the_local_run(self):
        if not (DATA / "mnist").is_dir():
            self.skipTest(f"no folder {DATA / 'mnist'}: set SUPERSTEP_DATA")
        hdfs = Hdfs()
        for file in (DATA / "mnist").glob("*-ubyte.gz"):
            hdfs.put(f"{hdfs.folder}/mnist/{file.name}", file.read_bytes())
        self.addCleanup(hdfs.remove, hdfs.folder)
        epochs = ("--set", f"finetune.epochs={EPOCHS}")
        process, name = self.start_on_yarn("--set", f"data.dir=hdfs://{hdfs.folder}/mnist", "--set", "engine.memory=1500",
                                           *epochs, job=JOB)
        self.wait_for_steps(20, process)
        self.assertEqual({k: len(v) for k, v in processes(name).items()}, {"master": 1, "coordinator": 1, "worker": 3})
        process.wait(HOURS * 3600)
        code, _, messages = self.finish(process)
        self.assertEqual(code, 0, messages)
        state = self.wait_for(lambda: (a := self.application(name))["state"] == "FINISHED" and a, "the end")
        self.assertEqual(state["finalStatus"], "SUCCEEDED")
        self.assert_gone(name)
        local = self.train(JOB, "local", "--set", f"data.dir={DATA / 'mnist'}", *epochs, workers=2)
        self.assertEqual(sha256(self.run_folder), sha256(local))
        error = end_line(self.run_folder)["metrics"]["error"]
        print(f"{EPOCHS} epochs: test error {100 * error:.2f}%, {sha256(local)[:8]}..")
        if EPOCHS == 60:
            self.assertLessEqual(error, 0.0125)


if __name__ == "__main__":
    unittest.main()
