# Alone: it takes both CPUs at full speed
bats_require_minimum_version 1.5.0
load lib

setup() { live_setup; require_bpf; require_runc; }
teardown() { live_teardown; }

# sequence rows -> "TID CALLS-OF-NAME" a thread; fails when a thread's calls are not numbered without a hole
count_calls() {
	rows "$1" event | jq -r '[.["process.thread.id"], .["process.exec.id"], .["syscall.first"], .["event.lost"] // 0,
		.["syscall.sequence"]] | @tsv' | awk -F '\t' -v want="$2" '
		{ s = $1 " " $2; n = split($5, c, " ")
		  if ($4 > 0 || (s in next_) && next_[s] != $3 || !(s in next_) && $3 != 0) { print "hole in " s " at " $3; exit 1 }
		  next_[s] = $3 + n; for (i = 1; i <= n; i++) if (c[i] == want) count[$1]++ }
		END { for (t in count) print t, count[t] }' | sort -n
}

@test "-S: four threads of 500,009 calls each, every one of them, in order" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id calls)
	collector_start "$out" ctop-syscalls -S -j -c "$id"
	ctr_run calls calls 500009 4 >"$BATS_TEST_TMPDIR/said"
	wait_for has_rows "$out" '(.["syscall.sequence"] // "") | endswith("exit_group")'
	collector_stop "$out"
	assert_no_loss "$out"
	count_calls "$out" getppid >"$BATS_TEST_TMPDIR/counts"
	[ "$(awk '{ print $2 }' "$BATS_TEST_TMPDIR/counts" | sort | uniq -c | awk '{ print $1, $2 }')" = "4 500009" ]
	assert_rows "$out" "event and (ctr != \"$id\" or exe != \"/usr/bin/calls\")" 0
}

@test "-S: 64 threads at full speed on all CPUs: lost 0, recursion misses 0, the workload's own count" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id wide)
	collector_start "$out" ctop-syscalls -S -j -c "$id"
	ctr_run wide calls 20011 64 >"$BATS_TEST_TMPDIR/said"
	wait_for has_rows "$out" '(.["syscall.sequence"] // "") | endswith("exit_group")'
	collector_stop "$out"
	assert_no_loss "$out"
	[ "$(count_calls "$out" getppid | awk '{ n += $2 } END { print n }')" = "$(awk '/^total/ { print $2 }' "$BATS_TEST_TMPDIR/said")" ]
}

# sequence rows, what the threads of moves say -> fails when a thread's calls do not stand there as they were made
same_order() {
	rows "$1" event | jq -r '[.["process.thread.id"], .["process.name"], .["syscall.sequence"]] | @tsv' | awk -F '\t' '
		FNR == NR { seen[$1] = seen[$1] " " $3; tid[$2] = $1; next }
		{ at = index($0, " "); name = substr($0, 1, at - 1)
		  if (!index(seen[tid[name]] " ", substr($0, at) " ")) { print "thread " name ": not in order"; exit 1 } }
		END { if (NR == FNR) exit 1 }' - "$2"
}

# Every call of every thread of moves stands where it was made, none is lost.
moved() { # N THREADS [ARGS OF THE COLLECTOR...]
	local out=$BATS_TEST_TMPDIR/rows said=$BATS_TEST_TMPDIR/said id
	id=$(ctr_id moves)
	collector_start "$out" ctop-syscalls -S -j -c "$id" "${@:3}"
	ctr_run moves moves "$1" "$2" >"$said"
	wait_for has_rows "$out" '(.["syscall.sequence"] // "") | endswith("exit_group")'
	collector_stop "$out"
	assert_no_loss "$out"
	count_calls "$out" getppid >/dev/null
	same_order "$out" "$said"
	[ "$(wc -l <"$said")" = "$2" ]
}

@test "-S: threads that go from CPU to CPU: each call where it was made" {
	moved 40009 5 -i 100ms
}

@test "-S: more threads than have a place of their own on a CPU, each call where it was made" {
	moved 1009 797
}

@test "-S: a thread that pauses is shown within a second, and once" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id idle)
	collector_start "$out" ctop-syscalls -S -j -c "$id"
	ctr_start idle hold 77
	WAIT=2 wait_for has_rows "$out" '(.["syscall.sequence"] // "") | endswith("pause")'
	ctr_stop idle
	collector_stop "$out"
	assert_no_loss "$out"
	[ "$(count_calls "$out" getppid | awk '{ n += $2 } END { print n }')" = 77 ]
}

@test "-S: who ends while it is peeked at is told once" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id brief)
	collector_start "$out" ctop-syscalls -S -j -c "$id" -i 10ms
	ctr_run brief execs 2003 >/dev/null
	wait_for has_rows "$out" '(.["syscall.sequence"] // "") | endswith("exit_group")' 2004
	collector_stop "$out"
	assert_no_loss "$out"
	count_calls "$out" exit_group | awk '{ n += $2 } END { exit n != 2004 }'
}

@test "-S: argument classes stand in place of calls; exec begins a new stream" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id class)
	collector_start "$out" ctop-syscalls -S -j -c "$id"
	ctr_run class sh -c 'attack wx; attack packet; attack ptrace; exec true' >/dev/null
	wait_for has_rows "$out" '(.["syscall.sequence"] // "") | endswith("exit_group")' 4
	collector_stop "$out"
	for c in mprotect:wx socket:packet ptrace:attach; do
		has_rows "$out" "(.[\"syscall.sequence\"] // \"\") | test(\"(^| )$c( |\$)\")"
	done
	count_calls "$out" exit_group >/dev/null
	# three execs of it, each with a stream that begins at 0 (ptrace's child may be ended before its first call)
	[ "$(rows "$out" 'event and exe == "/usr/bin/attack" and .["syscall.first"] == 0' |
		jq '.["process.exec.id"]' | sort -u | wc -l)" = 3 ]
}

@test "-S: each value of an argument that has a class, and one that has none" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id values)
	collector_start "$out" ctop-syscalls -S -j -c "$id"
	ctr_run values argcalls 101 103 107 109 113 127 131 137 >"$BATS_TEST_TMPDIR/made"
	wait_for has_rows "$out" '(.["syscall.sequence"] // "") | endswith("exit_group")'
	collector_stop "$out"
	assert_no_loss "$out"
	rows "$out" event | jq -r '.["syscall.sequence"]' | tr ' ' '\n' | grep ^prctl | sort | uniq -c |
		awk '{ print $2, $1 }' | diff - <(sort "$BATS_TEST_TMPDIR/made")
	[ "$(wc -l <"$BATS_TEST_TMPDIR/made")" = 8 ]
}

@test "-S: what ran before: threads of the first process are not from outside, and no name hides a process" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id early)
	ctr_start early early 1009
	wait_for grep -q early "$CTR_DIR/early/out"
	collector_start "$out" ctop-syscalls -S -j -c "$id"
	touch "/proc/$(ctr_pid early)/root/tmp/go"
	wait_for has_rows "$out" '(.["syscall.sequence"] // "") | endswith("exit_group")' 2
	collector_stop "$out"
	assert_no_loss "$out"
	for call in getppid getpgrp; do
		[ "$(rows "$out" event | jq -r '.["syscall.sequence"]' | tr ' ' '\n' | grep -cx $call)" = 1009 ]
	done
	assert_rows "$out" 'event and .["process.entered"]' 0
}

@test "operations of an io_uring: in the sequence, and counted" {
	local out=$BATS_TEST_TMPDIR/rows counts=$BATS_TEST_TMPDIR/counts id
	id=$(ctr_id ring)
	collector_start "$out" ctop-syscalls -S -j -c "$id"
	collector_start "$counts" ctop-syscalls -j -c "$id" -i 200ms
	ctr_run ring ring 211 37 >"$BATS_TEST_TMPDIR/made"
	grep -qx "ring 211 37" "$BATS_TEST_TMPDIR/made"
	wait_for has_rows "$out" '(.["syscall.sequence"] // "") | endswith("exit_group")'
	collector_stop "$out"
	collector_stop "$counts"
	assert_no_loss "$out"
	assert_no_loss "$counts"
	for n in 211:uring:nop 37:uring:openat 248:io_uring_enter; do
		[ "$(rows "$out" event | jq -r '.["syscall.sequence"]' | tr ' ' '\n' | grep -cx "${n#*:}")" = "${n%%:*}" ]
		[ "$(rows "$counts" "event and .[\"syscall.name\"] == \"${n#*:}\"" | jq -s 'map(.["syscall.count"]) | add')" = "${n%%:*}" ]
	done
	# as they are asked for: inside the call that submits them
	rows "$out" event | jq -r '.["syscall.sequence"]' | tr '\n' ' ' | grep -q "io_uring_enter uring:nop io_uring_enter uring:nop"
}

@test "counts: calls, errors by errno and rates of a container add up to the workload's own" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id count)
	collector_start "$out" ctop-syscalls -j -c "$id" -i 200ms
	ctr_run count sh -c 'calls 100003 3; for i in 1 2 3 4 5 6 7; do cat /no/such/file; done; true' >/dev/null 2>&1
	wait_for has_rows "$out" 'event and .["syscall.errors_by"] == "ENOENT:7" or .["syscall.errors"] > 0'
	collector_stop "$out"
	assert_no_loss "$out"
	[ "$(rows "$out" 'event and .["syscall.name"] == "getppid"' | jq -s 'map(.["syscall.count"]) | add')" = 300010 ] # and the shell's own one
	[ "$(rows "$out" 'event and (.["syscall.name"] == "open" or .["syscall.name"] == "openat")' |
		jq -rs 'map(.["syscall.errors_by"] // "" | select(. != "")) | join(" ")' | tr ' ' '\n' |
		awk -F: '/^ENOENT/ { n += $2 } END { print n + 0 }')" -ge 7 ]
	# a rate is the count over the interval
	assert_rows "$out" 'event and ((.["syscall.rate"] * .["event.duration_ns"] / 1e9 - .["syscall.count"]) | fabs) > 0.01 * .["syscall.count"] + 0.01' 0
	assert_rows "$out" 'event and .["process.pid"] != null' 0
}

@test "counts by process name the process" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id proc)
	collector_start "$out" ctop-syscalls -j --by=process -c "$id" -i 200ms
	ctr_run proc calls 10007 1 >/dev/null
	wait_for has_rows "$out" 'event and .["syscall.name"] == "getppid"'
	collector_stop "$out"
	[ "$(rows "$out" 'event and .["syscall.name"] == "getppid" and comm == "calls" and exe == "/usr/bin/calls"' |
		jq -s 'map(.["syscall.count"]) | add')" = 10007 ]
}

@test "interval and count end it; giving the interval twice is a usage error" {
	run ctop-syscalls 0.1 3 -a -j
	[ "$status" = 0 ]
	run ctop-syscalls 1 -i 2
	[ "$status" = 64 ]
	[[ "$output" == *"interval is given twice"* ]]
}

@test "-S: what a stopped reader loses is counted to the call" {
	local out=$BATS_TEST_TMPDIR/rows id pid
	id=$(ctr_id slow)
	ctr_start slow sh -c 'while [ ! -e /tmp/go ]; do sleep 0.05; done; calls 3000017 2; touch /tmp/done; sleep 1000'
	collector_start "$out" ctop-syscalls -S -j -c "$id"
	pid=$(cat "$out.pid")
	kill -STOP "$pid"
	touch "/proc/$(ctr_pid slow)/root/tmp/go"
	wait_for test -e "/proc/$(ctr_pid slow)/root/tmp/done"
	kill -CONT "$pid"
	# each CPU tells of its losses in the next chunk that it sends
	for cpu in $(seq 0 $(($(nproc) - 1))); do
		ctr_exec slow taskset "$(printf %x $((1 << cpu)))" calls 1009 1 >/dev/null
	done
	wait_for has_rows "$out" 'event and lost > 0'
	collector_stop "$out"
	# in the rows: calls shown and calls said to be lost before them; in the end row: of all
	rows "$out" event | jq -r '[.["event.lost"] // 0, .["event.count"]] | @tsv' |
		awk '{ l += $1; n += $2 } END { print n, l }' >"$BATS_TEST_TMPDIR/sum"
	read -r shown lost <"$BATS_TEST_TMPDIR/sum"
	[ "$lost" -gt 0 ]
	echo "shown $shown lost $lost"; tail -n 1 "$out"
	tail -n 1 "$out" | jq -e --argjson n "$shown" --argjson l "$lost" \
		'.["event.sent"] == $n and .["event.seen"] == $n + .["event.lost"] + .["event.filtered"] and
		# a peek may have saved the beginning of a chunk that was lost
		.["event.lost"] <= $l and $l - .["event.lost"] < 256 * 4'
	[ "$(tail -n 1 "$out" | jq '.["event.seen"]')" -ge 6000034 ]
	grep -q 'calls were lost' "$out.err"
}

@test "-L: mean, median, 99th percentile and histogram of calls of a known length" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id naps)
	collector_start "$out" ctop-syscalls -L -j -c "$id" -i 60s
	ctr_run naps sh -c 'for i in 1 2 3 4 5 6 7; do usleep 20000; done; calls 10007 1' >/dev/null
	collector_stop "$out"
	assert_no_loss "$out"
	rows "$out" 'event and (.["syscall.name"] | test("nanosleep"))' >"$BATS_TEST_TMPDIR/naps"
	jq -se 'length == 1 and (.[0] | .["syscall.count"] == 7 and .["syscall.latency_mean_ns"] >= 20000000 and
		.["syscall.latency_p50_ns"] >= 18700000 and .["syscall.latency_p99_ns"] < 2000000000)' "$BATS_TEST_TMPDIR/naps"
	# the histogram holds every call
	rows "$out" 'event and .["syscall.name"] == "getppid" and .["syscall.count"] > 10006' |
		jq -e '(.["syscall.latency_hist"] | split(" ") | map(split(":")[1] | tonumber) | add) == .["syscall.count"] and
			.["syscall.latency_p50_ns"] <= .["syscall.latency_p99_ns"]'
	# without -L nothing is said of time
	run -64 ctop-syscalls -L -S
}

@test "on a terminal: a screen that sorts, pauses and ends by a key, and leaves the terminal as it was" {
	require_tool script
	local id
	id=$(ctr_id screen)
	ctr_start screen sh -c 'while :; do cat /no/such/file; done 2>/dev/null'
	mkfifo "$BATS_TEST_TMPDIR/keys"
	script -qec "stty rows 30 cols 120; stty -g >$BATS_TEST_TMPDIR/before; ctop-syscalls 0.2 -c '$id'; stty -g >$BATS_TEST_TMPDIR/after" \
		/dev/null <"$BATS_TEST_TMPDIR/keys" >"$BATS_TEST_TMPDIR/screen" 3>&- 4>&- &
	exec 9>"$BATS_TEST_TMPDIR/keys"
	wait_for grep -q "$(cut -c1-20 <<<"$id")" "$BATS_TEST_TMPDIR/screen"
	printf s >&9
	wait_for grep -q 'by errors' "$BATS_TEST_TMPDIR/screen"
	printf p >&9
	wait_for grep -q 'paused' "$BATS_TEST_TMPDIR/screen"
	printf q >&9
	wait_for test -s "$BATS_TEST_TMPDIR/after"
	exec 9>&-
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	grep -q 'ENOENT:' "$BATS_TEST_TMPDIR/screen"
}
