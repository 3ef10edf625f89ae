bats_require_minimum_version 1.5.0
# The report: of real alarms, of nothing, of hostile names, of any part of what can be recorded.
load ../live/lib

setup() {
	require_tool python3 gnuplot zstd sqlite3
	D=$BATS_TEST_TMPDIR
	PATH=$CB_TOP/scripts:$PATH
}

# checked FILE: an HTML parser finds every element closed, no id twice, no script, no handler, nothing from elsewhere
checked() {
	python3 - "$1" <<-'P'
		import html.parser, sys
		VOID = {"meta", "link", "br", "img", "input", "hr"}
		class P(html.parser.HTMLParser):
		    def __init__(self):
		        super().__init__(); self.open, self.ids, self.links = [], set(), set()
		    def handle_startendtag(self, tag, attrs):
		        self.look(tag, attrs)
		    def handle_starttag(self, tag, attrs):
		        self.look(tag, attrs)
		        if tag not in VOID:
		            self.open.append(tag)
		    def look(self, tag, attrs):
		        assert tag not in ("script", "iframe", "img", "object", "embed", "base", "form"), tag
		        for k, v in attrs:
		            assert not k.startswith("on"), (tag, k)
		            if k == "id":
		                assert v not in self.ids, v
		                self.ids.add(v)
		            if k in ("href", "src", "xlink:href"):
		                assert v == "data:," or v.startswith("#"), v
		                self.links.add(v[1:])
		            if k == "style":
		                assert "url(" not in v, v
		    def handle_endtag(self, tag):
		        assert self.open and self.open[-1] == tag, (tag, self.open[-3:], self.getpos())
		        self.open.pop()
		p = P()
		text = open(sys.argv[1], encoding="utf-8").read()
		p.feed(text)
		p.close()
		assert not p.open, p.open
		assert not p.links - p.ids - {"ata:,"}, p.links - p.ids
		assert not [c for c in text if ord(c) < 32 and c != "\n" or 0x202a <= ord(c) <= 0x2069 and c not in "\u2212"], "control"
		assert "default-src 'none'" in text.replace("&#x27;", "'")
	P
}

# words of the page, without marks
words() {
	python3 -c '
import html.parser, sys
class P(html.parser.HTMLParser):
    off = False
    def handle_starttag(self, tag, attrs): self.off = tag == "style"
    def handle_endtag(self, tag): self.off = False
    def handle_data(self, d):
        if not self.off: sys.stdout.write(d + " ")
P().feed(open(sys.argv[1], encoding="utf-8").read())' "$1"
}

made() {
	local s=$CB_TOP/tests/helpers/stream.py
	python3 "$s" --seconds 1200 >"$D/normal.jsonl"
	python3 "$s" --seconds 300 --seed 2 "$@" >"$D/rows.jsonl"
	ctrain -m "$D/m.db" --new "$D/normal.jsonl" >"$D/said"
	cdetect -q -m "$D/m.db" -j "$D/rows.jsonl" >"$D/alarms.jsonl"
}

@test "attacks: the verdict names the container, each alarm has its reason, what was expected and the command" {
	local n reason
	made --attack shell memfd args packet
	run -0 --separate-stderr creport -m "$D/m.db" "$D/rows.jsonl" "$D/alarms.jsonl"
	[ -z "$stderr" ]
	echo "$output" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" >"$D/words"
	grep -q 'Yes\. In web since' "$D/words"
	n=$(jq -s 'map(select(.["event.action"] == "raised")) | length' "$D/alarms.jsonl")
	[ "$n" -ge 4 ]
	[ "$(grep -o 'class="al" id="a[0-9]*"' "$D/r.html" | wc -l)" = "$n" ]
	jq -r 'select(.["event.action"] == "raised") | .["alarm.reason"]' "$D/alarms.jsonl" >"$D/reasons"
	while read -r reason; do
		grep -qF "${reason:0:100}" "$D/words" || { fail "not told: $reason"; return 1; }
	done <"$D/reasons"
	[ "$(grep -o 'cmodel allow' "$D/words" | wc -l)" -ge "$n" ]
	grep -q 'expected' "$D/words"
	# the program that was new is marked among the programs
	grep -q '/bin/sh</code> <span class="tag">new ▲' "$D/r.html"
	# what was never recorded is said
	grep -q 'No rows of file, peer, resource' "$D/words"
	# the same input, the same page
	creport -m "$D/m.db" "$D/rows.jsonl" "$D/alarms.jsonl" | cmp - "$D/r.html"
}

@test "an order never seen: its steps on the map of the chain, and where it lies among held-out blocks" {
	local blocks x y
	made --attack order
	creport -m "$D/m.db" "$D/rows.jsonl" "$D/alarms.jsonl" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" | tr -s ' \n' ' ' >"$D/words"
	# tone and number of each step as the model and the rows have it
	python3 - "$D/m.db" "$D/alarms.jsonl" "$D/r.html" <<-'P'
		import collections, html, json, re, sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		name = dict(db.execute("SELECT id, name FROM symbol"))
		program = db.execute("SELECT id FROM program WHERE path = '/usr/sbin/srv'").fetchone()[0]
		pair, out = collections.Counter(), collections.Counter()
		for k, n in db.execute("SELECT k, n FROM ngram WHERE program = ?", (program,)):
		    if k >> 60 & 15 >= 2:
		        pair[name[k >> 10 & 1023], name[k & 1023]] += n
		        out[name[k >> 10 & 1023]] += n
		page = open(sys.argv[3]).read()
		alarm = int(re.search(r'where alarm <a href=.#a(\d+)', page).group(1))
		raised = [r for r in map(json.loads, open(sys.argv[2])) if r.get("event.action") == "raised" and "alarm.detector" in r]
		calls = [c.strip("<>") for c in raised[alarm - 1]["alarm.calls"].split()]
		first = {}
		for n, s in enumerate(zip(calls, calls[1:]), 1):
		    first.setdefault(s, n)
		cells = re.findall(r'<td class="h(\d)( p)?" title="(\S+) then (\S+): [^"]*">(?:<span>(\d+)\+?</span>)?</td>', page)
		assert len(cells) >= 25, len(cells)
		for tone, p, x, y, n in cells:
		    p = bool(p)
		    assert p == ((x, y) in first) and (not p or int(n) == first[x, y]), (x, y, n)
		    assert (tone == "0") == (pair[x, y] == 0), (x, y, tone)
		    assert (tone == "5") == (pair[x, y] * 4 > out[x]), (x, y, tone)
		assert sum(bool(c[1]) and c[0] == "0" for c in cells) >= 3
	P
	blocks=$(sqlite3 "$D/m.db" "SELECT sum(blocks) FROM heldout WHERE scale = 0 AND program = (SELECT id FROM program WHERE path = '/usr/sbin/srv')")
	[ "$blocks" -gt 100 ]
	grep -q "the most unusual 20 calls of each of $blocks blocks of normal time" "$D/words"
	grep -q "aria-label=\"$blocks blocks of normal time, the threshold" "$D/r.html"
}

@test "an amount: the page has it, its threshold and the blocks of normal time as the alarm says them" {
	local s=$CB_TOP/tests/helpers/stream.py blocks reason
	python3 "$s" --more --seconds 1200 >"$D/normal.jsonl"
	python3 "$s" --more --seconds 300 --seed 2 --attack forks >"$D/rows.jsonl"
	ctrain -m "$D/m.db" --new "$D/normal.jsonl" >"$D/said"
	cdetect -q -m "$D/m.db" -j "$D/rows.jsonl" >"$D/alarms.jsonl"
	creport -m "$D/m.db" "$D/rows.jsonl" "$D/alarms.jsonl" >"$D/r.html"
	checked "$D/r.html"
	reason=$(jq -r 'select(.["event.action"] == "raised" and .["alarm.kind"] == "resource") | .["alarm.reason"]' "$D/alarms.jsonl")
	[[ "$reason" =~ ^container.process.forks:\ ([0-9]+/s)\ over\ 1\ s\;\ alarm\ from\ ([0-9]+/s)$ ]]
	blocks=$(sqlite3 "$D/m.db" "SELECT sum(blocks) FROM rate_batch, field WHERE field.id = field AND name = 'container.process.forks'
		AND program = '' AND span = 0 AND subject = (SELECT id FROM subject WHERE containers > 0 ORDER BY id LIMIT 1)")
	[ "$blocks" -gt 100 ]
	grep -q "aria-label=\"$blocks blocks of normal time, the threshold (alarm from ${BASH_REMATCH[2]}) and the alarm (alarm 1: ${BASH_REMATCH[1]})\"" \
		"$D/r.html"
	# a threshold as of any other alarm: the bar is not grey to its end
	grep -qE 'title="-log10 p [0-9.]+, threshold [0-9.]+"' "$D/r.html"
}

@test "no alarm: the page says no, and shows the load" {
	made
	# what there is of false alarms is taken out
	jq -c 'select(.["event.kind"] != "event")' "$D/alarms.jsonl" >"$D/none.jsonl"
	creport -m "$D/m.db" -o "$D/r.html" "$D/rows.jsonl" "$D/none.jsonl"
	[ "$(stat -c %a "$D/r.html")" = 600 ]
	checked "$D/r.html"
	words "$D/r.html" >"$D/words"
	grep -q 'No\. Nothing was seen that is not normal' "$D/words"
	grep -q 'Load of each container' "$D/words"
	! grep -q 'What happened' "$D/words"
}

@test "recordings alone, alarms alone, a container without a baseline" {
	made --attack shell
	creport "$D/rows.jsonl" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" | grep -q 'Nothing was judged'
	creport "$D/alarms.jsonl" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" | grep -q 'Yes\. In web since'
	python3 "$CB_TOP/tests/helpers/stream.py" --seconds 30 --container other --image none >"$D/other.jsonl"
	creport -m "$D/m.db" "$D/rows.jsonl" "$D/other.jsonl" "$D/alarms.jsonl" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" | grep -q '1 container was not judged for want of a baseline: *other'
}

@test "a folder of compressed recordings and CSV; cut and garbled ones are told" {
	made --attack shell
	mkdir -p "$D/rec"
	zstd -q "$D/rows.jsonl" -o "$D/rec/rows.jsonl.zst"
	python3 "$CB_TOP/tests/helpers/stream.py" --seconds 60 --csv --container csv >"$D/rec/more.csv"
	run -0 --separate-stderr creport -m "$D/m.db" "$D/rec" "$D/alarms.jsonl"
	[ -z "$stderr" ]
	echo "$output" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" | grep -q ' csv '
	head -c 20000 "$D/rec/rows.jsonl.zst" >"$D/cut.jsonl.zst"
	printf '{"event.kind":\n\001\377\n' >>"$D/alarms.jsonl"
	run -0 --separate-stderr creport "$D/cut.jsonl.zst" "$D/alarms.jsonl"
	[[ "${stderr_lines[0]}" == "creport: $D/cut.jsonl.zst:"*": expected a JSON object" ]]
	[[ "${stderr_lines[1]}" == "creport: $D/alarms.jsonl:"*": expected a JSON object" ]]
	echo "$output" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" >"$D/words"
	grep -q 'it was cut' "$D/words"
	grep -q '2 rows of .*alarms.jsonl could not be read' "$D/words"
}

@test "hostile names and texts: shown as they are, they do nothing" {
	local evil="<script>alert(1)</script>"
	jq -nc --arg evil "$evil" '
		def row($s; $ds): {"event.dataset": ("cbtools." + $ds), "event.kind": "event", "@timestamp": ("2026-11-24T06:00:" + $s + ".5Z"),
			"host.id": "h<b>\"", "container.id": ("`$(id)`'"'"'" + $evil), "container.name": $evil, "container.image.name": "i\"><img src=x onerror=alert(1)>"};
		(row("10"; "exec") + {"event.action": "start", "process.pid": "7\" onclick=1", "process.parent_pid": "7\" onclick=1",
			"process.executable.path": "/bin/\u001b[2J\u202e</code>", "process.command_args": ["</style><script>", "a\u0000b"]}),
		(row("11"; "file") + {"event.action": "open", "file.path": "/<svg onload=1>\n\"", "event.count": 1e308}),
		(row("12"; "peer") + {"network.direction": "outbound", "network.transport": "tcp", "destination.address": "\"><x", "destination.port": "<1>",
			"source.bytes": "many", "destination.bytes": 1e300}),
		(row("13"; "x<y") + {"a": [1, {"b": 2}]}),
		(row("14"; "resource") + {"container.cpu.time_ns": -5, "container.memory.usage_bytes": true}),
		(row("15"; "alarm") + {"event.action": "raised", "alarm.id": "1\"", "incident.id": {"x": 1}, "alarm.kind": "<i>", "alarm.score": "1e999",
			"alarm.reason": "\"quoted\" '"'"'reason'"'"' <b> & \u0007", "alarm.expected": "</dd></dl>", "alarm.calls": ">><img>< \u202e",
			"alarm.allow": "cmodel allow x -v '"'"'\"><script>'"'"'", "process.pid": "7\" onclick=1"}),
		{"event.dataset": "cbtools.alarm", "event.kind": "schema", "schema.fields": [1, {"name": ["x"], "role": "rate"}, {"name": "a", "role": "level"}]},
		{"event.dataset": ["x"], "event.kind": "event"}, {"event.kind": "event", "@timestamp": "2026-99-99T06:00:00Z"}, [1], "x", 7' >"$D/evil.jsonl"
	head -n 1 "$D/evil.jsonl" | tr -d '\n' | head -c 100 >>"$D/evil.jsonl"
	run -0 --separate-stderr creport "$D/evil.jsonl"
	echo "$output" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" >"$D/words"
	grep -qF "$evil" "$D/words"
	grep -qF "\"quoted\" 'reason' <b> & \\x07" "$D/words"
	grep -qF '/bin/\x1b[2J\u202e</code>' "$D/words"
	[ "$(grep -c '<script' "$D/r.html")" = 0 ]
}

@test "an incident over two containers is one, and both are told; what has a technique is the headline" {
	jq -nc 'def row($s; $c): {"event.dataset": "cbtools.alarm", "event.kind": "event", "event.action": "raised", "@timestamp": "2026-11-24T06:00:\($s).5Z",
			"container.id": $c, "container.name": $c, "incident.id": 1, "alarm.detector": "set", "alarm.score": 2};
		(row(10; "web") + {"alarm.id": 1, "alarm.kind": "process", "alarm.reason": "program /bin/x was never seen here"}),
		(row(11; "db") + {"alarm.id": 2, "alarm.kind": "syscall", "alarm.reason": "ptrace was never called", "threat.technique.id": "T1055.008"}),
		(row(11; "db") + {"alarm.id": 3, "alarm.kind": "syscall", "alarm.reason": "kill was never called"}),
		{"event.dataset": "cbtools.alarm", "event.kind": "end", "event.seen": 9}' >"$D/alarms.jsonl"
	creport "$D/alarms.jsonl" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" >"$D/words"
	grep -q 'Yes\. In db since 06:00:10.*ptrace was never called' "$D/words"
	grep -q '1 incident ' "$D/words"
	grep -q 'MITRE ATT&CK T1055.008' "$D/words"
	grep -q '; and web' "$D/words"
	[ "$(grep -o 'class="al" id="a[0-9]*"' "$D/r.html" | tr -dc '0-9\n' | tr '\n' ' ')" = "1 2 3 " ]
}

@test "a scan of ports is one line among the contacts, the ports that spoke are others" {
	jq -nc 'def row($port; $bytes): {"event.dataset": "cbtools.peer", "event.kind": "event", "@timestamp": "2026-11-24T06:00:10.5Z", "container.name": "web",
			"network.direction": "outbound", "network.transport": "tcp", "source.container.name": "web", "destination.container.name": "db",
			"destination.address": "10.0.0.2", "destination.port": $port, "source.bytes": $bytes, "event.count": 1, "network.failures": 1};
		(range(1; 62) | row(.; 0)), row(5432; 700)' >"$D/r.jsonl"
	creport "$D/r.jsonl" >"$D/r.html"
	checked "$D/r.html"
	words "$D/r.html" | tr -s ' \n' ' ' >"$D/words"
	grep -q 'web → db, 61 ports 0 B 61 61 ' "$D/words"
	grep -q 'web → db:5432 700 B 1 1 ' "$D/words"
	! grep -q 'db:17' "$D/words"
}

@test "usage and errors: one line" {
	run -64 --separate-stderr creport
	[[ "${stderr_lines[0]}" == "creport: "* ]]
	run -64 --separate-stderr creport --nosuch x
	run -1 --separate-stderr creport "$D/none.jsonl"
	[ "$stderr" = "creport: $D/none.jsonl: No such file or directory" ]
	echo x >"$D/none.db"
	run -1 --separate-stderr creport -m "$D/none.db" "$CB_TOP/tests/data/strace.file"
	[[ "$stderr" == "creport: $D/none.db: expected a model of ctrain: "* ]]
	: >"$D/empty.jsonl"
	run -1 --separate-stderr creport "$D/empty.jsonl"
	[ "$stderr" = "creport: expected rows, got none" ]
	mkdir "$D/folder"
	run -1 --separate-stderr creport "$D/folder"
	[[ "$stderr" == "creport: $D/folder: expected recordings"* ]]
	run -0 creport --help
	[[ "$output" == *"--model"* ]]
}
