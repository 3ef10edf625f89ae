#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stream.py [--seconds N] [--seed N] [--from SECOND] [--csv] [--attack NAME...] [--odd]: rows as the collectors
write them of a made server, for tests of ctrain and cdetect. Same arguments, same bytes.

The server (image srv, program /usr/sbin/srv) has a master and two workers; a job runs every 10 s. Attacks happen
from the middle on. --odd adds a dataset of a third party, with its schema row. --more adds files, contacts and
resources, of a database beside the server, too."""

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
p.add_argument("--more", action="store_true")
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


class More:
    """What the other collectors say: a row of each container, file and contact a second."""
    def __init__(self):
        self.rnd = random.Random(a.seed + 1000)
        self.containers = {a.container: (a.image, 6e6, 3), "db": ("dbi", 3e8, 11)}
        self.leak = 0
        for s in range(begin, end):
            self.second(s)

    def common(self, container, process=None):
        r = {"container.id": container * 8, "container.name": container, "container.image.name": self.containers[container][0]}
        if process:
            r.update(process.common)
        return r

    def row(self, t, dataset, common, action="", duration=1.0, **f):
        r = row(t, "cbtools." + dataset, event__duration_ns=round(duration * 1e9), event__action=action)
        r.update(common)
        r.update({k.replace("__", "."): v for k, v in f.items()})

    def file(self, t, process, action, path, flags="", error="", target=""):
        f = {"file__flags": flags, "error__errno": error, "file__path": path, "file__target_path": target}
        self.row(t, "file", self.common(a.container, process), action, event__count=self.rnd.randint(1, 50),
                 **{k: v for k, v in f.items() if v})

    def peer(self, t, container, action, peer, other="", process=None, failures=0, sent=0, out=True):
        ends = {"source__container__name": container if out else other, "destination__container__name": other if out else container}
        self.row(t, "peer", self.common(container, process), action, 1.0 if action == "total" else 0,
                 network__peer=peer, source__bytes=sent, network__failures=failures, **{k: v for k, v in ends.items() if v})

    def second(self, s):
        r = self.rnd
        duration = r.uniform(0.97, 1.03)
        on = lambda name, length=40: name in a.attack and half <= s < half + length
        self.leak = self.leak + 3e6 if on("ramp") else 0
        for container, (image, memory, tasks) in self.containers.items():
            web = container == a.container
            self.row(s + 0.97, "resource", self.common(container), "", duration,
                     container__cpu__time_ns=round(duration * (9.7e8 if web and on("burn", 20) else 1e9 * r.lognormvariate(-3.5, 0.5))),
                     container__memory__anon_bytes=round(memory * r.uniform(0.95, 1.05) + web * self.leak),
                     container__disk__write_bytes=r.choice([0, 0, 0, 4096, 1 << 20]),
                     container__network__tx_bytes=round(1.5e6 * r.lognormvariate(0, 0.4)),
                     container__tasks=tasks + r.randint(0, 2),
                     container__process__forks=r.choice([0, 0, 0, 1, 2]) + (500 if web and on("forks", 2) else 0),
                     container__memory__oom_kills=0, container__descriptors=40 + r.randint(0, 9))
        w = workers[s % 2]
        for path in r.sample(["/index.html", "/large.bin", "/style.css"], 2):
            self.file(s + 0.96, w, "open", "/srv/www" + path, "read")
        self.file(s + 0.96, w, "open", "/var/log/srv.log", "write|append|create")
        self.file(s + 0.96, w, "open", "/srv/www/" + "".join(r.choices("abcdefgh", k=6)), "read", "ENOENT")
        self.file(s + 0.96, w, "create", "/var/cache/%d.tmp" % r.randint(1, 999), "write|truncate|create")
        self.file(s + 0.96, w, "rename", "/var/cache/%d.tmp" % r.randint(1, 999), "", "", "/var/cache/%d" % r.randint(1, 999))
        for n in range(r.randint(0, 3)):
            self.peer(s + 0.1 * n, a.container, "accept", "inbound tcp 10.9.%d.0/24 to :80" % r.randint(1, 3), out=False)
        self.peer(s + 0.98, a.container, "total", "outbound tcp db:5432", "db", w, sent=round(3e5 * r.lognormvariate(0, 0.4)))
        self.peer(s + 0.99, "db", "total", "inbound tcp %s to :5432" % a.container, a.container, out=False,
                  sent=round(3e5 * r.lognormvariate(0, 0.4)))
        if s != half:
            return
        if "shadow" in a.attack:
            self.file(s + 0.96, w, "open", "/etc/shadow", "read")
        if "overwrite" in a.attack:
            self.file(s + 0.96, w, "open", "/srv/www/index.html", "write|truncate|create")
        for n in range(307) if "encrypt" in a.attack else []:
            self.file(s + 0.96, w, "rename", "/var/cache/%d.tmp" % n, "", "", "/var/cache/%d" % n)
        if "host" in a.attack:
            self.file(s + 0.96, w, "open", "/mnt/etc/shadow", "read")
        for port in range(1, 68) if "ports" in a.attack else []:
            self.peer(s + 0.5 + port * 1e-3, a.container, "connect", "outbound tcp db:%d" % port, "db", w)
        if "port" in a.attack:
            self.peer(s + 0.5, a.container, "connect", "outbound tcp db:2222", "db", w)
            self.peer(s + 0.5, "db", "accept", "inbound tcp %s to :2222" % a.container, a.container, out=False)
        if "scan" in a.attack:
            for n in range(61):
                self.peer(s + 0.5 + n * 1e-3, a.container, "connect", "outbound tcp db:5432", "db", w, failures=1)


if a.more:
    More()
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
for d in ("exec", "sequence") + ("resource", "file", "peer") * a.more:
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
