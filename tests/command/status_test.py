"""superstep status: of a run that trains, was stopped, failed, was killed or never began."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import support
from processes_test import children
from support import CommandTest, job_toml

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

JOB = dict(
    data={"image": [support.SIDE, support.SIDE]},
    model={"kind": "dbn", "hidden": [32]},
    pretrain={"epochs": 3, "batch": 10},
    finetune={"epochs": 4, "batch": 10},
    reduce={"replicas": 8, "local_steps": 3})
ENDLESS = JOB | {"finetune": {"epochs": 1_000_000, "batch": 10}}


class Status(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("rows.csv", support.picture_csv(400))
        self.run_folder = self.folder / "run"

    def start_training(self, job, *arguments):
        path = self.write("job.toml", job_toml("rows.csv", **job))
        return self.start("train", path, "--set", f"output.dir={self.run_folder}", *arguments)

    def status(self):
        return json.loads(self.run_command("status", self.run_folder, "--json")[0])

    def wait_for(self, condition, what, process=None):
        """The first status of which the condition holds."""
        deadline = time.monotonic() + support.PATIENCE
        while True:
            if process:
                self.assertIsNone(process.poll(), f"ended before {what}")
            if (self.run_folder / "status.json").exists():
                status = self.status()
                if condition(status):
                    return status
            self.assertLess(time.monotonic(), deadline, f"never came to {what}")
            time.sleep(0.05)

    def wait_for_two_busy_workers(self, process):
        return self.wait_for(
            lambda s: s["phase"] == "finetune" and s["epoch"] > 0 and s["phase_seconds_left"] and
            sum(w["here"] and w["units"] > 0 for w in s["workers"]) == 2,
            "two workers at finetuning", process)

    def metrics(self):
        """{(name, labels but job and run): value} of --prometheus."""
        text, _ = self.run_command("status", self.run_folder, "--prometheus")
        if text_string_to_metric_families is None:
            return None
        samples = {}
        for family in text_string_to_metric_families(text):
            self.assertIn(family.type, ("counter", "gauge"))
            self.assertTrue(family.documentation)
            for sample in family.samples:
                labels = {k: v for k, v in sample.labels.items() if k not in ("job", "run")}
                self.assertEqual(sample.labels["run"], str(self.run_folder))
                samples[sample.name, *sorted(labels.items())] = sample.value
        return samples

    def test_while_it_trains_and_a_worker_is_killed(self):
        process = self.start_training(ENDLESS, "--engine", "process", "--workers", 2)
        status = self.wait_for_two_busy_workers(process)
        self.assertEqual((status["version"], status["state"], status["workers_lost"]),
                         (1, "running", 0))
        self.assertEqual((status["epochs"], status["attempt"]), (1_000_000, 1))
        for key in ("rows", "rows_per_second", "compute_seconds", "bytes_in", "bytes_out",
                    "transfer_seconds", "superstep"):
            self.assertGreater(status[key], 0, key)
        self.assertIn("loss", status["measures"])
        self.assertIn("valid_error", status["measures"])
        os.kill(children(process.pid)["worker"][0], signal.SIGKILL)
        status = self.wait_for(lambda s: s["workers_lost"] == 1 and
                               sum(w["here"] for w in s["workers"]) == 2, "its successor", process)
        self.assertEqual(sum(not w["here"] for w in status["workers"]), 1)
        self.assertEqual([e["what"] for e in status["events"] if e["what"] == "lost"], ["lost"])
        text, _ = self.run_command("status", self.run_folder)
        self.assertRegex(text, r"^running\n")
        self.assertRegex(text, r"(?m)^workers +2; 1 lost$")
        metrics = self.metrics()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process)[0], 75)
        self.assertEqual(self.status()["state"], "stopped")
        if metrics is None:
            self.skipTest("prometheus_client is not installed: its parser was not asked")
        self.assertEqual(metrics["superstep_run_state", ("state", "running")], 1)
        self.assertEqual(metrics["superstep_workers_lost_total",], 1)
        self.assertEqual(metrics["superstep_workers",], 2)
        self.assertGreater(metrics["superstep_transfer_bytes_total", ("direction", "in")], 0)

    def test_the_page_in_a_browser(self):
        if not CHROMIUM:
            self.skipTest("no chromium here to open the page in")
        process = self.start_training(ENDLESS, "--engine", "process", "--workers", 2)
        self.wait_for_two_busy_workers(process)
        os.kill(children(process.pid)["worker"][0], signal.SIGKILL)
        self.wait_for(lambda s: s["workers_lost"] == 1, "the loss", process)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process)[0], 75)
        # Beside the page there is nothing to find: it holds all that it shows.
        page = self.folder / "elsewhere" / "status.html"
        page.parent.mkdir()
        shutil.copy(self.run_folder / "status.html", page)
        dom = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={self.folder / 'browser'}", "--window-size=1000,2400",
             f"--screenshot={self.folder / 'status.png'}", "--dump-dom", page.as_uri()],
            check=True, capture_output=True, text=True, timeout=support.PATIENCE).stdout
        self.assertIn('<strong id="state">stopped</strong>', dom)
        self.assertNotIn('http-equiv="refresh"', dom)
        # What scripts drew: a canvas in each of the three charts.
        self.assertEqual(len(re.findall(r"<canvas[ >]", dom)), 3)
        timeline = re.search(r'<svg class="timeline".*?</svg>', dom, re.DOTALL).group()
        self.assertEqual(timeline.count(" (lost)"), 1)
        self.assertIn('class="mark lost"', timeline)
        self.assertRegex(timeline, r'class="busy"[^>]*height="[0-9.]*[1-9]')
        self.assertRegex(dom, r'<span id="told"[^>]*>[^<]*\d')
        self.assertRegex(dom, r'(?s)<h2>First-layer filters</h2>.*<img[^>]* src="data:image/png')
        self.assertGreater((self.folder / "status.png").stat().st_size, 10_000)

    def test_of_a_finished_run_and_its_page(self):
        self.assertEqual(self.finish(self.start_training(JOB))[0], 0)
        status = self.status()
        self.assertEqual((status["state"], status["phase"], status["epoch"], status["epochs"]),
                         ("finished", "finetune", 4, 4))
        self.assertEqual(status["bytes_in"], 0)
        self.assertEqual(status["rows"], 7 * 362)
        self.run_command("status", self.run_folder, "--html", "page.html")
        for page in (self.folder / "page.html", self.run_folder / "status.html"):
            text = page.read_text()
            self.assertIn('<a href="report.html">', text)
            self.assertEqual(set(re.findall(r'(?:href|src)="([^"]*)"', text)) -
                             {"report.html", "metrics.jsonl", "status.json"} -
                             {src for src in re.findall(r'src="([^"]*)"', text)
                              if src.startswith("data:")}, set())
        # With --watch it ends at once, as the run has.
        self.run_command("status", self.run_folder, "--watch")

    def test_of_a_run_that_failed(self):
        job = JOB | {"finetune": {"epochs": 5, "batch": 10, "learning_rate": 1e6,
                                  "optimizer": "sgd"}}
        code, _, messages = self.finish(self.start_training(job, "--quiet"))
        self.assertEqual(code, 1)
        status = self.status()
        self.assertEqual(status["state"], "failed")
        self.assertIn(status["message"], messages)
        self.assertIn(status["message"][:40], self.run_command("status", self.run_folder)[0])

    def test_of_a_run_whose_process_is_gone(self):
        process = self.start_training(ENDLESS)
        self.wait_for(lambda s: s["superstep"] > 0, "superstep 1", process)
        process.kill()
        process.wait()
        self.wait_for(lambda s: s["state"] == "lost", "the loss")
        self.assertIn(f"superstep train {self.run_folder} --resume",
                      self.run_command("status", self.run_folder)[0])

    def test_where_there_is_nothing_to_tell(self):
        _, messages = self.run_command("status", self.folder / "nowhere", code=1)
        self.assertIn("nowhere: no such file or folder", messages)
        _, messages = self.run_command("status", self.folder, code=2)
        self.assertIn("this folder holds no run", messages)
        self.assertEqual(self.finish(self.start_training(JOB))[0], 0)
        file = self.run_folder / "status.json"
        whole = file.read_text()
        file.write_text(whole[:len(whole) // 2])
        _, messages = self.run_command("status", self.run_folder, code=1)
        self.assertIn("status.json: not the status of a run, or cut short", messages)
        file.write_text('{"version": 99}')
        _, messages = self.run_command("status", self.run_folder, code=1)
        self.assertIn("status of version 99, this program reads version 1", messages)
        file.unlink()
        _, messages = self.run_command("status", self.run_folder, code=2)
        self.assertIn("this run is finished, and was made before Superstep wrote one", messages)
        (self.run_folder / "model.safetensors").unlink()
        _, messages = self.run_command("status", self.run_folder, code=2)
        self.assertIn("this run never began, or was made before", messages)


if __name__ == "__main__":
    unittest.main()
