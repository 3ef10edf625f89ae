# SPDX-License-Identifier: GPL-2.0
"""Streams of cbtools for scripts: rows in, numbers over time, text that is safe to show, gnuplot. See cbtools-stream(5)."""

import argparse
import csv
import html
import json
import math
import os
import re
import subprocess
import sys
import time

VERSION = "0.1"  # a test compares it with that of the Makefile
EXIT_USAGE = 64
ENDINGS = (".jsonl", ".json", ".csv", ".jsonl.zst", ".json.zst", ".csv.zst")
MAX_LINE = 1 << 20
MAX_BINS = 4096  # of a series in time; then two become one
csv.field_size_limit(MAX_LINE)


class Error(Exception):
    """One line for the user."""


class Parser(argparse.ArgumentParser):
    """Wrong use is one line and status 64, as with the programs in C."""

    def error(self, message):
        prog = self.prog.split()[0]
        sys.stderr.write("%s: %s\nTry `%s --help' for more information.\n" % (prog, message, prog))
        sys.exit(EXIT_USAGE)

    def add_version(self):
        self.add_argument("-V", "--version", action="version", version="cbtools " + VERSION, help="the version")


# ---- rows ----

def natural(name):
    return [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)]


def sources(paths):
    """Files that the paths name: a folder stands for the recordings in it and one level below."""
    out = []
    for path in paths:
        if not os.path.isdir(path):
            out.append(path)
            continue
        found = []
        for folder, dirs, names in os.walk(path):
            dirs[:] = [] if folder != path else [d for d in dirs if not d.startswith(".")]
            found += [os.path.join(folder, n) for n in names if n.endswith(ENDINGS) and not n.startswith(".")]
        if not found:
            raise Error("%s: expected recordings (%s), found none" % (path, " ".join(ENDINGS[:3])))
        out += sorted(found, key=natural)
    return out


def text_lines(stream):
    """Lines as text; one that never ends is no line."""
    while True:
        line = stream.readline(MAX_LINE)
        if not line:
            return
        yield line.decode("utf-8", "backslashreplace")


class Source:
    """Rows of one file, as dicts. Bad rows are counted in .bad; .ended: an end row came."""

    def __init__(self, path):
        self.path, self.bad, self.rows, self.ended, self.cut, self.first_bad = path, 0, 0, False, False, ""

    def _bad(self, number, what):
        self.bad += 1
        if not self.first_bad:
            self.first_bad = "%s:%d: %s" % (self.path, number, what)

    def _json(self, lines):
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                yield row
            elif line.strip():
                self._bad(number, "expected a JSON object")

    def _csv(self, lines):
        reader = csv.reader(lines)
        head = next(reader, None)
        if not head or "event.dataset" not in head:
            raise Error("%s:1: expected JSON Lines or CSV with a column event.dataset" % self.path)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as e:
                self._bad(reader.line_num, str(e))
                continue
            if len(cells) != len(head):
                self._bad(reader.line_num, "expected %d cells, got %d" % (len(head), len(cells)))
                continue
            yield {k: v for k, v in zip(head, cells) if v != ""}

    def __iter__(self):
        try:
            f = sys.stdin.buffer if self.path == "-" else open(self.path, "rb")
        except OSError as e:
            raise Error("%s: %s" % (self.path, e.strerror))
        zstd = None
        if self.path.endswith(".zst"):
            zstd = subprocess.Popen(["zstd", "-dcq"], stdin=f, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            f = zstd.stdout
        lines = text_lines(f)
        first = next(lines, "")

        def again():
            yield first
            yield from lines
        try:
            for row in (self._json if first.lstrip().startswith("{") or not first else self._csv)(again()):
                self.rows += 1
                self.ended = row.get("event.kind") == "end" or self.ended
                yield row
        finally:
            f.close()
        if zstd and zstd.wait():
            self.cut = True


def when(text):
    """RFC 3339 in UTC to seconds since 1970, None when it is none."""
    m = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?Z", text if isinstance(text, str) else "")
    if not m:
        return None
    try:
        days = _days(int(m[1]), int(m[2]), int(m[3]))
    except ValueError:
        return None
    return days * 86400 + int(m[4]) * 3600 + int(m[5]) * 60 + int(m[6]) + float(m[7] or 0)


def _days(y, m, d, cache={}):
    import datetime
    key = (y, m, d)
    if key not in cache:
        cache[key] = datetime.date(y, m, d).toordinal() - 719163
    return cache[key]


def number(v):
    """A finite number, or None."""
    if isinstance(v, bool) or v is None:
        return None
    try:
        v = float(v)
    except (TypeError, ValueError):
        return None
    return v if math.isfinite(v) else None


def interval(row, t):
    """(start, end) of what a row tells of; both its time when it is no interval."""
    a, b = when(row.get("event.start")), when(row.get("event.end"))
    return (a, b) if a is not None and b is not None and 0 <= b - a < 864000 else (t, t)


def word(row, key):
    v = row.get(key)
    if isinstance(v, list):
        return " ".join(str(x) for x in v)
    return v if isinstance(v, str) else "" if v is None else str(v)


# ---- numbers over time ----

class Clock:
    """The common width of the bins of many series: as long as what came needs."""

    def __init__(self):
        self.width, self.first, self.last, self.series = 1.0, None, None, []

    def see(self, t):
        self.first = t if self.first is None else min(self.first, t)
        self.last = t if self.last is None else max(self.last, t)
        while (self.last - self.first) / self.width > MAX_BINS:
            self.width *= 2
            for s in self.series:
                s.halve()


class Series:
    """Sums or highest values by time."""

    def __init__(self, clock, add):
        self.clock, self.add, self.bin = clock, add, {}
        clock.series.append(self)

    def _put(self, b, v):
        old = self.bin.get(b)
        self.bin[b] = v if old is None else old + v if self.add else max(old, v)

    def put(self, t, v):
        self.clock.see(t)
        self._put(int(t // self.clock.width), v)

    def spread(self, t0, t1, v):
        """The same of an interval: each bin its part."""
        self.clock.see(t0)
        self.clock.see(t1)
        w = self.clock.width
        first, last = int(t0 // w), int(t1 // w)
        if not self.add or t1 <= t0 or first == last:
            self._put(last, v)
            return
        for b in range(first, last + 1):
            part = (min(t1, (b + 1) * w) - max(t0, b * w)) / (t1 - t0)
            if part > 0:
                self._put(b, v * part)

    def halve(self):
        old, self.bin = self.bin, {}
        for b, v in old.items():
            self._put(b // 2, v)

    def points(self, n, t0, t1, zero=False):
        """Up to n (time, value): of a sum the rate a second. Where nothing came: 0, or a hole when it is a long one."""
        step = max(1, math.ceil((t1 - t0) / self.clock.width / n))
        out, begin, end = {}, int(t0 // self.clock.width) // step, int(t1 // self.clock.width) // step
        for b, v in self.bin.items():
            k, old = b // step, out.get(b // step)
            out[k] = v if old is None else old + v if self.add else max(old, v)
        width = step * self.clock.width

        def value(k):
            if not self.add:
                return out[k]
            whole = min((k + 1) * width, t1) - max(k * width, t0)  # the first and the last bin are only partly ours
            return out[k] / (whole if whole > width / 3 else width)
        if zero:
            return [((k + .5) * width, value(k) if k in out else 0.0) for k in range(begin, end + 1)]
        have, points = sorted(out), []
        steps = sorted(b - a for a, b in zip(have, have[1:]))
        hole = 3 * steps[len(steps) // 2] if steps else 0
        for a, b in zip(have, have[1:] + [None]):
            points.append(((a + .5) * width, value(a)))
            if b is not None and b - a > hole:
                points.append(((a + 1) * width, None))
        return points


# ---- text that containers chose ----

def shown(text, most=400):
    """Control, bidirectional and other characters that do not print as escapes; cut."""
    out = []
    for c in str(text)[:most]:
        o = ord(c)
        if c.isprintable() and not 0x200b <= o <= 0x200f and not 0x202a <= o <= 0x2069 and o != 0xfeff:
            out.append(c)
        else:
            out.append("\\x%02x" % o if o < 256 else "\\u%04x" % o)
    return "".join(out) + ("…" if len(str(text)) > most else "")


def esc(text, most=400):
    return html.escape(shown(text, most), quote=True)


def date(t, form="%Y-%m-%d %H:%M:%S"):
    return time.strftime(form, time.gmtime(t))


def amount(v, unit=""):
    """Three digits and a letter."""
    v = float(v)
    if unit == "bytes":
        for u in ("B", "kB", "MB", "GB"):
            if abs(v) < 999.5:
                return "%.3g %s" % (v, u)
            v /= 1000
        return "%.3g TB" % v
    for u in ("", " k", " M", " G"):
        if abs(v) < 999.5:
            return "%.3g%s" % (v, u)
        v /= 1000
    return "%.3g T" % v


def span(s):
    """How long, in words."""
    s = max(0, s)
    if s < 1:
        return "%.0f ms" % (s * 1000)
    if s < 100:
        return "%.3g s" % s
    if s < 6000:
        return "%d min" % round(s / 60)
    if s < 172800:
        return "%d h %d min" % (s // 3600, s % 3600 // 60)
    return "%.1f days" % (s / 86400)


# ---- gnuplot ----

COLOURS = {1: "ink", 2: "ink2", 3: "ink3", 4: "rule", 5: "band", 6: "alarm"}
GP_HEAD = ("set encoding utf8; unset key; set minussign; ink=0x010101; ink2=0x010102; ink3=0x010103; rule=0x010104; "
           "band=0x010105; alarm=0x010106\n")


def gp_text(text, most=60):
    """Inside single quotes of gnuplot nothing but the quote has a meaning; a container has no say in more than letters."""
    return shown(text, most).replace("'", "’").replace("`", "‘").replace("\\", "＼").replace("@", "＠")


def gnuplot(script):
    env = dict(os.environ, LC_ALL="C.UTF-8", GNUTERM="dumb")
    env.pop("GNUPLOT_LIB", None)
    try:
        p = subprocess.run(["gnuplot", "-d", "-"], input=script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           encoding="utf-8", env=env, check=False)
    except OSError as e:
        raise Error("gnuplot: %s" % e.strerror)
    if p.returncode:
        raise Error("gnuplot: " + (p.stderr.strip().splitlines() or ["failed"])[-1])
    return p.stdout


def svg_bodies(text):
    """The pictures of a gnuplot run, to be put inside <svg> elements of a page: its fonts, its colours, no ids."""
    out = []
    for body in re.findall(r'<g id="gnuplot_canvas">(.*?)</svg>', text, re.S):
        body = re.sub(r"</g>\s*$", "", body)
        body = re.sub(r"<(defs|title)>.*?</\1>", "", body, flags=re.S)
        body = re.sub(r'<rect [^>]*fill="none"/>', "", body)
        body = re.sub(r'<g id="[^"]*" ?>', "<g>", body)
        body = re.sub(r"rgb\( *1, *1, *([1-6])\)", lambda m: "var(--%s)" % COLOURS[int(m[1])], body)
        body = re.sub(r' stroke-linecap="butt" stroke-linejoin="miter"| font-family="[^"]*"|shape-rendering=.crispEdges.', "", body)
        body = re.sub(r"<text>\s+", "<text>", body)
        # places to a tenth, words as they are
        body = re.sub(r"<[^>]*>", lambda m: re.sub(r"(\d\.\d)\d+", r"\1", m[0]), body)
        for _ in range(3):
            body = re.sub(r"<g [^>]*>\s*</g>", "", body)
        out.append(re.sub(r"\s+", " ", body))
    return out


def gp_block(name, rows):
    """Inline data; None is a hole."""
    return "$%s << EOD\n%s\nEOD\n" % (name, "\n".join(" ".join("NaN" if v is None else "%.10g" % v for v in r) for r in rows))
