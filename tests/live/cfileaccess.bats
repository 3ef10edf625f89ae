# SPDX-License-Identifier: GPL-2.0
# cfileaccess: known things are done to files, and number and fields of the rows asserted.
load lib

JQ_NAMES+='def path: .["file.path"]; def target: .["file.target_path"]; def flags: .["file.flags"] // "";
def errno: .["error.errno"] // ""; def count: .["event.count"]; def other: .["file.container.name"] // "";
def foreign: .["file.foreign"] // ""; '

setup() {
	live_setup
	require_bpf
	require_runc
	ROWS=$BATS_TEST_TMPDIR/rows
}

teardown() { live_teardown; }

# start_waiting NAME [OPTION...] -- CMD...: a container that does CMD when it is told to, by go NAME
start_waiting() {
	local name=$1 opts=()
	shift
	while [ "$1" != -- ]; do
		opts+=("$1")
		shift
	done
	shift
	ctr_start "$name" "${opts[@]}" -- sh -c 'until [ -e /go ]; do sleep 0.1; done; "$@"; echo over; exec sleep 1000' sh "$@"
}

go() {
	touch "$(root_of "$1")/go"
	wait_for grep -q over "$CTR_DIR/$1/out"
}

root_of() {
	echo "/proc/$(ctr_pid "$1")/root"
}

# files START ARGS...: cfileaccess for this test's containers only
files_start() {
	collector_start "$ROWS" cfileaccess -j -c "cbt-*-$BATS_TEST_NUMBER-$$" "$@"
}

sum_counts() {
	rows "$1" "$2" | jq -s 'map(.["event.count"]) | add // 0'
}

@test "cfileaccess: 10007 opens of 101 files are 101 rows that sum up" {
	start_waiting work -- sh -c 'mkdir /tmp/d && files opens /tmp/d 101 10007'
	files_start -i 60
	go work
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	assert_rows "$ROWS" 'event and action == "open" and (path | startswith("/tmp/d/f")) and flags == "read"' 101
	[ "$(sum_counts "$ROWS" 'action == "open" and (path | startswith("/tmp/d/f"))')" = 10007 ]
	# made by as many opens, each a row of its own
	assert_rows "$ROWS" 'event and action == "create" and (path | startswith("/tmp/d/f")) and count == 1 and
		flags == "write|create" and .["file.mode"] == "0600"' 101
	assert_rows "$ROWS" 'event and action == "open" and path == "/tmp/d/f100" and comm == "files" and (exe | endswith("/bin/files")) and
		.["container.id"] == "'"$(ctr_id work)"'" and .["file.type"] == "file" and .["file.inode"] > 0 and
		(.["file.device"] | test("^[0-9]+:[0-9]+$")) and .["event.start"] < .["event.end"] and errno == ""' 1
}

@test "cfileaccess --every: each single one" {
	start_waiting work -- sh -c 'mkdir /tmp/d && files opens /tmp/d 7 331'
	files_start --every
	go work
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	assert_rows "$ROWS" 'event and action == "open" and (path | startswith("/tmp/d/f")) and count == 1' 331
	assert_rows "$ROWS" 'event and action == "create" and (path | startswith("/tmp/d/f"))' 7
}
