# SPDX-License-Identifier: GPL-2.0
bats_require_minimum_version 1.5.0
# cdetect over made recordings (tests/helpers/stream.py): what is found, what is quiet, what it says.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	PATH=${O:-$PWD/build}:$PATH
	python3 tests/helpers/stream.py > "$BATS_FILE_TMPDIR/normal.jsonl"
	ctrain -m "$BATS_FILE_TMPDIR/m.db" "$BATS_FILE_TMPDIR/normal.jsonl"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	PATH=${O:-$PWD/build}:$PATH
	T=$BATS_TEST_TMPDIR
	M=$BATS_FILE_TMPDIR/m.db
}

stream() {
	python3 tests/helpers/stream.py "$@"
}

# fields FILE NAME...: of each alarm that was raised
fields() {
	python3 - "$@" <<-'EOF'
	import json, sys
	for line in open(sys.argv[1]):
	    r = json.loads(line)
	    if r["event.kind"] == "event" and r["event.action"] == "raised":
	        print("|".join(str(r.get(n, "")) for n in sys.argv[2:]))
	EOF
}

@test "normal work gives no alarm, whatever the seed" {
	for seed in 2 3 5 7 11; do
		stream --seed $seed --from ${seed}000 --seconds 180 > "$T/q"
		run -0 --separate-stderr cdetect -m "$M" --exit-code -j "$T/q"
		[ "$(fields <(echo "$output") alarm.reason)" = "" ]
		[ "$stderr" = "" ]
	done
}

@test "each kind of behaviour is found, and said what it is" {
	stream --seed 3 --from 2000 --attack shell memfd args entered packet wx order > "$T/a"
	run -2 cdetect -m "$M" --exit-code -j "$T/a"
	echo "$output" > "$T/out"
	fields "$T/out" alarm.kind alarm.detector process.pid alarm.value > "$T/got"
	cat "$T/got"
	grep -qx 'process|set|9000|/bin/sh' "$T/got"
	grep -qx 'process|set|9001|memfd:x' "$T/got"
	grep -qx 'process|set|9002|job --evil /etc/shadow' "$T/got"
	grep -qx 'process|set|9003|start' "$T/got"
	grep -qx 'syscall|calls|101|socket:packet' "$T/got"
	grep -qx 'syscall|calls|102|mprotect:wx' "$T/got"
	grep -q '^syscall|window20|101|' "$T/got"
	# its calls are not judged: nothing of the 30 ptrace of a session, nothing of the shell's start
	! grep -q 'ptrace\|rt_sigaction' "$T/got"
	fields "$T/out" container.name process.name alarm.reason alarm.expected alarm.calls | grep '^web|srv|unusual order' | head -1 > "$T/order"
	grep -q 'calls surprise.*alarm from.*instead of .*%.*>>.*<<' "$T/order"
	[ "$(fields "$T/out" incident.id | sort -u)" = 1 ]
}

@test "the same alarms, byte for byte, from CSV, pipe, and what -w recorded" {
	args="--seed 3 --from 2000 --attack shell memfd args entered packet wx order --odd"
	stream $args > "$T/a.jsonl"
	stream $args --csv > "$T/a.csv"
	cdetect -m "$M" -j -w "$T/rec.jsonl.zst" "$T/a.jsonl" > "$T/1" 2>/dev/null
	[ "$(wc -l < "$T/1")" -gt 7 ]
	cdetect -m "$M" -j -q -w "$T/rec2.jsonl" "$T/rec.jsonl.zst" > "$T/2"
	cdetect -m "$M" -j -q "$T/rec2.jsonl" > "$T/3"
	cdetect -m "$M" -j -q < <(cat "$T/a.jsonl") > "$T/4"
	cdetect -m "$M" -j -q "$T/a.csv" > "$T/5"
	for i in 2 3 4 5; do cmp "$T/1" "$T/$i"; done
	cmp <(zstd -dc "$T/rec.jsonl.zst") "$T/rec2.jsonl"
	cdetect -m "$M" -q -o csv "$T/a.jsonl" > "$T/csv"
	[ "$(grep -c raised "$T/csv")" = "$(grep -c raised "$T/1")" ]
	cdetect -m "$M" -q "$T/a.jsonl" | grep -q '/bin/sh was never seen here'
}

@test "what -w records are the rows that came, and judged they give the same alarms" {
	stream --seed 3 --from 2000 --attack shell args --odd > "$T/n"
	# as collectors write arguments, and some that are no easy reading
	python3 - "$T/n" > "$T/a.jsonl" <<-'EOF'
	import json, sys
	odd = [["", "a b", "''", "x\\\\x20y", "line\\x0abreak", "-e"], ["one"]]
	for n, line in enumerate(open(sys.argv[1])):
	    r = json.loads(line)
	    if "process.command_args" in r:
	        r["process.command_args"] = [w.replace("\\x20", " ") for w in r["process.command_args"].split(" ")] + odd[n % 2]
	    print(json.dumps(r))
	EOF
	cdetect -m "$M" -q -j -w "$T/rec.jsonl" "$T/a.jsonl" > "$T/1"
	python3 - "$T/a.jsonl" "$T/rec.jsonl" <<-'EOF'
	import json, sys
	a, b = ([json.loads(l) for l in open(f)] for f in sys.argv[1:])
	assert sum(type(r.get("process.command_args")) is list and "a b" in r["process.command_args"] for r in a) >= 3
	assert sum("schema.fields" in r for r in a) == 1
	assert a == b, next((x, y) for x, y in zip(a, b) if x != y)
	EOF
	cdetect -m "$M" -q -j "$T/rec.jsonl" | cmp - "$T/1"
	grep -q raised "$T/1"
}

@test "the same alarm comes once, with its count, and again after 30 s of quiet" {
	stream --seconds 240 --seed 5 --from 900 > "$T/n"
	python3 - "$T/n" > "$T/a" <<-'EOF'
	import json, sys
	for line in open(sys.argv[1]):
	    r = json.loads(line)
	    if r.get("process.pid") == 101 and "syscall.sequence" in r and r["@timestamp"][14:19] in "48:40 48:41 48:42 48:43 48:44 50:05".split():
	        c = r["syscall.sequence"].split()
	        r["syscall.sequence"] = " ".join(["ptrace"] + c[1:])
	    print(json.dumps(r))
	EOF
	n=$(grep -c ptrace "$T/a")
	cdetect -m "$M" -j "$T/a" | grep '"alarm.value":"ptrace"' > "$T/out"
	[ "$(fields "$T/out" alarm.id alarm.value)" = $'1|ptrace\n2|ptrace' ]
	first=$(grep '"ended"' "$T/out" | head -1 | grep -o '"event.count":[0-9]*' | cut -d: -f2)
	second=$(grep '"ended"' "$T/out" | tail -n +2 | grep -o '"event.count":[0-9]*' | cut -d: -f2)
	[ $((first + ${second:-1})) = "$n" ]
}

@test "calls judged before are judged as if they were not: the same alarms from rows too short to be known again" {
	python3 tests/helpers/loop.py 1 1000 0 240 > "$T/normal"
	ctrain -m "$T/m.db" --new "$T/normal" 2> "$T/said"
	for n in 240 2; do
		python3 tests/helpers/loop.py 2 307 61 $n > "$T/$n"
		cdetect -m "$T/m.db" -j "$T/$n" > "$T/$n.out" 2> "$T/said"
		fields "$T/$n.out" alarm.kind alarm.detector process.pid alarm.value alarm.score alarm.reason alarm.expected alarm.calls > "$T/$n.got"
	done
	[ "$(grep -c '^syscall|window20|1[01]|' "$T/240.got")" -gt 100 ]
	diff "$T/240.got" "$T/2.got"
}

@test "a call never seen is told as that, and not by the order that it disturbs as well" {
	stream --seed 5 --from 900 > "$T/n"
	python3 - "$T/n" > "$T/a" <<-'EOF'
	import json, sys
	done = False
	for line in open(sys.argv[1]):
	    r = json.loads(line)
	    if r.get("process.pid") == 101 and "syscall.sequence" in r and not done:
	        c = r["syscall.sequence"].split()
	        for at in 40, 45, 50, 55:
	            c[at] = "init_module"
	        r["syscall.sequence"], done = " ".join(c), True
	    print(json.dumps(r))
	EOF
	[ "$(grep -o init_module "$T/a" | wc -l)" = 4 ]
	cdetect -m "$M" -q -j "$T/a" > "$T/out"
	[ "$(fields "$T/out" alarm.detector alarm.value)" = 'calls|init_module' ]
}

@test "what is allowed is quiet" {
	stream --seed 3 --from 2000 --attack shell packet > "$T/a"
	cp "$M" "$T/m.db"
	cdetect -m "$T/m.db" -j "$T/a" > "$T/out"
	[ "$(fields "$T/out" alarm.id | wc -l)" -ge 2 ]
	fields "$T/out" alarm.allow > "$T/commands"
	bash -e "$T/commands"
	run -0 cdetect -m "$T/m.db" --exit-code -j "$T/a"
	run -0 cmodel show "$T/m.db"
	[[ "$output" == *"allowed: srv /usr/sbin/srv syscall.sequence socket:packet"* ]]
}

@test "confirmed alarms are quiet, and nothing else" {
	stream --seed 3 --from 2000 --attack shell packet > "$T/a"
	cp "$M" "$T/m.db"
	cdetect -m "$T/m.db" -j "$T/a" > "$T/alarms.jsonl"
	ctrain -m "$T/m.db" --confirm "$T/alarms.jsonl"
	run -0 cdetect -m "$T/m.db" --exit-code -j "$T/a"
	cp "$M" "$T/c.db"
	run -1 --separate-stderr ctrain -m "$T/c.db" --confirm "$T/a"
	[[ "$stderr" == *"expected alarms of cdetect, got none"* ]]
	stream --seed 3 --from 2000 --attack memfd wx > "$T/b"
	run -2 cdetect -m "$T/m.db" --exit-code -j "$T/b"
}

@test "what was watched and never done is new when it is done" {
	# the server alone, in the middle of its life: the exec collector had nothing to say
	stream --no-start | grep -v '"process.executable.path":"/usr/bin/job"' | grep -v '"event.action":"start"' > "$T/n"
	stream --no-start --seconds 1 | head -1 | sed 's/sequence/exec/' | jq -c 'with_entries(select(.key | test("^event.dataset|time|host"))) + {"event.kind": "heartbeat"}' > "$T/h"
	cat "$T/h" "$T/n" > "$T/a"
	ctrain -m "$T/m.db" "$T/a"
	stream --seed 3 --from 2000 --attack entered shell > "$T/b"
	cdetect -m "$T/m.db" -q -j "$T/b" > "$T/out"
	fields "$T/out" alarm.subject alarm.reason | grep -q '^(entered)|/bin/sh was never entered from outside'
	fields "$T/out" alarm.subject alarm.reason | grep -q '^srv|program /usr/bin/job was never seen here'
	# that the container itself starts again is none of it
	! fields "$T/out" alarm.program | grep -q /usr/sbin/srv
	# nothing known of starts: no word about them
	ctrain -m "$T/m.db" --new "$T/n"
	cdetect -m "$T/m.db" -q -j "$T/b" > "$T/out"
	! fields "$T/out" alarm.subject alarm.reason | grep entered
	fields "$T/out" alarm.subject alarm.reason | grep -q '^srv|program /bin/sh was never seen here'
}

@test "an image without a model is said once" {
	stream --image other --attack shell > "$T/a"
	run -0 --separate-stderr cdetect -m "$M" --exit-code -j "$T/a"
	[ "$stderr" = "cdetect: no baseline for web (other): written rules only" ]
}

@test "losses: marked, and an exit status" {
	stream --seed 3 --from 2000 --lose 7 > "$T/a"
	run -3 cdetect -m "$M" -q --exit-code -j "$T/a"
	[ "$(fields <(echo "$output") alarm.reason)" = "" ]
	stream --seed 3 --from 2000 --lose 7 --attack shell > "$T/a"
	run -2 cdetect -m "$M" -q --exit-code -j "$T/a"
	[[ "$(fields <(echo "$output") event.lost alarm.reason)" == *"7|program /bin/sh"*"7 rows were lost shortly before"* ]]
}

@test "a third party's dataset is judged by its schema row" {
	stream --odd > "$T/n"
	ctrain -m "$T/m.db" "$T/n"
	stream --odd --seed 2 --from 3000 --attack door > "$T/a"
	run -2 --separate-stderr cdetect -m "$T/m.db" --exit-code -j "$T/a"
	[ "$(fields <(echo "$output") alarm.kind alarm.field alarm.value)" = "access|door|cel'lar-\\x0ax" ]
	grep -v '"event.kind":"schema"' "$T/a" > "$T/b"
	run -0 --separate-stderr cdetect -m "$T/m.db" --exit-code -j "$T/b"
	[[ "$stderr" == *"rows of acme.door come without a schema row"* ]]
	grep '"event.kind":"schema"' "$T/a" > "$T/schema"
	run -2 cdetect -m "$T/m.db" --exit-code --schema "$T/schema" -j "$T/b"
	fields <(cdetect -m "$T/m.db" -q -j "$T/a") alarm.allow > "$T/command"
	bash -e "$T/command"
	run -0 cdetect -m "$T/m.db" --exit-code -q -j "$T/a"
}

@test "a restarted container is quiet" {
	stream --seed 9 --from 7000 --container web2 > "$T/a"
	run -0 cdetect -m "$M" --exit-code "$T/a"
}

@test "live: an alarm comes while the stream goes on" {
	command -v ctrain cdetect || return 1
	mkfifo "$T/p"
	cdetect -m "$M" -j "$T/p" > "$T/out" &
	pid=$!
	exec 7> "$T/p"
	stream --seed 3 --from 2000 --attack shell >&7
	for i in $(seq 1 200); do grep -q raised "$T/out" && break; sleep 0.05; done
	grep -q '/bin/sh was never seen' "$T/out"
	kill -0 $pid
	exec 7>&-
	wait $pid
}

@test "a reader that goes away ends it quietly" {
	stream --attack shell memfd > "$T/a"
	run -0 --separate-stderr bash -c "set -o pipefail; cdetect -m '$M' -j '$T/a' | true"
	[ "$stderr" = "" ]
}

@test "bad rows are told and left out, the status is 1" {
	stream --seed 3 --from 2000 --attack shell > "$T/good"
	{ head -50 "$T/good"; echo 'garbage'; tail -n +51 "$T/good"; } > "$T/a.jsonl"
	run -1 --separate-stderr cdetect -m "$M" --exit-code -j "$T/a.jsonl"
	[[ "$stderr" == "cdetect: $T/a.jsonl:51: "* ]]
	cmp <(echo "$output") <(cdetect -m "$M" -j "$T/good")
	run -1 --separate-stderr cdetect -m "$M" --strict -j "$T/a.jsonl"
}

@test "refusals are one line" {
	stream --seconds 5 > "$T/a"
	for bad in "$T/none.db" "$T" "$T/a"; do
		run -1 --separate-stderr cdetect -m "$bad" "$T/a"
		[ "${#stderr_lines[@]}" = 1 ]
		[[ "$stderr" == *"$bad"* ]]
	done
	run -1 --separate-stderr cdetect -m "$M" -w /dev/full "$T/a"
	[ "${#stderr_lines[@]}" = 1 ]
	run -1 --separate-stderr bash -c "cdetect -m '$M' '$T/a' > /dev/full"
	[ "${#stderr_lines[@]}" = 1 ]
	for bad in "" "-m x --budget=no" "-m x -o xml" "--nosuch"; do
		run -64 cdetect $bad < /dev/null
	done
	run -0 cdetect --fields=help
	[[ "$output" == *alarm.expected* ]]
}

# ---- files, contacts, resources ----

# A model of everything, made once.
more_model() {
	[ -e "$BATS_FILE_TMPDIR/more.db" ] && return
	stream --more --seconds 420 > "$BATS_FILE_TMPDIR/more.jsonl"
	ctrain -q -m "$BATS_FILE_TMPDIR/new.db" "$BATS_FILE_TMPDIR/more.jsonl" > "$BATS_FILE_TMPDIR/more.txt"
	mv "$BATS_FILE_TMPDIR/new.db" "$BATS_FILE_TMPDIR/more.db"
}

# alone NAME...: the same stream with these attacks and without; alarms of the first, as fields give them, in got
alone() {
	more_model
	stream --more --seconds 180 --seed 3 --from 2000 --attack "$@" > "$T/a"
	cdetect -m "$BATS_FILE_TMPDIR/more.db" -q -j "$T/a" > "$T/out"
	fields "$T/out" container.name alarm.kind alarm.detector alarm.field alarm.value threat.technique.id > "$T/got"
	cat "$T/got"
}

@test "files, contacts, resources: quiet, whatever the seed" {
	more_model
	for seed in 2 3 5 7; do
		run -0 cdetect -m "$BATS_FILE_TMPDIR/more.db" -q --exit-code -j <(stream --more --seconds 600 --seed $seed --from ${seed}000)
		[ "$(fields <(echo "$output") alarm.reason)" = "" ]
	done
	# another of the image, which is a new name to its neighbour only
	run -0 cdetect -m "$BATS_FILE_TMPDIR/more.db" -q --exit-code <(stream --more --seed 11 --from 9000 --container web2 | grep -v '"container.name":"db"')
}

@test "a file never read, and one never written" {
	alone shadow overwrite
	[ "$(sort "$T/got")" = "$(printf '%s\n' 'web|access|set|file.path|read /etc/shadow|T1003.008' \
		'web|access|set|file.path|write /srv/www/index.html|')" ]
	fields "$T/out" alarm.reason alarm.expected | grep -q '^read /etc/shadow: never seen of this program|.*/srv/www/index.html'
	# files that are not there have names that somebody else chose: only their folder counts
	[ "$(grep -o '"file.path":"/srv/www/[a-h]*"' "$T/a" | sort -u | wc -l)" -gt 150 ]
	bash -e <(fields "$T/out" alarm.allow | sed "s|$BATS_FILE_TMPDIR/more.db|$T/m.db|" | sed "1i cp $BATS_FILE_TMPDIR/more.db $T/m.db")
	run -0 cdetect -m "$T/m.db" -q --exit-code "$T/a"
}

@test "a port of a neighbour never asked for: both ends are one incident" {
	alone port
	[ "$(cat "$T/got")" = "$(printf '%s\n' 'web|access|set|network.peer|outbound tcp db:2222|' \
		'db|access|set|network.peer|inbound tcp web to :2222|')" ]
	[ "$(fields "$T/out" incident.id | sort -u)" = 1 ]
	# without a contact they are two
	sed '/cbtools.peer/!d; s/"source.container.name":"[^"]*",*//; s/"destination.container.name":"[^"]*"//; s/,,*}/}/' "$T/a" |
		cdetect -m "$BATS_FILE_TMPDIR/more.db" -q -j > "$T/out2"
	[ "$(fields "$T/out2" incident.id | sort -u | wc -l)" = 2 ]
}

@test "a CPU burn, a memory ramp, a burst of forks, a scan: each once, at its begin" {
	alone burn
	[ "$(cat "$T/got")" = 'web|resource|rate1|container.cpu.time_ns|up to 3200000000|T1496' ]
	fields "$T/out" alarm.reason | grep -qE '^container.cpu.time_ns: (0.9.|1.0.) CPUs over 1 s; alarm from 0.[1-6]. CPUs$'
	[ "$(grep -c '"ended"' "$T/out")" = 0 ]
	alone ramp
	[ "$(cat "$T/got")" = 'web|resource|level|container.memory.anon_bytes|up to 64000000|T1499.001' ]
	alone forks
	[ "$(cat "$T/got")" = 'web|resource|rate1|container.process.forks|up to 1280|T1499.001' ]
	alone scan
	[ "$(cat "$T/got")" = 'web|resource|rate1|network.failures|up to 80|T1046' ]
}

@test "a burst of what is done every second is an alarm, though each of it is known" {
	alone encrypt
	[ "$(sed 's/up to [0-9]*/N/' "$T/got")" = 'web|access|rate1|event.count:rename|N|T1486' ]
	fields "$T/out" alarm.reason alarm.expected | grep -qE '^event.count:rename: [0-9]+/s over 1 s; alarm from [0-9]+/s\|at most [0-9]+/s in '
	bash -e <(fields "$T/out" alarm.allow | sed "s|$BATS_FILE_TMPDIR/more.db|$T/m.db|" | sed "1i cp $BATS_FILE_TMPDIR/more.db $T/m.db")
	run -0 cdetect -m "$T/m.db" -q --exit-code "$T/a"
}

@test "how much is allowed is a limit" {
	alone burn
	cp "$BATS_FILE_TMPDIR/more.db" "$T/m.db"
	cmodel allow "$T/m.db" -s srv -f container.cpu.time_ns -v 'up to 500000000'
	run -2 cdetect -m "$T/m.db" -q --exit-code "$T/a"
	bash -e <(fields "$T/out" alarm.allow | sed "s|$BATS_FILE_TMPDIR/more.db|$T/m.db|")
	run -0 cdetect -m "$T/m.db" -q --exit-code "$T/a"
}

@test "an amount of a third party has its own usual size as floor" {
	queue() {
		python3 - "$@" <<-'P'
		import json, random, sys
		rnd, high = random.Random(int(sys.argv[1])), int(sys.argv[2])
		print(json.dumps({"event.dataset": "acme.queue", "event.kind": "schema", "@timestamp": "2026-01-01T00:00:00Z", "schema.fields": [
		    {"name": "queue.length", "type": "uint", "role": "level"}, {"name": "queue.done", "type": "uint", "role": "rate"}]}))
		for s in range(590):
		    print(json.dumps({"event.dataset": "acme.queue", "event.kind": "event", "@timestamp": "2026-01-01T00:%02d:%02d.5Z" % divmod(s, 60),
		        "event.duration_ns": 10 ** 9, "container.name": "q", "queue.length": rnd.randint(0, 9) + (high if s == 301 else 0),
		        "queue.done": round(1e5 * rnd.lognormvariate(0, 0.1) * (high if s == 401 else 1))}))
		print('{"event.dataset":"acme.queue","event.kind":"end","@timestamp":"2026-01-01T00:09:59Z"}')
		P
	}
	queue 1 1 > "$T/n"
	ctrain -q -m "$T/m.db" "$T/n" > "$T/said"
	run -0 cdetect -m "$T/m.db" -q --exit-code <(queue 2 1)
	cdetect -m "$T/m.db" -q -j <(queue 3 100) > "$T/out"
	[ "$(fields "$T/out" alarm.kind alarm.detector alarm.field)" = $'resource|level|queue.length\nresource|rate1|queue.done' ]
}

@test "everything at once: the same bytes from CSV, and one kind each" {
	more_model
	args="--more --seconds 180 --seed 3 --from 2000 --attack shell memfd burn ramp forks shadow port scan"
	stream $args > "$T/a.jsonl"
	stream $args --csv > "$T/a.csv"
	cdetect -m "$BATS_FILE_TMPDIR/more.db" -q -j "$T/a.jsonl" > "$T/1"
	cdetect -m "$BATS_FILE_TMPDIR/more.db" -q -j "$T/a.csv" > "$T/2"
	cmp "$T/1" "$T/2"
	[ "$(fields "$T/1" alarm.kind | sort | uniq -c | tr -s ' ')" = "$(printf '%s\n' ' 3 access' ' 2 process' ' 4 resource')" ]
	fields "$T/1" alarm.field threat.technique.id | grep -qx 'process.executable.path|T1059.004'
	fields "$T/1" alarm.field threat.technique.id | grep -qx 'process.executable.path|T1620'
}

@test "an incident is told when it opens, when it grows, and when it is over" {
	more_model
	stream --more --seconds 180 --seed 3 --from 2000 --attack shell memfd burn ramp forks shadow port ports scan > "$T/a"
	cdetect -m "$BATS_FILE_TMPDIR/more.db" -q -j "$T/a" > "$T/out"
	python3 - "$T/out" <<-'EOF'
	import json, sys
	rows = [json.loads(l) for l in open(sys.argv[1])]
	assert [r["event.dataset"] for r in rows if r["event.kind"] == "schema"] == ["cbtools.alarm", "cbtools.incident"]
	rows = [r for r in rows if r["event.kind"] == "event"]
	inc = [r for r in rows if r["event.dataset"] == "cbtools.incident"]
	alarms = [r for r in rows if r["event.dataset"] == "cbtools.alarm"]
	raised = [r for r in alarms if r["event.action"] == "raised"]
	count = {r["alarm.id"]: r["event.count"] for r in alarms}
	actions = [r["event.action"] for r in inc]
	assert actions == ["opened"] + ["updated"] * (len(inc) - 2) + ["closed"] and len(inc) > 3, actions
	assert {r["incident.id"] for r in inc} == {1} == {r["incident.id"] for r in alarms}
	assert rows[1] == inc[0] and inc[0]["incident.alarms"] == 1 and inc[0]["incident.reason"] == raised[0]["alarm.reason"], inc[0]
	# a row is worth it: each has something that the one before had not
	for a, b in zip(inc, inc[1:-1]):
	    assert (a["incident.containers"], a["incident.kinds"]) != (b["incident.containers"], b["incident.kinds"]) or \
	        b["incident.score"] >= a["incident.score"] + 1, (a, b)
	last = inc[-1]
	worst = max(raised, key=lambda r: r["alarm.score"])
	assert last["incident.alarms"] == len(raised) > 12, last
	assert last["event.count"] == sum(count.values()) > 67, (last, count)
	assert last["incident.score"] == worst["alarm.score"] and last["incident.reason"] == worst["alarm.reason"], last
	assert last["incident.containers"] == "web db", last
	assert last["incident.kinds"].split() == list(dict.fromkeys(r["alarm.kind"] for r in raised)), last
	assert set(last["incident.techniques"].split()) == {r["threat.technique.id"] for r in raised if "threat.technique.id" in r}
	assert last["event.start"] == raised[0]["@timestamp"] and last["event.end"] == last["@timestamp"] > inc[-2]["@timestamp"], last
	assert not any(k.startswith("alarm.") for k in last)
	EOF
	# as CSV and as a table there are alarms only
	! cdetect -m "$BATS_FILE_TMPDIR/more.db" -q --csv "$T/a" | grep cbtools.incident
	[ "$(cdetect -m "$BATS_FILE_TMPDIR/more.db" -q --csv "$T/a" | grep -c raised)" = "$(fields "$T/out" alarm.id | wc -l)" ]
}

@test "two incidents become one when their containers meet; after 30 s of quiet there is another" {
	python3 - > "$T/a" <<-'EOF'
	import json
	def row(s, cont, dataset="exec", **f):
	    r = {"event.dataset": "cbtools." + dataset, "event.kind": "event", "event.action": "start", "@timestamp": "2026-01-01T00:%02d:%02dZ" % divmod(s, 60),
	         "host.id": "h", "container.id": cont * 8, "container.name": cont, "container.image.name": "srv", "process.pid": 7000 + s,
	         "process.executable.path": f.pop("exe", "/usr/sbin/srv"), "process.parent.name": "runc"}
	    print(json.dumps(dict(r, **f)))
	row(1, "a", exe="/x/one")
	row(3, "b", exe="/x/two")
	row(5, "c", exe="/x/three")
	row(7, "a", "peer", **{"event.action": "total", "source.container.name": "a", "destination.container.name": "b"})
	row(8, "b", exe="/x/two")   # again, and joins
	row(40, "a", exe="/x/one")  # 39 s after the last here, but 32 s after that of b
	row(60, "b", exe="/x/two")
	print('{"event.dataset":"cbtools.exec","event.kind":"end","@timestamp":"2026-01-01T00:02:00Z"}')
	EOF
	cdetect -m "$M" -q -j "$T/a" > "$T/out"
	python3 - "$T/out" > "$T/got" <<-'EOF'
	import json, sys
	for r in map(json.loads, open(sys.argv[1])):
	    if r["event.kind"] == "event" and r["event.dataset"] == "cbtools.incident":
	        print(r["@timestamp"][14:19], r["event.action"], r["incident.id"], r.get("incident.joined", "-"), r["incident.alarms"], r["event.count"],
	              r["incident.containers"], r.get("event.duration_ns", 0) // 10 ** 9, sep="|")
	EOF
	cat "$T/got"
	diff "$T/got" - <<-'EOF'
	00:01|opened|1|-|1|1|a|0
	00:03|opened|2|-|1|1|b|0
	00:05|opened|3|-|1|1|c|0
	00:03|joined|2|1|1|1|b|0
	00:03|updated|1|-|2|2|a b|2
	00:08|closed|1|-|2|3|a b|7
	00:05|closed|3|-|1|1|c|0
	00:40|opened|4|-|1|1|a|0
	01:00|opened|5|-|1|1|b|0
	00:40|closed|4|-|1|1|a|0
	01:00|closed|5|-|1|1|b|0
	EOF
}

@test "a scan of never-seen ports is a few alarms, and one for all the others" {
	more_model
	stream --more --seconds 180 --seed 3 --from 2000 --attack ports > "$T/a"
	cdetect -m "$BATS_FILE_TMPDIR/more.db" -q -j "$T/a" > "$T/out"
	[ "$(fields "$T/out" alarm.field | sort | uniq -c | tr -s ' ')" = ' 9 network.peer' ]
	[ "$(fields "$T/out" alarm.value threat.technique.id | tail -1)" = '(many)|T1046' ]
	# none is swallowed: 67 ports
	python3 - "$T/out" <<-'EOF'
	import json, sys
	n = {}
	for line in open(sys.argv[1]):
	    r = json.loads(line)
	    if r["event.kind"] == "event" and r["event.dataset"] == "cbtools.alarm":
	        n[r["alarm.id"]] = r["event.count"]
	assert sum(n.values()) == 67, n
	EOF
	bash -e <(fields "$T/out" alarm.allow | tail -1 | sed "s|$BATS_FILE_TMPDIR/more.db|$T/m.db|" | sed "1i cp $BATS_FILE_TMPDIR/more.db $T/m.db")
	cdetect -m "$T/m.db" -q -j "$T/a" > "$T/out"
	[ "$(fields "$T/out" alarm.field | wc -l)" = 8 ]
}

@test "a search of another place right after a scan is told, and no search is more than a few alarms" {
	more_model
	stream --more --seconds 180 --seed 3 --from 2000 --attack ports |
		sed -E 's|"outbound tcp db:([3-6][0-9])"|"outbound tcp 10.77.1.0/24:\1"|' > "$T/a"
	cdetect -m "$BATS_FILE_TMPDIR/more.db" -q -j "$T/a" > "$T/out"
	fields "$T/out" alarm.value | tail -3 > "$T/last"
	[ "$(cat "$T/last")" = "$(printf '%s\n' '(many)' 'outbound tcp 10.77.1.0/24:30' 'outbound tcp 10.77.1.0/24:31')" ]
	[ "$(fields "$T/out" alarm.field | wc -l)" = 11 ]
	# through many places: eight of them are named
	stream --more --seconds 180 --seed 3 --from 2000 --attack ports |
		sed -E 's|"outbound tcp db:([1-6]?[0-9])"|"outbound tcp 10.77.\1.0/24:\1"|' > "$T/a"
	cdetect -m "$BATS_FILE_TMPDIR/more.db" -q -j "$T/a" > "$T/out"
	[ "$(fields "$T/out" alarm.value | grep -c '^outbound')" -le 24 ]
	[ "$(fields "$T/out" alarm.value | grep -cx '(many)')" = 1 ]
}

@test "written rules hold with and without a baseline, and can be allowed" {
	more_model
	for image in srv other; do
		stream --more --image $image --seconds 60 --seed 3 --from 2000 --attack host > "$T/a"
		cdetect -m "$BATS_FILE_TMPDIR/more.db" -q -j "$T/a" > "$T/out"
		[ "$(fields "$T/out" alarm.kind alarm.detector alarm.value threat.technique.id | grep '|rule|')" = 'access|rule|mounted-shadow|T1003.008' ]
	done
	fields "$T/out" alarm.reason | grep -qF 'below a mount (file.path /mnt/etc/shadow'
	bash -e <(fields "$T/out" alarm.allow | sed "s|$BATS_FILE_TMPDIR/more.db|$T/m.db|" | sed "1i cp $BATS_FILE_TMPDIR/more.db $T/m.db")
	run -0 cdetect -m "$T/m.db" -q --exit-code "$T/a"
}
