# SPDX-License-Identifier: GPL-2.0
# Nothing hides: one container floods every collector as fast as two cores let it, another does a known number of
# things. Each of them is there, what was lost is counted, and the tools stay small.
# Alone: it floods every collector
bats_require_minimum_version 1.5.0
load lib
load supervise

N=53		# needles of each kind
HWM_KB=65536	# no collector may ever have had more

setup() {
	live_setup
	supervise_setup
	require_bpf
	require_runc
	FLOOD_CG=
}

teardown() {
	local failed=0
	supervise_teardown || failed=1
	live_teardown || failed=1
	if [ -n "$FLOOD_CG" ]; then
		find "$FLOOD_CG" -mindepth 1 -type d -exec rmdir {} \; || true
		rmdir "$FLOOD_CG" || failed=1
	fi
	return $failed
}

# A folder of cgroups for the flood to work in
flood_cgroup() {
	local d
	for d in /sys/fs/cgroup/pids /sys/fs/cgroup; do
		[ ! -e "$d/cgroup.procs" ] || break
	done
	FLOOD_CG=$d/cbt-folders-$BATS_TEST_NUMBER-$$
	mkdir "$FLOOD_CG"
}

flood_start() {
	flood_cgroup
	ctr_start flood --bind "$FLOOD_CG:/cg" -- flood ${KINDS:-opens files connects unix forks execs threads cgroups /cg signals 1 calls}
	wait_for grep -q '^flooding$' "$CTR_DIR/flood/out"
}

# What it did: flooded KIND
flood_stop() {
	kill -TERM "$(ctr_pid flood)"
	wait_for ended "$(ctr_pid flood)"
	cat "$CTR_DIR/flood/out"
}

flooded() {
	awk -v k="$1" '$1 == k {print $2}' "$CTR_DIR/flood/out"
}

victim() {
	ctr_start victim contact wait
	wait_for grep -q waiting "$CTR_DIR/victim/out"
}

needles() {
	[ "$(ctr_run needle --host-pid --cgroup "/$(printf 'needle %s' $$ | sha256sum | cut -c 1-64)" -- \
		needle $N "$(ctr_pid victim)")" = "needle $N" ]
}

# Of $CHILDREN, and of the supervisor
assert_small() {
	local pid kb
	for pid in $SUPERVISOR $CHILDREN; do
		kb=$(awk '/^VmHWM/ {print $2}' "/proc/$pid/status")
		echo "$(cat "/proc/$pid/comm") $(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c 1-60) VmHWM $kb kB, CPU $(awk "{print \$14, \$15}" "/proc/$pid/stat")"
		[ "$kb" -lt $HWM_KB ] || fail "$(cat "/proc/$pid/comm") used $kb kB"
	done
}

# of a dataset: the rows tell of all that was lost
assert_losses_told() {
	local told
	told=$(sum event.lost "$1" true)
	echo "$1: lost $(lost "$1"), told in rows $told"
	[ "$told" -ge "$(lost "$1")" ]
}

# The rows of a sequence go on where the one before ended
assert_no_hole() {
	rows "$1" "event and ctr == \"$2\"" | jq -s -e 'group_by([.["process.thread.id"], .["process.exec.id"]]) |
		all(reduce .[] as $r ({ok: true, next: 0}; {ok: (.ok and $r["syscall.first"] == .next),
		next: ($r["syscall.first"] + $r["event.count"])}) | .ok)' >/dev/null || fail "$1: a hole in the calls of $2"
}

# calls_of FILE FILTER NAME
calls_of() {
	rows "$1" "event and ($2)" | jq -r '.["syscall.sequence"]' | tr ' ' '\n' | grep -c "^$3\$"
}

# What was recorded into $BATS_TEST_TMPDIR/DATASET has each needle, named and whole.
assert_needles() {
	local id victim from d
	id=$(ctr_id needle)
	victim=$(ctr_id victim)
	d=$BATS_TEST_TMPDIR
	from="ctr == \"$id\" and exe == \"/usr/bin/needle\""
	rows "$d/exec" "event and action == \"start\" and $from" | jq -r '.["process.command_args"] | if type == "array" then join(" ") else . end' |
		grep '^needle child' >"$d/got" || true
	diff <(for i in $(seq $N); do echo "needle child $i of $N"; done) "$d/got"
	assert_rows "$d/exec" "event and action == \"exit\" and $from" $((N + 1))
	assert_no_hole "$d/sequence" "$id"
	for call in execve connect kill unlink; do
		[ "$(calls_of "$d/sequence" "$from" $call)" = $N ] || fail "calls of $call: $(calls_of "$d/sequence" "$from" $call)"
	done
	[ "$(sum event.count file "$from and action == \"open\" and .[\"file.path\"] == \"/etc/shadow\" and .[\"error.errno\"] == null")" = $N ]
	for op in create unlink; do
		[ "$(rows "$d/file" "event and $from and action == \"$op\" and .[\"event.count\"] == 1" | jq -r '.["file.path"]' |
			sort -u | grep -c '^/tmp/needle-[0-9]*$')" = $N ]
	done
	[ "$(rows "$d/peer" "event and $from and action == \"connect\" and .[\"error.errno\"] == \"ECONNREFUSED\" and .[\"event.count\"] == 1 and
		.[\"destination.address\"] == \"127.0.0.1\"" | jq '.["destination.port"]' | sort -n)" = "$(seq 10001 $((10000 + N)))" ]
	[ "$(sum event.count contact "$from and action == \"signal\" and .[\"target.container.name\"] == \"$victim\"")" = $N ]
	[ "$(sum container.process.forks resource "ctr == \"$id\"")" = $N ]
}

# sum FIELD DATASET FILTER
sum() {
	rows "$BATS_TEST_TMPDIR/$2" "event and ($3)" | jq -s "map(.[\"$1\"] // 0) | add // 0"
}

lost() {
	tail -n 1 "$BATS_TEST_TMPDIR/$1" | jq '.["event.lost"] // 0'
}

# counted WHAT GOT MADE LOST: as many as were made, but for what was lost
counted() {
	echo "$1: made $3, told $2, lost in all $4"
	[ "$2" -le "$3" ] && [ $(($2 + $4)) -ge "$3" ] || fail "$1: made $3, told $2, lost $4"
}

# Of the flood by its own counters: nothing is told that was not done, and what is not told is counted as lost.
assert_flood_counted() {
	local of s
	of="ctr == \"$(ctr_id flood)\""
	for s in exec sequence file peer contact; do
		assert_losses_told $s
		assert_totals "$BATS_TEST_TMPDIR/$s"
	done
	# the first process has forked each kind
	[ "$(sum container.process.forks resource "$of")" = $(($(flooded forks) + $(flooded execs) + $(awk 'NF == 2' "$CTR_DIR/flood/out" | wc -l))) ]
	[ "$(sum container.thread.starts resource "$of")" = "$(flooded threads)" ]
	counted connects "$(sum event.count peer "$of and .[\"network.transport\"] == \"tcp\"")" "$(flooded connects)" "$(lost peer)"
	counted unix "$(sum event.count peer "$of and .[\"network.transport\"] == \"unix\" and .[\"network.direction\"] == \"outbound\"")" \
		"$(flooded unix)" "$(lost peer)"
	counted opens "$(sum event.count file "$of and action == \"open\" and .[\"error.errno\"] == \"ENOENT\"")" "$(flooded opens)" "$(lost file)"
	for s in create unlink; do
		counted $s "$(sum event.count file "$of and action == \"$s\"")" "$(flooded files)" "$(lost file)"
	done
	counted execs "$(count_rows "$BATS_TEST_TMPDIR/exec" "event and $of and action == \"start\" and (args | index(\"end\"))")" \
		"$(flooded execs)" "$(lost exec)"
	counted calls "$(calls_of "$BATS_TEST_TMPDIR/sequence" "$of" getppid)" "$(flooded calls)" "$(lost sequence)"
}

@test "cbrecord: a flood of everything hides none of $N needles of each kind" {
	local d
	victim
	supervise cbrecord -c "$(ctr_id victim)" -c "$(ctr_id needle)" -c "$(ctr_id flood)" "$REC"
	flood_start
	needles
	flood_stop
	assert_small
	supervisor_end
	for d in exec sequence file peer contact resource; do
		merged $d "$BATS_TEST_TMPDIR/$d"
	done
	assert_needles
	assert_flood_counted
}

@test "cbwatch: the same flood and needles, in what cdetect was given to judge" {
	local d
	victim
	supervise cbrecord -c "$(ctr_id victim)" "$REC"
	supervisor_end
	ctrain -m "$BATS_TEST_TMPDIR/m.db" --new "$REC"
	supervise cbwatch -j -m "$BATS_TEST_TMPDIR/m.db" -w "$BATS_TEST_TMPDIR/seen" -c "$(ctr_id victim)" -c "$(ctr_id needle)" -c "$(ctr_id flood)"
	flood_start
	needles
	flood_stop
	assert_small
	supervisor_end
	for d in exec sequence file peer contact resource; do
		grep "\"event.dataset\":\"cbtools.$d\"" "$BATS_TEST_TMPDIR/seen" >"$BATS_TEST_TMPDIR/$d"
	done
	assert_needles
	assert_flood_counted
}

# A reader that does not come to read, the worst that a flood can do to it: a ring full of one container's has room
# for another's.
@test "cexecsnoop, stopped: 5,003 programs of a flood leave room for 41 of another container" {
	local out=$BATS_TEST_TMPDIR/rows pid flood needle cpu
	flood=$(ctr_id flood) needle=$(ctr_id needle)
	collector_start "$out" cexecsnoop -j -c "$flood" -c "$needle"
	pid=$(cat "$out.pid")
	ctr_start needle sh -c 'mkfifo /go; echo ready; read x </go; execs 41; exec sleep 1000'
	wait_for grep -q '^ready$' "$CTR_DIR/needle/out"
	kill -STOP "$pid"
	ctr_run flood execs 5003 >/dev/null
	echo >"/proc/$(ctr_pid needle)/root/go"
	wait_for grep -q '^execs 41$' "$CTR_DIR/needle/out"
	kill -CONT "$pid"
	wait_for has_rows "$out" "event and ctr == \"$needle\" and action == \"start\" and (args | index(\"sleep\"))"
	# what was lost on a CPU is told by the next row from there
	for cpu in $(seq 0 $(($(nproc) - 1))); do
		taskset -c "$cpu" nsenter -t "$(ctr_pid needle)" -m -p true
	done
	collector_stop "$out"
	assert_rows "$out" "event and ctr == \"$needle\" and action == \"start\" and args[1:2] == [\"child\"] and exe == \"/usr/bin/execs\"" 41
	assert_rows "$out" "event and ctr == \"$needle\" and action == \"exit\" and exe == \"/usr/bin/execs\"" 42
	tail -n 1 "$out" | jq -e '.["event.lost"] > 3001'
	[ "$(rows "$out" event | jq -s 'map(.["event.lost"] // 0) | add')" = "$(tail -n 1 "$out" | jq '.["event.lost"]')" ]
	assert_rows "$out" "event and ctr == \"$flood\" and exe != \"/usr/bin/execs\"" 0
}

@test "ctop-syscalls -S, stopped: a flood of calls leaves room for those of another container" {
	local out=$BATS_TEST_TMPDIR/rows pid flood needle
	flood=$(ctr_id flood) needle=$(ctr_id needle)
	collector_start "$out" ctop-syscalls -S -j -c "$flood" -c "$needle"
	pid=$(cat "$out.pid")
	ctr_start needle sh -c 'mkfifo /go; echo ready; read x </go; calls 10007 2; exec sleep 1000'
	wait_for grep -q '^ready$' "$CTR_DIR/needle/out"
	kill -STOP "$pid"
	ctr_run flood calls 1500007 2 >/dev/null
	echo >"/proc/$(ctr_pid needle)/root/go"
	wait_for grep -q '^total 20014$' "$CTR_DIR/needle/out"
	kill -CONT "$pid"
	wait_for has_rows "$out" "event and ctr == \"$needle\" and ((.[\"syscall.sequence\"] // \"\") | test(\"nanosleep$\"))"
	collector_stop "$out"
	assert_no_hole "$out" "$needle"
	[ "$(calls_of "$out" "ctr == \"$needle\" and exe == \"/usr/bin/calls\"" getppid)" = 20014 ]
	tail -n 1 "$out" | jq -e '.["event.lost"] > 1000000'
}
