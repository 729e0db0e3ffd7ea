"""HDFS with Kerberos: a ticket, a delegation token, and what is said of a token that is not taken."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from cluster import CHECKOUT, ROOT, hadoop, need_java, until
from support import CommandTest, job_toml, picture_csv, sha256

KERBEROS = ROOT.with_name(ROOT.name + "-kerberos")


def arguments_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def containers(root):
    """The process ids of what runs in containers of the cluster there."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd").startswith(f"{root}/data/nm"):
                yield int(entry.name)
        except OSError:
            continue


class Kerberos(CommandTest):
    @classmethod
    def setUpClass(cls):
        need_java()
        if shutil.which("curl") is None:
            raise unittest.SkipTest("there is no curl, which takes the first token")
        cls.addClassCleanup(hadoop, "down", root=KERBEROS)
        hadoop("up", "--kerberos", root=KERBEROS)
        ports = json.loads((KERBEROS / "cluster.json").read_text())["ports"]
        cls.base = f"http://localhost:{ports}870/webhdfs/v1"

    def setUp(self):
        super().setUp()
        self.environment["HADOOP_CONF_DIR"] = str(KERBEROS / "conf")
        self.ticket = {"KRB5_CONFIG": f"{KERBEROS}/kdc/krb5.conf", "KRB5CCNAME": f"FILE:{self.folder}/tickets",
                       "KRB5_CLIENT_KTNAME": f"FILE:{KERBEROS}/kdc/daemons.keytab"}

    def curl(self, *arguments):
        done = subprocess.run(["curl", "-sS", "--fail-with-body", "--noproxy", "*", *map(str, arguments)],
                              env=self.environment | self.ticket, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_a_ticket_or_a_token_trains_and_a_bad_token_is_named(self):
        table = self.write("rows.csv", picture_csv(200))
        self.curl("--negotiate", "-u", ":", "-L", "-T", table, f"{self.base}/data/rows.csv?op=CREATE&overwrite=true")
        token = json.loads(self.curl("--negotiate", "-u", ":", f"{self.base}/?op=GETDELEGATIONTOKEN"))[
            "Token"]["urlString"]
        settings = {"model": {"kind": "mlp", "hidden": [8]}, "finetune": {"epochs": 3, "patience": 0}}
        self.train(self.write("here.toml", job_toml(table, **settings)), "here")
        here = sha256(self.folder / "here")
        job = self.write("there.toml", job_toml("hdfs:///data/rows.csv", **settings))

        _, said = self.run_command("train", job, code=1)
        self.assertIn("wants a Kerberos ticket", said)

        plain = dict(self.environment)
        self.environment.update(self.ticket)
        self.train(job, "ticket")
        self.assertEqual(sha256(self.folder / "ticket"), here)

        self.environment = plain | {"SUPERSTEP_HDFS_TOKEN": token}
        run = "hdfs:///runs/token"
        self.run_command("train", job, "--set", f"output.dir={run}")
        described, _ = self.run_command("describe", run)
        self.assertIn(here, described)
        metrics = self.curl("-L", f"{self.base}/runs/token/metrics.jsonl?op=OPEN&delegation={token}")
        self.assertIn(here, metrics)
        self.assertNotIn(token, metrics)

        for bad in ("nonsense", token[:30] + ("AAAA" if token[30:34] != "AAAA" else "BBBB") + token[34:]):
            self.environment["SUPERSTEP_HDFS_TOKEN"] = bad
            _, said = self.run_command("train", job, code=1)
            self.assertIn("the delegation token is wrong, cancelled or expired", said)
            self.assertNotIn(bad, said)

        self.environment["SUPERSTEP_HDFS_TOKEN"] = token
        self.curl("-X", "PUT", f"{self.base}/?op=CANCELDELEGATIONTOKEN&token={token}&delegation={token}")
        _, said = self.run_command("train", job, code=1)
        self.assertIn("cancelled or expired: get a new one", said)


class OnYarn(CommandTest):
    """A job on YARN that outlives its tokens."""

    LIFE = 60  # seconds of a token

    @classmethod
    def setUpClass(cls):
        need_java()
        cls.program = next((CHECKOUT / "build/package").glob("superstep-*/bin/superstep"), None)
        if cls.program is None:
            raise unittest.SkipTest("no build/package: make package makes it")
        cls.addClassCleanup(hadoop, "down", root=KERBEROS)
        hadoop("up", "--kerberos", "--token-life", str(cls.LIFE), root=KERBEROS)

    def setUp(self):
        super().setUp()
        self.environment |= {
            "HADOOP_CONF_DIR": str(KERBEROS / "conf"), "KRB5_CONFIG": f"{KERBEROS}/kdc/krb5.conf",
            "KRB5CCNAME": f"FILE:{self.folder}/tickets", "KRB5_CLIENT_KTNAME": f"FILE:{KERBEROS}/kdc/daemons.keytab",
            "JAVA_TOOL_OPTIONS": f"-Djava.security.krb5.conf={KERBEROS}/kdc/krb5.conf"}
        if "JAVA_HOME" in os.environ:
            self.environment["JAVA_HOME"] = os.environ["JAVA_HOME"]

    def test_new_tokens_are_taken_by_the_keytab_and_reach_all_containers(self):
        port = json.loads((KERBEROS / "cluster.json").read_text())["ports"]
        table = self.write("rows.csv", picture_csv(200))
        done = subprocess.run(["curl", "-sS", "--fail-with-body", "--noproxy", "*", "--negotiate", "-u", ":", "-L", "-T", str(table),
                               f"http://localhost:{port}870/webhdfs/v1/data/rows.csv?op=CREATE&overwrite=true"],
                              env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        job = self.write("job.toml", job_toml(
            "hdfs:///data/rows.csv", model={"kind": "mlp", "hidden": [8]}, finetune={"epochs": 1_000_000, "batch": 10},
            reduce={"replicas": 2, "local_steps": 2}, output={"checkpoint_seconds": 2},
            engine={"memory": 384, "principal": "client/localhost@SUPERSTEP.LOCAL", "keytab": f"{KERBEROS}/kdc/daemons.keytab"}))
        told = open(self.folder / "messages", "w")
        self.addCleanup(told.close)
        process = subprocess.Popen(
            [self.program, "train", job, "--engine", "yarn", "--workers", "2", "--set", "output.dir=hdfs:///runs/long"],
            cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=told)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def status():
            done = subprocess.run([self.program, "status", "hdfs:///runs/long", "--json"], env=self.environment,
                                  capture_output=True, text=True)
            self.assertIsNone(process.poll(), (self.folder / "messages").read_text())
            if done.returncode != 0:
                print(done.stderr, end="")  # expected until there is one
                return None
            return json.loads(done.stdout)

        until(lambda: status() is not None, "the first status", limit=180)
        began = time.monotonic()
        until(lambda: time.monotonic() - began > 1.5 * self.LIFE and status(), "the second life of a token", limit=4 * self.LIFE)
        # A worker that comes this late is given what is good now, and finds the data with it.
        lost = status()["workers_lost"]
        worker = next(pid for pid in containers(KERBEROS) if "worker" in arguments_of(pid))
        os.kill(worker, signal.SIGKILL)
        until(lambda: (s := status()) and s["workers_lost"] > lost and sum(w["here"] for w in s["workers"]) == 2, "its successor", limit=60)
        before = status()["superstep"]
        until(lambda: status()["superstep"] > before, "supersteps after that")
        # As long as it runs: the nodes collect logs by the tokens of a container's start (docs/yarn-admin.md).
        logs = "".join(log.read_text() for log in KERBEROS.glob("data/nm*/logs/*/*/stderr"))
        self.assertGreaterEqual(logs.count("new tokens, good for"), 2, logs)
        self.assertIn("info: new tokens from hdfs://", logs)  # a worker says so
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(120), 75, (self.folder / "messages").read_text())


if __name__ == "__main__":
    unittest.main()
