"""Bad input ends in an error that says where it is and what was wanted, and leaves no model.

Each case is a row of a table: what is wrong, how it is made, the exit code (2 usage or config, 1
otherwise), and the words that the message must hold.
"""

import os
import resource
import signal
import struct
import unittest

import support
from support import CommandTest, job_toml, sha256

ROWS = 60
IRIS = "a,b,kind\n" + "".join(
    f"{i % 7}.5,{i % 5},{'odd' if i % 2 else 'even'}\n" for i in range(ROWS))
QUICK = ("--set", "finetune.epochs=1", "--set", "model.hidden=[4]")


def with_line(text, number, line):
    """The text with one line replaced; lines are numbered from 1."""
    lines = text.splitlines()
    lines[number - 1] = line
    return "\n".join(lines) + "\n"


class BadData(CommandTest):
    """`superstep train` on files that are not what they should be."""

    def check(self, content, code, words, name="rows.csv", label="kind", beside=None, extra=()):
        files = {name: content} | (beside or {})
        for file, its_content in files.items():
            self.write(file, its_content)
        run = self.folder / "run"
        arguments = ["train", name, "--set", f"output.dir={run}", *QUICK, *extra]
        if label:
            arguments += ["--label", label]
        out, err = self.run_command(*arguments, code=code)
        for word in words:
            self.assertIn(word, err)
        self.assertEqual(out, "", "an error is no answer")
        self.assertEqual(list(run.glob("*.safetensors")), [])

    def test_csv(self):
        csv = support.compressed(IRIS)
        damaged = bytearray(csv)
        damaged[len(damaged) // 2] ^= 0xFF
        cases = {
            "truncated gzip": (dict(content=csv[:-20], name="rows.csv.gz"), 1,
                               ["rows.csv.gz", "byte ", "cut short"]),
            "corrupt gzip": (dict(content=bytes(damaged), name="rows.csv.gz"), 1,
                             ["rows.csv.gz", "byte ", "damaged"]),
            "field missing": (dict(content=with_line(IRIS, 10, "1.5,even")), 1,
                              ["rows.csv:10", "2 fields", "3"]),
            "field too many": (dict(content=with_line(IRIS, 11, "1.5,2,even,9")), 1,
                               ["rows.csv:11", "4 fields", "3"]),
            "text in a numeric column": (dict(content=with_line(IRIS, 12, "1.5,two,even")), 1,
                                         ["rows.csv:12", "'b'", "'two'", "number"]),
            "NaN in a cell": (dict(content=with_line(IRIS, 13, "nan,2,even")), 1,
                              ["rows.csv:13", "'a'", "'nan'", "number"]),
            "infinity in a cell": (dict(content=with_line(IRIS, 14, "1e999,2,even")), 1,
                                   ["rows.csv:14", "'a'", "'1e999'", "number"]),
            "empty cell": (dict(content=with_line(IRIS, 15, "1.5,,even")), 1,
                           ["rows.csv:15", "'b'", "number"]),
            "empty file": (dict(content=""), 1, ["rows.csv", "empty"]),
            "header alone": (dict(content="a,b,kind\n"), 1, ["rows.csv", "no records"]),
            "binary file": (dict(content=b"\x7fELF\x00\x00\x01" * 50), 1, ["rows.csv", "byte "]),
            "no such label": (dict(content=IRIS, label="knd"), 2,
                              ["label", "'knd'", "rows.csv", "'kind'"]),
            "one class": (dict(content="a,b,kind\n" + "1.5,2,even\n" * 50), 1,
                          ["'kind'", "'even'", "two classes"]),
        }
        for name, (case, code, words) in cases.items():
            with self.subTest(name):
                self.check(**case, code=code, words=words)

    def test_idx(self):
        images, labels = support.idx_images(ROWS), support.idx_labels(ROWS)
        name, beside = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
        cases = {
            "cut short": (dict(content=images[:-100], beside={beside: labels}), 1,
                          [name, "cut short", f"{ROWS} rows"]),
            "compressed and cut short": (dict(content=support.compressed(images[:-100]),
                                              name=name + ".gz", beside={beside: labels}), 1,
                                         [name + ".gz", "cut short at byte", "row "]),
            "cut in the header": (dict(content=images[:7], beside={beside: labels}), 1,
                                  [name, "byte 7", "header"]),
            "wrong magic": (dict(content=b"\0\0\x08\x07" + images[4:], beside={beside: labels}), 1,
                            [name, "byte 0", "00 00 08 07", "magic"]),
            "values that are no bytes": (dict(content=b"\0\0\x0d\x03" + images[4:],
                                              beside={beside: labels}), 1,
                                         [name, "byte 2", "0d", "wanted 08"]),
            "other counts": (dict(content=images, beside={beside: support.idx_labels(ROWS - 1)}), 1,
                             [name, f"{ROWS} rows", beside, f"{ROWS - 1} labels"]),
            "bytes left over": (dict(content=images + b"x", beside={beside: labels}), 1,
                                [name, "more bytes", "byte "]),
        }
        for what, (case, code, words) in cases.items():
            with self.subTest(what):
                for old in self.folder.glob("train-*"):
                    old.unlink()
                self.check(**{"name": name, "label": None} | case, code=code, words=words)


class BadCommandLine(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("rows.csv", IRIS)

    def test_of_usage_and_config(self):
        job = self.write("job.toml", job_toml("rows.csv", "kind", finetune={"epoch": 3}))
        text = self.write("text.toml", "[finetune]\nepochs = \"many\"\n")
        syntax = self.write("syntax.toml", "[finetune]\nepochs = = 3\n")
        section = self.write("section.toml", "[finetunes]\nepochs = 3\n")
        train = ("train", "rows.csv", "--label", "kind")
        cases = {
            "no verb": ((), ["subcommand"]),
            "unknown verb": (("trian", "rows.csv"), ["'trian'", "train, evaluate"]),
            "unknown option": ((*train, "--wrkers", "2"), ["--wrkers"]),
            "unknown key": ((*train, "--set", "finetune.epoch=3"), ["epoch", "epochs", "--set"]),
            "unknown key in a file": (("train", job), ["job.toml:5", "epoch", "epochs"]),
            "unknown section": (("train", section), ["section.toml:1", "finetunes", "finetune"]),
            "syntax": (("train", syntax), ["syntax.toml:2"]),
            "no key at all": ((*train, "--set", "epochs"), ["epochs", "section.key=value"]),
            "value out of range": ((*train, "--set", "finetune.epochs=-1"),
                                   ["epochs", "-1", "0"]),
            "fraction out of range": ((*train, "--set", "data.test_fraction=1.5"),
                                      ["test_fraction", "1.5", "below 1"]),
            "text for a number": (("train", text), ["text.toml:2", "epochs", "many"]),
            "no such choice": ((*train, "--set", "model.kind=mpl"), ["kind", "mpl", "mlp"]),
            "workers": ((*train, "--workers", "-2"), ["workers", "-2"]),
            "engine": ((*train, "--engine", "ray"), ["engine", "ray", "local"]),
            "no package": ((*train, "--engine", "yarn"), ["engine yarn", "make package", "docs/yarn.md"]),
            "flat model with hidden layers": (
                (*train, "--set", "model.kind=logistic", "--set", "model.hidden=[3]"),
                ["model.hidden", "logistic"]),
            "more replicas than rows": ((*train, "--set", "reduce.replicas=1000"),
                                        ["replicas", "1000"]),
            "no label": (("train", "rows.csv", "--set", "data.drop=[\"kind\"]"), ["label"]),
            "no run to resume": ((*train, "--resume"), ["resume"]),
        }
        for name, (arguments, words) in cases.items():
            with self.subTest(name):
                out, err = self.run_command(*arguments, code=2)
                for word in words:
                    self.assertIn(word, err)
                self.assertEqual(out, "")
                self.assertFalse((self.folder / "runs").exists(), "nothing was begun")

    def test_no_such_file(self):
        model = self.train("rows.csv", "run", "--label", "kind", *QUICK)
        cases = {
            "data to train on": (("train", "nothing.csv", "--label", "kind"), "nothing.csv"),
            "job": (("train", "nothing.toml"), "nothing.toml"),
            "data to evaluate on": (("evaluate", model, "--data", "nothing.csv"), "nothing.csv"),
            "data to predict": (("predict", model, "--data", "nothing.csv"), "nothing.csv"),
            "model": (("evaluate", "nothing.safetensors", "--data", "rows.csv"),
                      "nothing.safetensors"),
            "model to describe": (("describe", "nothing.safetensors"), "nothing.safetensors"),
        }
        for name, (arguments, word) in cases.items():
            with self.subTest(name):
                code, out, err = self.finish(self.start(*arguments))
                self.assertIn(code, (1, 2))
                self.assertIn(word, err)
                self.assertRegex(err, "(?i)no such file")
                self.assertEqual(out, "")

    def test_output_folder_in_use(self):
        run = self.train("rows.csv", "run", "--label", "kind", *QUICK)
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        _, err = self.run_command("train", "rows.csv", "--label", "kind", "--set",
                                  f"output.dir={run}", code=2)
        self.assertIn(str(run), err)
        self.assertIn("--resume", err)
        self.assertEqual({path: path.read_bytes() for path in run.rglob("*") if path.is_file()}, before)
        _, err = self.run_command("train", run, "--resume", code=2)
        self.assertIn("finished", err)

    def test_resume_of_another_job(self):
        job = self.write("job.toml", job_toml("rows.csv", "kind", model={"hidden": [4]},
                                              output={"checkpoint_seconds": 0}))
        run = self.train(job, "run", "--set", "finetune.epochs=200")
        (run / "model.safetensors").unlink()
        _, err = self.run_command("train", run, "--resume", "--set", "finetune.learning_rate=0.5",
                                  code=2)
        self.assertIn("job", err)
        self.assertFalse((run / "model.safetensors").exists())


class BadModel(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("rows.csv", IRIS)
        self.trained = self.train("rows.csv", "run", "--label", "kind", *QUICK)
        self.model = (self.trained / "model.safetensors").read_bytes()
        self.header_end = 8 + struct.unpack("<Q", self.model[:8])[0]

    def test_model_files(self):
        self.assertEqual(self.model.count(b"superstep 1"), 1)
        hidden = b'\\"hidden\\":[4]'
        self.assertEqual(self.model.count(hidden), 1)
        bad = {
            "empty": (b"", ["byte 0"]),
            "cut in the length": (self.model[:5], ["byte 5", "cut short"]),
            "cut in the header": (self.model[:60], ["byte 60", "cut short"]),
            "cut in the tensors": (self.model[:self.header_end + 10],
                                   [f"byte {self.header_end + 10}", "cut short"]),
            "cut by one byte": (self.model[:-1], ["cut short"]),
            "one byte more": (self.model + b"x", ["1 bytes left over"]),
            "of a newer version": (self.model.replace(b"superstep 1", b"superstep 9"),
                                   ["format 9", "up to 1"]),
            "of somebody else": (self.model.replace(b"superstep 1", b"megastep 10"),
                                 ["no model of Superstep"]),
            "of another shape": (self.model.replace(hidden, hidden.replace(b"4", b"5")),
                                 ["tensors", "2-5-2"]),
            "of no shape": (self.model.replace(hidden, hidden.replace(b"4", b"0")),
                            ["hidden layer of 0 units"]),
            "of no kind": (self.model.replace(b'\\"mlp\\"', b'\\"mlq\\"'),
                           ["'mlq'", "logistic, linear, mlp, rbm, dbn"]),
            "something else": (IRIS.encode() * 10, ["safetensors"]),
        }
        for name, (content, words) in bad.items():
            with self.subTest(name):
                path = self.write("bad.safetensors", content)
                for verb in (("describe", path), ("evaluate", path, "--data", "rows.csv"),
                             ("predict", path, "--data", "rows.csv")):
                    out, err = self.run_command(*verb, code=1)
                    for word in ["bad.safetensors", *words]:
                        self.assertIn(word, err)
                    self.assertEqual(out, "")

    def test_data_that_do_not_fit_the_model(self):
        cases = {
            "unknown label": (with_line(IRIS, 9, "1.5,2,prime"), ["evaluate"],
                              ["other.csv:9", "'kind'", "'prime'", "'even'", "'odd'"]),
            "column missing": (IRIS.replace("a,b,kind", "a,c,kind"), ["evaluate", "predict"],
                               ["other.csv", "'b'", "'c'"]),
            "text in a numeric column": (with_line(IRIS, 8, "one,2,odd"), ["evaluate", "predict"],
                                         ["other.csv:8", "'a'", "'one'", "number"]),
        }
        for name, (content, verbs, words) in cases.items():
            with self.subTest(name):
                self.write("other.csv", content)
                for verb in verbs:
                    out, err = self.run_command(verb, self.trained, "--data", "other.csv", code=1)
                    for word in words:
                        self.assertIn(word, err)
                    self.assertEqual(out, "")

    def test_evaluation_without_a_label(self):
        self.write("other.csv", "a,b\n1.5,2\n")
        _, err = self.run_command("evaluate", self.trained, "--data", "other.csv", code=1)
        for word in ("other.csv", "must hold the label 'kind'", "predict"):
            self.assertIn(word, err)

    def test_predictions_are_written_whole_or_not_at_all(self):
        self.write("other.csv", with_line(IRIS, 50, "one,2,odd"))
        self.run_command("predict", self.trained, "--data", "other.csv", "--out", "answers.csv",
                         code=1)
        self.assertEqual([path.name for path in self.folder.glob("*answers*")], [])


class Diverging(CommandTest):
    def test_a_value_that_is_not_finite_ends_the_job(self):
        self.write("rows.csv", support.number_csv(300))
        self.write("pictures.csv", support.picture_csv(300))
        dbn = ("--set", "model.kind=dbn", "--set", "model.hidden=[8]")
        cases = {
            "finetune": (("rows.csv", "--label", "y", "--set", "finetune.learning_rate=1e5"),
                         "layer.0.weight"),
            "pretrain.0": (("pictures.csv", "--label", "digit", *dbn, "--set",
                            "pretrain.learning_rate=1e6"), "layer.0.weight"),
        }
        for phase, (arguments, tensor) in cases.items():
            with self.subTest(phase):
                run = self.folder / phase
                _, err = self.run_command("train", *arguments, "--set", f"output.dir={run}", code=1)
                for word in (phase, "epoch 0", "superstep", "replica", tensor, "learning rate"):
                    self.assertIn(word, err)
                self.assertFalse((run / "model.safetensors").exists())


class FullDisk(CommandTest):
    """A limit on the size of files stands for a disk without room: writes fail in the same way."""

    @staticmethod
    def limit(size):
        def set_limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return set_limit

    def test_no_room_for_the_model(self):
        self.write("rows.csv", support.picture_csv(200))
        # A model of 64 x 500 numbers is 150 kB; all else that is written before it is smaller.
        job = self.write("job.toml", job_toml("rows.csv", model={"kind": "mlp", "hidden": [500]},
                                              finetune={"epochs": 2}))
        run = self.folder / "run"
        _, err = self.run_command("train", job, "--set", f"output.dir={run}", code=1,
                                  preexec_fn=self.limit(100_000), restore_signals=False)
        self.assertIn("model.safetensors", err)
        self.assertIn("write", err)
        self.assertEqual(list(run.glob("*safetensors*")), [], "no part of a model stays")
        # With room again it goes on.
        self.run_command("train", run, "--resume")
        self.assertEqual(sha256(run), sha256(self.train(job, "straight")))

    def test_no_room_for_a_checkpoint_is_said_and_training_goes_on(self):
        self.write("rows.csv", support.picture_csv(200))
        job = self.write("job.toml", job_toml("rows.csv", model={"kind": "mlp", "hidden": [300]},
                                              finetune={"epochs": 20, "momentum": 0.0},
                                              output={"checkpoint_seconds": 0}))
        run = self.folder / "run"
        # The model is 80 kB. A checkpoint holds it twice: as it is and as it was best.
        _, err = self.run_command("train", job, "--set", f"output.dir={run}", code=0,
                                  preexec_fn=self.limit(130_000), restore_signals=False)
        self.assertIn("no checkpoint at superstep", err)
        self.assertEqual(list((run / "checkpoints").glob("*.json")), [])
        self.assertEqual(sha256(run), sha256(self.train(job, "straight")))

    @unittest.skipUnless(os.path.exists("/dev/full"), "this system has no /dev/full")
    def test_no_room_for_the_answers(self):
        self.write("rows.csv", IRIS)
        run = self.train("rows.csv", "run", "--label", "kind", *QUICK)
        for arguments in (("predict", run, "--data", "rows.csv"),
                          ("evaluate", run, "--data", "rows.csv"), ("describe", run)):
            with self.subTest(arguments[0]), open("/dev/full", "wb") as full:
                _, err = self.run_command(*arguments, code=1, stdout=full)
                self.assertIn("cannot write", err)


if __name__ == "__main__":
    unittest.main()
