"""The YARN application against the real daemons of tools/hadoop: the same bytes as on one thread, whatever is
killed, and no process left. One cluster serves all tests; one that runs already is used, and left running."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/command"))
import support
from cluster import Hdfs
from status_test import CHROMIUM
from support import CommandTest, end_line, job_toml, metrics_lines, sha256, status_of

HADOOP = SOURCE / "tools/hadoop/hadoop"
ROOT = Path(os.environ.get("SUPERSTEP_HADOOP", SOURCE / "build/hadoop"))
PATIENCE = 180  # seconds: several Java programs start on a machine that may be busy

JOB = dict(
    model={"kind": "dbn", "hidden": [64, 32]},
    pretrain={"epochs": 150, "batch": 10},
    finetune={"epochs": 500, "batch": 10},
    reduce={"replicas": 4, "local_steps": 3},
    output={"checkpoint_seconds": 0},
    engine={"memory": 384})


def setUpModule():
    packages = list((SOURCE / "build/package").glob("superstep-*/java/superstep-yarn.jar"))
    if not packages:
        raise unittest.SkipTest("no build/package with the YARN application: make package makes it")
    if not shutil.which("java") or not (SOURCE / "build/deps/hadoop/lib").is_dir():
        raise unittest.SkipTest("no Java, or no Hadoop: tools/bootstrap.sh hadoop installs them")
    global PROGRAM, STAGING
    STAGING = tempfile.mkdtemp(prefix="superstep-staging-")
    unittest.addModuleCleanup(shutil.rmtree, STAGING, ignore_errors=True)
    PROGRAM = packages[0].parents[1] / "bin/superstep"
    ran = subprocess.run([HADOOP, "status"], capture_output=True).returncode == 0
    subprocess.run([HADOOP, "up"], check=True, capture_output=True)
    if not ran:
        unittest.addModuleCleanup(subprocess.run, [HADOOP, "down"], check=True)


def arguments_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def processes(application):
    """{"master", "coordinator", "worker": [process ids]} of an application; a shell around one is none of them."""
    found = {"master": [], "coordinator": [], "worker": []}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if application not in os.readlink(entry / "cwd"):
                continue
        except OSError:
            continue
        for name in found:
            if name in arguments_of(entry.name):
                found[name].append(int(entry.name))
    return found


def node_of(pid):
    """The NodeManager whose container a process is."""
    return re.search(r"/(nm\d)/", os.readlink(f"/proc/{pid}/cwd")).group(1)


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return answer.read().decode()


class YarnTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.environment["HADOOP_CONF_DIR"] = str(ROOT / "conf")
        if "JAVA_HOME" in os.environ:
            self.environment["JAVA_HOME"] = os.environ["JAVA_HOME"]
        self.write("rows.csv", support.picture_csv(400))
        self.job = self.write("job.toml", job_toml("rows.csv", **JOB))
        # All of this machine: what workers must read is then in one local folder.
        self.run_folder = self.folder / "run"
        ports = json.loads((ROOT / "cluster.json").read_text())["ports"]
        self.manager = f"http://localhost:{ports}088"

    def wait_for(self, condition, what, process=None):
        deadline = time.monotonic() + PATIENCE
        while not (value := condition()):
            if process and process.poll() is not None:
                self.fail(f"ended before {what}: {self.messages(process)}")
            self.assertLess(time.monotonic(), deadline, f"never came to {what}")
            time.sleep(0.02)
        return value

    def messages(self, process):
        return Path(process.err.name).read_text()

    def start_on_yarn(self, *arguments, workers=3, job=None):
        """Starts the command; returns it and the application's id."""
        process = self.start_program("train", job or self.job, "--engine", "yarn", "--workers", workers, "--set",
                                     f"output.dir={self.run_folder}", "--set",
                                     f"engine.staging=file://{STAGING}", *arguments)
        found = self.wait_for(lambda: re.search(r"application_\d+_\d+", self.messages(process)), "an application",
                              process)
        # A test that fails leaves none behind: the application outlives the command.
        self.addCleanup(self.end_application, found.group())
        return process, found.group()

    def start_detached(self, job, run, *arguments):
        """Starts a job that is not followed, and ended with the test; returns its application's id."""
        code, out, messages = self.finish(self.start_program(
            "train", job, "--engine", "yarn", "--detach", "--set", f"output.dir={self.folder / run}", "--set",
            f"engine.staging=file://{STAGING}", *arguments))
        self.assertEqual(code, 0, messages)
        self.addCleanup(self.end_application, out.strip())
        return out.strip()

    def end_application(self, name):
        """By the ResourceManager itself, which is sooner done than by a command that starts a Java."""
        if self.application(name)["state"] in ("FINISHED", "FAILED", "KILLED"):
            return
        request = urllib.request.Request(
            f"{self.manager}/ws/v1/cluster/apps/{name}/state?user.name=root", method="PUT",
            data=b'{"state": "KILLED"}', headers={"Content-Type": "application/json"})
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()
        self.assert_gone(name)

    def status(self, name):
        code, out, messages = self.finish(self.start_program("status", name, "--json"))
        self.assertEqual(code, 0, messages)
        return json.loads(out)

    def stopped(self, *names):
        """Daemons that do not answer, until they are continued; and at the latest at the test's end."""
        pids = [int(subprocess.run([HADOOP, "pid", name], check=True, capture_output=True).stdout) for name in names]

        def go_on():
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

        self.addCleanup(go_on)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return go_on

    def start_program(self, *arguments):
        was, support.SUPERSTEP = support.SUPERSTEP, str(PROGRAM)
        try:
            return self.start(*arguments)
        finally:
            support.SUPERSTEP = was

    def finish(self, process):
        process.wait(PATIENCE)
        return super().finish(process)

    def reference(self, *arguments):
        return sha256(self.train(self.job, "reference", *arguments, workers=1))

    def hadoop(self, *words):
        subprocess.run([HADOOP, *words], check=True, capture_output=True)

    def application(self, name):
        return json.loads(get(f"{self.manager}/ws/v1/cluster/apps/{name}"))["app"]

    def wait_for_steps(self, count, process):
        self.wait_for(lambda: len(metrics_lines(self.run_folder)) > count, f"superstep {count}", process)

    @contextlib.contextmanager
    def held(self, name):
        """The workers that are there do not go on, and so no superstep ends meanwhile, nor the job."""
        workers = processes(name)["worker"]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def wait_for_workers(self, name, count, process):
        """All processes of an application once it has so many workers: a node that must fetch the package first is late."""
        with self.held(name):
            return self.wait_for(lambda: len((found := processes(name))["worker"]) == count and found,
                                 f"{count} workers", process)

    def assert_succeeded(self, process, name, *arguments):
        code, _, messages = self.finish(process)
        self.assertEqual(code, 0, messages)
        self.assertEqual(sha256(self.run_folder), self.reference(*arguments))
        state = self.wait_for(
            lambda: (a := self.application(name))["state"] == "FINISHED" and a, "the end of the application")
        self.assertEqual(state["finalStatus"], "SUCCEEDED")
        self.assert_gone(name)
        return messages

    def assert_gone(self, name):
        self.wait_for(lambda: not any(processes(name).values()), f"the end of all processes of {name}")


class Yarn(YarnTest):
    def test_three_containers_give_the_same_bytes_and_tell_how_it_goes(self):
        process, name = self.start_on_yarn("--set", "engine.tags=[\"Digits\"]", "--set", "engine.priority=0")
        self.wait_for_steps(20, process)
        found = self.wait_for_workers(name, 3, process)
        self.assertEqual(list(map(len, found.values())), [1, 1, 3])
        # The secret is in no argument, where every user of a node could read it.
        for pid in sum(found.values(), []):
            self.assertNotIn("7b22736563726574", " ".join(arguments_of(pid)))
        with self.held(name):
            page = self.wait_for(lambda: "pretrain" in (text := get(f"{self.manager}/proxy/{name}/")) and text, "the page", process)
            self.assertIn("<svg", page)
            self.assertEqual(json.loads(get(f"{self.manager}/proxy/{name}/status.json"))["state"], "running")
        first = self.application(name)["progress"]
        self.wait_for(lambda: self.application(name)["progress"] > first, "progress", process)
        self.assertIn("digits", self.application(name)["applicationTags"])
        # Who does not come through the proxy sees nothing. (From 127.0.0.1 all come through it here.)
        messages = self.assert_succeeded(process, name)
        self.assertIn(f"{self.manager}/proxy/{name}/", messages)
        self.assertEqual(end_line(self.run_folder)["leases"]["released"], 0)
        logs = self.start_program("logs", name)
        code, out, messages = self.finish(logs)
        self.assertEqual(code, 0, messages)
        self.assertIn("worker 1.3 on 127.0.0.", out)

    def test_a_killed_worker_is_replaced(self):
        process, name = self.start_on_yarn()
        for steps in (20, 60):
            self.wait_for_steps(steps, process)
            victim = self.wait_for(lambda: processes(name)["worker"], "a worker", process)[0]
            os.kill(victim, signal.SIGKILL)
        messages = self.assert_succeeded(process, name)
        self.assertEqual(messages.count("it was killed from outside (signal 9); another is asked for"), 2, messages)

    def test_a_killed_coordinator_goes_on(self):
        process, name = self.start_on_yarn()
        self.wait_for_steps(30, process)
        workers = self.wait_for_workers(name, 3, process)["worker"]
        (coordinator,) = processes(name)["coordinator"]
        os.kill(coordinator, signal.SIGKILL)
        self.wait_for(lambda: processes(name)["coordinator"] not in ([], [coordinator]), "another", process)
        self.assertEqual(processes(name)["worker"], workers)
        messages = self.assert_succeeded(process, name)
        self.assertIn("the coordinator ended (exit code 137); it is started again", messages)

    def test_after_a_killed_application_master_the_workers_stay(self):
        process, name = self.start_on_yarn()
        self.wait_for_steps(30, process)
        workers = self.wait_for_workers(name, 3, process)["worker"]
        (master,) = processes(name)["master"]
        os.kill(master, signal.SIGKILL)
        self.wait_for(lambda: processes(name)["master"] not in ([], [master]), "another attempt", process)
        self.wait_for(lambda: processes(name)["coordinator"], "another coordinator", process)
        steps = len(metrics_lines(self.run_folder))
        self.wait_for_steps(steps + 5, process)
        self.assertEqual(processes(name)["worker"], workers)
        messages = self.assert_succeeded(process, name)
        self.assertIn("attempt 2 goes on with the workers that it found: ", messages)

    def test_more_than_a_container_can_have_is_refused_before_it_is_submitted(self):
        process = self.start_program("train", self.job, "--engine", "yarn", "--set", "engine.memory=100000")
        code, _, messages = self.finish(process)
        self.assertEqual(code, 1)
        self.assertRegex(messages, r"engine.memory: the job wants \d+ MB .*, and a container of this cluster has at most 3072")

    def test_a_job_that_fails_says_why(self):
        job = self.write("runaway.toml", job_toml("rows.csv", **JOB | {
            "finetune": {"epochs": 5, "batch": 10, "learning_rate": 1e6, "optimizer": "sgd"}}))
        process, name = self.start_on_yarn(job=job)
        code, _, messages = self.finish(process)
        local, _, told = self.finish(self.start_program("train", job, "--quiet"))
        # Which of the replicas says it first is chance.
        whose = [re.sub(r"replica .*", "", text.splitlines()[-1]) for text in (messages, told)]
        self.assertEqual((code, whose[0]), (local, whose[1]))
        self.assertIn("the end of the log of container_", messages)
        self.assertEqual(self.application(name)["finalStatus"], "FAILED")
        self.assertIn("wanted a finite number", self.application(name)["diagnostics"])
        self.assert_gone(name)

    def test_the_page_through_the_proxy_in_a_browser(self):
        if not CHROMIUM:
            self.skipTest("no chromium here to open the page in")
        process, name = self.start_on_yarn("--set", "pretrain.epochs=3", "--set", "finetune.epochs=1000000")
        self.wait_for(lambda: (s := status_of(self.run_folder)) and s["phase"] == "finetune" and s["epoch"] > 1, "finetuning", process)
        address = f"{self.manager}/proxy/{name}/"

        def shown():
            return subprocess.run(
                [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server",
                 f"--user-data-dir={self.folder / 'browser'}", "--window-size=1000,2400", "--dump-dom", address],
                check=True, capture_output=True, text=True, timeout=PATIENCE).stdout

        # What scripts drew: a canvas in each of the charts. The page is written now and then.
        dom = self.wait_for(lambda: len(re.findall(r"<canvas[ >]", page := shown())) == 3 and page, "three charts", process)
        self.assertIn('<strong id="state">running</strong>', dom)
        links = {link for link in re.findall(r'(?:href|src)="([^"#]*)"', dom) if link and not link.startswith("data:")}
        self.assertEqual(links, {"metrics.jsonl", "status.json"})
        for link in links:
            self.assertTrue(get(address + link))
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(process)[0], 75)

    def test_a_full_queue_gives_one_container_now_and_the_others_late(self):
        # The queue has 2304 MB: two masters of 768 MB and two workers of 384.
        endless = ("--set", "finetune.epochs=1000000", "--set", "engine.queue=narrow")
        other = self.start_detached(self.job, "other", *endless, "--workers", 1)
        self.wait_for(lambda: processes(other)["worker"], "the other's worker")
        process, name = self.start_on_yarn("--set", "engine.queue=narrow")
        self.wait_for_steps(20, process)
        self.assertEqual(len(processes(name)["worker"]), 1)
        self.end_application(other)
        self.wait_for_workers(name, 3, process)
        messages = self.assert_succeeded(process, name)
        self.assertIn("waits for a container in queue root.narrow", messages)
        self.assertRegex(self.application(name)["diagnostics"], r"Containers: 3 granted")

    def test_containers_that_have_nothing_to_do_are_given_back_and_counted(self):
        # Until the data are read nobody knows that six are too many for four replicas.
        hdfs = Hdfs()
        self.addCleanup(hdfs.remove, hdfs.folder)
        hdfs.put(f"{hdfs.folder}/rows.csv", (self.folder / "rows.csv").read_bytes())
        go_on = self.stopped("dn1", "dn2")
        shorter = ("--set", "pretrain.epochs=20", "--set", "finetune.epochs=300")
        process, name = self.start_on_yarn(*shorter, "--set", f"data.train=hdfs://{hdfs.folder}/rows.csv", workers=6)
        self.wait_for(lambda: len(processes(name)["worker"]) == 6, "six workers", process)
        go_on()
        self.wait_for_steps(20, process)
        self.assertEqual(self.status(name)["containers"] | {"done": 0},
                         dict.fromkeys(("done", "failed", "killed", "memory", "preempted", "node_lost", "disk"), 0) |
                         {"granted": 6, "released": 2})
        messages = self.assert_succeeded(process, name, *shorter)
        self.assertEqual(messages.count("has nothing to do and is given back"), 2)
        self.assertIn("Containers: 6 granted, 2 given back", self.application(name)["diagnostics"])


class YarnNightly(YarnTest):
    """What takes longer: lost nodes, a restart, memory, the other commands."""

    def test_a_lost_node_is_told_and_what_it_left_ends(self):
        longer = ("--set", "finetune.epochs=1500")
        process, name = self.start_on_yarn(*longer)
        self.wait_for_steps(20, process)
        found = self.wait_for_workers(name, 3, process)
        masters = {node_of(pid) for pid in found["master"]}
        nodes = [node_of(pid) for pid in found["worker"]]
        alone = [node for node in nodes if node not in masters]
        if not alone:
            self.skipTest("all workers are on the node of the application master")
        self.addCleanup(self.hadoop, "start", alone[0])
        self.hadoop("kill", alone[0])
        messages = self.assert_succeeded(process, name, *longer)
        self.assertIn("its node is lost; another is asked for", messages)

    def test_a_lost_node_of_the_application_master(self):
        longer = ("--set", "finetune.epochs=1500")
        process, name = self.start_on_yarn(*longer)
        self.wait_for_steps(20, process)
        node = node_of(processes(name)["master"][0])
        self.addCleanup(self.hadoop, "start", node)
        self.hadoop("kill", node)
        messages = self.assert_succeeded(process, name, *longer)
        self.assertEqual(len(list(self.run_folder.glob("attempt-*"))), 2, messages)

    def test_a_restart_of_the_resource_manager_disturbs_nobody(self):
        process, name = self.start_on_yarn()
        self.wait_for_steps(20, process)
        workers = processes(name)["worker"]
        self.addCleanup(self.hadoop, "start", "rm")
        self.hadoop("kill", "rm")
        self.hadoop("start", "rm")
        self.assert_succeeded(process, name)
        self.assertEqual(end_line(self.run_folder)["leases"]["released"], 0)
        self.assertTrue(workers)

    def test_containers_over_their_memory_are_told_in_plain_words_and_change_nothing(self):
        # The cluster rounds up to 64 MB, which a worker passes after a while: each gets something done.
        process, name = self.start_on_yarn("--set", "engine.memory=16", workers=1)
        messages = self.assert_succeeded(process, name)
        self.assertIn("it was killed for using more than its 64 MB of memory (engine.memory); another is asked for",
                      messages)

    def test_two_attempts_at_once(self):
        # Without its node's daemon, which would end what the first attempt has left.
        longer = ("--set", "finetune.epochs=1500")
        process, name = self.start_on_yarn(*longer)
        self.wait_for_steps(30, process)
        ((first,), (master,)) = (processes(name)[kind] for kind in ("coordinator", "master"))
        node = node_of(master)
        self.addCleanup(self.hadoop, "start", node)
        self.hadoop("kill", node)
        for pid in (master, first):
            os.kill(pid, signal.SIGSTOP)
        self.wait_for(lambda: set(processes(name)["coordinator"]) - {first}, "another coordinator", process)
        self.wait_for_steps(len(metrics_lines(self.run_folder)) + 5, process)
        self.assertLessEqual({master, first}, set(sum(processes(name).values(), [])))
        for pid in (first, master):
            os.kill(pid, signal.SIGCONT)
        self.wait_for(lambda: not {master, first} & set(sum(processes(name).values(), [])), "the end of the first", process)
        self.assert_succeeded(process, name, *longer)

    def test_the_name_node_is_away_for_20_seconds(self):
        hdfs = Hdfs()
        self.addCleanup(hdfs.remove, hdfs.folder)
        hdfs.put(f"{hdfs.folder}/rows.csv", (self.folder / "rows.csv").read_bytes())
        longer = ("--set", "finetune.epochs=1500")
        process, name = self.start_on_yarn(
            *longer, "--set", f"data.train=hdfs://{hdfs.folder}/rows.csv", "--set", f"output.dir=hdfs://{hdfs.folder}/run",
            "--set", "output.checkpoint_seconds=2")

        def superstep():
            try:
                return json.loads(hdfs.get(f"{hdfs.folder}/run/status.json"))["superstep"]
            except (OSError, KeyError):
                return 0

        self.wait_for(lambda: superstep() > 0, "the first status", process)
        self.hadoop("kill", "nn")
        self.addCleanup(self.hadoop, "start", "nn")
        time.sleep(20)
        self.hadoop("start", "nn")
        before = superstep()
        self.wait_for(lambda: superstep() > before, "a status after the NameNode came back", process)
        code, _, messages = self.finish(process)
        self.assertEqual(code, 0, messages)
        model = hdfs.get(f"{hdfs.folder}/run/model.safetensors")
        self.assertEqual(hashlib.sha256(model).hexdigest(), self.reference(*longer))
        self.assertNotIn("attempt-2", hdfs.names(f"{hdfs.folder}/run"))
        self.assert_gone(name)
        _, logs, _ = self.finish(self.start_program("logs", name))
        self.assertIn("trying again", logs)

    def test_a_preempted_container_is_told_counted_and_replaced(self):
        # With its master (3072 MB) and two workers (2688) the job has all but 768 MB of the cluster. The other's queue has a
        # right to 30%, and its master wants 1408.
        process, name = self.start_on_yarn("--set", "engine.memory=2688", workers=2)
        self.wait_for_steps(20, process)
        self.wait_for_workers(name, 2, process)
        with self.held(name):
            other = self.start_detached(self.job, "other", "--set", "finetune.epochs=1000000", "--set", "engine.queue=first",
                                        "--set", "engine.memory=1024", "--workers", 1)
            self.wait_for(lambda: "(preemption); another is asked for" in self.messages(process), "a preemption", process)
            self.assertGreaterEqual(self.status(name)["containers"]["preempted"], 1)
            self.end_application(other)
        self.wait_for_workers(name, 2, process)
        messages = self.assert_succeeded(process, name)
        self.assertIn("the cluster took it back for another application (preemption); another is asked for", messages)
        self.assertRegex(self.application(name)["diagnostics"], r"Containers: [34] granted, [12] preempted")

    def test_stopped_and_gone_on_with_here(self):
        process, name = self.start_on_yarn()
        self.wait_for_steps(20, process)
        process.send_signal(signal.SIGINT)
        code, _, messages = self.finish(process)
        self.assertEqual(code, 75, messages)
        self.assertEqual(self.application(name)["finalStatus"], "KILLED")
        self.assert_gone(name)
        self.run_command("train", self.run_folder, "--resume", "--set", "engine.kind=local")
        self.assertEqual(sha256(self.run_folder), self.reference())

    def test_detached_looked_at_and_killed(self):
        process = self.start_program("train", self.job, "--engine", "yarn", "--detach", "--set",
                                     f"output.dir={self.run_folder}", "--set", "finetune.epochs=100000")
        code, out, messages = self.finish(process)
        self.assertEqual(code, 0, messages)
        name = out.strip()
        self.wait_for_steps(20, None)
        _, out, _ = self.finish(self.start_program("status", name, "--json"))
        self.assertEqual(json.loads(out)["run"]["state"], "running")
        code, _, messages = self.finish(self.start_program("kill", name))
        self.assertEqual(code, 0, messages)
        self.wait_for(lambda: self.application(name)["state"] == "FINISHED", "its end")
        self.assertIn("stopped as asked", self.application(name)["diagnostics"])
        self.assert_gone(name)

    def test_by_the_yarn_command_too(self):
        conf = ROOT / "conf"
        jars = SOURCE / "build/deps/hadoop/lib/*"
        command = ["java", "-cp", f"{conf}:{jars}", "org.apache.hadoop.util.RunJar",
                   str(PROGRAM.parents[1] / "java/superstep-yarn.jar"), "train", str(self.job), "--workers", "2", "--set",
                   f"output.dir={self.run_folder}", "--set", "pretrain.epochs=3", "--set", "finetune.epochs=3"]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(end_line(self.run_folder)["reproducible"])


if __name__ == "__main__":
    unittest.main()
