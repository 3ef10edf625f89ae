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
	[ "$stderr" = "cdetect: no baseline for web (other): not judged" ]
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
