#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""loop.py SEED ROWS ODD CALLS: ROWS times 240 calls of a server that serves one request after the other, JSON Lines with the
columns of ctop-syscalls -S, CALLS in a row. One call in ODD comes out of turn (0: none). The same calls for every CALLS."""
import json
import random
import sys

seed, rows, odd, size = map(int, sys.argv[1:])
rnd = random.Random(seed)
request = "recvfrom openat newfstatat fstat writev sendfile write close setsockopt recvfrom epoll_ctl".split()
made, first = [], {}
while len(made) < rows * 240:
    for call in request + ["epoll_wait"] * (rnd.random() < .3):
        made.append(call)
        if odd and not rnd.randrange(odd):
            made.append(rnd.choice(request))
for at in range(0, rows * 240, size):
    pid, now = 10 + at // 240 % 2, seed * 10000 + at // 240
    print(json.dumps({"event.dataset": "cbtools.sequence", "event.kind": "event",
        "@timestamp": "2026-01-%02dT%02d:%02d:%02d.000000000Z" % (1 + now // 86400, now // 3600 % 24, now // 60 % 60, now % 60),
        "event.count": size, "host.id": "h", "container.id": "a" * 64, "container.name": "c", "container.image.name": "i",
        "container.runtime": "runc", "process.pid": pid, "process.vpid": 1, "process.thread.id": pid,
        "process.creation.time": "2026-01-01T00:00:00.000000001Z", "process.exec.id": 5, "process.name": "nginx",
        "process.executable.path": "/usr/sbin/nginx", "user.id": 33, "syscall.first": first.get(pid, 0),
        "syscall.sequence": " ".join(made[at:at + size])}))
    first[pid] = first.get(pid, 0) + size
