# SPDX-License-Identifier: GPL-2.0
# cbrecord and cbwatch with all collectors there are: rotation, deaths, the cap, a full disk.
bats_require_minimum_version 1.5.0
load lib
load supervise

setup() {
	live_setup
	supervise_setup
	require_bpf
	require_runc
}

teardown() {
	local failed=0
	supervise_teardown || failed=1
	[ -z "$SMALL" ] || umount "$SMALL" || failed=1
	live_teardown || failed=1
	return $failed
}

files() {
	[ "$(find "$REC" -name "$1-*.jsonl.zst" -size +0 | wc -l)" -ge "$2" ]
}

getppid_calls() {
	rows "$1" 'event and exe == "/usr/bin/calls"' | jq -r '.["syscall.sequence"]' | tr ' ' '\n' | grep -c '^getppid$'
}

has_start() {
	merged exec "$BATS_TEST_TMPDIR/now"
	has_rows "$BATS_TEST_TMPDIR/now" "action == \"start\" and ($1)" "${2:-1}"
}

# Each file is whole: schema row first, end row last, and its totals add up.
assert_whole() {
	zstdcat "$1" >"$BATS_TEST_TMPDIR/one" || return 1
	head -n 1 "$BATS_TEST_TMPDIR/one" | jq -e '.["event.kind"] == "schema"' >/dev/null || fail "$1: no schema row first"
	assert_totals "$BATS_TEST_TMPDIR/one"
}

# A tracepoint at the entry of one call makes every call of the machine slower once more.
@test "no collector stands at the entries of single calls" {
	local seen
	require_tool bpftool
	grep -q ' __traceiter_sock_send_length$' /proc/kallsyms || skip "this kernel does not tell what sockets send"
	supervise cbrecord "$REC"
	seen=$(bpftool perf show | grep -E "^pid (${CHILDREN// /|}) ")
	[ "$(grep -c ' tracepoint *sys_exit_' <<<"$seen")" -gt 40 ]
	! grep ' tracepoint *sys_enter_' <<<"$seen"
	supervisor_end
}

@test "cbrecord: prime numbers of execs and calls over several files, each whole and private" {
	local i f id
	id=$(ctr_id work)
	supervise cbrecord --rotate=1s -c "$id" "$REC"
	for i in 1 2 3; do
		ctr_run work sh -c 'execs 101; calls 50021 1' >/dev/null
		wait_for files exec $((i + 1))
		wait_for files sequence $((i + 1))
	done
	wait_for has_start 'args[1:2] == ["child"]' 303
	supervisor_end
	merged exec "$BATS_TEST_TMPDIR/exec"
	merged sequence "$BATS_TEST_TMPDIR/sequence"
	assert_rows "$BATS_TEST_TMPDIR/exec" 'event and action == "start" and args[1:2] == ["child"]' 303
	assert_rows "$BATS_TEST_TMPDIR/exec" "event and ctr != \"$id\"" 0
	[ "$(getppid_calls "$BATS_TEST_TMPDIR/sequence")" = 150063 ]
	# no call is missing or told twice: chunks of a thread follow each other
	jq -s -e '[.[] | select(.["event.kind"] == "event")] | group_by([.["process.thread.id"], .["process.exec.id"]]) |
		all(reduce .[] as $r ({ok: true, next: 0}; {ok: (.ok and $r["syscall.first"] == .next),
		next: ($r["syscall.first"] + $r["event.count"])}) | .ok)' "$BATS_TEST_TMPDIR/sequence" >/dev/null
	for f in "$REC"/*; do
		[[ ${f##*/} =~ ^[a-z]+-[0-9]{8}T[0-9]{6}Z\.jsonl\.zst$ ]]
		[ "$(stat -c %a "$f")" = 600 ]
		assert_whole "$f"
	done
	[ "$(stat -c %a "$REC")" = 700 ]
	[ -z "$(find "$REC" -name '.*' -type l)" ]
	all_gone
}

@test "cbrecord: a collector that is killed is started again, and a gap row says since when nobody watched" {
	local id victim
	id=$(ctr_id work)
	supervise cbrecord -c "$id" "$REC"
	ctr_run work execs 13 >/dev/null
	wait_for has_start 'args[1:2] == ["child"]' 13
	victim=$(pgrep -P "$SUPERVISOR" -x cexecsnoop)
	killed=$(date +%s%N)
	kill -KILL "$victim"
	wait_for files exec 2
	wait_for gap_told
	ctr_run work execs 17 >/dev/null
	wait_for has_start 'args[1:2] == ["child"]' 30
	CHILDREN="$CHILDREN $(pgrep -P "$SUPERVISOR" | paste -sd' ')"
	supervisor_end
	all_gone
	grep -q '^cbrecord: cexecsnoop was killed by signal 9 .*; it starts again in 0.25 s, a gap row will say what is missing$' "$LOG"
	merged exec "$BATS_TEST_TMPDIR/exec"
	assert_rows "$BATS_TEST_TMPDIR/exec" 'event and action == "start" and args[1:2] == ["child"]' 30
	assert_rows "$BATS_TEST_TMPDIR/exec" 'kind == "gap" and dataset == "cbtools.exec" and action == "restart"' 1
	local start end
	start=$(rows "$BATS_TEST_TMPDIR/exec" 'kind == "gap"' | jq -r '.["event.start"]')
	end=$(rows "$BATS_TEST_TMPDIR/exec" 'kind == "gap"' | jq -r '.["event.end"]')
	[ "$(date -d "$start" +%s%N)" -le "$((killed + 20000000))" ]
	[ "$(date -d "$end" +%s%N)" -gt "$killed" ]
	# the gap comes before anything that was seen after it
	sed -n '/"event.kind":"gap"/,$p' "$BATS_TEST_TMPDIR/exec" >"$BATS_TEST_TMPDIR/after"
	assert_rows "$BATS_TEST_TMPDIR/after" 'event and action == "start" and args[1:2] == ["child"]' 17
	# the others have not noticed
	[ "$(find "$REC" -name 'sequence-*' | wc -l)" = 1 ]
	assert_whole "$REC"/sequence-*
}

gap_told() {
	merged exec "$BATS_TEST_TMPDIR/now"
	[ "$(count_rows "$BATS_TEST_TMPDIR/now" 'kind == "gap"')" = 1 ]
}

@test "cbrecord killed: its collectors end with it, what they recorded is whole, the next recording adds to it" {
	local id f
	id=$(ctr_id work)
	supervise cbrecord -c "$id" "$REC"
	ctr_run work execs 19 >/dev/null
	wait_for has_start 'args[1:2] == ["child"]' 19
	supervisor_end KILL || [ $? = 137 ]
	wait_for all_gone
	for f in "$REC"/*; do
		assert_whole "$f"
	done
	supervise cbrecord -c "$id" "$REC"
	ctr_run work execs 23 >/dev/null
	wait_for has_start 'args[1:2] == ["child"]' 42
	supervisor_end TERM
	merged exec "$BATS_TEST_TMPDIR/exec"
	assert_rows "$BATS_TEST_TMPDIR/exec" 'event and action == "start" and args[1:2] == ["child"]' 42
}

@test "cbrecord --max-bytes: the oldest files go, the open ones stay, SIGHUP begins new ones" {
	local id first
	id=$(ctr_id work)
	supervise cbrecord --max-bytes=128K -c "$id" "$REC"
	first=$(cd "$REC" && echo exec-*)
	ctr_run work execs 3 >/dev/null
	kill -HUP "$SUPERVISOR"
	wait_for files exec 2
	[ -e "$REC/$first" ]
	# arguments that zstd cannot make smaller fill files without much work
	ctr_start work sh -c 'while :; do /bin/true "$(head -c 700 /dev/urandom | base64)"; sleep 0.02; done'
	WAIT=90 wait_for gone "$REC/$first"
	ctr_stop work
	supervisor_end
	[ ! -e "$REC/$first" ]
	[ "$(cat "$REC"/*.zst | wc -c)" -le 131072 ]
	# what is left of a dataset is its end
	assert_whole "$(find "$REC" -name 'exec-*' | sort | tail -n 1)"
	assert_whole "$(find "$REC" -name 'sequence-*' | sort | tail -n 1)"
}

gone() {
	[ ! -e "$1" ]
}

@test "cbrecord on a disk that fills up: one line, status 1, what was written is good" {
	local rc=0 f
	SMALL=$BATS_TEST_TMPDIR/small
	mkdir "$SMALL"
	mount -t tmpfs -o size=2m tmpfs "$SMALL"
	REC=$SMALL/rec
	supervise cbrecord -c "$(ctr_id work)" "$REC"
	ctr_run work execs 29 >/dev/null
	wait_for has_start 'args[1:2] == ["child"]' 29
	head -c 3000000 /dev/zero >"$SMALL/fill" 2>/dev/null || true
	ctr_start work sh -c 'while :; do execs 1009; done'
	wait_for ended "$SUPERVISOR"
	wait "$SUPERVISOR" || rc=$?
	SUPERVISOR=
	[ $rc = 1 ]
	all_gone
	ctr_stop work
	[ "$(grep -vc -e '^cbrecord: recording' -e 'waiting for one' "$LOG")" = 1 ] || { cat "$LOG"; return 1; }
	grep -q ': cannot write: No space left on device; [0-9]* rows\{0,1\} not written$' "$LOG"
	for f in "$REC"/*; do
		zstdcat "$f" >"$BATS_TEST_TMPDIR/one"
		jq -e . "$BATS_TEST_TMPDIR/one" >/dev/null
	done
	merged exec "$BATS_TEST_TMPDIR/exec"
	[ "$(count_rows "$BATS_TEST_TMPDIR/exec" 'event and action == "start" and args[1:2] == ["child"]')" -ge 29 ]
}

@test "cbrecord -d: ends by itself with all end rows" {
	local f
	run -0 cbrecord -q -d 300ms "$REC"
	[ -z "$output" ]
	for f in "$REC"/*; do
		assert_whole "$f"
	done
}

# What the container does in all three parts of the test below.
work() {
	ctr_run web sh -c "$1" >/dev/null
}

alarms() {
	[ "$(jq -c 'select(.["event.kind"] == "event" and (.["alarm.reason"] | contains("/bin/attack")))' \
		"$BATS_TEST_TMPDIR/out" | wc -l)" -ge "$1" ]
}

@test "cbwatch: alarms of what was never recorded, also after a collector died; ends clean on SIGINT" {
	local i id victim
	id=$(ctr_id web)
	supervise cbrecord -c "$id" "$REC"
	for i in 1 2 3 4 5; do
		work 'execs 7; sleep 0.1'
	done
	wait_for has_start 'args[1:2] == ["child"]' 35
	supervisor_end
	ctrain -m "$BATS_TEST_TMPDIR/m.db" --new "$REC"
	supervise cbwatch -m "$BATS_TEST_TMPDIR/m.db" -j -c "$id" -w "$BATS_TEST_TMPDIR/seen.jsonl"
	# what a collector says is passed on while nothing else happens
	echo 'cexecsnoop: a word of it' >"/proc/$(pgrep -P "$SUPERVISOR" -x cexecsnoop)/fd/2"
	wait_for grep -qx 'cexecsnoop: a word of it' "$LOG"
	work 'execs 7; attack memfd; sleep 0.1'
	wait_for alarms 1
	victim=$(pgrep -P "$SUPERVISOR" -x cexecsnoop)
	kill -KILL "$victim"
	wait_for grep -q '"event.kind":"gap"' "$BATS_TEST_TMPDIR/seen.jsonl"
	work 'execs 7; attack memfd; sleep 0.1'
	wait_for seen_twice
	CHILDREN="$CHILDREN $(pgrep -P "$SUPERVISOR" | paste -sd' ')"
	supervisor_end
	all_gone
	assert_rows "$BATS_TEST_TMPDIR/seen.jsonl" 'event and dataset == "cbtools.exec" and action == "start" and args[0:2] == ["execs", "child"]' 14
	assert_rows "$BATS_TEST_TMPDIR/seen.jsonl" 'kind == "end" and dataset == "cbtools.sequence"' 1
}

seen_twice() {
	has_rows "$BATS_TEST_TMPDIR/seen.jsonl" 'event and dataset == "cbtools.exec" and action == "start" and args[0:2] == ["execs", "child"]' 14
}

@test "cbwatch: the status of cdetect is its own" {
	echo 'no model' >"$BATS_TEST_TMPDIR/bad.db"
	run -1 cbwatch -q -m "$BATS_TEST_TMPDIR/bad.db"
	[[ $output == "cdetect: $BATS_TEST_TMPDIR/bad.db: "* ]]
}
