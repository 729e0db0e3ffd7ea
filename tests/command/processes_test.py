"""Coordinator and workers as processes: the same bytes as on one thread, whatever is killed."""

import json
import os
import re
import signal
import socket
import stat
import time
import unittest
from pathlib import Path

import support
from support import CommandTest, end_line, job_toml, metrics_lines, resumed_at, sha256

JOB = dict(
    model={"kind": "dbn", "hidden": [64, 32]},
    pretrain={"epochs": 30, "batch": 10},
    finetune={"epochs": 40, "batch": 10},
    reduce={"replicas": 8, "local_steps": 3},
    output={"checkpoint_seconds": 0})


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(pid):
    """{verb: [process ids]} of the processes that `pid` started and that still run."""
    found = {"coordinator": [], "worker": []}
    for stat_file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat_file.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = fields[0], int(fields[1])
        child = int(stat_file.parent.name)
        verb = (command_line(child) + ["", ""])[1]
        if parent == pid and state != "Z" and verb in found:
            found[verb].append(child)
    return found


class Processes(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("rows.csv", support.picture_csv(400))
        self.job = self.write("job.toml", job_toml("rows.csv", **JOB))

    def wait_for(self, condition, what, process=None):
        deadline = time.monotonic() + support.PATIENCE
        while not condition():
            if process:
                self.assertIsNone(process.poll(), f"ended before {what}")
            self.assertLess(time.monotonic(), deadline, f"never came to {what}")
            time.sleep(0.002)

    def start_training(self, run, workers):
        return self.start("train", self.job, "--set", f"output.dir={run}", "--engine", "process",
                          "--workers", workers)

    def reference(self):
        return sha256(self.train(self.job, "reference", workers=1))

    def assert_gone(self, pids):
        self.wait_for(lambda: not any(command_line(pid) for pid in pids), f"the end of {pids}")

    def test_the_same_bytes_from_1_2_and_5_workers_and_of_2_threads(self):
        expected = self.reference()
        for workers, threads in ((1, 1), (2, 1), (5, 1), (2, 2)):
            run = self.train(self.job, f"run-{workers}-{threads}", "--engine", "process", "--set",
                             f"engine.threads={threads}", workers=workers)
            self.assertEqual(sha256(run), expected, f"{workers} workers of {threads} threads")
            end = end_line(run)
            # Every update came through the network.
            self.assertGreater(end["bytes_in"], 4 * 1000 * end["leases"]["granted"])
            self.assertTrue(end["reproducible"])

    def test_killed_workers_are_replaced_and_change_nothing(self):
        expected = self.reference()
        for attempt in range(5):  # on a busy machine a kill may find the worker between two leases
            run = self.folder / f"killed-{attempt}"
            process = self.start_training(run, 2)
            killed = []
            for at in (10, 40, 80):
                self.wait_for(lambda: len(metrics_lines(run)) > at, f"superstep {at}", process)
                self.wait_for(lambda: children(process.pid)["worker"], "a worker", process)
                killed.append(children(process.pid)["worker"][0])
                os.kill(killed[-1], signal.SIGKILL)
            code, _, messages = self.finish(process)
            self.assertEqual(code, 0, messages)
            self.assertEqual(len(re.findall(r"worker \d+ ended \(signal 9", messages)), 3, messages)
            self.assertEqual(sha256(run), expected)
            if end_line(run)["leases"]["released"] > 0:
                return
        self.fail("no kill hit a lease")

    def test_a_killed_coordinator_goes_on_and_changes_nothing(self):
        expected = self.reference()
        run = self.folder / "killed"
        process = self.start_training(run, 2)
        before = None
        for at in (30, 100):
            self.wait_for(lambda: len(metrics_lines(run)) > at, f"superstep {at}", process)
            self.wait_for(lambda: children(process.pid)["coordinator"], "a coordinator", process)
            (coordinator,) = children(process.pid)["coordinator"]
            self.assertNotEqual(coordinator, before)
            before = coordinator
            os.kill(coordinator, signal.SIGKILL)
            self.wait_for(lambda: coordinator not in children(process.pid)["coordinator"], "its end")
        code, _, messages = self.finish(process)
        self.assertEqual(code, 0, messages)
        self.assertEqual(messages.count("the coordinator ended (signal 9"), 2, messages)
        self.assertIsNotNone(resumed_at(messages))
        self.assertEqual(sha256(run), expected)
        steps = [line["superstep"] for line in metrics_lines(run)[:-1]]
        self.assertEqual(steps, list(range(len(steps))))

    def test_stopped_and_gone_on_with_on_another_engine(self):
        run = self.folder / "stopped"
        process = self.start_training(run, 2)
        self.wait_for(lambda: len(metrics_lines(run)) > 10, "superstep 10", process)
        started = sum(children(process.pid).values(), [])
        process.send_signal(signal.SIGTERM)
        code, _, messages = self.finish(process)
        self.assertEqual(code, 75, messages)
        self.assert_gone(started)
        self.assertFalse((run / "model.safetensors").exists())
        self.run_command("train", run, "--resume", "--set", "engine.kind=local", "--workers", 2)
        self.assertEqual(sha256(run), self.reference())

    def test_none_outlives_the_one_that_started_them(self):
        run = self.folder / "orphans"
        process = self.start_training(run, 2)
        self.wait_for(lambda: len(metrics_lines(run)) > 3, "superstep 3", process)
        started = sum(children(process.pid).values(), [])
        self.assertEqual(len(started), 3)
        process.kill()
        process.wait()
        self.assert_gone(started)

    def test_errors_are_those_of_one_process(self):
        runaway = self.write("runaway.toml", job_toml(
            "rows.csv", **JOB | {"finetune": {"epochs": 5, "batch": 10, "learning_rate": 1e30,
                                              "optimizer": "sgd"}}))
        for job in (runaway, "missing.toml"):
            said = []
            for engine in ("local", "process"):
                process = self.start("train", job, "--engine", engine, "--quiet")
                code, _, messages = self.finish(process)
                self.assertNotEqual(code, 0)
                said.append((code, messages.splitlines()[-1]))
            self.assertEqual(*said)

    def start_by_hand(self, run, *arguments):
        """A coordinator that waits for workers; returns it, its address and its credentials."""
        file = self.folder / "job.credentials"
        process = self.start("coordinator", self.job, "--set", f"output.dir={run}",
                             "--credentials", file, *arguments)

        def address():
            return re.search(r"--coordinator (\S+)", Path(process.err.name).read_text())

        self.wait_for(address, "an address", process)
        return process, address().group(1), file

    def test_workers_by_hand_come_late_and_differ(self):
        run = self.folder / "by-hand"
        coordinator, address, file = self.start_by_hand(run)
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        first = self.start("worker", "--coordinator", address, "--credentials", file,
                           "--threads", 1)
        self.wait_for(lambda: len(metrics_lines(run)) > 20, "superstep 20", coordinator)
        late = self.start("worker", "--coordinator-file", run / "address", "--credentials", file,
                          "--threads", 2)
        for process in (coordinator, first, late):
            code, _, messages = self.finish(process)
            self.assertEqual(code, 0, messages)
        self.assertEqual(sha256(run), self.reference())

    def test_a_worker_without_a_coordinator_says_what_is_wanted(self):
        (self.folder / "secret").write_text(json.dumps({"secret": "00" * 32}))
        (self.folder / "secret").chmod(0o600)
        for arguments, said in (((), "nobody to work for; wanted --coordinator host:port"),
                                (("--coordinator-file", "nowhere"), "nowhere says no address")):
            code, _, messages = self.finish(self.start("worker", "--credentials", "secret", *arguments))
            self.assertEqual(code, 2, messages)
            self.assertIn(said, messages)

    def test_workers_follow_a_coordinator_that_has_moved(self):
        run = self.folder / "moved"
        coordinator, address, file = self.start_by_hand(run)
        worker = self.start("worker", "--coordinator", address, "--credentials", file,
                            "--coordinator-file", run / "address", "--threads", 1)
        self.wait_for(lambda: len(metrics_lines(run)) > 20, "superstep 20", coordinator)
        coordinator.kill()
        coordinator.wait()
        host, _, port = address.rpartition(":")
        with socket.create_server((host, int(port))):  # so that it cannot be there again
            successor = self.start("coordinator", run, "--resume", "--credentials", file,
                                   "--listen", "127.0.0.1:0")
            self.wait_for(lambda: (run / "address").read_text() != f"{address}\n", "a new address", successor)
        for process in (successor, worker):
            code, _, messages = self.finish(process)
            self.assertEqual(code, 0, messages)
        self.assertEqual(sha256(run), self.reference())

    def test_a_worker_that_is_asked_to_end_leaves(self):
        run = self.folder / "left"
        coordinator, address, file = self.start_by_hand(run)
        first, second = (self.start("worker", "--coordinator", address, "--credentials", file,
                                    "--threads", 1) for _ in range(2))
        self.wait_for(lambda: len(metrics_lines(run)) > 20, "superstep 20", coordinator)
        first.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(first)[0], 128 + signal.SIGTERM)
        for process in (coordinator, second):
            code, _, messages = self.finish(process)
            self.assertEqual(code, 0, messages)
        messages = Path(coordinator.err.name).read_text()
        self.assertRegex(messages, r"worker \d+ on \S+ leaves; \d+ of its units go")
        self.assertNotIn("is gone", messages)
        self.assertEqual(sha256(run), self.reference())

    def test_tls_and_strangers(self):
        run = self.folder / "tls"
        coordinator, address, file = self.start_by_hand(run, "--listen", "0.0.0.0:0")
        port = address.rpartition(":")[2]
        self.assertIn("BEGIN CERTIFICATE", file.read_text())
        plain = self.write("plain.credentials", '{"secret": "00"}')
        plain.chmod(0o644)
        _, messages = self.run_command("worker", "--coordinator", f"localhost:{port}",
                                       "--credentials", plain, code=2)
        self.assertIn("others may read this secret; chmod 600", messages)
        plain.chmod(0o600)
        self.run_command("worker", "--coordinator", f"localhost:{port}", "--credentials", plain,
                         "--patience", 2, code=1)
        self.assertEqual(metrics_lines(run), [])
        worker = self.start("worker", "--coordinator", f"localhost:{port}", "--credentials", file)
        for process in (coordinator, worker):
            code, _, messages = self.finish(process)
            self.assertEqual(code, 0, messages)
        self.assertEqual(sha256(run), self.reference())

    def test_a_wrong_secret_is_refused(self):
        coordinator, address, _ = self.start_by_hand(self.folder / "refused")
        wrong = self.write("wrong.credentials", '{"secret": "00"}')
        wrong.chmod(0o600)
        _, messages = self.run_command("worker", "--coordinator", address, "--credentials", wrong,
                                       code=1)
        self.assertIn(f"{address} refused this worker", messages)
        self.assertIsNone(coordinator.poll())


if __name__ == "__main__":
    unittest.main()
