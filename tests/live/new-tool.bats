# SPDX-License-Identifier: GPL-2.0
# scripts/new-tool, in a copy of the tree: what it writes builds, runs and passes its own test.
load lib

setup() {
	live_setup
	COPY=$BATS_FILE_TMPDIR/tree
}

teardown() { live_teardown; }

setup_file() {
	local top=$BATS_TEST_DIRNAME/../.. build=${O:-build} copy=$BATS_FILE_TMPDIR/tree
	case $build in /*) ;; *) build=$top/$build ;; esac
	mkdir "$copy"
	(cd "$top" && cp -a Makefile bpf lib train tools scripts man tests "$copy/")
	# what is built already need not be built again, unless it was built otherwise (SAN=1)
	case $build in
	*-san) ;;
	*) [ ! -d "$build" ] || cp -a "$build" "$copy/build" ;;
	esac
}

@test "new-tool writes five files and touches no other" {
	cd "$COPY"
	find . -path ./build -prune -o -type f -exec sha256sum {} + | sort > "$BATS_TEST_TMPDIR/before"
	run scripts/new-tool sample
	[ "$status" -eq 0 ]
	[ "$(sort <<< "$output" | paste -sd' ')" = "bpf/sample.bpf.c bpf/sample.h man/csample.8.in tests/live/csample.bats tools/csample.c" ]
	find . -path ./build -prune -o -type f -exec sha256sum {} + | sort > "$BATS_TEST_TMPDIR/after"
	[ -z "$(comm -23 "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after")" ]
	[ "$(comm -13 "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" | wc -l)" -eq 5 ]
	! grep -q '@name@\|@NAME@\|@tool@' $output
	mandoc -T lint -W error man/csample.8.in

	# the second time it changes nothing
	run scripts/new-tool sample
	[ "$status" -eq 1 ]
	[ "$output" = "new-tool: bpf/sample.h: exists already" ]
	find . -path ./build -prune -o -type f -exec sha256sum {} + | sort | cmp - "$BATS_TEST_TMPDIR/after"
}

@test "new-tool: a name that is none is a usage error" {
	for name in '' ../x Sample 9a 'a b' a-b abcdefghijklmnop; do
		run "$COPY/scripts/new-tool" "$name"
		[ "$status" -eq 64 ]
		[ "$output" = "new-tool: expected a name of up to 15 small letters and digits, got \"$name\"" ]
	done
	run "$COPY/scripts/new-tool"
	[ "$status" -eq 64 ]
	run "$COPY/scripts/new-tool" exec
	[ "$status" -eq 1 ]
}

@test "new-tool: the new collector builds without a warning and has its schema" {
	[ -r /sys/kernel/btf/vmlinux ] || skip "no kernel BTF"
	cd "$COPY"
	[ -e tools/csample.c ] || scripts/new-tool sample
	env -u O make -s WERROR=1 build/csample
	build/csample --help | grep -q 'changes of the working directory'
	build/csample --fields=help | grep -q 'file\.path'
	env -u O make -s build/man/csample.8
	mandoc -T lint -W error build/man/csample.8
	grep -q '^\.B file\.path' build/man/csample.8
}

@test "new-tool: the new collector passes its own test" {
	require_bpf
	require_runc
	[ -x "$COPY/build/csample" ] || skip "not built"
	env -u BATS_RUN_TMPDIR O="$COPY/build" bats "$COPY/tests/live/csample.bats"
}

@test "new-tool: rows in all three formats, and from a recording" {
	require_bpf
	require_runc
	[ -x "$COPY/build/csample" ] || skip "not built"
	cd "$BATS_TEST_TMPDIR"
	collector_start json "$COPY/build/csample" -j -w rec.zst
	collector_start csv "$COPY/build/csample" --csv
	collector_start table "$COPY/build/csample"
	ctr_run work sh -c 'i=0; while [ $i -lt 17 ]; do cd "/a b"; cd /proc; i=$((i + 1)); done 2> /dev/null'
	wait_for has_rows json 'event and .["file.path"] == "/proc"' 17
	wait_for has_lines csv ',/proc$' 17
	wait_for has_lines table '/proc *$' 17
	for f in json csv table; do
		collector_stop $f
	done
	assert_rows json 'event and .["file.path"] == "/proc" and dataset == "cbtools.sample"' 17
	assert_rows json 'event and .["file.path"] == "/a b" and .["error.errno"] == "ENOENT"' 17
	[ "$(head -1 csv | grep -c 'error\.errno.*file\.path')" -eq 1 ]
	[ "$(grep -c ',ENOENT,/a b$' csv)" -eq 17 ]
	[ "$(grep -c 'ENOENT  */a b *$' table)" -eq 17 ]
	assert_rows json 'kind == "schema" and (.["schema.fields"] | any(.name == "file.path" and .role == "set"))' 1
	"$COPY/build/csample" -j -r rec.zst > replayed
	diff <(rows json event) <(rows replayed event)
}

has_lines() {
	[ "$(grep -c -e "$2" "$1")" -ge "$3" ]
}
