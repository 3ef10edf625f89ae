# SPDX-License-Identifier: GPL-2.0
# ccontact: one container does a known number of things to another, to the host, to itself; the host to a container.
load lib

setup() {
	live_setup
	require_bpf
	require_runc
	ROWS=$BATS_TEST_TMPDIR/rows
	HOST_PID=
}

teardown() {
	[ -z "$HOST_PID" ] || { kill "$HOST_PID" && wait "$HOST_PID" || true; }
	live_teardown
}

JQ_NAMES+='def to: .["target.container.name"]; def tpid: .["target.process.pid"]; def tcomm: .["target.process.name"];
def detail: .["contact.detail"]; def signal: .["contact.signal"]; def peer: .["contact.peer"]; def err: .["error.errno"];
def count: .["event.count"]; '

# a container that waits to have something done to it
victim() {
	ctr_start "$1" contact wait
	wait_for grep -q waiting "$CTR_DIR/$1/out"
}

# spy NAME CMD...: in a container that sees the host's processes and may do a lot to them
spy() {
	local name=$1 cap caps=()
	shift
	for cap in SYS_PTRACE SYS_ADMIN SYS_CHROOT SETUID DAC_OVERRIDE DAC_READ_SEARCH SYS_NICE PERFMON; do
		caps+=(--cap "CAP_$cap")
	done
	ctr_run "$name" --host-pid --cgroup "/$(printf '%s %s' "$name" "$$" | sha256sum | cut -c 1-64)" "${caps[@]}" -- "$@"
}

host_victim() {
	"$HELPERS/contact" wait >"$BATS_TEST_TMPDIR/host" 3>&- 4>&- &
	HOST_PID=$!
	wait_for grep -q waiting "$BATS_TEST_TMPDIR/host"
}

# assert_count FILTER N: the rows stand for so many
assert_count() {
	local n
	n=$(rows "$ROWS" "event and ($1)" | jq -s 'map(.["event.count"]) | add // 0')
	[ "$n" = "$2" ] || fail "expected $2 with $1, got $n: $(rows "$ROWS" event |
		jq -c '[.["container.name", "event.action", "contact.detail", "contact.peer", "target.process.pid", "error.errno", "event.count"]]' | head -n 40)"
}

@test "ccontact: each kind of contact between two containers, with both sides, counted" {
	local p from
	victim b
	p=$(ctr_pid b)
	collector_start "$ROWS" ccontact -j
	spy a sh -c 'for a in signal:101 queue:7 pidfd:11 nobody:13 ptrace:17 read:19 write:23 getfd:29 kcmp:31 prlimit:37 setns:41 \
		netns:43 mntns:1 root:47 mem:53 environ:59 oom:61 chroot:1 status:5; do contact ${a%:*} '"$p"' ${a#*:}; done'
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	from="ctr == \"$(ctr_id a)\" and to == \"$(ctr_id b)\""
	assert_count "$from and action == \"signal\" and signal == \"SIGUSR1\" and err == null and peer == \"signal $(ctr_id b)\"" 101
	assert_count "$from and action == \"signal\" and signal == \"SIGUSR2\"" 18
	assert_count "$from and action == \"signal\" and err == \"EPERM\" and .[\"user.id\"] == 65534" 13
	assert_count "$from and action == \"ptrace\" and detail == \"ATTACH\"" 17
	assert_count "$from and action == \"ptrace\" and detail == \"PEEKDATA\"" 17
	assert_count "$from and action == \"ptrace\" and detail == \"DETACH\" and err == null" 17
	assert_count "$from and action == \"process_vm_readv\"" 19
	assert_count "$from and action == \"process_vm_writev\"" 23
	assert_count "$from and action == \"pidfd_getfd\" and detail == \"fd 1\"" 29
	assert_count "$from and action == \"kcmp\"" 31
	assert_count "$from and action == \"prlimit\"" 37
	assert_count "$from and action == \"setns\" and detail == \"uts\"" 41
	assert_count "$from and action == \"setns\" and detail == \"net\"" 43
	assert_count "$from and action == \"setns\" and detail == \"mnt\"" 1
	assert_count "$from and action == \"proc_root\" and detail == \"read\"" 47
	assert_count "$from and action == \"proc_root\" and detail == \"chroot\"" 1
	assert_count "$from and action == \"proc_mem\" and detail == \"mem\"" 53
	assert_count "$from and action == \"proc_environ\"" 59
	assert_count "$from and action == \"proc_write\" and detail == \"oom_score_adj\"" 61
	assert_count "$from" 628
	# both processes, wherever one is known; a namespace is nobody's own
	assert_rows "$ROWS" "event and $from and (comm != \"contact\" or exe != \"/usr/bin/contact\" or
		.[\"container.id\"] != \"$(ctr_id a)\" or .[\"target.container.id\"] != \"$(ctr_id b)\")" 0
	assert_rows "$ROWS" "event and $from and (tpid != $p or tcomm != \"contact\" or .[\"target.process.vpid\"] != 1) and
		((detail == \"net\" or detail == \"mnt\") | not)" 0
	# few rows: what is new, and one in an interval
	[ "$(count_rows "$ROWS" "event and $from and action == \"signal\" and err == null and signal == \"SIGUSR1\"")" -le 9 ]
}

@test "ccontact: what a process may use is changed, or it is measured, by another container" {
	local p from
	victim b
	p=$(ctr_pid b)
	collector_start "$ROWS" ccontact -j
	spy a sh -c 'for a in affinity:3 scheduler:5 param:7 attr:11 perf:13 pages:17 migrate:19 madvise:23 mrelease:29 pidfd:31; do
		contact ${a%:*} '"$p"' ${a#*:}; done' >"$BATS_TEST_TMPDIR/said" 2>&1
	collector_stop "$ROWS"
	cat "$BATS_TEST_TMPDIR/said"
	assert_no_loss "$ROWS"
	from="ctr == \"$(ctr_id a)\" and to == \"$(ctr_id b)\" and tpid == $p and .[\"contact.scope\"] == \"between\""
	assert_count "$from and action == \"sched_setaffinity\" and err == null" 3
	assert_count "$from and action == \"sched_setscheduler\" and err == null" 23
	assert_count "$from and action == \"perf_event_open\"" 13
	assert_count "$from and action == \"process_madvise\"" 23
	assert_count "$from and action == \"process_mrelease\" and err == \"EINVAL\"" 29
	assert_count "$from and action == \"signal\" and signal == \"SIGUSR2\"" 31
	# kernels without NUMA have no such calls
	if ! grep -q 'pages: Function not implemented' "$BATS_TEST_TMPDIR/said"; then
		assert_count "$from and action == \"move_pages\"" 17
		assert_count "$from and action == \"migrate_pages\"" 19
	fi
}

@test "ccontact: what the host does to a container is the host's, and never learned as the container's" {
	local p model=$BATS_TEST_TMPDIR/m.db
	victim b
	p=$(ctr_pid b)
	collector_start "$ROWS" ccontact -j -c "$(ctr_id b)" -c "$(ctr_id a)"
	"$HELPERS/contact" environ "$p" 19
	"$HELPERS/contact" ptrace "$p" 11
	spy a contact read "$p" 7
	collector_stop "$ROWS"
	assert_count "ctr == null and .[\"contact.scope\"] == \"from-host\" and action == \"proc_environ\"" 19
	assert_rows "$ROWS" 'event and (ctr == null) != (.["contact.scope"] == "from-host")' 0
	ctrain -m "$model" --new --by=name "$ROWS"
	cmodel show "$model" >"$BATS_TEST_TMPDIR/show"
	cat "$BATS_TEST_TMPDIR/show"
	# who acted has a baseline; to whom it was done has none
	grep -q "^$(ctr_id a): " "$BATS_TEST_TMPDIR/show"
	grep -q "^(host): " "$BATS_TEST_TMPDIR/show"
	[ "$(grep -c "^$(ctr_id b): " "$BATS_TEST_TMPDIR/show")" = 0 ]
}

@test "ccontact: from a container to the host and from the host to a container" {
	local p
	victim b
	p=$(ctr_pid b)
	host_victim
	collector_start "$ROWS" ccontact -j
	spy a sh -c "contact signal $HOST_PID 13; contact mem $HOST_PID 7; contact root $HOST_PID 5; contact netns $HOST_PID 3;
		contact chroot $HOST_PID 1; contact read $HOST_PID 2"
	"$HELPERS/contact" signal "$p" 17
	"$HELPERS/contact" ptrace "$p" 11
	"$HELPERS/contact" environ "$p" 19
	nsenter -t "$p" -a true
	# by the container's first process
	spy init contact netns "$p" 7
	# the host to itself is none of it
	"$HELPERS/contact" signal "$HOST_PID" 23
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	assert_count "ctr == \"$(ctr_id a)\" and peer == \"signal host\" and tpid == $HOST_PID and to == null and tcomm == \"contact\"" 13
	assert_count "ctr == \"$(ctr_id a)\" and peer == \"proc_mem host\" and tpid == $HOST_PID" 7
	assert_count "ctr == \"$(ctr_id a)\" and peer == \"proc_root host\" and detail == \"read\"" 5
	assert_count "ctr == \"$(ctr_id a)\" and peer == \"proc_root host\" and detail == \"chroot\" and tpid == $HOST_PID" 1
	assert_count "ctr == \"$(ctr_id a)\" and peer == \"process_vm_readv host\" and tpid == $HOST_PID" 2
	assert_count "ctr == \"$(ctr_id a)\" and peer == \"setns host\" and detail == \"net\"" 3
	assert_count "ctr == null and comm == \"contact\" and peer == \"signal $(ctr_id b)\" and tpid == $p" 17
	assert_count "ctr == null and comm == \"contact\" and action == \"ptrace\" and to == \"$(ctr_id b)\"" 33
	assert_count "ctr == null and comm == \"contact\" and action == \"proc_environ\" and to == \"$(ctr_id b)\"" 19
	assert_count "ctr == \"$(ctr_id init)\" and action == \"setns\" and to == \"$(ctr_id b)\" and detail == \"net\"" 7
	for ns in mnt pid net ipc uts; do
		assert_count "ctr == null and comm == \"nsenter\" and action == \"setns\" and to == \"$(ctr_id b)\" and detail == \"$ns\"" 1
	done
	assert_rows "$ROWS" "event and ctr == null and to == null" 0
}

@test "ccontact: inside of a container only with --inside" {
	local inside=$BATS_TEST_TMPDIR/inside
	collector_start "$ROWS" ccontact -j -c "$(ctr_id c)"
	collector_start "$inside" ccontact -j --inside -c "$(ctr_id c)"
	ctr_run c --cap CAP_SYS_PTRACE -- sh -c 'contact wait >/tmp/out & p=$!
		until grep -q waiting /tmp/out; do :; done; contact signal $p 13; contact mem $p 7; contact mem $$ 5; contact mem self 3'
	collector_stop "$ROWS"
	collector_stop "$inside"
	assert_rows "$ROWS" "event and ctr == \"$(ctr_id c)\"" 0
	ROWS=$inside
	assert_count "ctr == \"$(ctr_id c)\" and peer == \"signal itself\" and signal == \"SIGUSR1\" and comm == \"contact\"" 13
	assert_count "ctr == \"$(ctr_id c)\" and peer == \"proc_mem itself\" and tcomm == \"contact\"" 7
	assert_count "ctr == \"$(ctr_id c)\" and peer == \"proc_mem itself\" and tcomm == \"sh\"" 5
}

@test "ccontact: -c takes both sides, -x what was refused; a recording replays the same" {
	local p other=$BATS_TEST_TMPDIR/other failed=$BATS_TEST_TMPDIR/failed
	victim b
	victim d
	p=$(ctr_pid b)
	collector_start "$ROWS" ccontact -j -c "$(ctr_id b)" -w "$BATS_TEST_TMPDIR/rec.jsonl.zst"
	collector_start "$other" ccontact -j -c "$(ctr_id d)"
	collector_start "$failed" ccontact -j -x
	spy a sh -c "contact signal $p 7; contact nobody $p 11; contact signal $(ctr_pid d) 5"
	"$HELPERS/contact" signal "$p" 3
	collector_stop "$ROWS"
	collector_stop "$other"
	collector_stop "$failed"
	assert_count "ctr == \"$(ctr_id a)\" and to == \"$(ctr_id b)\"" 18
	assert_count "ctr == null and comm == \"contact\" and to == \"$(ctr_id b)\"" 3
	assert_count "to != \"$(ctr_id b)\" and ctr != \"$(ctr_id b)\"" 0
	ccontact -r "$BATS_TEST_TMPDIR/rec.jsonl.zst" -j >"$BATS_TEST_TMPDIR/again"
	cmp <(rows "$ROWS" event) <(rows "$BATS_TEST_TMPDIR/again" event)
	ccontact -r "$BATS_TEST_TMPDIR/rec.jsonl.zst" -j -c "$(ctr_id a)" >"$BATS_TEST_TMPDIR/again"
	assert_rows "$BATS_TEST_TMPDIR/again" "event and ctr != \"$(ctr_id a)\"" 0
	ROWS=$other
	assert_count "ctr == \"$(ctr_id a)\" and to == \"$(ctr_id d)\"" 5
	assert_count "to != \"$(ctr_id d)\"" 0
	ROWS=$failed
	assert_count "ctr == \"$(ctr_id a)\" and err == \"EPERM\" and to == \"$(ctr_id b)\"" 11
	assert_rows "$ROWS" "event and err == null" 0
}

@test "ccontact: a flood of ever new contacts hides none of another container, and is counted" {
	local p
	victim b
	victim d
	p=$(ctr_pid b)
	collector_start "$ROWS" ccontact -j -i 60
	spy a contact many "$p" 20011
	spy e sh -c "contact signal $(ctr_pid d) 10007; contact read $(ctr_pid d) 3"
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	assert_count "ctr == \"$(ctr_id e)\" and to == \"$(ctr_id d)\" and action == \"signal\"" 10007
	assert_count "ctr == \"$(ctr_id e)\" and to == \"$(ctr_id d)\" and action == \"process_vm_readv\"" 3
	assert_rows "$ROWS" "event and ctr == \"$(ctr_id e)\"" 4
	assert_count "ctr == \"$(ctr_id a)\" and to == \"$(ctr_id b)\" and action == \"ptrace\"" 20011
	[ "$(count_rows "$ROWS" "event and ctr == \"$(ctr_id a)\"")" -le 600 ]
	# the rest, of no single request and process
	assert_count "ctr == \"$(ctr_id a)\" and detail == null and tpid == 0 and (pid // 0) == 0 and count > 1" $((20011 - 512 - 1))
}

@test "ccontact: files that containers share: who writes what another uses, who reads what another wrote" {
	local vol=$BATS_TEST_TMPDIR/vol a b c
	mkdir "$vol"
	echo x >"$vol/read-by-all"
	echo x >"$vol/written"
	echo x >"$vol/own"
	ctr_start b --bind "$vol:/data" -- sh -c 'until [ -e /go ]; do sleep 0.1; done
		for i in 1 2 3 4 5; do : </data/written; : </data/read-by-all; done; echo over
		until [ -e /again ]; do sleep 0.1; done; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do : </data/written; done; echo twice; exec sleep 1000'
	ctr_start gone --bind "$vol:/vol" -- sh -c 'until [ -e /go ]; do sleep 0.1; done; : </vol/own; echo over'
	collector_start "$ROWS" ccontact -j -c "cbt-*-$BATS_TEST_NUMBER-$$"
	a=$(ctr_id a) b=$(ctr_id b) c=$(ctr_id c)
	touch "/proc/$(ctr_pid b)/root/go"
	wait_for grep -q over "$CTR_DIR/b/out"
	touch "/proc/$(ctr_pid gone)/root/go"
	wait_for grep -q over "$CTR_DIR/gone/out"
	ctr_stop gone
	ctr_run a --bind "$vol:/vol" -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11; do : >>/vol/written; done
		for i in 1 2 3 4 5 6 7; do : </vol/read-by-all; : >>/vol/own; done'
	touch "/proc/$(ctr_pid b)/root/again"
	wait_for grep -q twice "$CTR_DIR/b/out"
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	# b had read it before
	assert_count "ctr == \"$a\" and action == \"shared_write\" and to == \"$b\" and detail == \"written\" and
		peer == \"shared_write $b\" and .[\"contact.scope\"] == \"between\" and tpid == 0 and comm == \"sh\"" 11
	# a has ended, so nobody is told to be read from
	assert_count "ctr == \"$b\"" 0
	assert_rows "$ROWS" "event and ctr == \"$a\" and action != \"shared_write\"" 0
	assert_count "ctr == \"$a\"" 11

	collector_start "$ROWS" ccontact -j -c "cbt-*-$BATS_TEST_NUMBER-$$"
	ctr_start c --bind "$vol:/c" -- sh -c ': >>/c/written; echo over; exec sleep 1000'
	wait_for grep -q over "$CTR_DIR/c/out"
	ctr_run d --bind "$vol:/d" -- sh -c 'for i in 1 2 3 4 5; do : </d/written; : </d/own; done'
	collector_stop "$ROWS"
	assert_count "ctr == \"$(ctr_id d)\" and action == \"shared_read\" and to == \"$c\" and detail == \"written\"" 5
	assert_count "action == \"shared_read\" or action == \"shared_write\"" 5
}

@test "ccontact: a file that has the number of one that another container removed is not shared" {
	local vol=$BATS_TEST_TMPDIR/vol
	mkdir "$vol"
	ctr_start a --bind "$vol:/vol" -- sh -c 'until [ -e /go ]; do sleep 0.1; done
		for i in 1 2 3 4 5 6 7 8 9 10 11; do echo x >/vol/a$i; ls -i /vol/a$i; done; rm /vol/a*; echo over; exec sleep 1000'
	ctr_start b --bind "$vol:/vol" -- sh -c 'until [ -e /go ]; do sleep 0.1; done
		for i in 1 2 3 4 5 6 7 8 9 10 11; do echo x >/vol/b$i; ls -i /vol/b$i; done; echo over; exec sleep 1000'
	collector_start "$ROWS" ccontact -j -c "cbt-*-$BATS_TEST_NUMBER-$$"
	for c in a b; do
		touch "/proc/$(ctr_pid $c)/root/go"
		wait_for grep -q over "$CTR_DIR/$c/out"
	done
	collector_stop "$ROWS"
	# some file systems give no number twice
	echo "numbers given again: $(cat "$CTR_DIR"/{a,b}/out | awk 'NF == 2 {print $1}' | sort | uniq -d | wc -l)"
	assert_rows "$ROWS" 'event and (action == "shared_write" or action == "shared_read")' 0
}
