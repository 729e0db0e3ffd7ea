"""Coordinator and workers in network namespaces of their own, and what a partition between them does: nothing."""

import os
import re
import shutil
import subprocess
import time
import unittest
from pathlib import Path

import support
from support import CommandTest, end_line, job_toml, metrics_lines, sha256

HERE, THERE = "10.83.77.1", "10.83.77.2"  # of no network but the pair's own


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Partition(CommandTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("ip"):
            self.skipTest("no command ip (package iproute2)")
        self.spaces = [f"superstep-{os.getpid()}-{end}" for end in "ab"]
        try:
            for space in self.spaces:
                ip("netns", "add", space)
                self.addCleanup(ip, "netns", "del", space)
            near, far = self.spaces
            ip("-n", near, "link", "add", "pair", "type", "veth", "peer", "name", "pair", "netns", far)
            for space, address in ((near, HERE), (far, THERE)):
                ip("-n", space, "address", "add", f"{address}/24", "dev", "pair")
                ip("-n", space, "link", "set", "pair", "up")
                ip("-n", space, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            self.skipTest(f"network namespaces are not permitted here: {error.stderr.strip()}")

    def inside(self, space, *arguments):
        return self.start(*arguments, prefix=["ip", "netns", "exec", space])

    def wait_for(self, condition, what, process):
        deadline = time.monotonic() + support.PATIENCE
        while not condition():
            self.assertIsNone(process.poll(), f"ended before {what}")
            self.assertLess(time.monotonic(), deadline, f"never came to {what}")
            time.sleep(0.01)

    def test_a_partition_heals_without_harm(self):
        near, far = self.spaces
        self.write("rows.csv", support.picture_csv(400))
        job = self.write("job.toml", job_toml(
            "rows.csv", model={"kind": "dbn", "hidden": [64, 32]}, pretrain={"epochs": 30, "batch": 10},
            finetune={"epochs": 30, "batch": 10}, reduce={"replicas": 4, "local_steps": 3}))
        run, credentials = self.folder / "run", self.folder / "job.credentials"
        # One machine after all: else tensors would find their way past the network.
        coordinator = self.inside(near, "coordinator", job, "--set", f"output.dir={run}",
                                  "--set", "engine.shared_memory=false",
                                  "--credentials", credentials, "--listen", f"{HERE}:0")

        def address():
            return re.search(rf"--coordinator ({re.escape(HERE)}:\d+)", Path(coordinator.err.name).read_text())

        self.wait_for(address, "an address", coordinator)
        self.assertIn("BEGIN CERTIFICATE", credentials.read_text())
        # Patient enough to outlast the partition; one of them alone could finish the job.
        workers = [self.inside(far, "worker", "--coordinator", address().group(1), "--credentials", credentials,
                               "--threads", 1, "--patience", support.PATIENCE) for _ in range(2)]
        self.wait_for(lambda: len(metrics_lines(run)) > 20, "superstep 20", coordinator)

        # No packet passes, and no end of a connection hears of it.
        ip("-n", far, "link", "set", "pair", "down")
        self.wait_for(lambda: "is gone" in Path(coordinator.err.name).read_text(), "a worker given up", coordinator)
        stood = len(metrics_lines(run))
        self.assertTrue(all(worker.poll() is None for worker in workers))
        ip("-n", far, "link", "set", "pair", "up")
        self.wait_for(lambda: len(metrics_lines(run)) > stood, "a superstep after the partition", coordinator)

        for process in (coordinator, *workers):
            code, _, messages = self.finish(process)
            self.assertEqual(code, 0, messages)
        self.assertGreaterEqual(end_line(run)["leases"]["released"], 1)
        self.assertEqual(sha256(run), sha256(self.train(job, "reference", workers=1)))


if __name__ == "__main__":
    unittest.main()
