"""What each verb does, from the data to the report, as a person or a program would use it."""

import csv
import json
import math
import re
import struct
import unittest

import support
from support import CommandTest, job_toml, metrics_lines, sha256

LINE_FIELDS = ["event", "phase", "epoch", "superstep", "rows", "loss", "seconds", "compute_seconds",
               "wait_seconds", "bytes_in", "bytes_out", "workers"]


class FromDataToReport(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("rows.csv", support.picture_csv(500))
        self.train_rows = ("--set", "model.hidden=[8]", "--set", "finetune.epochs=8")

    def test_init_writes_a_job_that_trains(self):
        _, messages = self.run_command("init", "rows.csv", "--label", "digit")
        self.assertIn("superstep train job.toml", messages)
        text = (self.folder / "job.toml").read_text()
        self.assertIn("500 rows of 64 columns", text)
        self.assertIn("'digit', one of 5 classes: c0 c1 c2 c3 c4", text)
        self.run_command("init", "rows.csv", "--label", "digit", code=2)
        self.assertEqual((self.folder / "job.toml").read_text(), text, "what is there stays")
        self.run_command("init", "rows.csv", "--label", "digit", "--force")
        from_job = self.train("job.toml", "from-job", *self.train_rows)
        from_data = self.train("rows.csv", "from-data", "--label", "digit", *self.train_rows)
        self.assertEqual(sha256(from_job), sha256(from_data))

    def test_train_answers_on_standard_output_and_tells_on_standard_error(self):
        arguments = ("train", "rows.csv", "--label", "digit", *self.train_rows)
        out, messages = self.run_command(*arguments)
        self.assertRegex(out, r"^held-out error: \d+\.\d\d%\n$")
        for word in ("rows to learn from", "mlp 64-8-5", "finetune", "runs/rows/1/report.html"):
            self.assertIn(word, messages)
        out, messages = self.run_command(*arguments, "--json", "--quiet")
        self.assertEqual(json.loads(out), metrics_lines(self.folder / "runs/rows/2")[-1]["metrics"])
        self.assertEqual(messages, "")
        self.assertEqual((self.folder / "runs/rows/latest").resolve().name, "2")

    def test_evaluate(self):
        run = self.train("rows.csv", "run", "--label", "digit", *self.train_rows)
        self.write("new.csv", support.picture_csv(200, seed=9))
        out, _ = self.run_command("evaluate", run, "--data", "new.csv", "--json")
        figures = json.loads(out)
        self.assertEqual(figures["rows"], 200)
        self.assertAlmostEqual(figures["error"] + figures["accuracy"], 1)
        self.assertLess(figures["error"], 0.1)  # the bars are easy to tell apart
        counts = figures["confusion"]["counts"]
        self.assertEqual(sum(map(sum, counts)), 200)
        self.assertEqual(sum(counts[c][c] for c in range(5)), round(200 * figures["accuracy"]))
        self.assertEqual(list(figures["per_class"]), ["c0", "c1", "c2", "c3", "c4"])
        text, _ = self.run_command("score", run, "--data", "new.csv")
        self.assertIn(f"error {100 * figures['error']:.2f}%", text)
        # The model file alone is enough.
        model = (run / "model.safetensors").rename(self.folder / "alone.safetensors")
        again, _ = self.run_command("evaluate", model, "--data", "new.csv", "--json")
        self.assertEqual(again, out)

    def test_predict(self):
        run = self.train("rows.csv", "run", "--label", "digit", *self.train_rows)
        new = support.picture_csv(1100, seed=9)
        self.write("new.csv", new)
        out, _ = self.run_command("predict", run, "--data", "new.csv")
        rows = list(csv.reader(out.splitlines()))
        classes = [f"c{c}" for c in range(5)]
        self.assertEqual(rows[0],
                         ["row", "predicted", "probability", *(f"p({c})" for c in classes)])
        self.assertEqual(len(rows), 1101)
        for number, row in enumerate(rows[1:]):
            self.assertEqual(int(row[0]), number)
            chances = list(map(float, row[3:]))
            self.assertAlmostEqual(sum(chances), 1, places=5)
            self.assertEqual(row[1], classes[chances.index(max(chances))])
            self.assertEqual(float(row[2]), max(chances))
        _, messages = self.run_command("predict", run, "--data", "new.csv", "--out", "answers.csv")
        self.assertEqual((self.folder / "answers.csv").read_text(), out)
        self.assertIn("1,100 rows", messages)

    def test_a_row_alone_has_the_bits_that_it_has_in_a_batch(self):
        run = self.train("rows.csv", "run", "--label", "digit", *self.train_rows)
        lines = support.picture_csv(1100, seed=9).splitlines()
        self.write("new.csv", "\n".join(lines) + "\n")
        all_rows = self.run_command("predict", run, "--data", "new.csv")[0].splitlines()
        for row in (0, 1, 517, 1023, 1024, 1099):
            # Without its label, too: that is no part of the question.
            header, line = lines[0].rsplit(",", 1)[0], lines[1 + row].rsplit(",", 1)[0]
            self.write("one.csv", f"{header}\n{line}\n")
            alone = self.run_command("predict", run, "--data", "one.csv")[0].splitlines()
            self.assertEqual(len(alone), 2)
            # Numbers are written so that equal text is equal bits.
            self.assertEqual(alone[1].split(",")[1:], all_rows[1 + row].split(",")[1:])

    def test_predict_does_not_look_at_labels(self):
        """They may be missing or unknown to the model; columns are found by their names."""
        run = self.train("rows.csv", "run", "--label", "digit", *self.train_rows)
        lines = support.picture_csv(3, seed=9).splitlines()
        rows = [line.rsplit(",", 1)[0] for line in lines]
        contents = {
            "known": "\n".join(lines),
            "none": "\n".join(rows),
            "unknown": "\n".join([lines[0], *(row + ",who knows" for row in rows[1:])]),
            "columns in another order": "\n".join(
                ",".join(reversed(line.split(","))) for line in lines),
        }
        answers = set()
        for name, content in contents.items():
            with self.subTest(name):
                self.write("new.csv", content + "\n")
                answers.add(self.run_command("predict", run, "--data", "new.csv")[0])
        self.assertEqual(len(answers), 1)

    def test_a_table_without_a_header(self):
        headless = support.picture_csv(300).split("\n", 1)[1]
        self.write("plain.csv", headless)
        run = self.train("plain.csv", "run", "--label", "64", *self.train_rows)
        figures = json.loads(self.run_command("evaluate", run, "--data", "plain.csv", "--json")[0])
        self.assertEqual(figures["rows"], 300)
        unlabelled = "".join(line.rsplit(",", 1)[0] + "\n" for line in headless.splitlines())
        self.write("new.csv", unlabelled)
        self.assertEqual(self.run_command("predict", run, "--data", "new.csv")[0],
                         self.run_command("predict", run, "--data", "plain.csv")[0])

    def test_describe(self):
        run = self.train("rows.csv", "run", "--label", "digit", *self.train_rows)
        model = json.loads(self.run_command("describe", run, "--json")[0])
        self.assertEqual(model["kind"], "mlp")
        self.assertEqual(model["shape"], "64-8-5")
        self.assertEqual(model["numbers"], 64 * 8 + 8 + 8 * 5 + 5)
        self.assertEqual(model["classes"], [f"c{c}" for c in range(5)])
        self.assertEqual(model["sha256"], sha256(run))
        self.assertEqual(sum(math.prod(tensor["shape"]) for tensor in model["tensors"]),
                         model["numbers"])
        text, _ = self.run_command("describe", run)
        self.assertIn("mlp 64-8-5", text)
        job = json.loads(self.run_command("describe", run / "job.toml", "--json",
                                          "--set", "finetune.epochs=7")[0])
        self.assertEqual(job["finetune"]["epochs"], 7)
        self.assertEqual(job["model"]["hidden"], [8])
        text, _ = self.run_command("describe", run / "job.toml", "--set", "finetune.epochs=7")
        self.assertRegex(text, r"finetune\.epochs +7 +--set")
        self.assertRegex(text, r"model\.hidden +\[8\] +\S*job\.toml")

    def test_metrics_jsonl(self):
        job = self.write("dbn.toml", job_toml("rows.csv", model={"kind": "dbn", "hidden": [8, 6]},
                                              pretrain={"epochs": 2}, finetune={"epochs": 3},
                                              reduce={"replicas": 2}))
        run = self.train(job, "run")
        lines = metrics_lines(run)
        for line in lines:
            self.assertEqual([field for field in LINE_FIELDS if field not in line], [], line)
            self.assertIn(line["event"], ("superstep", "epoch", "phase", "end"))
            self.assertGreaterEqual(line["seconds"], 0)
            self.assertEqual(line["workers"], 2)
        self.assertEqual([line["phase"] for line in lines if line["event"] == "phase"],
                         ["pretrain.0", "pretrain.1", "finetune"])
        self.assertEqual([line["superstep"] for line in lines], list(range(len(lines))))
        end = lines[-1]
        self.assertEqual(end["event"], "end")
        self.assertEqual(end["sha256"], sha256(run))
        self.assertIs(end["reproducible"], True)
        self.assertGreaterEqual(end["metrics"]["error"], 0)
        self.assertEqual(end["metrics_rows"], "valid")

    def test_the_report_needs_nothing_from_elsewhere(self):
        run = self.train("rows.csv", "run", "--label", "digit", *self.train_rows)
        html = (run / "report.html").read_text()
        self.assertTrue(html.lower().startswith("<!doctype html>"))
        self.assertTrue(html.rstrip().endswith("</html>"))
        self.assertIn(sha256(run), html)
        self.assertEqual(re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:|#)[^"'\s>]+""", html), [])
        self.assertEqual(re.findall(r"url\(\s*[\"']?(?!data:|#)[^)]+\)|@import", html), [])
        self.assertEqual(re.findall(r"\b(?:fetch|XMLHttpRequest|importScripts)\b", html), [])

    def test_moved_data_and_runs(self):
        """A run's job.toml finds its data from any folder, and --set leads to where they went."""
        run = self.train("rows.csv", "run", "--label", "digit", *self.train_rows)
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        process = self.start("verify", run)
        self.assertEqual(self.finish(process)[0], 0)
        again = self.train(run / "job.toml", "again")
        self.assertEqual(sha256(again), sha256(run))
        (self.folder / "rows.csv").rename(elsewhere / "rows.csv")
        moved = self.train(run / "job.toml", "moved", "--set", f"data.dir={elsewhere}")
        self.assertEqual(sha256(moved), sha256(run))

    def test_bad_records_can_be_left_out_and_are_listed(self):
        lines = support.picture_csv(300).splitlines()
        lines[20] = lines[20].replace(",", ",x", 1)
        lines[40] += ",9"
        self.write("some-bad.csv", "\n".join(lines) + "\n")
        run = self.train("some-bad.csv", "run", "--label", "digit", *self.train_rows,
                         "--set", "data.on_bad_record=skip")
        bad = [json.loads(line) for line in (run / "bad-records.jsonl").read_text().splitlines()]
        self.assertEqual([record["line"] for record in bad], [21, 41])
        for record in bad:
            self.assertIn("some-bad.csv", record["file"])
            self.assertTrue(record["reason"])


class Numbers(CommandTest):
    def test_a_target_that_is_a_number(self):
        self.write("rows.csv", support.number_csv(600))
        run = self.train("rows.csv", "run", "--label", "y")
        figures = json.loads(self.run_command("evaluate", run, "--data", "rows.csv", "--json")[0])
        # The noise alone has a deviation of 0.1; the target of about 3.7.
        self.assertGreater(figures["r2"], 0.97)
        self.assertNotIn("error", figures)
        out, _ = self.run_command("predict", run, "--data", "rows.csv")
        rows = list(csv.reader(out.splitlines()))
        self.assertEqual(rows[0], ["row", "predicted"])
        self.assertEqual(len(rows), 601)
        self.assertTrue(all(math.isfinite(float(row[1])) for row in rows[1:]))

    def test_one_row_explains_nothing_but_when_right(self):
        """r2 compares with the mean of the targets, which one row always is."""
        self.write("rows.csv", support.number_csv(200))
        run = self.train("rows.csv", "run", "--label", "y", "--set", "finetune.epochs=2")
        self.write("one.csv", "a,b,c,y\n0.5,0.5,0.5,99\n")
        figures = json.loads(self.run_command("evaluate", run, "--data", "one.csv", "--json")[0])
        self.assertGreater(figures["rmse"], 10)
        self.assertEqual(figures["r2"], 0)


class Pictures(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("t-images-idx3-ubyte.gz", support.compressed(support.idx_images(400)))
        self.write("t-labels-idx1-ubyte.gz", support.compressed(support.idx_labels(400)))

    def train_idx(self, run):
        return self.train("t-images-idx3-ubyte.gz", run, "--set", "model.kind=dbn",
                          "--set", "model.hidden=[16,8]", "--set", "pretrain.epochs=5",
                          "--set", "finetune.epochs=5")

    def test_render_gives_pictures(self):
        run = self.train_idx("run")
        for arguments in ((), ("--data", "t-images-idx3-ubyte.gz")):
            out, _ = self.run_command("render", run, "--out", "pictures", *arguments)
            paths = out.split()
            names = [path.rsplit("/", 1)[-1] for path in paths]
            self.assertEqual(names[:5], ["first-layer-filters.png", "reconstructions.png",
                                         "weights-layer-1.png", "biases-layer-1.png",
                                         "activations-layer-1.png"])
            for name in ("hinton-layer-2.png", "filters.pretrain.0.strip.png",
                         "reconstructions.pretrain.1.strip.png",
                         "weights.finetune.layer-3.strip.png"):
                self.assertIn(name, names)
            for path in paths:
                content = (self.folder / path).read_bytes()
                self.assertEqual(content[:8], b"\x89PNG\r\n\x1a\n")
                width, height = struct.unpack(">II", content[16:24])
                self.assertGreaterEqual(min(width, height), support.SIDE)
        report = (run / "report.html").read_text()
        for title in ("Over training", "Weights", "Hidden units"):
            self.assertIn(f"<h2>{title}</h2>", report)
        self.assertIn("data:image/png;base64,", report)

    def test_plain_and_compressed_idx_are_the_same_rows(self):
        packed = self.train_idx("packed")
        self.write("t-images-idx3-ubyte", support.idx_images(400))
        self.write("t-labels-idx1-ubyte", support.idx_labels(400))
        job = self.write("job.toml", (packed / "job.toml").read_text().replace(".gz", ""))
        self.assertEqual(sha256(self.train(job, "plain")), sha256(packed))

    def test_rows_that_are_no_pictures(self):
        self.write("numbers.csv", support.number_csv(100))
        run = self.train("numbers.csv", "run", "--label", "y", "--set", "finetune.epochs=1")
        names = self.run_command("render", run, "--out", "pictures")[0]
        self.assertIn("weights-layer-1.png", names)
        self.assertIn("activations-layer-1.png", names)
        self.assertNotIn("filters", names)


if __name__ == "__main__":
    unittest.main()
