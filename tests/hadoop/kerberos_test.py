"""HDFS with Kerberos: a ticket, a delegation token, and what is said of a token that is not taken."""

import json
import shutil
import subprocess
import unittest

from cluster import ROOT, hadoop, need_java
from support import CommandTest, job_toml, picture_csv, sha256

KERBEROS = ROOT.with_name(ROOT.name + "-kerberos")


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


if __name__ == "__main__":
    unittest.main()
