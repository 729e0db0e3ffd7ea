"""A contestant's side of a contest: an epoch a line on standard input, a line of JSON back.

    turn.take(step, last)      # step(): one epoch, or whatever is measured; last(): after the last
"""

import json
import resource
import sys
import time


def processor():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def take(step, last=lambda: None):
    """`step` may return a dictionary of figures that go beside the seconds."""
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        wall, before = time.perf_counter(), processor()
        more = step() or {}
        seconds = {"seconds": time.perf_counter() - wall, "processor": processor() - before}
        print(json.dumps(seconds | more), flush=True)
    last()
