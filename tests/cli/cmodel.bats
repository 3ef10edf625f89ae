# SPDX-License-Identifier: GPL-2.0
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	PATH=${O:-$PWD/build}:$PATH
	T=$BATS_TEST_TMPDIR
	python3 tests/helpers/stream.py > "$T/a.jsonl"
	ctrain -m "$T/m.db" "$T/a.jsonl" > "$T/trained"
}

@test "show says what ctrain said" {
	run -0 cmodel show "$T/m.db"
	[[ "$output" == "$(cat "$T/trained")"$'\n'"learned in run 1: $T/a.jsonl "*" rows" ]]
	chmod 400 "$T/m.db"
	run -0 cmodel show "$T/m.db"
}

@test "allow is kept when more is learned, and ends on its day" {
	cmodel allow "$T/m.db" -s srv -f process.executable.path -v /bin/sh --reason "it's the admin" --expires 2020-01-01
	cmodel allow "$T/m.db" -f syscall.sequence -v ptrace
	python3 tests/helpers/stream.py --seed 2 --from 9000 > "$T/b.jsonl"
	ctrain -m "$T/m.db" "$T/b.jsonl"
	run -0 cmodel show "$T/m.db"
	[[ "$output" == *"allowed: srv "*"/bin/sh"* ]]
	python3 tests/helpers/stream.py --seed 3 --from 2000 --attack shell > "$T/c"
	run -2 cdetect -m "$T/m.db" --exit-code "$T/c"
}

@test "usage and other files" {
	run -1 --separate-stderr cmodel show "$T/a.jsonl"
	[[ "$stderr" == *"expected a model"* ]]
	run -1 --separate-stderr cmodel allow "$T/m.db" -s nobody -f x
	[[ "$stderr" == *'expected a subject of the model, got "nobody"'* ]]
	for bad in "" "show" "dance $T/m.db" "show $T/m.db -s x" "allow $T/m.db" "allow $T/m.db -f x --expires tomorrow" "show a b"; do
		run -64 cmodel $bad
	done
}

@test "allow takes an alarm by its number" {
	python3 tests/helpers/stream.py --seed 3 --from 2000 --attack shell memfd > "$T/c"
	cdetect -m "$T/m.db" -q -j "$T/c" > "$T/alarms"
	cmodel allow "$T/m.db" --alarm=2 "$T/alarms"
	run -2 --separate-stderr cdetect -m "$T/m.db" -q --exit-code "$T/c"
	[[ "$output" == */bin/sh* && "$output" != *memfd* ]]
	cmodel allow "$T/m.db" --alarm=1 --reason=tested < "$T/alarms"
	run -0 cdetect -m "$T/m.db" -q --exit-code "$T/c"
	run -1 --separate-stderr cmodel allow "$T/m.db" --alarm=77 "$T/alarms"
	[ "$stderr" = "cmodel: $T/alarms: expected an alarm 77, got none" ]
	for bad in "--alarm=1 -f x" "-f x $T/alarms" "--alarm=1 a b"; do
		run -64 cmodel allow "$T/m.db" $bad < /dev/null
	done
}

@test "check tells what is missing, and of damage" {
	run -0 cmodel check "$T/m.db"
	[[ "$output" == *"srv: promises "*" false alarms a container-day, the budget is 1: more history is needed"* ]]
	python3 tests/helpers/stream.py --seconds 20 > "$T/s.jsonl"
	ctrain -q -m "$T/s.db" "$T/s.jsonl" > "$T/said"
	run -0 cmodel check "$T/s.db"
	[[ "$output" == *"srv: /usr/bin/job: still learning, 2 units"* ]]
	python3 - "$T/m.db" <<-'EOF'
	import sys
	f = open(sys.argv[1], "r+b")
	f.seek(4096 * 3)
	f.write(b"\xff" * 4096 * 4)
	EOF
	run -1 --separate-stderr cmodel check "$T/m.db"
	[[ "$stderr" == "cmodel: $T/m.db: "* ]]
	[ "${#stderr_lines[@]}" = 1 ]
}

# ---- several models ----

stream() {
	python3 tests/helpers/stream.py "$@"
}

# content FILE [TABLE...]: what is in a model
content() {
	python3 - "$@" <<-'EOF'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	tables = sys.argv[2:] or [n for n, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
	for t in tables:
	    for row in sorted(db.execute("SELECT * FROM " + t), key=repr):
	        print(t, row)
	EOF
}

# sums FILE: all that adds up exactly; which of the folds of an n-gram holds its units means nothing
sums() {
	content "$1" subject subject_batch program program_batch field_batch item dropped rate_batch rate \
		"(SELECT program, k, fold, batch, n FROM ngram)" "(SELECT program, k, batch, SUM(units) FROM ngram GROUP BY program, k, batch)"
}

# two MODELs: a.jsonl and, with what a does not have, b.jsonl; both in ab.db, one after the other
two_models() {
	stream --more > "$T/a.jsonl"
	stream --more --seed 2 --from 5000 --attack shell packet shadow > "$T/b.jsonl"
	ctrain -q -m "$T/a.db" "$T/a.jsonl" > "$T/said"
	ctrain -q -m "$T/b.db" "$T/b.jsonl" > "$T/said"
	cp "$T/a.db" "$T/ab.db"
	ctrain -q -m "$T/ab.db" "$T/b.jsonl" > "$T/said"
}

@test "diff tells what only one of two knows" {
	two_models
	run -0 cmodel diff "$T/a.db" "$T/b.db"
	[[ "$output" == *"+ srv: process.executable.path /bin/sh"* ]]
	[[ "$output" == *"+ srv: file.path /usr/sbin/srv read /etc/shadow"* ]]
	[[ "$output" == *"+ srv: calls of /bin/sh"* ]]
	! grep '^-' <<< "$output"
	run -0 cmodel diff "$T/b.db" "$T/a.db"
	[[ "$output" == *"- srv: syscall.sequence /usr/sbin/srv socket:packet"* ]]
	! grep '^+' <<< "$output"
	run -0 cmodel diff "$T/a.db" "$T/a.db"
	[ "$output" = "" ]
	# how much, and who was watched for what
	stream --more --attack burn | grep -v cbtools.peer > "$T/c.jsonl"
	ctrain -q -m "$T/c.db" "$T/c.jsonl" > "$T/said"
	run -0 cmodel diff "$T/a.db" "$T/c.db"
	[[ "$output" == *"- srv: network.peer, which the other did not watch"* ]]
	grep -q '^~ srv: container.cpu.time_ns at most 0.* CPUs -> .* CPUs$' <<< "$output"
}

@test "merged models are as good as one that learned from all; nothing counts twice" {
	two_models
	stream --more --seconds 180 --seed 3 --from 9000 --attack shell memfd args burn port scan > "$T/t.jsonl"
	rm "$T/m.db"
	run -0 cmodel merge "$T/m.db" "$T/a.db" "$T/b.db"
	[ "$output" = "" ]
	[ "$(stat -c %a "$T/m.db")" = 600 ]
	sums "$T/ab.db" > "$T/sums"
	[ "$(wc -l < "$T/sums")" -gt 1000 ]
	sums "$T/m.db" | cmp - "$T/sums"
	cmp <(cdetect -q -j -m "$T/m.db" "$T/t.jsonl" | sed s/m.db//) <(cdetect -q -j -m "$T/ab.db" "$T/t.jsonl" | sed s/ab.db//)
	# the other way round every number of a name is another, and it means the same
	cmodel merge "$T/r.db" "$T/b.db" "$T/a.db"
	run -0 cmodel diff "$T/m.db" "$T/r.db"
	[ "$output" = "" ]
	cmp <(cdetect -q --scores -j -m "$T/m.db" "$T/t.jsonl") <(cdetect -q --scores -j -m "$T/r.db" "$T/t.jsonl")
	run -0 cmodel merge "$T/x.db" "$T/ab.db" "$T/b.db" "$T/m.db"
	[ "$(grep -c 'is there already: left out' <<< "$output")" = 3 ]
	sums "$T/x.db" | cmp - "$T/sums"
	# and a merged model learns on
	run -0 --separate-stderr ctrain -m "$T/m.db" "$T/b.jsonl"
	[[ "$stderr" == *"was learned already"* ]]
	stream --more --seed 7 --from 20000 > "$T/d.jsonl"
	run -0 ctrain -m "$T/m.db" "$T/d.jsonl"
	[[ "$output" == *"srv: 3 containers, 6.0 container-minutes"* ]]
}

@test "what is forgotten is as if it had never been learned, and can be learned again" {
	two_models
	content "$T/ab.db" > "$T/before"
	run -0 cmodel forget "$T/ab.db" --source="$T/b.jsonl"
	[[ "$output" == "forgotten: $T/b.jsonl, "*" rows" ]]
	run -0 cmodel diff "$T/a.db" "$T/ab.db"
	[ "$output" = "" ]
	local all="source subject subject_batch program program_batch field_batch ngram item dropped heldout heldout_top rate rate_batch threshold"
	cmp <(content "$T/a.db" $all) <(content "$T/ab.db" $all)
	! grep -q shadow "$T/ab.db"
	ctrain -q -m "$T/ab.db" "$T/b.jsonl" > "$T/said"
	content "$T/ab.db" | cmp - "$T/before"
	# the first, by its hash: of its days nothing is left, and the second's are
	hash=$(cmodel show "$T/ab.db" | sed -n 's/^learned in run 1: [^ ]* \([0-9a-f]*\),.*/\1/p')
	run -0 cmodel forget "$T/ab.db" --source=$hash
	run -0 cmodel show "$T/ab.db"
	[[ "$output" == *"srv: 1 containers, 2.0 container-minutes"* ]]
	run -0 cmodel diff "$T/b.db" "$T/ab.db"
	[ "$output" = "" ]
	# a run is forgotten as a whole
	ctrain -q --new -m "$T/ab.db" "$T/a.jsonl" "$T/b.jsonl" > "$T/said"
	run -0 cmodel forget "$T/ab.db" --source="$T/b.jsonl"
	[ "${#lines[@]}" = 2 ]
	run -0 cmodel show "$T/ab.db"
	[[ "$output" != *srv* ]]
	run -0 --separate-stderr cdetect -m "$T/ab.db" "$T/a.jsonl"
	[[ "$stderr" == *"no baseline for web"* ]]
}

@test "a subject is forgotten with its name; others stay as they are" {
	two_models
	cmodel show "$T/ab.db" | sed -n '/^dbi:/,/promise/p' > "$T/dbi"
	cmodel allow "$T/ab.db" -s srv -f file.path -v x
	run -0 cmodel forget "$T/ab.db" --subject='sr?'
	[ "$output" = "forgotten: srv, 2 containers" ]
	! grep -q 'srv\|shadow' <(cmodel show "$T/ab.db" | grep -v '^learned') "$T/ab.db"
	cmp <(cmodel show "$T/ab.db" | sed -n '/^dbi:/,/promise/p') "$T/dbi"
	grep -q network.peer "$T/dbi"
	sum=$(md5sum < "$T/ab.db")
	run -1 --separate-stderr cmodel forget "$T/ab.db" --subject=nosuch
	[ "$stderr" = "cmodel: $T/ab.db: expected a subject of the model, got \"nosuch\"" ]
	run -1 --separate-stderr cmodel forget "$T/ab.db" --source=nosuch
	[ "$stderr" = "cmodel: $T/ab.db: expected a source it was learned from, got \"nosuch\"" ]
	[ "$sum" = "$(md5sum < "$T/ab.db")" ]
	[ "$(find "$T" -name '*.part' -o -name '*.new')" = "" ]
}

@test "models that do not fit are refused, and nothing is written" {
	ctrain -q --by=name -m "$T/n.db" "$T/a.jsonl" > "$T/said"
	run -1 --separate-stderr cmodel merge "$T/o.db" "$T/m.db" "$T/n.db"
	[ "$stderr" = "cmodel: $T/n.db: expected a model made with --by=image as the first, got \"name\"" ]
	run -1 --separate-stderr cmodel merge "$T/m.db" "$T/n.db" "$T/n.db"
	[[ "$stderr" == *"it is there already" ]]
	for bad in "$T/none.db" "$T/a.jsonl" "$T"; do
		run -1 --separate-stderr cmodel merge "$T/o.db" "$T/m.db" "$bad"
		[ "${#stderr_lines[@]}" = 1 ]
		run -1 --separate-stderr cmodel diff "$T/m.db" "$bad"
		[ "${#stderr_lines[@]}" = 1 ]
	done
	[ ! -e "$T/o.db" ]
	[ "$(find "$T" -name '*.part' -o -name '*.new')" = "" ]
	for bad in "diff $T/m.db" "diff a b c" "merge a b" "forget $T/m.db" "forget $T/m.db --source=a --subject=b" "forget $T/m.db --reason=x" "show $T/m.db x"; do
		run -64 cmodel $bad
	done
}
