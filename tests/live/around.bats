# SPDX-License-Identifier: GPL-2.0
# Ways around the calls that everybody uses: the 32-bit table and io_uring. What is done so is told, or it is told that
# the program is only partly seen.
bats_require_minimum_version 1.5.0
load lib

setup() {
	live_setup
	require_bpf
	require_runc
	ROWS=$BATS_TEST_TMPDIR/rows
}

teardown() { live_teardown; }

# did NAME CMD...: runs it in a container of its own
did() {
	local name=$1 rc=0
	shift
	ctr_run "$name" "$@" >"$BATS_TEST_TMPDIR/said" || rc=$?
	[ $rc = 0 ] || fail "$*: exit status $rc"
}

# There are machines without, whatever their kernel was built with.
has_compat() {
	local rc=0
	"$HELPERS/compat" getpid 1 >/dev/null || rc=$?
	[ $rc != 77 ]
}

no_compat="this machine has no 32-bit calls"

sum_counts() {
	rows "$ROWS" "event and ($1)" | jq -s 'map(.["event.count"]) | add // 0'
}

@test "cexecsnoop: a program started by a 32-bit call, and a 32-bit program" {
	local id
	has_compat || skip "$no_compat"
	id=$(ctr_id work)
	collector_start "$ROWS" cexecsnoop -j -c "$id"
	did work sh -c 'compat exec /bin/execs 0; compat program /tmp/small 7'
	wait_for has_rows "$ROWS" 'event and action == "exit" and .["process.vpid"] == 1'
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	assert_rows "$ROWS" 'event and action == "start" and exe == "/usr/bin/execs" and args == ["/bin/execs", "0"]' 1
	assert_rows "$ROWS" 'event and action == "start" and exe == "/tmp/small"' 1
	assert_rows "$ROWS" 'event and action == "exit" and exe == "/tmp/small" and .["process.exit_code"] == 0' 1
}

@test "ctop-syscalls: 32-bit calls by their own names, in the sequence and counted" {
	local id counts=$BATS_TEST_TMPDIR/counts n
	has_compat || skip "$no_compat"
	id=$(ctr_id work)
	collector_start "$ROWS" ctop-syscalls -S -j -c "$id"
	collector_start "$counts" ctop-syscalls -j -c "$id" -i 200ms
	did work sh -c 'compat getpid 211; compat open /etc/passwd 37; compat program /tmp/small 53; true'
	wait_for has_rows "$ROWS" '.["process.vpid"] == 1 and ((.["syscall.sequence"] // "") | endswith("exit_group"))'
	collector_stop "$ROWS"
	collector_stop "$counts"
	assert_no_loss "$ROWS"
	assert_no_loss "$counts"
	for n in 211:getpid $((37 + 53)):open $((37 + 53)):close; do
		[ "$(rows "$ROWS" event | jq -r '.["syscall.sequence"]' | tr ' ' '\n' | grep -cx "compat:${n#*:}")" = "${n%%:*}" ]
		[ "$(rows "$counts" "event and .[\"syscall.name\"] == \"compat:${n#*:}\"" | jq -s 'map(.["syscall.count"]) | add')" = "${n%%:*}" ]
	done
}

@test "cfileaccess: a program that asks a ring for files, and one of 32 bits, are partly seen" {
	local id=$(ctr_id work) n
	collector_start "$ROWS" cfileaccess -j -c "$id"
	local then=true
	! has_compat || then='compat program /tmp/small 11'
	did work sh -c "echo x >/tmp/gone; ring 0 7; ring unlink /tmp/gone; [ ! -e /tmp/gone ] && $then"
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	assert_rows "$ROWS" 'event and action == "partly-seen" and comm == "ring" and .["file.flags"] == "io_uring" and exe == "/usr/bin/ring"' 1
	[ "$(sum_counts 'action == "partly-seen" and comm == "ring"')" -ge 10 ]
	assert_rows "$ROWS" "event and action == \"partly-seen\" and ctr != \"$id\"" 0
	[ "$then" != true ] || skip "$no_compat"
	assert_rows "$ROWS" 'event and action == "partly-seen" and exe == "/tmp/small" and .["file.flags"] == "32-bit"' 1
}

@test "cnetpeer: connections begun by a ring, by 32-bit calls and by a plain program are counted alike" {
	local id=$(ctr_id work)
	collector_start "$ROWS" cnetpeer -j -c "$id" -i 200ms
	did work sh -c 'ring connect 127.0.0.1 4001 7; net call tcp 127.0.0.1 4003 13 1 1; compat connect 127.0.0.1 4002 11; true'
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	for n in 4001:7:ring 4003:13:net 4002:11:compat; do
		[ "$n" != 4002:11:compat ] || has_compat || skip "$no_compat"
		IFS=: read -r port count comm <<<"$n"
		[ "$(sum_counts ".[\"network.direction\"] == \"outbound\" and .[\"destination.port\"] == $port and .[\"destination.address\"] == \"127.0.0.1\" and
			comm == \"$comm\"")" = "$count" ]
	done
}

@test "ccontact: a signal across containers by a 32-bit call" {
	local p
	has_compat || skip "$no_compat"
	ctr_start victim contact wait
	wait_for grep -q waiting "$CTR_DIR/victim/out"
	p=$(ctr_pid victim)
	collector_start "$ROWS" ccontact -j -c "$(ctr_id victim)"
	# it stays: nobody finds whose a container with the host's pids was once runc has put its files away
	ctr_start spy --host-pid --cgroup "/$(printf 'around %s' $$ | sha256sum | cut -c 1-64)" -- \
		sh -c "compat kill $p 17; echo status \$?; sleep 1000"
	wait_for grep -q '^status' "$CTR_DIR/spy/out"
	grep -q '^status 0$' "$CTR_DIR/spy/out"
	wait_for has_rows "$ROWS" 'event and action == "signal" and comm == "compat"'
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	[ "$(sum_counts "ctr == \"$(ctr_id spy)\" and action == \"signal\" and .[\"target.container.name\"] == \"$(ctr_id victim)\" and
		comm == \"compat\"")" = 17 ]
}
