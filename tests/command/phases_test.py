"""Pretraining once and finetuning often, rows without labels, nets that draw."""

import json

import support
from support import CommandTest, end_line, job_toml, metrics_lines, sha256

DBN = dict(model={"kind": "dbn", "hidden": [24, 12]}, pretrain={"epochs": 40, "batch": 10},
           finetune={"epochs": 8, "batch": 10}, reduce={"replicas": 4})


def tensors(run, lead="layer.0"):
    """Names of tensors with their bytes, of one layer."""
    content = (run / "model.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    return {name: body[slice(*entry["data_offsets"])]
            for name, entry in header.items() if name.startswith(lead)}


def phases(run):
    return {line["phase"] for line in metrics_lines(run)} - {""}


class Phases(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("rows.csv", support.picture_csv(600))

    def test_one_pretraining_serves_two_labels(self):
        # The same rows with a label that only says which half of the classes it is.
        lines = support.picture_csv(600).splitlines()
        half = [lines[0].replace("digit", "half")]
        half += [f"{line.rsplit(',', 1)[0]},{'low' if line[-1] < '2' else 'high'}"
                 for line in lines[1:]]
        self.write("half.csv", "\n".join(half) + "\n")
        job = self.write("dbn.toml", job_toml("rows.csv", **DBN))
        base = self.train(job, "base", "--phases", "pretrain")
        self.assertEqual(phases(base), {"pretrain.0", "pretrain.1"})

        other = self.write("half.toml", job_toml("half.csv", "half", **DBN))
        for name, config in (("digit", job), ("half", other)):
            run = self.train(config, name, "--phases", "finetune", "--start", base,
                             "--set", "finetune.layer.0.rate=0", "--set", "finetune.epochs=60")
            self.assertEqual(phases(run), {"finetune"})
            # The frozen layer is the one that was pretrained.
            self.assertEqual(tensors(run), tensors(base))
            self.assertLess(end_line(run)["metrics"]["error"], 0.2)

    def test_an_option_takes_one_value_and_leaves_the_job_alone(self):
        job = self.write("dbn.toml", job_toml("rows.csv", **DBN))
        self.run_command("train", "--phases", "pretrain", "--set", f"output.dir={self.folder}/run",
                         job)
        self.assertEqual(phases(self.folder / "run"), {"pretrain.0", "pretrain.1"})

    def test_both_phases_apart_are_both_phases_at_once(self):
        job = self.write("dbn.toml", job_toml("rows.csv", **DBN))
        base = self.train(job, "base", "--phases", "pretrain")
        apart = self.train(job, "apart", "--phases", "finetune", "--start", base)
        at_once = self.train(job, "at-once")
        self.assertEqual(sha256(apart), sha256(at_once))

    def test_a_finished_model_goes_on_with_its_label(self):
        job = self.write("mlp.toml", job_toml("rows.csv", model={"kind": "mlp", "hidden": [16]},
                                              finetune={"epochs": 6, "batch": 10}))
        first = self.train(job, "first")
        second = self.train(job, "second", "--start", first, "--set", "finetune.epochs=1")
        self.assertLess(end_line(second)["metrics"]["loss"], 1.2 * end_line(first)["metrics"]["loss"])

    def test_pretraining_alone_needs_no_label(self):
        unlabelled = "\n".join(line.rsplit(",", 1)[0]
                               for line in support.picture_csv(300).splitlines()) + "\n"
        self.write("unlabelled.csv", unlabelled)
        job = self.write("dbn.toml", job_toml("unlabelled.csv", label="", **DBN))
        run = self.train(job, "run", "--phases", "pretrain")
        self.assertIn("squared_error", end_line(run)["metrics"])
        _, message = self.run_command("train", job, "--set", "output.dir=x", code=2)
        self.assertIn("learns a label", message)

    def test_more_rows_without_labels_are_pretrained_on(self):
        # 300 rows more, whose label is nonsense: it is not read.
        more = support.picture_csv(300, seed=9).replace(",c", ",x")
        self.write("more.csv", more)
        job = self.write("dbn.toml", job_toml("rows.csv", data={"unlabelled": "more.csv"}, **DBN))
        run = self.train(job, "run")
        rows = {line["phase"]: line["rows"] for line in metrics_lines(run)
                if line["event"] == "phase"}
        self.assertEqual(rows["pretrain.0"], rows["finetune"] + 300)

    def test_a_model_that_does_not_fit_is_refused(self):
        job = self.write("dbn.toml", job_toml("rows.csv", **DBN))
        base = self.train(job, "base", "--phases", "pretrain")
        _, message = self.run_command("train", job, "--start", base, "--set",
                                         "model.hidden=[7]", "--set", "output.dir=x", code=2)
        self.assertIn("nothing of that model fits", message)
        self.write("numbers.csv", support.number_csv(100))
        _, message = self.run_command("train", "numbers.csv", "--label", "y", "--start", base,
                                         "--set", "output.dir=y", code=2)
        self.assertIn("was trained on", message)
        _, message = self.run_command("train", job, "--phases", "fine", "--set",
                                         "output.dir=z", code=2)
        self.assertIn("no phase 'fine'", message)

    def test_a_generative_net_draws_samples(self):
        job = self.write("dbn.toml", job_toml(
            "rows.csv", model={"kind": "dbn", "hidden": [24, 24], "generative": True},
            data={"image": [support.SIDE, support.SIDE]},
            pretrain={"epochs": 20, "batch": 10}, finetune={"method": "up_down", "epochs": 5}))
        run = self.train(job, "run")
        self.assertLess(end_line(run)["metrics"]["error"], 0.3)
        self.assertTrue((run / "pictures" / "samples.png").exists())

    def test_unscaled_columns_are_refused_for_gaussian_units(self):
        rows = ["height,weight,kind"] + [f"{170 + i % 9},{70000 + 13 * (i % 7)},{'ab'[i % 2]}"
                                         for i in range(60)]
        self.write("people.csv", "\n".join(rows) + "\n")
        job = self.write("people.toml", job_toml(
            "people.csv", "kind", data={"scale": "none"},
            model={"kind": "dbn", "hidden": [4], "visible": "gaussian"}))
        _, message = self.run_command("train", job, "--set", "output.dir=x", code=2)
        self.assertIn("'height' has mean", message)
        self.assertIn('data.scale = "standardise"', message)
