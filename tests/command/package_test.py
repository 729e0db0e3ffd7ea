"""The relocatable package runs where there is nothing else: no shell, no C library, no /etc, no /proc."""

import hashlib
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import support
from support import CommandTest, job_toml, sha256

SOURCE = Path(__file__).resolve().parents[2]
JOB = dict(
    model={"kind": "dbn", "hidden": [16]},
    pretrain={"epochs": 3, "batch": 10},
    finetune={"epochs": 3, "batch": 10},
    reduce={"replicas": 4, "local_steps": 3})


@unittest.skipUnless(os.geteuid() == 0, "chroot needs root")
class Package(CommandTest):
    @classmethod
    def setUpClass(cls):
        archives = list((SOURCE / "build/package").glob("superstep-*.tar.gz"))
        if not archives:
            raise unittest.SkipTest("no build/package: make package makes it")
        (cls.archive,) = archives

    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        self.root.mkdir()
        subprocess.run(["tar", "-xzf", self.archive, "-C", self.root], check=True)
        (self.package,) = self.root.iterdir()

    def inside(self, *arguments, code=0):
        done = subprocess.run([shutil.which("chroot"), self.root, f"/{self.package.name}/bin/superstep", *arguments],
                              env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=support.PATIENCE)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout, done.stderr

    def test_its_list_of_contents_is_true(self):
        lines = (self.package / "CONTENTS").read_text().splitlines()
        listed = {}
        for line in lines:
            size, digest, name = re.fullmatch(r" *(\d+)  ([0-9a-f]{64})  (\S+)", line).groups()
            listed[name] = (int(size), digest)
        found = {}
        for file in self.package.rglob("*"):
            if file.is_file() and file.name != "CONTENTS":
                content = file.read_bytes()
                found[str(file.relative_to(self.package))] = (len(content), hashlib.sha256(content).hexdigest())
        self.assertEqual(listed, found)
        self.assertIn("licences/superstep", found)
        self.assertIn("lib/libc.so.6", found)

    def test_help_and_version(self):
        out, _ = self.inside("--help")
        self.assertIn("train", out)
        out, _ = self.inside("--version")
        self.assertIn(out.strip(), self.package.name)

    def test_it_trains_in_processes_of_its_own_to_the_same_bytes(self):
        rows = support.picture_csv(200)
        self.write("rows.csv", rows)
        expected = sha256(self.train(self.write("job.toml", job_toml("rows.csv", **JOB)), "run"))
        (self.root / "rows.csv").write_text(rows)
        (self.root / "job.toml").write_text(job_toml("/rows.csv", **JOB))
        self.inside("train", "/job.toml", "--engine", "process", "--workers", "2", "--set", "output.dir=/run")
        self.assertEqual(sha256(self.root / "run"), expected)


if __name__ == "__main__":
    unittest.main()
