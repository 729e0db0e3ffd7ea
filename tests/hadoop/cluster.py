"""The Hadoop that the tests share (tools/hadoop), and a plain client of its WebHDFS.

ctest starts it once for all tests of the label yarn, below the build folder. By hand:

  tools/hadoop/hadoop up
  cd tests/hadoop && SUPERSTEP=../../build/release/bin/superstep python3 -m unittest hdfs_test
"""

import json
import os
import shutil
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "command"))

CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = Path(os.environ.get("SUPERSTEP_HADOOP", CHECKOUT / "build/hadoop"))


def hadoop(*arguments, root=ROOT):
    """Runs tools/hadoop/hadoop; its standard output."""
    done = subprocess.run([CHECKOUT / "tools/hadoop/hadoop", *arguments], capture_output=True, text=True,
                          env={**os.environ, "SUPERSTEP_HADOOP": str(root)})
    if done.returncode:
        raise AssertionError(f"hadoop {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def need_java():
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise unittest.SkipTest("there is no Java; tools/bootstrap.sh hadoop installs it")


def need_hadoop():
    """Skips the test where there is no Java or no cluster."""
    need_java()
    if not (ROOT / "cluster.json").exists():
        raise unittest.SkipTest(f"no Hadoop runs in {ROOT}; start one with: tools/hadoop/hadoop up")


class Hdfs:
    """WebHDFS without any of our code."""

    def __init__(self):
        ports = json.loads((ROOT / "cluster.json").read_text())["ports"]
        self.base = f"http://localhost:{ports}870/webhdfs/v1"
        self.folder = f"/test-{uuid.uuid4().hex[:12]}"  # of this test alone
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def url(self, path, op, **query):
        return f"{self.base}{urllib.parse.quote(path)}?" + urllib.parse.urlencode(
            {"op": op, "user.name": "root", **query})

    def ask(self, method, path, op, **query):
        request = urllib.request.Request(self.url(path, op, **query), method=method)
        with self.opener.open(request, timeout=60) as answer:
            return json.load(answer)

    def put(self, path, content):
        place = self.ask("PUT", path, "CREATE", overwrite="true", noredirect="true")["Location"]
        self.opener.open(urllib.request.Request(place, data=content, method="PUT"), timeout=60).close()

    def get(self, path):
        with self.opener.open(self.url(path, "OPEN"), timeout=60) as answer:
            return answer.read()

    def names(self, path):
        return sorted(entry["pathSuffix"]
                      for entry in self.ask("GET", path, "LISTSTATUS")["FileStatuses"]["FileStatus"])

    def remove(self, path):
        return self.ask("DELETE", path, "DELETE", recursive="true")["boolean"]


def until(true, what, limit=60):
    deadline = time.monotonic() + limit
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.05)
