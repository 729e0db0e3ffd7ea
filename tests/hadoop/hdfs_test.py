"""Data and runs on HDFS, against real daemons: the same bytes as from local files, whatever dies."""

import hashlib
import json
import signal
import time
import unittest
from pathlib import Path

from cluster import ROOT, Hdfs, hadoop, need_hadoop, until
from support import CommandTest, compressed, idx_images, idx_labels, job_toml, picture_csv, sha256


class HdfsTest(CommandTest):
    def setUp(self):
        need_hadoop()
        super().setUp()
        self.environment["HADOOP_CONF_DIR"] = str(ROOT / "conf")
        self.hdfs = Hdfs()
        self.addCleanup(self.hdfs.remove, self.hdfs.folder)

    def upload(self, path, name=None):
        """Puts a local file into this test's folder; its address."""
        there = f"{self.hdfs.folder}/{name or Path(path).name}"
        self.hdfs.put(there, Path(path).read_bytes())
        return f"hdfs://{there}"

    def job(self, data, epochs=5, label="digit"):
        """A small job over the data, as a file; its path."""
        return self.write(f"job-{time.monotonic_ns()}.toml", job_toml(
            data, label=label, model={"kind": "mlp", "hidden": [8]}, finetune={"epochs": epochs, "patience": 0},
            reduce={"replicas": 2, "local_steps": 2}))

    def table(self):
        return self.write("rows.csv", picture_csv(300))

    def model_of(self, job, run, *arguments, **options):
        """Trains into `run` (an address, or a name below the test's folder); the model's sha256."""
        address = run if "://" in str(run) else self.folder / run
        self.run_command("train", job, "--set", f"output.dir={address}", *arguments, **options)
        if address == run:
            return hashlib.sha256(self.hdfs.get(run.removeprefix("hdfs://") + "/model.safetensors")).hexdigest()
        return sha256(address)


class Reading(HdfsTest):
    def test_tables_plain_and_gz_folders_and_globs_give_the_same_bytes_as_local_files(self):
        table = self.table()
        packed = self.write("rows.csv.gz", compressed(table.read_bytes()))
        here = self.model_of(self.job(table), "here")
        self.assertEqual(self.model_of(self.job(self.upload(table)), "plain"), here)
        self.assertEqual(self.model_of(self.job(self.upload(packed)), "gz"), here)

        header, *rows = table.read_text().splitlines(keepends=True)
        for n in range(3):
            part = self.folder / f"part-{n}.csv"
            part.write_text(header + "".join(rows[100 * n:100 * n + 100]))
            self.upload(part, f"parts/{part.name}")
        self.hdfs.put(f"{self.hdfs.folder}/parts/_SUCCESS", b"")
        address = f"hdfs://{self.hdfs.folder}/parts"
        self.assertEqual(self.model_of(self.job(address), "folder"), here)
        self.assertEqual(self.model_of(self.job(f"{address}/part-*.csv"), "glob"), here)
        self.assertEqual(self.model_of(self.job(f"hdfs://{self.hdfs.folder[:-4]}*/part?/part-[012].csv"), "deep"), here)

    def test_images_find_their_labels_beside_them(self):
        images = self.write("train-images-idx3-ubyte.gz", compressed(idx_images(200)))
        labels = self.write("train-labels-idx1-ubyte.gz", compressed(idx_labels(200)))
        here = self.model_of(self.job(images, label=None), "here")
        self.upload(labels)
        self.assertEqual(self.model_of(self.job(self.upload(images), label=None), "there"), here)

    def test_files_of_many_blocks_and_the_empty_one(self):
        # 20 MB: three blocks of 8 MiB.
        table = self.table()
        header, *rows = table.read_text().splitlines(keepends=True)
        big = self.folder / "big.csv"
        big.write_text(header + "".join(rows) * (20_000_000 // len("".join(rows))))
        address = self.upload(big)
        here = self.model_of(self.job(big, epochs=1), "here")
        self.assertEqual(self.model_of(self.job(address, epochs=1), "there"), here)
        self.hdfs.put(f"{self.hdfs.folder}/empty.csv", b"")
        _, said = self.run_command("train", self.job(f"hdfs://{self.hdfs.folder}/empty.csv"), code=1)
        self.assertIn("empty", said)

    def test_what_is_not_there_is_said_with_its_address(self):
        address = f"hdfs://{self.hdfs.folder}/none.csv"
        _, said = self.run_command("train", self.job(address), code=1)
        self.assertIn(f"{address}: no such file", said)
        del self.environment["HADOOP_CONF_DIR"]
        _, said = self.run_command("train", self.job(address), code=2)
        self.assertIn("HADOOP_CONF_DIR", said)


class Runs(HdfsTest):
    def setUp(self):
        super().setUp()
        self.rows = self.table()
        self.data = self.upload(self.rows)
        self.folder_there = f"hdfs://{self.hdfs.folder}/runs/one"

    def test_a_run_on_hdfs_is_whole_and_every_verb_reads_it(self):
        here = self.model_of(self.job(self.rows), "here")
        there = self.model_of(self.job(self.data), self.folder_there)
        self.assertEqual(there, here)
        folder = self.folder_there.removeprefix("hdfs://")
        self.assertEqual(hashlib.sha256(self.hdfs.get(f"{folder}/model.safetensors")).hexdigest(), here)
        names = self.hdfs.names(folder)
        for name in ("attempt-1", "job.toml", "metrics.jsonl", "model.safetensors", "report.html", "status.json"):
            self.assertIn(name, names)
        self.assertFalse([name for name in names if ".tmp-" in name])

        local = self.folder / "here"
        for verb in (["evaluate", "--data", self.data, "--json"], ["predict", "--data", self.data], ["describe"]):
            got, _ = self.run_command(verb[0], self.folder_there, *verb[1:])
            want, _ = self.run_command(verb[0], local, *verb[1:])
            self.assertEqual(got, want, verb)
        status, _ = self.run_command("status", self.folder_there, "--json")
        self.assertEqual(json.loads(status)["state"], "finished")
        self.run_command("render", self.folder_there, "--out", self.folder / "pictures")
        said = "".join(self.run_command("verify", self.folder_there))
        self.assertIn("same bytes", said)
        # A second run into the folder is refused.
        _, said = self.run_command("train", self.job(self.data), "--set", f"output.dir={self.folder_there}", code=2)
        self.assertIn("holds a run already", said)

    def test_predictions_are_written_to_hdfs(self):
        self.model_of(self.job(self.data), self.folder_there)
        out = f"{self.hdfs.folder}/predictions.csv"
        self.run_command("predict", self.folder_there, "--data", self.data, "--out", f"hdfs://{out}")
        want, _ = self.run_command("predict", self.folder_there, "--data", self.data)
        self.assertEqual(self.hdfs.get(out).decode(), want)

    def test_a_killed_run_goes_on_to_the_same_bytes(self):
        job = self.job(self.data, epochs=300)
        here = self.model_of(self.job(self.rows, epochs=300), "here")
        process = self.start("train", job, "--set", f"output.dir={self.folder_there}", "--set", "output.checkpoint_seconds=0.1")
        checkpoints = self.folder_there.removeprefix("hdfs://") + "/checkpoints"

        def has_checkpoint():
            self.assertIsNone(process.poll(), "ended before it could be killed")
            try:
                return any(name.endswith(".json") and name[0] != "." for name in self.hdfs.names(checkpoints))
            except OSError:
                return False

        until(has_checkpoint, "a checkpoint")
        process.kill()
        process.wait()
        self.assertEqual(self.model_of(job, self.folder_there, "--resume"), here)
        lines = self.hdfs.get(self.folder_there.removeprefix("hdfs://") + "/metrics.jsonl").decode().splitlines()
        steps = [json.loads(line)["superstep"] for line in lines if json.loads(line)["event"] != "end"]
        self.assertEqual(steps, sorted(set(steps)))  # each once, in order

    def test_the_name_node_is_away_for_20_seconds(self):
        job = self.job(self.data, epochs=100_000)
        process = self.start("train", job, "--set", f"output.dir={self.folder_there}", "--set", "output.checkpoint_seconds=1")
        status = self.folder_there.removeprefix("hdfs://") + "/status.json"

        def superstep():
            try:
                return json.loads(self.hdfs.get(status))["superstep"]
            except (OSError, KeyError):
                return 0

        until(lambda: superstep() > 0, "the first status")
        hadoop("kill", "nn")
        self.addCleanup(hadoop, "start", "nn")
        time.sleep(20)
        hadoop("start", "nn")
        before = superstep()
        until(lambda: superstep() > before, "a status after the NameNode came back")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        code, _, said = self.finish(process)
        self.assertEqual(code, 75, said)
        self.assertIn("trying again", said)


class Deaths(HdfsTest):
    def test_a_killed_uploader_leaves_nothing_under_the_name(self):
        # The model is one upload: what a killed predict has sent must not be taken for its answer.
        table = self.table()
        self.model_of(self.job(table), "run")
        header, *rows = table.read_text().splitlines(keepends=True)
        big = self.folder / "big.csv"
        big.write_text(header + "".join(rows) * 2000)
        out = f"{self.hdfs.folder}/out/predictions.csv"
        process = self.start("predict", self.folder / "run", "--data", big, "--out", f"hdfs://{out}")

        def uploads():
            try:
                return self.hdfs.names(f"{self.hdfs.folder}/out") != []
            except OSError:
                return False

        until(lambda: uploads() or process.poll() is not None, "the upload's beginning")
        process.kill()
        process.wait()
        names = self.hdfs.names(f"{self.hdfs.folder}/out")
        if "predictions.csv" in names:  # the kill came too late: then it is whole
            self.assertEqual(self.hdfs.get(out).count(b"\n"), 600_001)
        self.run_command("predict", self.folder / "run", "--data", big, "--out", f"hdfs://{out}")
        self.assertEqual(self.hdfs.get(out).count(b"\n"), 600_001)

    def test_a_data_node_dies_and_the_other_one_is_read(self):
        table = self.table()
        address = self.upload(table)
        path = address.removeprefix("hdfs://")
        self.hdfs.ask("PUT", path, "SETREPLICATION", replication=2)
        hosts = lambda: self.hdfs.ask("GET", path, "GETFILEBLOCKLOCATIONS")["BlockLocations"]["BlockLocation"][0]["hosts"]
        until(lambda: len(hosts()) == 2, "two copies of the block")
        here = self.model_of(self.job(table), "here")
        hadoop("kill", "dn1")
        self.addCleanup(hadoop, "start", "dn1")
        # The NameNode offers the dead one for 14 s more, now and then: until it has been met.
        said, tries = "", 0
        while "asking another DataNode" not in said and tries < 10:
            run = self.folder / f"without-{(tries := tries + 1)}"
            _, said = self.run_command("train", self.job(address), "--set", f"output.dir={run}")
            self.assertEqual(sha256(run), here)
        self.assertIn("asking another DataNode", said)


del HdfsTest  # only its children are tests

if __name__ == "__main__":
    unittest.main()
