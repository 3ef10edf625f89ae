# tests/run itself: what it counts, what it shows, how it ends.

setup() {
	top=$BATS_TEST_DIRNAME/../..
	cd "$BATS_TEST_TMPDIR"
	unset CI
}

# a run inside a run must see neither the variables nor the PATH of the outer one
tests_run() {
	run env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ ${1:+"$1"} O="$O" "$top/tests/run" "${@:2}"
}

@test "passed, failed and skipped tests are counted, failures and reasons shown" {
	printf '@test "%s" { %s; }\n' good true bad 'echo said so; false' not 'skip "no such thing"' also skip >a.bats
	tests_run '' "$PWD/a.bats"
	[ "$status" = 1 ]
	[ "${lines[-1]}" = "1 passed, 1 failed, 2 skipped" ]
	grep -q '^FAIL .*a.bats: bad$' <<<"$output"
	grep -q '^     said so$' <<<"$output"
	grep -q '^skip .*a.bats: not # skip no such thing$' <<<"$output"
}

@test "where CI is set, a skip nobody expects is a failure" {
	printf '@test "not" { skip "no such thing"; }\n@test "good" { true; }\n' >a.bats
	tests_run CI=1 "$PWD/a.bats"
	[ "$status" = 1 ]
	[ "${lines[-1]}" = "1 passed, 1 failed" ]
	tests_run '' "$PWD/a.bats"
	[ "$status" = 0 ]
	[ "${lines[-1]}" = "1 passed, 0 failed, 1 skipped" ]
}

@test "a file that cannot be read as tests, a program that dies and an empty run are failures" {
	printf '@test "open" { true\n' >a.bats
	tests_run '' "$PWD/a.bats"
	[ "$status" = 1 ]
	[ "${lines[-1]}" = "0 passed, 1 failed" ]
	printf '#!/bin/sh\necho 1..2; echo ok 1 - first; kill -SEGV $$\n' >dies
	chmod +x dies
	tests_run '' "$PWD/dies"
	[ "$status" = 1 ]
	[ "${lines[-1]}" = "1 passed, 1 failed" ]
	: >none.bats
	tests_run '' "$PWD/none.bats"
	[ "$status" = 1 ]
	tests_run '' nothing
	[ "$status" = 64 ]
}
