bats_require_minimum_version 1.5.0
load lib

setup() { live_setup; require_bpf; require_runc; }
teardown() { live_teardown; }

@test "331 execs in a container: 331 rows, each field right, nothing of the host" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id many)
	ctr_bundle many sleep 1000
	collector_start "$out" cexecsnoop -j -c "$id"
	before=$(date +%s%N)
	ctr_run many execs 331 >/dev/null
	after=$(date +%s%N)
	wait_for has_rows "$out" 'action == "exit" and comm == "execs" and .["process.exit_code"] == 0 and .["process.vpid"] == 1'
	collector_stop "$out"
	assert_no_loss "$out"
	assert_rows "$out" 'event and action == "start" and args[1:2] == ["child"]' 331
	assert_rows "$out" 'event and action == "exit" and .["process.vpid"] != 1' 331
	# all rows are this container's
	assert_rows "$out" "event and (ctr != \"$id\" or .[\"container.id\"] != \"$id\" or .[\"container.runtime\"] != \"runc\")" 0
	# arguments are 1..331 in order
	rows "$out" 'event and action == "start" and args[1:2] == ["child"]' |
		jq -r '.["process.command_args"][2]' | cmp - <(seq 331)
	# the parent is the container's first process, in both views
	init=$(rows "$out" 'event and action == "start" and .["process.vpid"] == 1' | jq '.["process.pid"]')
	assert_rows "$out" "event and action == \"start\" and ppid == $init and comm == \"execs\" and exe == \"/usr/bin/execs\" \
		and .[\"process.parent.name\"] == \"execs\" and .[\"process.lineage\"] == \"execs\" and .[\"user.id\"] == 0 \
		and .[\"process.executable.origin\"] == \"image\"" 331
	# exit codes are what the program says, lives are short and positive
	assert_rows "$out" 'event and action == "exit" and .["process.vpid"] != 1 and (.["process.exit_code"] < 0 or .["process.exit_code"] > 99
		or .["process.lifetime_ns"] <= 0 or .["process.exit_signal"] != null)' 0
	[ "$(rows "$out" 'event and action == "exit" and .["process.exit_code"] == 7' | wc -l)" = 4 ]
	# times lie within the run and rise
	rows "$out" 'event' | jq -r '.["@timestamp"]' >"$BATS_TEST_TMPDIR/times"
	sort -c "$BATS_TEST_TMPDIR/times"
	[ "$(date -d "$(head -n 1 "$BATS_TEST_TMPDIR/times")" +%s%N)" -ge $((before - 20000000)) ]
	[ "$(date -d "$(tail -n 1 "$BATS_TEST_TMPDIR/times")" +%s%N)" -le $((after + 20000000)) ]
}

@test "a container of a moment is named in every row" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id brief)
	collector_start "$out" cexecsnoop -j -c "$id"
	ctr_run brief true
	wait_for has_rows "$out" "ctr == \"$id\" and action == \"exit\""
	collector_stop "$out"
	assert_rows "$out" 'event and ctr == null' 0
	assert_rows "$out" "event and ctr == \"$id\" and action == \"start\" and comm == \"true\"" 1
}

@test "entered from outside, and what it starts, is marked and keeps its container" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id door)
	ctr_start door hold 13
	wait_for grep -q '^held 13$' "$CTR_DIR/door/out"
	collector_start "$out" cexecsnoop -j -c "$id"
	ctr_exec door sh -c 'execs 3'
	nsenter -t "$(ctr_pid door)" -m -p /bin/execs 5
	nsenter -t "$(ctr_pid door)" -m /bin/true
	collector_stop "$out"
	assert_rows "$out" "event and action == \"start\" and ctr == \"$id\" and .[\"process.entered\"] and args[1:2] == [\"child\"]" 8
	assert_rows "$out" "event and action == \"start\" and ctr == \"$id\" and .[\"process.entered\"] and comm == \"true\"" 1
	assert_rows "$out" 'event and (.["process.entered"] | not)' 0
	assert_rows "$out" "event and ctr != \"$id\"" 0
}

@test "a process that leaves its cgroup keeps its container; its children too" {
	local out=$BATS_TEST_TMPDIR/rows id pid
	id=$(ctr_id away)
	ctr_start away sh -c 'while [ ! -e /tmp/go ]; do sleep 0.05; done; execs 17; touch /tmp/done; sleep 1000'
	pid=$(ctr_pid away)
	collector_start "$out" cexecsnoop -j -c "$id"
	for f in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
		[ -e "$f" ] && echo "$pid" >"$f"
	done
	! grep -q "$id" "/proc/$pid/cgroup"
	touch "/proc/$pid/root/tmp/go"
	wait_for test -e "/proc/$pid/root/tmp/done"
	collector_stop "$out"
	assert_rows "$out" "event and action == \"start\" and ctr == \"$id\" and args[1:2] == [\"child\"]" 17
	assert_rows "$out" 'event and ctr == null' 0
}

@test "where the file came from, the signal that ended it, a failed exec" {
	local out=$BATS_TEST_TMPDIR/rows failed=$BATS_TEST_TMPDIR/failed id
	id=$(ctr_id origin)
	collector_start "$out" cexecsnoop -j -c "$id"
	collector_start "$failed" cexecsnoop -j -x -c "$id"
	ctr_run origin sh -c 'cp /bin/execs /tmp/new; /tmp/new 1; attack memfd; /nonexistent; /etc/passwd;
		sh -c "kill -9 \$\$"; true' >/dev/null 2>&1
	wait_for has_rows "$out" 'action == "exit" and .["process.vpid"] == 1'
	collector_stop "$out"
	collector_stop "$failed"
	if mountpoint -q "$CTR_DIR/origin/rootfs"; then
		assert_rows "$out" 'event and exe == "/tmp/new" and .["process.executable.origin"] == "changed" and action == "start"' 2
		assert_rows "$out" 'event and exe == "/usr/bin/attack" and .["process.executable.origin"] == "image"' 1
	fi
	assert_rows "$out" 'event and action == "start" and .["process.executable.origin"] == "memfd" and (exe | startswith("memfd:"))' 1
	assert_rows "$out" 'event and action == "exit" and .["process.exit_signal"] == "SIGKILL"' 1
	assert_rows "$failed" 'event and action == "failed" and .["error.errno"] == "ENOENT" and .["process.executable.requested"] == "/nonexistent"' 1
	assert_rows "$failed" 'event and action == "failed" and .["error.errno"] == "EACCES" and .["process.executable.requested"] == "/etc/passwd"' 1
	assert_rows "$failed" 'event and action != "failed"' 0
}

@test "hostile arguments stay one row, in every format, and replay as they were" {
	local out=$BATS_TEST_TMPDIR/rows.jsonl id
	id=$(ctr_id evil)
	collector_start "$out" cexecsnoop -j -c "$id" -w "$BATS_TEST_TMPDIR/rec.jsonl.zst"
	ctr_run evil /bin/sh -c 'exec /bin/echo "$@" "$(printf "\377")"' sh $'a\nb' $'\e[2J' 'c d' '' '"' '\' >/dev/null
	wait_for has_rows "$out" 'action == "exit"'
	collector_stop "$out"
	[ "$(rows "$out" 'event and action == "start" and comm == "echo"' | jq -c '.["process.command_args"]')" = \
		'["/bin/echo","a\\x0ab","\\x1b[2J","c d","","\"","\\\\","\\xff"]' ]
	cexecsnoop -r "$BATS_TEST_TMPDIR/rec.jsonl.zst" -j >"$BATS_TEST_TMPDIR/again.jsonl"
	cmp <(rows "$out" event) <(rows "$BATS_TEST_TMPDIR/again.jsonl" event)
	run -0 cexecsnoop -r "$BATS_TEST_TMPDIR/rec.jsonl.zst"
	echo "$output"
	[ "${#lines[@]}" = 5 ]
	cexecsnoop -r "$BATS_TEST_TMPDIR/rec.jsonl.zst" --csv >"$BATS_TEST_TMPDIR/a.csv"
	cexecsnoop -r "$BATS_TEST_TMPDIR/a.csv" -j >"$BATS_TEST_TMPDIR/third.jsonl"
	cmp <(rows "$out" event) <(rows "$BATS_TEST_TMPDIR/third.jsonl" event)
}

@test "--no-args shows no arguments; no container running is said once; -d ends" {
	run --separate-stderr cexecsnoop -c no-such-container -d 300ms -j
	[ "$status" = 0 ]
	[[ "$stderr" == "cexecsnoop: no such container is running"*"-a "* ]]
	[ "${#stderr_lines[@]}" = 1 ]
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id quiet)
	collector_start "$out" cexecsnoop -j --no-args -c "$id"
	ctr_run quiet echo secret >/dev/null
	wait_for has_rows "$out" 'action == "exit"'
	collector_stop "$out"
	! grep -q secret "$out"
}

@test "what does not fit is said to be cut, and only that" {
	local out=$BATS_TEST_TMPDIR/rows failed=$BATS_TEST_TMPDIR/failed id long path
	id=$(ctr_id cut)
	long=$(printf '%01100d' 7)
	path=/$(printf '%0127d/' 1 2 3 4)x
	collector_start "$out" cexecsnoop -j -c "$id"
	collector_start "$failed" cexecsnoop -j -x -c "$id"
	ctr_run cut sh -c "/bin/true whole; /bin/true $long; /nonexistent whole; /nonexistent $long; $path; true"
	wait_for has_rows "$out" 'action == "exit" and .["process.vpid"] == 1'
	collector_stop "$out"
	collector_stop "$failed"
	assert_rows "$out" 'event and action == "start" and args[1:2] == ["whole"] and .["event.truncated"] != true' 1
	assert_rows "$out" 'event and action == "start" and (args[1] // "" | startswith("0000")) and .["event.truncated"]' 1
	assert_rows "$failed" 'event and .["process.executable.requested"] == "/nonexistent" and args[1:2] == ["whole"] and .["event.truncated"] != true' 1
	assert_rows "$failed" 'event and .["process.executable.requested"] == "/nonexistent" and args[1:2] != ["whole"] and .["event.truncated"]' 1
	assert_rows "$failed" 'event and (.["process.executable.requested"] | startswith("/0000")) and .["event.truncated"]' 1
	assert_rows "$failed" event 3
}
