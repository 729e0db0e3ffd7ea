"""The model file is the same, byte for byte, on any number of lanes, and `verify` says so."""

import json
import unittest

import support
from support import CommandTest, end_line, job_toml, sha256

SMALL_DBN = dict(
    model={"kind": "dbn", "hidden": [48, 24]},
    pretrain={"epochs": 3, "batch": 10},
    finetune={"epochs": 4, "batch": 10},
    reduce={"replicas": 9, "local_steps": 4})


class SameBytes(CommandTest):
    def hash_from(self, job, lanes):
        """Trains until every lane has run units, and returns the hash that all trainings gave. (On
        a busy machine a lane may get no turn in a training of a few milliseconds.)"""
        hashes = set()
        for attempt in range(8):
            run = self.train(job, f"{job.stem}-{lanes}-{attempt}", workers=lanes)
            end = end_line(run)
            hashes.add(sha256(run))
            self.assertEqual(hashes, {end["sha256"]})
            self.assertTrue(end["reproducible"])
            self.assertEqual(len(end["units_by_lane"]), lanes)
            if min(end["units_by_lane"]) > 0:
                return hashes.pop()
        self.fail(f"of {lanes} lanes one never ran a unit")

    def test_a_deep_belief_network_from_1_2_3_and_7_lanes(self):
        self.write("rows.csv", support.picture_csv(1500))
        job = self.write("dbn.toml", job_toml("rows.csv", **SMALL_DBN))
        hashes = {lanes: self.hash_from(job, lanes) for lanes in (1, 2, 3, 7)}
        self.assertEqual(len(set(hashes.values())), 1, hashes)

    def test_other_models_rules_and_units_from_1_and_3_lanes(self):
        self.write("rows.csv", support.picture_csv(600))
        self.write("numbers.csv", support.number_csv(600))
        reduce = {"replicas": 8, "local_steps": 2}
        short = {"epochs": 6, "batch": 10}
        gaussian = {"kind": "dbn", "hidden": [16], "visible": "gaussian"}
        cases = {
            "mlp": job_toml("rows.csv", model={"kind": "mlp", "hidden": [16, 8]}, finetune=short,
                            reduce=reduce),
            "adagrad": job_toml("rows.csv", model={"kind": "mlp", "hidden": [16]},
                                finetune=short | {"optimizer": "adagrad"}, reduce=reduce),
            "nesterov": job_toml("rows.csv", model={"kind": "mlp", "hidden": [16]}, finetune=short,
                                 reduce=reduce | {"outer": "nesterov", "outer_momentum": 0.5}),
            "logistic": job_toml("rows.csv", model={"kind": "logistic"}, finetune=short,
                                 reduce=reduce),
            "gaussian": job_toml("rows.csv", model=gaussian, pretrain=short, finetune=short,
                                 reduce=reduce),
            "rbm": job_toml("rows.csv", model={"kind": "rbm", "hidden": [16]}, pretrain=short,
                            reduce=reduce),
            "audited": job_toml("rows.csv", model={"kind": "mlp", "hidden": [16, 8]},
                                finetune=short, reduce=reduce | {"audit": 0.5}),
            "regress": job_toml("numbers.csv", "y", model={"kind": "mlp", "hidden": [16]},
                                finetune=short, reduce=reduce),
            "linear": job_toml("numbers.csv", "y", model={"kind": "linear"}, finetune=short,
                               reduce=reduce),
        }
        hashes = {}
        for name, text in cases.items():
            with self.subTest(name):
                job = self.write(f"{name}.toml", text)
                hashes[name] = self.hash_from(job, 1)
                self.assertEqual(hashes[name], self.hash_from(job, 3))
        # Units that are computed twice change no model; every other case is another one.
        self.assertEqual(hashes.pop("audited"), hashes["mlp"])
        self.assertEqual(len(set(hashes.values())), len(hashes))

    def test_every_way_of_training_from_1_and_3_lanes(self):
        self.write("rows.csv", support.picture_csv(600))
        self.write("more.csv", support.picture_csv(400, seed=5))
        reduce = {"replicas": 8, "local_steps": 2}
        short = {"epochs": 4, "batch": 10}
        dbn = {"kind": "dbn", "hidden": [16, 8]}

        def case(pretrain={}, finetune={}, model={}, **sections):
            return job_toml("rows.csv", model=dbn | model, pretrain=short | pretrain,
                            finetune=short | finetune, reduce=reduce, **sections)

        cases = {
            "persistent": case({"persistent": True, "cd_steps": 2}),
            "cd3": case({"cd_steps": 3}),
            "centred": case({"centering": True}),
            "sparse": case({"sparsity_target": 0.1}),
            "decayed": case({"l1": 0.001, "l2": 0.01, "max_norm": 2.0}),
            "dropout": case({}, {"dropout": 0.5, "input_dropout": 0.2, "max_norm": 3.0}),
            "clipped": case({}, {"clip_norm": 0.1}),
            "patient": case({}, {"patience": 1, "epochs": 30}),
            "cosine": case({}, {"schedule": "cosine", "warmup_epochs": 1.0}),
            "exponential": case({}, {"schedule": "exponential"}),
            "reset": case({"optimizer_state": "reset"}, {"optimizer_state": "reset"}),
            "balanced": case({}, {"balance_classes": True, "dropout": 0.1}),
            "rectified": case({}, {}, {"hidden_units": "rectified"}),
            "linear": case({}, {}, {"visible": "linear", "hidden_units": "gaussian"}),
            "softmax": case({}, {}, {"hidden_units": "softmax"}),
            "generative": case({}, {"method": "up_down"}, {"generative": True}),
            "discriminative": case({}, {}, {"generative": True}),
            "unlabelled": case(data={"unlabelled": "more.csv"}),
        }
        for rule in ("nesterov", "adagrad", "rmsprop", "adam"):
            cases[rule] = case({"optimizer": rule}, {"optimizer": rule})
        hashes = {}
        for name, text in cases.items():
            with self.subTest(name):
                job = self.write(f"{name}.toml", text)
                hashes[name] = self.hash_from(job, 1)
                self.assertEqual(hashes[name], self.hash_from(job, 3))
        self.assertEqual(len(set(hashes.values())), len(cases), hashes)

    def test_more_threads_than_replicas(self):
        # Layers and batches so large that a team of threads cuts them.
        self.write("rows.csv", support.picture_csv(900))
        short = {"epochs": 2, "batch": 100}
        cases = {
            "mlp": dict(model={"kind": "mlp", "hidden": [320, 96]}, finetune=short),
            "rbm": dict(model={"kind": "rbm", "hidden": [320]}, pretrain=short),
            "dbn": dict(model={"kind": "dbn", "hidden": [320, 96]}, pretrain=short,
                        finetune=short | {"dropout": 0.5, "input_dropout": 0.2}),
        }
        for name, sections in cases.items():
            for replicas in (1, 2):
                with self.subTest(name, replicas=replicas):
                    job = self.write(f"{name}-{replicas}.toml", job_toml(
                        "rows.csv", reduce={"replicas": replicas, "local_steps": 3}, **sections))
                    hashes = {}
                    for workers in (1, 2, 3, 4):
                        run = self.train(job, f"{job.stem}-{workers}", workers=workers)
                        hashes[workers] = sha256(run)
                        end = end_line(run)
                        self.assertEqual(end["threads"], workers)
                        self.assertEqual(len(end["units_by_lane"]), min(workers, replicas))
                    self.assertEqual(len(set(hashes.values())), 1, hashes)

    def test_pinned_instructions(self):
        self.write("rows.csv", support.picture_csv(900))
        short = {"epochs": 2, "batch": 100}
        job = self.write("dbn.toml", job_toml("rows.csv", pretrain=short, finetune=short,
                                              model={"kind": "dbn", "hidden": [320, 96]},
                                              reduce={"replicas": 1}))
        hashes = {}
        for isa in ("auto", "portable", "avx2", "avx512"):
            for workers in (1, 3):
                run = self.folder / f"{isa}-{workers}"
                code, _, messages = self.finish(self.start(
                    "train", job, "--workers", workers, "--set", f"output.dir={run}",
                    "--set", f"numerics.isa={isa}"))
                if code == 2:  # this machine lacks it
                    self.assertRegex(messages, rf"numerics\.isa: this processor has no {isa}: "
                                               r"wanted (portable|avx2) or less")
                    continue
                self.assertEqual(code, 0, messages)
                self.assertIn(end_line(run)["isa"], ("portable", "avx2", "avx512"))
                if isa != "auto":
                    self.assertEqual(end_line(run)["isa"], isa)
                    self.assertIn(f", {isa}", messages)
                hashes.setdefault(isa, set()).add(sha256(run))
        self.assertEqual({isa: len(found) for isa, found in hashes.items()},
                         dict.fromkeys(hashes, 1))
        # auto is the widest of those that the machine has.
        self.assertEqual(hashes["auto"], list(hashes.values())[-1])

    def test_rows_without_zeros_from_1_2_and_3_lanes(self):
        self.write("bags.svm", support.bags_svm(600))
        self.write("more.svm", support.bags_svm(200, seed=5))
        self.write("pictures.csv", support.picture_csv(600))
        reduce = {"replicas": 6, "local_steps": 2}
        short = {"epochs": 3, "batch": 10}

        def case(model, pretrain={}, finetune={}, rows="bags.svm", **sections):
            job = dict(pretrain=short | pretrain, finetune=short | finetune, reduce=reduce,
                       numerics={"sparse": "on"}) | sections
            data = {"label": None, "width": 300} if rows == "bags.svm" else {}
            return job_toml(rows, model=model, **job | {"data": data | job.get("data", {})})

        dbn = {"kind": "dbn", "hidden": [16, 8]}
        cases = {
            "mlp": case({"kind": "mlp", "hidden": [16]}),
            "logistic": case({"kind": "logistic"}),
            "dropout": case({"kind": "mlp", "hidden": [16]}, {}, {"input_dropout": 0.2}),
            "adam": case(dbn, {"optimizer": "adam"}, {"optimizer": "adam"}),
            "dbn": case(dbn),
            "centred": case({"kind": "rbm", "hidden": [16]}),
            "persistent": case(dbn, {"persistent": True, "cd_steps": 2}),
            "counts": case(dbn | {"visible": "softmax"}, {"learning_rate": 0.0001}),
            "generative": case(dbn | {"generative": True}, {}, {"method": "up_down"}),
            "unlabelled": case(dbn, data={"unlabelled": "more.svm"}),
            "pictures": case(dbn, rows="pictures.csv"),
        }
        hashes = {}
        for name, text in cases.items():
            with self.subTest(name):
                job = self.write(f"{name}.toml", text)
                hashes[name] = self.hash_from(job, 1)
                for lanes in (2, 3):
                    self.assertEqual(hashes[name], self.hash_from(job, lanes))
        self.assertEqual(len(set(hashes.values())), len(cases), hashes)

    def test_whether_zeros_are_left_out_follows_from_the_rows_alone(self):
        self.write("bags.svm", support.bags_svm(600))
        self.write("more.svm", support.bags_svm(200, seed=5))
        job = self.write("job.toml", job_toml("bags.svm", None, data={"test": "more.svm", "width": 300},
                                              model={"kind": "mlp", "hidden": [16]},
                                              finetune={"epochs": 3}))
        # About 6% of the values are not zero: that is little.
        by_count = self.train(job, "auto")
        self.assertEqual(sha256(by_count), sha256(self.train(job, "on", "--set", "numerics.sparse=on")))
        self.assertNotEqual(sha256(by_count),
                            sha256(self.train(job, "off", "--set", "numerics.sparse=off")))
        # Standardised, no value is zero but by chance.
        moved = [sha256(self.train(job, f"moved-{sparse}", "--set", "data.scale=standardise",
                                   "--set", f"numerics.sparse={sparse}"))
                 for sparse in ("auto", "off")]
        self.assertEqual(moved[0], moved[1])
        out, _ = self.run_command("verify", by_count, "--workers", 3)
        self.assertEqual(out, f"same bytes: {sha256(by_count)}\n")
        # The model file says how it multiplies: evaluate finds what training found.
        out, _ = self.run_command("evaluate", by_count, "--data", "more.svm", "--json")
        self.assertEqual(json.loads(out), end_line(by_count)["metrics"])

    def test_what_is_kept_of_frozen_layers_does_not_matter(self):
        self.write("rows.csv", support.picture_csv(2000))
        job = self.write("dbn.toml", job_toml("rows.csv", **SMALL_DBN))
        hashes = {sha256(self.train(job, f"cache-{mb}", "--set", f"engine.cache_mb={mb}"))
                  for mb in (0, 1, 64)}
        self.assertEqual(len(hashes), 1)

    def test_the_format_of_the_rows_does_not_matter(self):
        self.write("rows.csv", support.picture_csv(400))
        self.write("rows.csv.gz", support.compressed(support.picture_csv(400)))
        model = dict(model={"kind": "mlp", "hidden": [8]}, finetune={"epochs": 2, "batch": 10})
        plain = self.train(self.write("a.toml", job_toml("rows.csv", **model)), "plain")
        packed = self.train(self.write("b.toml", job_toml("rows.csv.gz", **model)), "packed")
        self.assertEqual(sha256(plain), sha256(packed))

    def test_another_seed_is_another_model(self):
        self.write("rows.csv", support.picture_csv(200))
        job = self.write("a.toml", job_toml("rows.csv", model={"kind": "mlp", "hidden": [8]},
                                            finetune={"epochs": 1}))
        self.assertNotEqual(sha256(self.train(job, "one", "--set", "job.seed=1")),
                            sha256(self.train(job, "two", "--set", "job.seed=2")))


class Verify(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("rows.csv", support.picture_csv(300))
        job = self.write("job.toml", job_toml("rows.csv", model={"kind": "mlp", "hidden": [8]},
                                              finetune={"epochs": 2}, reduce={"replicas": 3}))
        self.trained = self.train(job, "run")

    def test_says_same_bytes_on_another_number_of_lanes(self):
        before = sorted(path.name for path in self.trained.iterdir())
        out, _ = self.run_command("verify", self.trained, "--workers", 3)
        self.assertEqual(out, f"same bytes: {sha256(self.trained)}\n")
        self.assertEqual(sorted(path.name for path in self.trained.iterdir()), before,
                         "verify leaves nothing behind")

    def test_says_where_the_models_part(self):
        model = self.trained / "model.safetensors"
        content = bytearray(model.read_bytes())
        # The first tensor begins behind 8 bytes of length and the header. Bit 22 of its second
        # number halves or raises it by half.
        begin = 8 + int.from_bytes(content[:8], "little")
        content[begin + 4 + 2] ^= 0x40
        model.write_bytes(content)
        out, _ = self.run_command("verify", self.trained, code=1)
        self.assertRegex(out, r"^the models part at layer\.0\.weight[s]?\[1\]: \S+ and \S+\n")

    def test_says_so_when_the_rows_have_changed(self):
        self.write("rows.csv", support.picture_csv(300, seed=2))
        out, _ = self.run_command("verify", self.trained, code=1)
        self.assertIn("the models part at", out)


if __name__ == "__main__":
    unittest.main()
