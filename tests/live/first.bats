# A container's first process, where its children have lower numbers.
# Alone: it says which process number comes next
load lib

setup() { live_setup; require_bpf; require_runc; ROWS=$BATS_TEST_TMPDIR/rows; }
teardown() { live_teardown; }

# next_number N: a process that starts now has it, or the next one that is free
next_number() {
	echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid
}

child_of() {
	pgrep -P "$1" -f 'sleep 1000'
}

child_ended() {
	! kill -0 "$1" 2>/dev/null
}

@test "a container is looked at by its first process, not by that of the lowest number, which may have ended" {
	local init child
	[ -e /proc/sys/kernel/ns_last_pid ] || skip "this kernel does not let one say which process number comes next"
	next_number 20000
	ctr_start turn --cap CAP_SYS_ADMIN -- sh -c 'until [ -e /go ]; do sleep 0.1; done; sleep 1000 & wait
		sh -c "mkdir /here; mount --bind /data /here; mkdir /here/new; true"; echo over; exec sleep 1000'
	init=$(ctr_pid turn)
	next_number 1000
	touch "/proc/$init/root/go"
	wait_for child_of "$init"
	child=$(child_of "$init")
	[ "$child" -lt "$init" ]
	collector_start "$ROWS" cfileaccess -j --host-path -i 0.2 -c "$(ctr_id turn)"
	# its row is written at the end of an interval: in the next one the mounts are looked at anew, by a process that is there
	nsenter --target "$init" --mount --pid -- mkdir /early
	wait_for has_rows "$ROWS" 'event and .["file.path"] == "/early"'
	kill -STOP "$(cat "$ROWS.pid")"
	kill "$child"
	wait_for child_ended "$child"
	wait_for grep -q over "$CTR_DIR/turn/out"
	kill -CONT "$(cat "$ROWS.pid")"
	collector_stop "$ROWS"
	assert_rows "$ROWS" "event and .[\"file.path\"] == \"/here/new\" and .[\"file.host_path\"] == \"$CTR_DIR/turn/rootfs/data/new\"" 1
}
