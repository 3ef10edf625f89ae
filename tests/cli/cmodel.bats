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
	[ "$output" = "$(cat "$T/trained")" ]
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
