"""A job in which workers, coordinator and connections die all the time ends by itself, with the same bytes.

A fault counts only where it hit a lease that a worker held, a transfer under way, or a checkpoint half
written, and the list that is printed says how that was seen. The faults are drawn by a seed:
SUPERSTEP_SOAK_SEED, else the time; SUPERSTEP_SOAK says how many: 15, or 100 for the nightly run.
"""

import itertools
import os
import random
import re
import signal
import threading
import time
import unittest
from pathlib import Path

import support
from faulty_proxy import PIECE, Proxy
from processes_test import children
from support import CommandTest, job_toml, metrics_lines, sha256

FAULTS = int(os.environ.get("SUPERSTEP_SOAK", "15"))
SEED = int(os.environ.get("SUPERSTEP_SOAK_SEED", "0")) or time.time_ns() % 1_000_000
LONG = FAULTS > 20
LEAST = 10 if LONG else 2  # of each kind
WORKERS, REPLICAS = 3, 8
EVIDENCE = 10.0  # seconds after which a fault that shows nowhere hit nothing
PACE = 3e6  # bytes a second that a proxy lets through, so that the run outlasts its faults on any machine
LEASE, TRANSFER, CHECKPOINT = "lease", "transfer", "checkpoint"
# The state has 51 thousand numbers, and no transfer fewer than 16 thousand: four pieces of the proxy.
JOB = dict(
    model={"kind": "dbn", "hidden": [256, 128]},
    pretrain={"epochs": 30 * (8 if LONG else 1), "batch": 10},
    finetune={"epochs": 280 * (8 if LONG else 1), "batch": 10},
    reduce={"replicas": REPLICAS, "local_steps": 2},
    output={"checkpoint_seconds": 0})


def log_of(process):
    return Path(process.err.name).read_text(errors="replace")


def send(pids, what):
    for pid in pids:
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            pass


class Supervised:
    """The `process` engine: it starts again by itself what dies."""

    name = "engine"
    kinds = (LEASE, CHECKPOINT, LEASE)

    def __init__(self, test):
        self.process = test.start("train", *test.what_to_train(), "--engine", "process", "--workers", WORKERS)

    def workers(self):
        return children(self.process.pid)["worker"]

    def coordinator(self):
        return next(iter(children(self.process.pid)["coordinator"]), None)

    def messages(self):
        return log_of(self.process)

    def tend(self):
        """Whether the job goes on."""
        return self.process.poll() is None

    def pace(self, rate):
        pass

    def kill_everything(self):
        send([self.process.pid, self.coordinator(), *self.workers()], signal.SIGKILL)
        self.process.wait()

    def end(self, test):
        code, _, messages = test.finish(self.process)
        test.assertEqual(code, 0, messages)


class ByHand:
    """Coordinator and workers as a person starts them, each worker behind a proxy of its own."""

    name = "by hand"
    kinds = (TRANSFER, LEASE, TRANSFER, CHECKPOINT)
    WORKER_PATIENCE = support.PATIENCE // 2  # seconds: it outlasts a coordinator that is started again

    def __init__(self, test):
        self.test, self.seen = test, ""
        self.credentials = test.folder / "job.credentials"
        self.process = self.start_coordinator("127.0.0.1:0")

        def address():
            return re.search(r"--coordinator (\S+)", log_of(self.process))

        test.wait_for(address, "an address", lambda: self.process.poll() is None)
        self.address = address().group(1)
        host, _, port = self.address.rpartition(":")
        self.proxies = [Proxy((host, int(port))) for _ in range(WORKERS)]
        for proxy in self.proxies:
            test.addCleanup(proxy.close)
        self.started = [self.start_worker(proxy) for proxy in self.proxies]

    def start_coordinator(self, listen):
        # What goes through memory of this one machine, no proxy can hold up.
        return self.test.start("coordinator", *self.test.what_to_train(), "--listen", listen,
                               "--set", "engine.shared_memory=false", "--credentials", self.credentials)

    def start_worker(self, proxy):
        return self.test.start("worker", "--coordinator", proxy.address, "--credentials", self.credentials,
                               "--threads", 1, "--patience", self.WORKER_PATIENCE)

    def workers(self):
        return [worker.pid for worker in self.started if worker.poll() is None]

    def worker_behind(self, proxy):
        return self.started[self.proxies.index(proxy)].pid

    def coordinator(self):
        return self.process.pid if self.process.poll() is None else None

    def messages(self):
        return self.seen + log_of(self.process)

    def tend(self):
        if self.process.poll() == 0:
            return False
        if self.process.poll() is not None:
            self.test.assertEqual(self.process.returncode, -signal.SIGKILL, log_of(self.process))
            self.seen = self.messages()
            self.process = self.start_coordinator(self.address)
        for i, worker in enumerate(self.started):
            if worker.poll() not in (None, 0):
                self.test.assertEqual(worker.returncode, -signal.SIGKILL, log_of(worker))
                self.started[i] = self.start_worker(self.proxies[i])
        return True

    def pace(self, rate):
        for proxy in self.proxies:
            proxy.rate = rate

    def kill_everything(self):
        processes = [self.process, *self.started]
        send([process.pid for process in processes if process.poll() is None], signal.SIGKILL)
        for process in processes:
            process.wait()
        for proxy in self.proxies:
            proxy.close()

    def end(self, test):
        code, _, messages = test.finish(self.process)
        test.assertEqual(code, 0, messages)
        for worker in self.started:
            code, _, messages = test.finish(worker)
            # Who is behind a blackhole when the job ends hears no farewell, and gives up in time.
            if code != 0:
                test.assertIn(f"no coordinator at {worker.args[worker.args.index('--coordinator') + 1]}", messages)
                test.assertEqual(code, 1, messages)


class Recorder:
    """Looks at the run's status all the time, and keeps what is gone when an attempt dies."""

    def __init__(self, run):
        self.run, self.status, self.leases, self.memory = run, {}, {}, {}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.stopping.wait(0.1):
            status = support.status_of(self.run)
            if not status or status["updated"] == self.status.get("updated"):
                continue
            self.status = status
            attempt = status["attempt"]
            if status["leases"]:
                self.leases[attempt] = status["leases"]
            # A run that has ended makes its report.
            if status["state"] == "running" and (memory := resident(status["process"])):
                self.memory.setdefault(attempt, []).append(memory)

    def stop(self):
        self.stopping.set()
        self.thread.join()


def resident(pid):
    """Memory of a process in MB; None where it is gone."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(found.group(1)) / 1024 if found else None


def unpublished(folder, pid):
    """Names of the checkpoint that process `pid` has begun to write and not published, if any."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return [name for name in names if f".tmp-{pid}-" in name and name.startswith(".checkpoint-")]


class Soak(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("rows.csv", support.picture_csv(400))
        self.job = self.write("job.toml", job_toml("rows.csv", **JOB))
        self.run_folder = self.folder / "run"
        self.random = random.Random(SEED)
        self.counted, self.lines, self.deaths, self.past, self.form = {}, [], {}, "", None

    def what_to_train(self):
        if (self.run_folder / "attempt-1").exists():
            return [self.run_folder, "--resume"]
        return [self.job, "--set", f"output.dir={self.run_folder}"]

    def wait_for(self, condition, what, alive=None, seconds=support.PATIENCE):
        alive = alive or (lambda: not self.form or self.form.tend())
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if not alive():
                self.fail(f"ended before {what}\n{self.story()}")
            if time.monotonic() > deadline:
                self.fail(f"never came to {what}\n{self.story()}")
            time.sleep(0.005)
        return found

    def comes(self, condition, seconds=EVIDENCE):
        """What the condition finds, if it finds anything soon."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            if not self.form.tend():
                return None
            time.sleep(0.01)
        return None

    # Evidence: each answers what was seen, or None.

    def units_given_back(self, before):
        """Of workers that the coordinator found gone since its log had `before` characters."""
        gone = re.findall(r"worker \d+ on \S+ is gone; (\d+) of its units", self.form.messages()[before:])
        return sum(map(int, gone))

    def held_while_stopped(self, since):
        """Whether the status of later than `since` has workers that hold leases and are silent."""
        status = self.recorder.status
        if status.get("updated", 0) <= since:
            return None
        silent = [w for w in status["workers"] if w["here"] and w["heard"] < since and w["replicas"]]
        return f"{len(silent)} silent workers hold a unit" if silent else None

    def stop_in_checkpoint(self):
        """Stops the coordinator where it has half written a checkpoint; returns its pid and the file."""
        folder = self.run_folder / "checkpoints"
        deadline = time.monotonic() + EVIDENCE
        pid = self.form.coordinator()
        while pid and time.monotonic() < deadline and self.form.tend():
            if not unpublished(folder, pid):
                time.sleep(0.0002)
                continue
            send([pid], signal.SIGSTOP)
            time.sleep(0.002)
            if names := unpublished(folder, pid):
                return pid, names[0]
            send([pid], signal.SIGCONT)
        return None, None

    # Faults: each answers what it hit and how that was seen, or None.

    def kill_worker(self, all_of_them=False):
        workers = self.form.workers()
        before = len(self.form.messages())
        send(workers if all_of_them else [self.random.choice(workers)], signal.SIGKILL)
        units = self.comes(lambda: self.units_given_back(before), 2)
        return units and (LEASE, f"{units} units given back")

    def kill_all_workers(self):
        return self.kill_worker(all_of_them=True)

    def stop_worker(self, all_of_them=False, then=lambda: None):
        workers = self.form.workers()
        victims = workers if all_of_them else [self.random.choice(workers)]
        since = time.time()
        send(victims, signal.SIGSTOP)
        seen = self.comes(lambda: self.held_while_stopped(since), 4)
        if seen:
            then()
        send(victims, signal.SIGCONT)
        return seen and (LEASE, seen)

    def stop_all_workers(self):
        return self.stop_worker(all_of_them=True)

    def kill_coordinator_over_leases(self):
        return self.stop_worker(all_of_them=True, then=self.kill_coordinator)

    def kill_everything_over_leases(self):
        return self.stop_worker(all_of_them=True, then=self.kill_everything)

    def kill_everything(self):
        self.note_death()
        self.form.kill_everything()
        self.past += self.form.messages()

    def kill_coordinator(self):
        if pid := self.form.coordinator():
            send([pid], signal.SIGSTOP)
            self.note_death()
            send([pid], signal.SIGKILL)

    def note_death(self):
        """Keeps how far the attempt had come that is about to die, and how many had begun to train."""
        self.deaths[len(self.resumed_from())] = self.superstep()

    def resumed_from(self):
        """The superstep that each attempt went on from, 0 where it had no checkpoint."""
        found = re.findall(r"^model .*\n(?:resume +from superstep ([\d,]+))?", self.past + self.form.messages(), re.M)
        return [int(number.replace(",", "") or 0) for number in found]

    def in_checkpoint(self, act):
        pid, name = self.stop_in_checkpoint()
        if not pid:
            return None
        act()
        send([pid], signal.SIGCONT)
        return CHECKPOINT, f"{name} half written"

    def kill_coordinator_in_checkpoint(self):
        return self.in_checkpoint(self.kill_coordinator)

    def kill_everything_in_checkpoint(self):
        return self.in_checkpoint(self.kill_everything)

    def stop_coordinator_in_checkpoint(self):
        return self.in_checkpoint(lambda: time.sleep(self.random.uniform(0.5, 3)))

    def in_transfer(self, act):
        """Holds the link of a worker in the midst of a transfer, and does `act` to it there."""
        proxy = self.random.choice(self.form.proxies)
        way = self.random.choice((0, 1))
        trap = proxy.set_trap(way, self.random.randrange(PIECE + 2048, 2 * PIECE))
        if not self.comes(trap.sprung.is_set):
            proxy.trap = None
            proxy.go_on()
            return None
        act(proxy)
        return TRANSFER, f"{trap.moved:,} bytes of {('an update', 'a state')[way]} had passed"

    def cut(self):
        return self.in_transfer(lambda proxy: proxy.cut())

    def blackhole_that_heals(self):
        def heal(proxy):
            time.sleep(self.random.uniform(0.5, 4))
            proxy.go_on()
        return self.in_transfer(heal)

    def blackhole(self):
        # Its connections never hear anything again; new ones are let through.
        return self.in_transfer(lambda proxy: None)

    def slow_link(self):
        def slow(proxy):
            proxy.rate = self.random.uniform(50e3, 200e3)
            proxy.go_on()
            moved = proxy.bytes
            self.comes(lambda: proxy.bytes - moved > 100e3, 4)
            proxy.rate = PACE
        return self.in_transfer(slow)

    def kill_worker_in_transfer(self):
        return self.in_transfer(lambda proxy: (send([self.form.worker_behind(proxy)], signal.SIGKILL), proxy.cut()))

    def kill_coordinator_in_transfer(self):
        return self.in_transfer(lambda proxy: (self.kill_coordinator(), proxy.cut()))

    BY_KIND = {
        LEASE: (kill_worker, kill_all_workers, stop_worker, stop_all_workers, kill_coordinator_over_leases),
        CHECKPOINT: (kill_coordinator_in_checkpoint, stop_coordinator_in_checkpoint),
        TRANSFER: (cut, blackhole_that_heals, blackhole, slow_link, kill_worker_in_transfer,
                   kill_coordinator_in_transfer)}

    END_OF_FORM = (kill_everything_over_leases, kill_everything_in_checkpoint)

    def deal(self):
        """[(form, its faults)]; all is killed between two forms."""
        parts = 8 if LONG else 2
        turns = {kind: itertools.cycle(self.random.sample(faults, len(faults)))
                 for kind, faults in self.BY_KIND.items()}
        dealt = []
        for part in range(parts):
            form = (Supervised, ByHand)[part % 2]
            count = FAULTS * (2, 3)[part % 2] * 2 // (5 * parts)
            kinds = [form.kinds[i % len(form.kinds)] for i in range(count)]
            self.random.shuffle(kinds)
            faults = [next(turns[kind]) for kind in kinds]
            dealt.append((form, [*faults[:-1], self.random.choice(self.END_OF_FORM)] if part + 1 < parts else faults))
        return dealt

    def inject(self, fault):
        """Until it hits what it is meant to hit; not before its share of the run is done."""
        due = self.supersteps * sum(self.counted.values()) // (FAULTS + 3)
        self.form.pace(None)
        for _ in range(5):
            self.wait_for_progress()
            self.wait_for(lambda: self.superstep() >= due, f"superstep {due}")
            self.form.pace(PACE)
            begun = time.monotonic()
            seen = fault(self)
            took = time.monotonic() - begun
            if not seen:
                self.lines.append(f"      {fault.__name__} hit nothing ({self.form.name}, {took:.1f} s)")
                continue
            kind, evidence = seen
            self.counted[kind] = self.counted.get(kind, 0) + 1
            self.lines.append(f"{sum(self.counted.values()):4d}  {self.superstep():6d}  {self.form.name:8s} "
                              f"{kind:10s} {fault.__name__}: {evidence} ({took:.1f} s)")
            print(self.lines[-1], flush=True)
            return
        self.fail(f"{fault.__name__} hit nothing five times\n" + self.story())

    def superstep(self):
        return (self.run_folder / "metrics.jsonl").read_bytes().count(b"\n")

    def wait_for_progress(self):
        """Until a superstep is done by whoever works now."""
        metrics, last = self.run_folder / "metrics.jsonl", None

        def grew():
            nonlocal last
            before, last = last, metrics.stat().st_size if metrics.exists() else None
            return before is not None and last > before

        self.wait_for(grew, "a superstep")

    def story(self):
        messages = self.form.messages()[-3000:] if self.form else ""
        return "\n".join([f"seed {SEED}", *self.lines, messages])

    def test_faults(self):
        reference = self.train(self.job, "reference", workers=2)
        self.supersteps = len(metrics_lines(reference)) - 1
        self.recorder = Recorder(self.run_folder)
        self.addCleanup(self.recorder.stop)
        print(f"seed {SEED}: {FAULTS} faults", flush=True)
        for form, faults in self.deal():
            self.form = form(self)
            for fault in faults:
                self.inject(fault)
        self.form.pace(None)
        self.wait_for(lambda: not self.form.tend(), "the end of the run", lambda: True)
        self.form.end(self)
        self.recorder.stop()

        self.assertEqual(sum(self.counted.values()), FAULTS)
        for kind in (LEASE, TRANSFER, CHECKPOINT):
            self.assertGreaterEqual(self.counted.get(kind, 0), LEAST, kind)
        self.assertEqual(sha256(self.run_folder), sha256(reference))
        self.assert_no_process_left()
        self.assert_few_units_again()
        self.assert_memory_flat()

    def assert_no_process_left(self):
        def left():
            mine = os.fsencode(str(self.folder))
            found = []
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                except OSError:
                    continue
                if mine in text:
                    found.append(process.name)
            return found

        self.wait_for(lambda: not left(), "the end of all processes", lambda: True, 10)

    def assert_few_units_again(self):
        resumed = self.resumed_from()
        # Whole supersteps, and all of the one under way, for attempts that died; leases for workers.
        rounds = sum(done - resumed[attempt] + 1 for attempt, done in self.deaths.items())
        leases = sum(leases["released"] + leases["backups"] for leases in self.recorder.leases.values())
        again, needed = rounds * REPLICAS + leases, self.supersteps * REPLICAS
        share = again / (needed + again)
        print(f"units: {needed} needed, {again} computed again or in vain: {share:.1%}; "
              f"{len(self.deaths)} attempts died")
        self.assertLess(share, 0.5)

    def assert_memory_flat(self):
        """The most memory of a coordinator in the last third of the run, against the first."""
        samples = [m for attempt in sorted(self.recorder.memory) for m in self.recorder.memory[attempt]]
        third = max(1, len(samples) // 3)
        early, late = max(samples[:third]), max(samples[-third:])
        print("coordinator, MB, first to last of each attempt:",
              ", ".join(f"{m[0]:.0f} to {m[-1]:.0f}" for _, m in sorted(self.recorder.memory.items())))
        print(f"coordinator: {early:.0f} MB early, {late:.0f} MB late")
        self.assertLess(late, 1.2 * early + 8)


if __name__ == "__main__":
    unittest.main()
