# SPDX-License-Identifier: GPL-2.0
"""The sequence scores by their definition, slow and plain: what train/ is compared with.

Witten-Bell: for a context h of k calls (0..order) with n calls seen after it, d of them distinct, c of them x:
p_k(x) = (c + d * p_{k-1}(x)) / (n + d), p_{-1} = 1/1024; a context never seen passes to the shorter one.
STIDE: the share of a thread's k-grams that training does not hold.

reference.py TRAINING JUDGED: a line a process instance of JUDGED: pid, name, calls, mean bits, highest mean of 20
and of 200 calls."""

import collections
import json
import math
import sys

BASE = 1 / 1024
WINDOWS = (20, 200)
WINDOW_MOST = 255 / 16

Instance = collections.namedtuple("Instance", "pid exec_id name exe runs")


def read(path):
    """Process instances of a JSON recording in order of appearance; runs: unbroken lists of calls, a thread each."""
    found, expected = {}, {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            if row["event.dataset"] != "cbtools.sequence" or row["event.kind"] != "event":
                continue
            calls, first = row["syscall.sequence"].split(" "), row["syscall.first"]
            key = row["process.pid"], row["process.exec.id"]
            if key not in found:
                found[key] = Instance(*key, row.get("process.name", ""), row.get("process.executable.path", ""), [])
            run = key + (row["process.thread.id"],)
            at, current = expected.get(run, (None, None))
            if at != first or row.get("event.lost"):
                current = []
                found[key].runs.append(current)
            current += calls
            expected[run] = first + len(calls), current
    return list(found.values())


class WittenBell:
    def __init__(self, instances, order=5):
        self.order, self.memo = order, {}
        self.seen = collections.defaultdict(collections.Counter)
        for i in instances:
            for run in i.runs:
                for at, x in enumerate(run):
                    for k in range(min(at, order) + 1):
                        self.seen[tuple(run[at - k : at])][x] += 1
        self.total = {h: sum(c.values()) for h, c in self.seen.items()}

    def bits(self, gram):
        """Of its last call after the others."""
        if gram not in self.memo:
            x, p = gram[-1], BASE
            for k in range(len(gram)):
                h = gram[len(gram) - 1 - k : -1]
                if h not in self.total:
                    break
                c, d = self.seen[h], len(self.seen[h])
                p = (c[x] + d * p) / (self.total[h] + d)
            self.memo[gram] = -math.log2(p)
        return self.memo[gram]

    def costs(self, run):
        return [self.bits(tuple(run[max(0, at - self.order) : at + 1])) for at in range(len(run))]

    def score(self, instance):
        """(calls, mean bits, highest window means); in a window a call counts at most WINDOW_MOST bits, and one not
        yet full is as if filled with zeros."""
        costs = [self.costs(run) for run in instance.runs]
        calls = sum(map(len, costs))
        best = []
        for w in WINDOWS:
            top = 0.0
            for c in costs:
                c = [min(x, WINDOW_MOST) for x in c]
                total = 0.0
                for at, x in enumerate(c):
                    total += x - (c[at - w] if at >= w else 0)
                    top = max(top, total / w)
            best.append(top)
        return calls, sum(map(sum, costs)) / max(calls, 1), *best


class Stide:
    def __init__(self, instances, k=6):
        self.k = k
        self.seen = {g for i in instances for g in self.grams(i)}

    def grams(self, instance):
        for run in instance.runs:
            yield from zip(*(run[i:] for i in range(self.k)))

    def score(self, instance):
        grams = list(self.grams(instance))
        return sum(g not in self.seen for g in grams) / max(len(grams), 1)


if __name__ == "__main__":
    model = WittenBell(read(sys.argv[1]))
    for i in read(sys.argv[2]):
        print(i.pid, i.name, "%d %.4f %.4f %.4f" % model.score(i))
