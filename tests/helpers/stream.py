#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stream.py [--seconds N] [--seed N] [--from SECOND] [--csv] [--attack NAME...] [--odd]: rows as the collectors
write them of a made server, for tests of ctrain and cdetect. Same arguments, same bytes.

The server (image srv, program /usr/sbin/srv) has a master and two workers; a job runs every 10 s. Attacks happen
from the middle on. --odd adds a dataset of a third party, with its schema row."""

import argparse
import json
import random
import sys

p = argparse.ArgumentParser()
p.add_argument("--seconds", type=int, default=120)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--from", dest="begin", type=int, default=0)
p.add_argument("--csv", action="store_true")
p.add_argument("--attack", nargs="*", default=[])
p.add_argument("--container", default="web")
p.add_argument("--image", default="srv")
p.add_argument("--lose", type=int, default=0, help="so many rows are lost in the middle")
p.add_argument("--odd", action="store_true")
p.add_argument("--no-start", action="store_true", help="the container runs already")
a = p.parse_args()
rnd = random.Random(a.seed)
rows = []
EPOCH = 1766000000


def time_text(t):
    import time
    s = int(t)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(EPOCH + s)) + ".%09dZ" % round((t - s) * 1e9)


def row(t, dataset, kind="event", **f):
    r = {"event.dataset": dataset, "event.kind": kind, "@timestamp": time_text(t), "host.id": "h1"}
    r.update((k.replace("__", "."), v) for k, v in f.items() if v not in (None, ""))
    rows.append((t, len(rows), r))
    return r


class Process:
    def __init__(self, t, pid, exe, args, parent, entered=False, origin="image", start=True, vpid=7):
        self.pid, self.exe, self.first = pid, exe, 0
        self.common = {"container.id": a.container * 8, "container.name": a.container, "container.image.name": a.image,
                       "process.pid": pid, "process.vpid": vpid, "process.thread.id": pid,
                       "process.creation.time": time_text(t), "process.exec.id": EPOCH * 1000 + pid,
                       "process.name": exe.split("/")[-1][:15], "process.executable.path": exe}
        if entered:
            self.common["process.entered"] = True
        if start:
            r = row(t, "cbtools.exec", **{"event__action": "start", "process__parent__name": parent,
                                         "process__executable__origin": origin})
            r.update(self.common)
            r["process.command_args"] = args

    def calls(self, t, names):
        for i in range(0, len(names), 128):
            part = names[i:i + 128]
            r = row(t + i * 1e-5, "cbtools.sequence", event__count=len(part))
            r.update(self.common)
            r["syscall.first"] = self.first
            r["syscall.sequence"] = " ".join(part)
            self.first += len(part)


def request():
    c = ["epoll_wait", "accept4", "epoll_ctl", "recvfrom"]
    if rnd.random() < 0.5:
        c += ["openat", "fstat", "pread64", "writev", "close"]
    elif rnd.random() < 0.3:
        c += ["stat", "writev"]
    else:
        c += ["openat", "fstat", "sendfile", "close"]
    return c + ["write", "close"] * (rnd.random() < 0.9)


START = "execve brk mmap openat read fstat mmap mmap close mprotect:rx munmap prlimit64 getrandom".split()
begin, end = a.begin, a.begin + a.seconds
running = a.no_start
master = Process(begin, 100, "/usr/sbin/srv", "/usr/sbin/srv -g \'daemon\\x20off;\'", "runc", start=not running, vpid=1)
if not running:
    master.calls(begin, START + ["socket", "bind", "listen", "clone", "clone", "rt_sigsuspend"])
else:
    master.first = 1000
workers = [Process(begin, 101 + i, "/usr/sbin/srv", "", "srv", start=False) for i in range(2)]
for w in workers:
    w.first = 1000 if running else 0
    w.common["process.exec.id"] = master.common["process.exec.id"]
half = begin + a.seconds // 2
for s in range(begin, end):
    for w in workers:
        names = []
        for _ in range(rnd.randint(20, 40)):
            names += request()
        w.calls(s + 0.1 + 0.05 * (w.pid - 101), names)
    if s % 10 == 3:
        n = rnd.randint(1, 10 ** 6)
        j = Process(s + 0.5, 1000 + s, "/usr/bin/job", "job --id=%d /tmp/job-%d" % (n, n), "cron")
        j.calls(s + 0.6, START + ["openat", "read", "write"] * rnd.randint(2, 4) + ["close", "exit_group"])
    if s % 10 == 0:
        for d in ("exec", "sequence"):
            row(s + 0.9, "cbtools." + d, "heartbeat", event__seen=1)
    if a.odd:
        r = row(s + 0.95, "acme.door", door="north" if "door" not in a.attack or s != half else "cel'lar-\\x0ax")
        r.update({"container.id": a.container * 8, "container.name": a.container, "container.image.name": a.image})
for n, name in enumerate(a.attack):
    t = half + 0.3 + n * 3
    w = workers[n % 2]
    if name == "shell":
        x = Process(t, 9000 + n, "/bin/sh", "sh -c id;\\x20uname\\x20-a", "srv")
        x.calls(t + 0.1, START + ["rt_sigaction"] * 5 + ["clone", "wait4", "exit_group"])
    elif name == "memfd":
        Process(t, 9000 + n, "memfd:x", "x", "srv", origin="memfd")
    elif name == "args":
        Process(t, 9000 + n, "/usr/bin/job", "job --evil /etc/shadow", "cron")
    elif name == "entered":
        Process(t, 9000 + n, "/bin/sh", "sh", "runc", entered=True).calls(t + 0.1, ["ptrace"] * 30)
    elif name in ("packet", "wx", "order"):
        for r in [r for r in rows if r[2].get("process.pid") == w.pid and r[0] > t]:
            if "syscall.sequence" in r[2]:
                c = r[2]["syscall.sequence"].split()
                evil = {"packet": ["socket:packet"], "wx": ["mprotect:wx"],
                        "order": ["close", "recvfrom", "accept4", "pread64", "fstat", "epoll_ctl", "writev"] * 6}[name]
                r[2]["syscall.sequence"] = " ".join((evil + c)[:128])
                break
rows.sort(key=lambda r: r[:2])
# the numbers of calls again, as attacks took the place of others
first = {}
for _, _, r in rows:
    if "syscall.sequence" in r:
        n = first.get(r["process.pid"], r["syscall.first"])
        r["syscall.first"], first[r["process.pid"]] = n, n + len(r["syscall.sequence"].split())
if a.lose:
    at = len(rows) // 2
    rows[at + a.lose][2]["event.lost"] = a.lose
    del rows[at:at + a.lose]
if a.odd and not a.csv:
    rows.insert(0, (0, 0, {"event.dataset": "acme.door", "event.kind": "schema", "@timestamp": time_text(begin),
                           "schema.version": 1, "schema.fields": [{"name": "door", "type": "str", "role": "set"}]}))
for d in ("exec", "sequence"):
    rows.append((0, 0, {"event.dataset": "cbtools." + d, "event.kind": "end", "@timestamp": time_text(end),
                        "host.id": "h1", "event.lost": a.lose if d == "sequence" else 0}))
if a.csv:
    import csv
    names = []
    for _, _, r in rows:
        names += [k for k in r if k not in names]
    out = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    out.writeheader()
    for _, _, r in rows:
        out.writerow({k: str(v).lower() if isinstance(v, bool) else v for k, v in r.items()})
else:
    for _, _, r in rows:
        print(json.dumps(r, separators=(",", ":")))
