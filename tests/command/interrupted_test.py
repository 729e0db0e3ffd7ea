"""A training that is killed, or asked to stop, goes on to the same bytes on other lanes."""

import signal
import time
import unittest

import support
from support import CommandTest, end_line, job_toml, metrics_lines, resumed_at, sha256

# Long enough to be hit by a kill in each phase, on a fast machine as well.
JOB = dict(
    model={"kind": "dbn", "hidden": [64, 32]},
    pretrain={"epochs": 40, "batch": 10},
    finetune={"epochs": 60, "batch": 10},
    reduce={"replicas": 8, "local_steps": 3},
    output={"checkpoint_seconds": 0})


class Interrupted(CommandTest):
    def wait_for(self, condition, process, what):
        """Looks until the condition holds; the process must still run by then."""
        deadline = time.monotonic() + support.PATIENCE
        while not condition():
            self.assertIsNone(process.poll(), f"ended before {what}")
            self.assertLess(time.monotonic(), deadline, f"never came to {what}")
            time.sleep(0.002)

    def start_training(self, job, run, workers):
        return self.start("train", job, "--set", f"output.dir={run}", "--workers", workers)

    def at_phase(self, run, phase):
        """Whether the phase is under way with a checkpoint in it; one of before will do from its
        20th superstep on, since a slow disk makes checkpoints rare."""
        steps = [line["superstep"] for line in metrics_lines(run) if line["phase"] == phase]
        if len(steps) < 5:
            return False
        saved = [int(path.name.split("-")[1]) for path in (run / "checkpoints").glob("*.json")]
        return bool(saved) and (max(saved) >= steps[0] or len(steps) > 20)

    def kill_in_phase(self, job, phase, workers):
        """Starts a training and kills it in a phase; returns its run. On a busy machine the phase
        may be over before the kill comes: then once more."""
        for attempt in range(5):
            run = self.folder / f"killed-{phase}-{attempt}"
            process = self.start_training(job, run, workers)
            self.wait_for(lambda: self.at_phase(run, phase), process, phase)
            process.kill()
            code = self.finish(process)[0]
            lines = metrics_lines(run)
            if code == -signal.SIGKILL and lines[-1]["phase"] == phase:
                return run
        self.fail(f"no kill hit {phase}")

    def assert_each_superstep_once(self, run):
        lines = metrics_lines(run)
        steps = [line["superstep"] for line in lines[:-1]]
        self.assertEqual(steps, list(range(len(steps))))
        self.assertEqual(lines[-1]["event"], "end")
        self.assertEqual(lines[-1]["superstep"], len(steps))


class Killed(Interrupted):
    def test_in_each_phase_and_resumed_on_other_lanes(self):
        self.write("rows.csv", support.picture_csv(1500))
        job = self.write("job.toml", job_toml("rows.csv", **JOB))
        straight = self.train(job, "straight")
        wanted, supersteps = sha256(straight), end_line(straight)["superstep"]

        lanes = {"pretrain.0": (1, 3), "pretrain.1": (3, 2), "finetune": (2, 7)}
        for phase, (before, after) in lanes.items():
            with self.subTest(phase):
                run = self.kill_in_phase(job, phase, before)
                self.assertFalse((run / "model.safetensors").exists())

                _, messages = self.run_command("train", run, "--resume", "--workers", after)
                first = resumed_at(messages)
                self.assertIsNotNone(first, messages)
                self.assertGreater(first, 0)
                self.assertLess(first, supersteps)
                self.assertEqual(sha256(run), wanted)
                self.assert_each_superstep_once(run)
                # What the resumed run computed itself: no more than was left to do.
                self.assertLessEqual(sum(end_line(run)["units_by_lane"]), 8 * (supersteps - first))

    def test_twice_in_one_run(self):
        self.write("rows.csv", support.picture_csv(1500))
        job = self.write("job.toml", job_toml("rows.csv", **JOB))
        run = self.kill_in_phase(job, "pretrain.0", 1)
        process = self.start("train", run, "--resume", "--workers", 2)
        self.wait_for(lambda: (run / "attempt-2").exists() and self.at_phase(run, "pretrain.1"),
                      process, "pretrain.1")
        process.kill()
        self.assertEqual(self.finish(process)[0], -signal.SIGKILL)
        self.run_command("train", run, "--resume", "--workers", 3)
        self.assertEqual(sha256(run), sha256(self.train(job, "straight")))
        self.assert_each_superstep_once(run)
        self.assertEqual(sorted(path.name for path in run.glob("attempt-*")),
                         ["attempt-1", "attempt-2", "attempt-3"])

    def test_on_rows_without_zeros(self):
        self.write("bags.svm", support.bags_svm(1500))
        job = self.write("job.toml", job_toml("bags.svm", None, numerics={"sparse": "on"}, **JOB))
        wanted = sha256(self.train(job, "straight"))
        for phase, (before, after) in {"pretrain.0": (1, 3), "finetune": (2, 1)}.items():
            with self.subTest(phase):
                run = self.kill_in_phase(job, phase, before)
                _, messages = self.run_command("train", run, "--resume", "--workers", after)
                self.assertIsNotNone(resumed_at(messages), messages)
                self.assertEqual(sha256(run), wanted)
                self.assert_each_superstep_once(run)

    def test_before_the_first_checkpoint(self):
        self.write("rows.csv", support.picture_csv(1500))
        slow = JOB | {"output": {"checkpoint_seconds": 3600}}
        job = self.write("job.toml", job_toml("rows.csv", **slow))
        run = self.folder / "run"
        process = self.start_training(job, run, 1)
        self.wait_for(lambda: len(metrics_lines(run)) > 5, process, "some supersteps")
        process.kill()
        self.assertEqual(self.finish(process)[0], -signal.SIGKILL)
        _, messages = self.run_command("train", run, "--resume")
        self.assertIsNone(resumed_at(messages), "nothing was there to go on from")
        self.assertEqual(sha256(run), sha256(self.train(job, "straight")))
        self.assert_each_superstep_once(run)

    def test_while_the_data_are_fitted(self):
        rows = support.picture_csv(1500)
        more = rows.split("\n", 1)[1]
        self.write("rows.csv.gz", support.compressed(rows + 60 * more))
        job = self.write("job.toml", job_toml(
            "rows.csv.gz", model={"kind": "mlp", "hidden": [8]},
            finetune={"epochs": 1, "batch": 100}, reduce={"replicas": 2}))
        run = self.folder / "run"
        process = self.start_training(job, run, 1)
        # Until the run's folder is claimed, rows are counted and fitted. No file tells when that
        # begins: the kill comes as soon as the process has read some of the data.
        self.wait_for(lambda: self.has_read(process, 1 << 20), process, "reading")
        process.kill()
        self.assertEqual(self.finish(process)[0], -signal.SIGKILL)
        self.assertFalse(run.exists(), "the kill came after fit")
        # Nothing was left behind, so the same command begins anew.
        self.run_command("train", job, "--set", f"output.dir={run}", "--workers", 3)
        self.assertEqual(sha256(run), sha256(self.train(job, "straight", workers=1)))

    def has_read(self, process, size):
        try:
            with open(f"/proc/{process.pid}/io") as file:
                return int(file.readline().split()[1]) > size
        except (FileNotFoundError, ProcessLookupError):
            return False

    def test_after_the_folder_was_claimed_and_before_the_job_was_written(self):
        self.write("rows.csv", support.picture_csv(200))
        job = self.write("job.toml", job_toml("rows.csv", model={"kind": "mlp", "hidden": [8]},
                                              finetune={"epochs": 2}))
        run = self.folder / "run"
        run.mkdir()
        (run / "attempt-1").touch()
        self.run_command("train", job, "--set", f"output.dir={run}", "--resume")
        self.assertTrue((run / "job.toml").exists())
        self.assertEqual(sha256(run), sha256(self.train(job, "straight")))


class TakenOver(Interrupted):
    def test_a_second_attempt_takes_over_and_the_first_stops(self):
        self.write("rows.csv", support.picture_csv(1500))
        job = self.write("job.toml", job_toml("rows.csv", **JOB | {
            "pretrain": {"epochs": 150, "batch": 10}}))
        run = self.folder / "run"
        first = self.start_training(job, run, 1)
        self.wait_for(lambda: self.at_phase(run, "pretrain.0"), first, "pretraining")
        self.run_command("train", run, "--resume", "--workers", 2)
        code, out, messages = self.finish(first)
        self.assertEqual(code, 1)
        self.assertIn("attempt 2 has taken this run over", messages)
        self.assertEqual(out, "")
        self.assert_each_superstep_once(run)
        self.assertEqual(sha256(run), sha256(self.train(job, "straight")))


class AskedToStop(Interrupted):
    def setUp(self):
        super().setUp()
        self.write("rows.csv", support.picture_csv(1500))
        self.job = self.write("job.toml", job_toml("rows.csv", **JOB))
        self.run_folder = self.folder / "run"

    def test_ends_with_75_and_the_line_that_goes_on(self):
        wanted = sha256(self.train(self.job, "straight"))
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                run = self.folder / number.name
                process = self.start_training(self.job, run, 2)
                self.wait_for(lambda: len(metrics_lines(run)) > 5, process, "some supersteps")
                process.send_signal(number)
                code, _, messages = self.finish(process)
                self.assertEqual(code, 75, messages)
                self.assertFalse((run / "model.safetensors").exists())
                line = messages.rstrip().splitlines()[-1].split()
                self.assertEqual(line, ["superstep", "train", str(run), "--resume"])

                stopped_at = len(metrics_lines(run))
                _, messages = self.run_command(*line[1:], "--workers", 3)
                self.assertEqual(resumed_at(messages), stopped_at,
                                 "it was asked to stop, so nothing is lost")
                self.assert_each_superstep_once(run)
                self.assertEqual(sha256(run), wanted)

    def test_twice_ends_at_once(self):
        # One superstep of this job takes far longer than the test waits.
        long = JOB | {"reduce": {"replicas": 2, "local_steps": 100000},
                      "pretrain": {"epochs": 2, "batch": 1},
                      "model": {"kind": "dbn", "hidden": [20000]}}
        job = self.write("long.toml", job_toml("rows.csv", **long))
        process = self.start_training(job, self.run_folder, 1)
        self.wait_for(lambda: (self.run_folder / "metrics.jsonl").exists(), process, "training")
        process.send_signal(signal.SIGTERM)
        self.wait_for(lambda: b"once more" in self.messages_so_far(process), process, "the advice")
        self.assertEqual(metrics_lines(self.run_folder), [])
        process.send_signal(signal.SIGTERM)
        code, _, _ = self.finish(process)
        self.assertEqual(code, 128 + signal.SIGTERM)
        self.assertEqual(metrics_lines(self.run_folder), [], "the superstep was not waited for")
        self.assertFalse((self.run_folder / "model.safetensors").exists())

    def messages_so_far(self, process):
        process.err.seek(0)
        return process.err.read()


if __name__ == "__main__":
    unittest.main()
