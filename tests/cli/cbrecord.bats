# SPDX-License-Identifier: GPL-2.0
# cbrecord and cbwatch: options, and which programs they start. No root, no probes.
bats_require_minimum_version 1.5.0

setup() {
	O=${O:-build}
	case $O in /*) ;; *) O=$BATS_TEST_DIRNAME/../../$O ;; esac
	cd "$BATS_TEST_TMPDIR"
}

# usage PROGRAM TEXT ARGS...: a usage error with TEXT in its first line
usage() {
	local program=$1 text=$2
	shift 2
	run -64 "$O/$program" "$@"
	[ "${lines[0]}" = "$program: $text" ]
}

@test "cbrecord: usage errors" {
	usage cbrecord 'expected the folder to record into'
	usage cbrecord 'one folder is expected, got "b" as well' a b
	usage cbrecord '--rotate: expected a size such as 64M or a time such as 1h, got "5"' --rotate=5 a
	usage cbrecord '--rotate: expected a size such as 64M or a time such as 1h, got "5X"' --rotate=5X a
	usage cbrecord '--rotate: expected 4K or more, got "1K"' --rotate=1K a
	usage cbrecord '--rotate: expected 1s or more, got "10ms"' --rotate=10ms a
	usage cbrecord '--max-bytes: expected a size such as 500M or 20G, 64K or more, got "63K"' --max-bytes=63K a
	usage cbrecord '--max-bytes: expected a size such as 500M or 20G, 64K or more, got "99999999999T"' \
		--max-bytes=99999999999T a
	usage cbrecord '--container: expected a name, id prefix, image=GLOB, label=K[=V] or /cgroup/path, got ""' -c '' a
	usage cbrecord '--duration: expected a time such as 2, 0.5, 500ms, 5s, 10m, 2h or 1d, got "x"' -d x a
	[ ! -e a ]
}

@test "cbwatch: usage errors" {
	usage cbwatch 'expected --model=MODEL'
	usage cbwatch 'no arguments are expected, got "x"' -m m.db x
	usage cbwatch '--output: expected table, csv or json, got "yaml"' -m m.db -o yaml
}

@test "cbrecord, cbwatch: help" {
	for program in cbrecord cbwatch; do
		run -0 --separate-stderr "$O/$program" --help
		[ -z "$stderr" ]
		[[ $output == *"--container=PATTERN"*"--duration=TIME"* ]]
	done
}

@test "a program that is no collector is not started" {
	mkdir here
	cp "$O/cbrecord" here/
	printf '#!/bin/sh\ntouch "%s/started"\necho cscript exec\n' "$PWD" >here/cscript
	cp "$(type -P touch)" here/ctouch
	chmod +x here/*
	run -1 here/cbrecord rec
	[ "$output" = "cbrecord: $PWD/here: expected collectors (cexecsnoop, ...) in the folder, got none" ]
	[ ! -e started ] && [ ! -e rec ] && [ ! -e here/--dump=record ]
}

@test "collectors say what they want recorded" {
	run -0 "$O/cexecsnoop" --dump=record
	[ "$output" = "cexecsnoop exec" ]
	run -0 "$O/ctop-syscalls" --dump=record
	[ "$output" = "ctop-syscalls sequence -S" ]
}

@test "cbrecord: folders that will not do" {
	run -1 "$O/cbrecord" none/rec
	[ "$output" = "cbrecord: none/rec: cannot make the folder: No such file or directory" ]
	: >file
	run -1 "$O/cbrecord" file
	[ "$output" = "cbrecord: file: cannot open the folder: Not a directory" ]
	mkdir -m 1777 open
	run -1 "$O/cbrecord" open
	[ "$output" = "cbrecord: open: expected a folder that not everybody can write to" ]
	mkdir busy
	run -1 flock busy "$O/cbrecord" busy
	[ "$output" = "cbrecord: busy: another cbrecord is recording into this folder" ]
}

@test "cbrecord, cbwatch: without root one line, of a collector" {
	command -v setpriv >/dev/null || skip "no setpriv"
	chmod 755 "$BATS_TEST_TMPDIR"
	mkdir -m 700 rec
	local as=()
	[ "$(id -u)" != 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chown 65534 rec 2>/dev/null || true
	"${as[@]}" test -x "$O/cbrecord" || skip "the build cannot be read by others"
	for cmd in "cbrecord rec" "cbwatch -m m.db"; do
		# shellcheck disable=SC2086
		run -1 "${as[@]}" "$O"/$cmd
		[ "${#lines[@]}" = 1 ]
		[[ $output =~ ^c[a-z-]+:\ needs\ root ]]
	done
}
