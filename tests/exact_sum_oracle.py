"""The exact sum against Python's fractions.

    tests/exact_sum_oracle.py build/release/bin/exact_sum_cases [--seed N] [--cases N]

Makes up updates (1 to 1,000 replicas, ragged weights from 0 to 2^28, magnitudes from 1e-38 to 2^10,
roots of second moments near 1e-14), an order, a grouping and a wire form for each case, lets the
C++ side add them, and compares every integer and every value with exact arithmetic. Prints its seed;
the same seed makes the same cases.
"""

import argparse
import math
import random
import struct
import subprocess
import sys
from fractions import Fraction


def to_float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def magnitudes(rng, log2_limit):
    """A float32 of any size below the limit: plain, tiny, at the limit, zero, a root of 1e-14."""
    kind = rng.randrange(6)
    limit = 2.0**log2_limit
    if kind == 0:
        x = rng.gauss(0, 1e-3) * limit
    elif kind == 1:
        x = 10 ** rng.uniform(-38, 0) * limit / 1024
    elif kind == 2:
        x = limit if rng.random() < 0.5 else limit * rng.uniform(0.5, 1)
    elif kind == 3:
        x = 0.0
    elif kind == 4:
        x = math.sqrt(1e-14 * rng.uniform(0.5, 2))
    else:
        x = rng.choice([1, 3, 5, 7]) * 2.0 ** -rng.randrange(30, 60)  # ties of the rounding
    x = to_float32(x if rng.random() < 0.5 else -x)
    return max(-limit, min(limit, x))


class Case:
    """`second_moments`: one tensor of roots near 1e-7, all of the planned rows, all positive."""

    def __init__(self, rng, second_moments=False):
        n = self.units = min(1000, int(10 ** rng.uniform(0, 3.05)))
        heavy = rng.random() < 0.3
        self.weights = [
            0 if rng.random() < 0.1 else rng.randint(1, 2**28 if heavy else 60000) for _ in range(n)
        ]
        if sum(self.weights) == 0:
            self.weights[0] = 1
        # Some units come with fewer rows than planned.
        slack = 0 if second_moments else rng.choice([0, 0, 1, 1000, sum(self.weights)])
        self.planned = sum(self.weights) + slack
        self.tensors = [
            (rng.choice(["mean", "mean", "sum"]), rng.choice([10, 10, 0, 20, -20]), rng.randint(1, 20))
            for _ in range(rng.randint(1, 3))
        ]
        if second_moments:
            self.tensors = [("mean", 10, 8)]
        self.updates = [
            [
                to_float32(math.sqrt(1e-14 * rng.uniform(0.5, 2)))
                if second_moments
                else magnitudes(rng, limit)
                for _, limit, count in self.tensors
                for _ in range(count)
            ]
            for _ in range(n)
        ]
        self.second_moments = second_moments
        order = list(range(n))
        rng.shuffle(order)
        self.steps = self.grouping(rng, order)

    def grouping(self, rng, order):
        """A random tree over the updates in this order, as steps for a stack of sums."""
        steps = []
        if len(order) <= 3 or rng.random() < 0.3:
            steps.append("new")
            steps += [f"{rng.choice(['add', 'add', 'halves'])} {k}" for k in order]
        else:
            cut = rng.randint(1, len(order) - 1)
            steps += self.grouping(rng, order[:cut]) + self.grouping(rng, order[cut:]) + ["join"]
        if rng.random() < 0.2:
            steps.append("wire")
        return steps

    def text(self):
        words = [f"case {self.planned} {self.units} {len(self.tensors)}"]
        words += [f"{combine} {limit} {count}" for combine, limit, count in self.tensors]
        words.append(f"updates {self.units}")
        for weight, update in zip(self.weights, self.updates):
            words.append(f"{weight} " + " ".join(x.hex() for x in update))
        words.append(f"steps {len(self.steps)}")
        return "\n".join(words + self.steps) + "\n"

    def check(self, answer):
        words = answer.split()
        weight = sum(self.weights)
        size = sum(count for _, _, count in self.tensors)
        assert len(words) == 2 + 2 * size, f"{len(words)} words, wanted {2 + 2 * size}"
        assert int(words[0]) == weight and int(words[1]) == self.units, words[:2]
        integers = [int(w) for w in words[2 : 2 + size]]
        values = [float.fromhex(w) for w in words[2 + size :]]
        at = 0
        for combine, limit, count in self.tensors:
            most = self.planned if combine == "mean" else self.units
            scale = Fraction(2) ** (62 - limit - (most - 1).bit_length())
            for _ in range(count):
                self.check_element(at, combine, scale, weight, integers[at], values[at])
                at += 1

    def check_element(self, at, combine, scale, weight, integer, value):
        products = [
            Fraction(update[at]) * (w if combine == "mean" else 1)
            for w, update in zip(self.weights, self.updates)
            if w > 0
        ]
        wanted = sum(round(p * scale) for p in products)  # round() of a Fraction goes to even
        assert integer == wanted, f"element {at}: integer {integer}, wanted {wanted}"
        assert abs(integer) <= 2**62 + self.units

        divisor = weight if combine == "mean" else 1
        # double(sum) * 2^-S / W, each step rounded to nearest even.
        quotient = float(Fraction(float(wanted)) / scale / divisor)
        assert value == quotient, f"element {at}: value {value.hex()}, wanted {quotient.hex()}"

        # And no further from the true mean than the header says.
        true = sum(products) / divisor
        off = abs(Fraction(value) - true)
        assert off <= self.units / scale / 2 / divisor + abs(true) * Fraction(1, 2**51), f"element {at}"
        if self.second_moments:
            assert abs(Fraction(value) ** 2 - true**2) <= true**2 / 2**20, f"element {at}: 20 bits"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=20140601)
    parser.add_argument("--cases", type=int, default=120)
    args = parser.parse_args()
    print(f"seed {args.seed}, {args.cases} cases")
    rng = random.Random(args.seed)
    cases = [Case(rng, second_moments=i % 4 == 3) for i in range(args.cases)]
    while cases[0].units != 1000:  # the largest is always there
        cases[0] = Case(rng)
    text = "".join(case.text() for case in cases)
    run = subprocess.run([args.program], input=text, capture_output=True, text=True, check=True)
    answers = run.stdout.splitlines()
    assert len(answers) == len(cases), f"{len(answers)} answers to {len(cases)} cases"
    for i, (case, answer) in enumerate(zip(cases, answers)):
        try:
            case.check(answer)
        except AssertionError as error:
            print(f"case {i} of seed {args.seed} ({case.units} updates): {error}")
            return 1
    print(
        f"{sum(c.units for c in cases)} updates, {sum(len(c.steps) for c in cases)} steps: "
        f"all integers and values as in exact arithmetic"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
