"""Rows are read where they lie: on YARN, and by workers that are started by hand. Sixteen files lie wholly on one of
two DataNodes each; what the workers count by the DataNode that sent it is compared."""

import functools
import json
import random
import unittest

import cluster
import yarn_test
from cluster import Hdfs
from support import CommandTest, end_line, job_toml, sha256

FILES, ROWS, COLUMNS = 16, 8000, 48
HOSTS = ["127.0.0.2", "127.0.0.3"]  # of dn1 and nm1, dn2 and nm2

JOB = dict(
    model={"kind": "mlp", "hidden": [8]},
    finetune={"epochs": 1, "batch": 500},
    reduce={"replicas": 2, "local_steps": 20},
    engine={"locality_wait": 100})  # longer than any machine is slow


def setUpModule():
    yarn_test.setUpModule()


@functools.cache
def table():
    """About 3.5 MB of CSV, 9 bytes a value."""
    chance = random.Random(1)
    lines = [",".join(f"x{c}" for c in range(COLUMNS)) + ",label"]
    for _ in range(ROWS):
        kind = chance.randrange(3)
        lines.append(",".join(f"{chance.gauss(kind, 1):.6f}" for _ in range(COLUMNS)) + f",{kind}")
    return ("\n".join(lines) + "\n").encode()


class Locality(CommandTest):
    def setUp(self):
        super().setUp()
        self.environment["HADOOP_CONF_DIR"] = str(cluster.ROOT / "conf")
        self.hdfs = Hdfs()
        self.addCleanup(self.hdfs.remove, self.hdfs.folder)
        (self.folder / "rows").mkdir()
        content = table()
        self.bytes = FILES * len(content)
        for n in range(FILES):
            (self.folder / f"rows/{n:02}.csv").write_bytes(content)
            self.put_on(HOSTS[n % 2], f"{self.hdfs.folder}/rows/{n:02}.csv", content)
        self.job = self.write("job.toml", job_toml(f"hdfs://{self.hdfs.folder}/rows", label="label", **JOB))
        local = self.write("local.toml", job_toml("rows", label="label", **JOB))
        self.reference = sha256(self.train(local, "reference", workers=1))

    def put_on(self, host, path, content):
        """Both DataNodes have one address, so the NameNode takes either of them: until it is the right one."""
        for _ in range(50):
            self.hdfs.put(path, content)
            blocks = self.hdfs.ask("GET", path, "GETFILEBLOCKLOCATIONS")["BlockLocations"]["BlockLocation"]
            if [block["hosts"] for block in blocks] == [[host]]:
                return
        self.fail(f"{path} never came to lie on {host}")

    def assert_local(self, run):
        """At least nine tenths of the bytes of the first pass came from the reader's own host."""
        end = end_line(run)
        read = end["read"]
        first, every = read["first_pass"], read["all"]
        # All of the files, and their beginnings once or twice more for each worker.
        self.assertGreaterEqual(first["here"] + first["elsewhere"], self.bytes)
        self.assertLess(first["here"] + first["elsewhere"], 1.2 * self.bytes, end)
        self.assertGreaterEqual(first["here"], 0.9 * (first["here"] + first["elsewhere"]), end)
        # Replicas have rows of all files: in training each worker reads what it has not read yet.
        self.assertGreaterEqual(every["elsewhere"], first["elsewhere"])
        status = json.loads((run / "status.json").read_text())
        self.assertEqual(status["read_here"], sum(worker["read_here"] for worker in status["workers"]))
        self.assertEqual(status["read_elsewhere"], sum(worker["read_elsewhere"] for worker in status["workers"]))
        self.assertEqual({worker["host"] for worker in status["workers"]}, set(HOSTS))
        return first


class ByHand(Locality):
    def test_a_worker_on_each_host_reads_the_files_of_its_host(self):
        run = self.folder / "run"
        coordinator = self.start("coordinator", self.job, "--listen", "127.0.0.1:0", "--set", f"output.dir={run}",
                                 "--set", "engine.workers=2")
        cluster.until(lambda: "--coordinator " in self.said(coordinator), "a coordinator that listens")
        address = self.said(coordinator).split("--coordinator ")[1].split()[0]
        workers = [self.start("worker", "--coordinator", address, "--host", host, "--threads", 1) for host in HOSTS]
        coordinator.wait(120)
        self.assertEqual(coordinator.returncode, 0, self.said(coordinator))
        self.assertEqual(sha256(run), self.reference)
        self.assert_local(run)
        self.assertRegex(self.said(coordinator), r"first pass over the data: .* from HDFS, (9\d|100)% of it read where")
        for worker in workers:
            self.assertEqual(worker.wait(60), 0, self.said(worker))

    def said(self, process):
        with open(process.err.name) as messages:
            return messages.read()


class OnYarn(yarn_test.YarnTest, Locality):
    def setUp(self):
        Locality.setUp(self)
        self.run_folder = self.folder / "run"
        ports = json.loads((cluster.ROOT / "cluster.json").read_text())["ports"]
        self.manager = f"http://localhost:{ports}088"
        # Two nodes: a third one, without data, would be given a container now and then.
        self.hadoop("stop", "nm3")
        self.addCleanup(self.hadoop, "start", "nm3")
        cluster.until(lambda: self.nodes() == 2, "two nodes")

    def nodes(self):
        metrics = yarn_test.get(f"{self.manager}/ws/v1/cluster/metrics")
        return json.loads(metrics)["clusterMetrics"]["activeNodes"]

    def test_two_containers_read_the_files_of_their_hosts(self):
        process, name = self.start_on_yarn("--set", "engine.threads=1", workers=2)
        code, _, messages = self.finish(process)
        self.assertEqual(code, 0, messages)
        self.assertEqual(sha256(self.run_folder), self.reference)
        self.wait_for(lambda: self.application(name)["state"] == "FINISHED", "the end of the application")
        self.assertEqual(self.application(name)["finalStatus"], "SUCCEEDED")
        self.assert_gone(name)
        self.assert_local(self.run_folder)


if __name__ == "__main__":
    unittest.main()
