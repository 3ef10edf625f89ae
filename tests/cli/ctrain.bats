# SPDX-License-Identifier: GPL-2.0
bats_require_minimum_version 1.5.0
# ctrain over made recordings (tests/helpers/stream.py).

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	PATH=${O:-$PWD/build}:$PATH
	T=$BATS_TEST_TMPDIR
}

stream() {
	python3 tests/helpers/stream.py "$@"
}

# everything a model says, without where it came from
content() {
	python3 - "$1" <<-'EOF'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	for t in "meta subject program field symbol ngram item dropped heldout heldout_top threshold rate rate_batch subject_batch program_batch field_batch allow".split():
	    for row in sorted(db.execute("SELECT * FROM " + t), key=repr):
	        print(t, row)
	EOF
}

@test "the same model from CSV, JSON, compressed, and a pipe" {
	stream > "$T/a.jsonl"
	stream --csv > "$T/a.csv"
	run -0 ctrain -m "$T/json.db" "$T/a.jsonl"
	[[ "$output" == *"srv: 1 containers, 2.0 container-minutes"* ]]
	[[ "$output" == *"/usr/sbin/srv"*"ready"* ]]
	ctrain -m "$T/csv.db" "$T/a.csv"
	ctrain -m "$T/pipe.db" < <(cat "$T/a.jsonl")
	zstd -q "$T/a.jsonl" -o "$T/b.jsonl.zst" && ctrain -m "$T/zst.db" "$T/b.jsonl.zst"
	content "$T/json.db" > "$T/json"
	[ "$(wc -l < "$T/json")" -gt 300 ]
	for f in csv pipe zst; do
		cmp <(content "$T/$f.db") "$T/json"
	done
	[ "$(stat -c %a "$T/json.db")" = 600 ]
}

@test "a folder of two recordings is the same as both in one" {
	mkdir "$T/rec"
	stream > "$T/a.jsonl"
	grep cbtools.exec "$T/a.jsonl" > "$T/rec/exec.jsonl"
	grep cbtools.sequence "$T/a.jsonl" > "$T/rec/sequence.jsonl"
	ctrain -m "$T/one.db" "$T/a.jsonl"
	ctrain -m "$T/two.db" "$T/rec"
	cmp <(content "$T/one.db" | grep '^ngram\|^threshold') <(content "$T/two.db" | grep '^ngram\|^threshold')
}

@test "a container starts with its first process, whatever its number is" {
	local how
	for how in '"process.vpid":1' '"process.vpid":100,"process.first":true' '"process.vpid":100'; do
		stream --more | sed "s/\"process.vpid\":1\([,}]\)/$how\1/" > "$T/a.jsonl"
		ctrain -m "$T/m.db" --new "$T/a.jsonl"
		sqlite3 "$T/m.db" 'SELECT SUM(starts) > 0 FROM rate_batch' >> "$T/starts"
	done
	[ "$(xargs <"$T/starts")" = "1 1 0" ]
}

@test "a source is learned once; another is added; --new starts over" {
	stream > "$T/a.jsonl"
	stream --seed 2 --from 5000 > "$T/b.jsonl"
	ctrain -m "$T/m.db" "$T/a.jsonl"
	content "$T/m.db" > "$T/before"
	run -0 --separate-stderr ctrain -m "$T/m.db" "$T/a.jsonl"
	[ "$stderr" = "ctrain: $T/a.jsonl: was learned already, skipped" ]
	content "$T/m.db" | cmp - "$T/before"
	zstd -q "$T/a.jsonl" && run -0 ctrain -m "$T/m.db" "$T/a.jsonl.zst"
	content "$T/m.db" | cmp - "$T/before"

	run -0 ctrain -m "$T/m.db" "$T/b.jsonl"
	[[ "$output" == *"srv: 2 containers, 4.0 container-minutes"* ]]
	calls=$(cat "$T/a.jsonl.zst" | zstd -dc | cat - "$T/b.jsonl" | grep -o '"syscall.sequence":"[^"]*' | cut -d: -f2- | wc -w)
	[ "$(python3 -c 'import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT SUM(n) FROM ngram").fetchone()[0])' "$T/m.db")" = "$calls" ]
	run -0 ctrain -m "$T/m.db" --new "$T/b.jsonl"
	[[ "$output" == *"srv: 1 containers, 2.0 container-minutes"* ]]
}

@test "rows of a lossy window are not learned unless told" {
	stream --lose 7 > "$T/a.jsonl"
	run -0 --separate-stderr ctrain -m "$T/m.db" "$T/a.jsonl"
	[[ "$stderr" == *"ctrain: 1 rows said that 7 were lost before them: not learned (--lossy learns them)"* ]]
	[[ "$stderr" == *"gaps in sequences"* ]]
	a=$(content "$T/m.db" | grep -c .)
	run -0 --separate-stderr ctrain -m "$T/l.db" --lossy "$T/a.jsonl"
	[[ "$stderr" != *"not learned (--lossy"* ]]
	[ "$(content "$T/m.db" | md5sum)" != "$(content "$T/l.db" | md5sum)" ]
}

@test "what is entered from outside has a baseline of its own, and its calls none" {
	stream --attack entered > "$T/a.jsonl"
	ctrain -m "$T/m.db" "$T/a.jsonl" > "$T/out"
	grep -q '(entered)' "$T/out"
	! content "$T/m.db" | grep ptrace
	content "$T/m.db" | grep "^program .*'/bin/sh'" && return 1
	true
}

@test "no value of an argument gets into a model" {
	stream --attack shell args > "$T/a.jsonl"
	ctrain -m "$T/m.db" "$T/a.jsonl"
	! content "$T/m.db" | grep -e 'uname -a' -e 'id=[0-9]' -e 'tmp/job-[0-9]'
	content "$T/m.db" | grep -q 'job --id= /tmp/job-#'
}

@test "a dataset of a third party is learned by its schema row" {
	stream --odd > "$T/a.jsonl"
	ctrain -m "$T/m.db" "$T/a.jsonl"
	content "$T/m.db" | grep -q "item .*north"
	content "$T/m.db" | grep -q "field .*'acme.door', 'door', 'set'"
}

@test "--by=label: containers of several images that have one label share a baseline" {
	stream > "$T/a"
	stream --seed 2 --container api --image other > "$T/b"
	label() {
		python3 - "$@" <<-'EOF'
		import json, sys
		for line in open(sys.argv[1]):
		    r = json.loads(line)
		    if "container.name" in r:
		        r["container.label"] = sys.argv[2]
		    print(json.dumps(r))
		EOF
	}
	label "$T/a" "app=a shop=1" > "$T/a.jsonl"
	label "$T/b" "app=a shop=1" > "$T/b.jsonl"
	run -0 --separate-stderr ctrain --by=label:app -m "$T/m.db" "$T/a.jsonl" "$T/b.jsonl"
	[[ "$output" == *"a shop=1: 2 containers"* ]]
	# a third is judged by it; one with another label is not known
	stream --seed 3 --from 2000 --container new --image third --attack shell > "$T/c"
	label "$T/c" "app=a shop=1" > "$T/c.jsonl"
	run -2 --separate-stderr cdetect -q --exit-code -j -m "$T/m.db" "$T/c.jsonl"
	[[ "$output" == *'"container.label":"app=a shop=1"'*'"alarm.subject":"a shop=1"'* ]]
	label "$T/c" "app=b" > "$T/d.jsonl"
	run -0 --separate-stderr cdetect --exit-code -m "$T/m.db" "$T/d.jsonl"
	[[ "$stderr" == *"no baseline for new (b)"* ]]
	# rows without it, or with another key
	label "$T/a" "application=a" > "$T/e.jsonl"
	for input in "$T/a" "$T/e.jsonl"; do
		run -1 --separate-stderr ctrain --by=label:app -m "$T/n.db" "$input"
		[[ "$stderr" == "ctrain: label:app: expected rows with this label (collectors write it with --label=app), got "*" without" ]]
		[ ! -e "$T/n.db" ]
	done
}

@test "a live stream is checkpointed" {
	command -v ctrain cdetect || return 1
	mkfifo "$T/p"
	ctrain -m "$T/m.db" --checkpoint=50ms "$T/p" > "$T/out" &
	pid=$!
	exec 7> "$T/p"
	stream >&7
	# it is written after the stream was read to here, however long that takes
	until [ -s "$T/m.db" ] && content "$T/m.db" | grep -q '^ngram'; do kill -0 $pid; sleep 0.05; done
	stream --seed 2 --from 500 >&7
	exec 7>&-
	wait $pid
	calls=$( (stream; stream --seed 2 --from 500) | grep -o '"syscall.sequence":"[^"]*' | cut -d: -f2- | wc -w)
	[ "$(python3 -c 'import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT SUM(n) FROM ngram").fetchone()[0])' "$T/m.db")" = "$calls" ]
	# however often it was written: one run is one batch
	run -0 cmodel show "$T/m.db"
	[ "$(grep -c '^learned in run' <<< "$output")" = 1 ]
}

@test "a signal ends it with what was learned so far" {
	command -v ctrain cdetect || return 1
	mkfifo "$T/p"
	ctrain -m "$T/m.db" "$T/p" > "$T/out" &
	pid=$!
	exec 7> "$T/p"
	stream >&7
	kill -TERM $pid
	wait $pid
	exec 7>&-
	content "$T/m.db" | grep -q '^ngram'
}

@test "hostile names fill no memory, and it is said" {
	python3 - > "$T/a.jsonl" <<-'EOF'
	import json
	for i in range(5003):
	    for d in ("sequence", "exec"):
	        print(json.dumps({"event.dataset": "cbtools." + d, "event.kind": "event", "@timestamp": "2026-01-01T00:%02d:%02d.000000000Z" % (i // 60 % 60, i % 60),
	            "container.name": "c%d" % (i % 3), "container.image.name": "i", "process.pid": i, "process.thread.id": i, "process.exec.id": i,
	            "process.executable.path": "/x/" + chr(97 + i % 26) * (i // 26 + 1), "syscall.first": 0,
	            "syscall.sequence": " ".join("call%s" % "".join(chr(97 + int(c)) for c in str(i * 7 + k)) for k in range(7)),
	            "process.command_args": "z" * (i % 4000)})[:4000] if i % 1009 else "{}")
	EOF
	run -1 --separate-stderr ctrain -m "$T/m.db" "$T/a.jsonl"
	[[ "$output" == *"rows of more than 256 programs were left out"* ]]
	[[ "$output" == *"1022 symbols"* ]]
}

@test "bad input: one line, the rest is learned" {
	stream > "$T/good"
	{ head -100 "$T/good"; echo '{"event.dataset": "cbtools.seq'; head -c 300 /dev/urandom | tr -d '\n'; echo; tail -n +101 "$T/good"; } > "$T/a.jsonl"
	run -1 --separate-stderr ctrain -m "$T/m.db" "$T/a.jsonl"
	[[ "${stderr_lines[0]}" == "ctrain: $T/a.jsonl:101: "* ]]
	ctrain -m "$T/g.db" "$T/good"
	cmp <(content "$T/m.db") <(content "$T/g.db")
	run -1 --separate-stderr ctrain -m "$T/s.db" --strict "$T/a.jsonl"
}

@test "refusals are one line and leave the old model" {
	stream > "$T/a.jsonl"
	ctrain -m "$T/m.db" "$T/a.jsonl"
	sum=$(md5sum < "$T/m.db")
	refuses() {
		local want=$1
		shift
		run -1 --separate-stderr "$@"
		[ "${#stderr_lines[@]}" = 1 ]
		[[ "$stderr" == *"$want"* ]]
	}
	refuses "expected --by=image" ctrain -m "$T/m.db" --by=name "$T/a.jsonl"
	refuses "expected --order=5" ctrain -m "$T/m.db" --order=3 "$T/a.jsonl"
	refuses "No such file" ctrain -m "$T/n.db" "$T/none.jsonl"
	refuses "cannot be written" ctrain -m "$T/none/n.db" "$T/a.jsonl"
	sed 's/"syscall.sequence":"[^"]*"/"x":1/' "$T/a.jsonl" > "$T/nocol.jsonl"
	refuses "expected a column syscall.sequence" ctrain -m "$T/n.db" "$T/nocol.jsonl"
	: > "$T/empty.jsonl"
	refuses "got none" ctrain -m "$T/n.db" "$T/empty.jsonl"
	python3 -c 'import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute("PRAGMA user_version = 99")' "$T/m.db"
	refuses "got version 99" ctrain -m "$T/m.db" "$T/a.jsonl"
	[ ! -e "$T/n.db" ]
	[ "$(find "$T" -name '*.new')" = "" ]
}

@test "a recording without events is said, and no error beside others" {
	mkdir "$T/rec"
	stream > "$T/rec/a.jsonl"
	for d in file peer; do
		for kind in schema heartbeat end; do
			echo "{\"event.dataset\":\"cbtools.$d\",\"event.kind\":\"$kind\",\"@timestamp\":\"2025-12-17T19:33:21Z\",\"host.id\":\"h1\",\"event.seen\":0}"
		done > "$T/rec/$d.jsonl"
	done
	run -0 --separate-stderr ctrain -m "$T/m.db" "$T/rec"
	[ "$(sort <<< "$stderr")" = "$(printf 'ctrain: %s: no events in it, only that somebody watched\n' "$T/rec/file.jsonl" "$T/rec/peer.jsonl")" ]
	[[ "$output" == *"/usr/sbin/srv"*"ready"* ]]
	# who was watched and opened nothing has an empty baseline, which is not none
	[[ "$output" == *"file.path "* ]]
	run -0 --separate-stderr ctrain -q -m "$T/m2.db" "$T/rec"
	[ "$stderr" = "" ]
	sum=$(md5sum < "$T/m.db")
	echo >> "$T/rec/file.jsonl" # another source
	for input in "$T/rec/file.jsonl" "$T/rec/file.jsonl $T/rec/peer.jsonl"; do
		run -1 --separate-stderr ctrain -m "$T/m.db" $input
		[ "${#stderr_lines[@]}" -ge 1 ]
		[[ "${stderr_lines[-1]}" == "ctrain: $T/rec/file.jsonl: expected rows of events, got none"* ]]
		[ "$sum" = "$(md5sum < "$T/m.db")" ]
	done
}

@test "a full disk leaves the old model and one line" {
	[ -w /dev/full ] && [ "$(id -u)" = 0 ] && mkdir "$T/small" && mount -t tmpfs -o size=160k none "$T/small" || skip "needs root to mount a small folder"
	stream --seconds 20 > "$T/a.jsonl"
	stream --attack shell memfd args packet > "$T/b.jsonl"
	run ctrain -m "$T/small/m.db" "$T/a.jsonl"
	first=$status
	sum=$(md5sum < "$T/small/m.db")
	run --separate-stderr ctrain -m "$T/small/m.db" "$T/b.jsonl"
	after=$(md5sum < "$T/small/m.db") left=$(ls "$T/small") text=$stderr last=$status
	umount "$T/small"
	[ $first = 0 ]
	[ $last = 1 ]
	[[ "$text" == *"full"* ]]
	[ "$sum" = "$after" ]
	[ "$left" = m.db ]
}

@test "usage errors are 64" {
	for bad in "" "-m x --order=9" "-m x --order=" "-m x --by=ip" "-m x --budget=0" "-m x --budget=1/week" "-m x --checkpoint=1x" "--nosuch"; do
		run -64 ctrain $bad < /dev/null
	done
	run -0 ctrain --help
	run -0 ctrain --version
}
