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
