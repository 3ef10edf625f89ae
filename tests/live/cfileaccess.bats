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

@test "cfileaccess: every operation with its names and result" {
	start_waiting work --cap CAP_CHOWN --cap CAP_DAC_OVERRIDE --cap CAP_FOWNER -- sh -c 'mkdir /tmp/d && files ops /tmp/d'
	files_start --every
	go work
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	is() { assert_rows "$ROWS" "event and comm == \"files\" and $1" "${2:-1}"; }
	is 'action == "create" and path == "/tmp/d/made" and flags == "read|write|create|exclusive" and .["file.mode"] == "0640"'
	is 'action == "open" and path == "/tmp/d/made" and flags == "write|append"'
	is 'action == "open" and path == "/tmp/d/made" and flags == "write|truncate"'
	is 'action == "open" and path == "/tmp/d/missing" and errno == "ENOENT"'
	is 'action == "mkdir" and path == "/tmp/d/sub" and .["file.mode"] == "0751" and errno == ""'
	is 'action == "chmod" and path == "/tmp/d/made" and .["file.mode"] == "0604"'
	is 'action == "chmod" and path == "/tmp/d/made" and .["file.mode"] == "0611" and .["file.type"] == "file"'
	is 'action == "open" and path == "/tmp/d/sub" and flags == "read|directory" and .["file.type"] == "dir"'
	# by ../made and by the link
	is 'action == "open" and path == "/tmp/d/made" and flags == "read"' 2
	is 'action == "chown" and path == "/tmp/d/made" and .["file.owner"] == "11:13" and errno == ""'
	is 'action == "chown" and path == "/tmp/d/sub/../made" and .["file.owner"] == "17:-" and errno == ""'
	is 'action == "link" and path == "/tmp/d/made" and target == "/tmp/d/sub/linked"'
	is 'action == "symlink" and path == "/tmp/d/sub/pointer" and target == "../made"'
	is 'action == "rename" and path == "/tmp/d/sub/linked" and target == "/tmp/d/sub/renamed" and errno == ""'
	is 'action == "rename" and path == "/tmp/d/sub/renamed" and target == "/tmp/d/sub/pointer" and errno == "EEXIST" and
		flags == "noreplace"'
	is 'action == "mknod" and path == "/tmp/d/pipe" and .["file.type"] == "pipe" and .["file.mode"] == "0600"'
	is 'action == "truncate" and path == "/tmp/d/made" and errno == ""'
	is 'action == "truncate" and path == "/tmp/d/made" and errno == "EINVAL"'
	is 'action == "unlink" and path == "/tmp/d/sub/renamed" and errno == ""'
	is 'action == "unlink" and path == "/tmp/d/sub/pointer" and errno == ""'
	is 'action == "unlink" and path == "/tmp/d/gone" and errno == "ENOENT"'
	is 'action == "mkdir" and path == "/tmp/d/sub/dir"'
	is 'action == "rmdir" and path == "/tmp/d/sub/dir" and errno == ""'
	is 'action == "rmdir" and path == "/tmp/d/sub" and errno == ""'
	is 'action == "mount" and path == "/mnt-is-not-there" and target == "none" and flags == "ro" and errno != ""'
	is 'action == "umount" and path == "/mnt-is-not-there" and flags == "detach" and errno != ""'
}

@test "cfileaccess -x: only what failed; --ops: only these" {
	start_waiting work -- sh -c 'mkdir /tmp/d && files ops /tmp/d'
	files_start -x --every
	collector_start "$ROWS.ops" cfileaccess -j -c "$(ctr_id work)" --ops=unlink,rmdir --every
	go work
	collector_stop "$ROWS"
	collector_stop "$ROWS.ops"
	assert_rows "$ROWS" 'event and errno == ""' 0
	assert_rows "$ROWS" 'event and comm == "files" and action == "open" and path == "/tmp/d/missing"' 1
	assert_rows "$ROWS" 'event and comm == "files" and action == "truncate"' 1
	assert_rows "$ROWS.ops" 'event and comm == "files"' 5
	assert_rows "$ROWS.ops" 'event and action != "unlink" and action != "rmdir"' 0
}

@test "cfileaccess: links, .., bind mounts and tmpfs: what was truly opened" {
	mkdir "$BATS_TEST_TMPDIR/vol"
	echo x >"$BATS_TEST_TMPDIR/vol/inside"
	start_waiting work --bind "$BATS_TEST_TMPDIR/vol:/vol/deep" -- sh -c '
		ln -s /etc/../etc/hello /l1; ln -s l1 /l2; echo hi > /etc/hello; ln -s /vol/deep/inside /tmp/l3
		echo x > /dev/shm/mem
		files open /etc/hello; files open /sbin/../etc/hello; files open /usr/../etc/./hello; files open /l2; cd /dev/shm && files open ../../etc/hello
		files open /vol/deep/inside; files open /tmp/l3; files open /vol/deep/../deep//inside
		files open /dev/shm/mem; files open ../shm/mem; files open /proc/self/root/dev/shm/mem'
	files_start --every --host-path --ops=open
	go work
	collector_stop "$ROWS"
	is() { assert_rows "$ROWS" "event and comm == \"files\" and flags == \"read\" and $1" "$2"; }
	is 'path == "/etc/hello" and .["file.host_path"] == "'"$CTR_DIR"'/work/rootfs/etc/hello"' 4
	is 'path == "/vol/deep/inside" and .["file.host_path"] == "'"$BATS_TEST_TMPDIR"'/vol/inside"' 3
	# a tmpfs of its own: the host has no path to it
	is 'path == "/dev/shm/mem" and (.["file.host_path"] // "") == ""' 3
	# /sbin is a link: its parent is another directory, where there is no such file
	is 'path == "/sbin/../etc/hello" and errno == "ENOENT"' 1
	is 'true' 11
}

@test "cfileaccess --host-path: of what is named, too" {
	local vol=$BATS_TEST_TMPDIR/vol
	mkdir "$vol"
	echo x >"$vol/inside"
	start_waiting work --bind "$vol:/vol/deep" --cap CAP_SYS_CHROOT -- sh -c '
		mkdir /top /vol/deep/dir; cd /vol; mkdir deep/relative; mv /vol/deep/inside deep/dir/moved; ln deep/dir/moved deep/linked
		chmod 600 /top; rm /vol/deep/linked; rmdir /vol/deep/./relative /vol/nothing; mkdir /dev/shm/own /top/../up
		mkdir /jail /jail/bin; cp /bin/busybox /jail/bin; chroot /jail /bin/busybox mkdir /in-jail'
	files_start --host-path
	go work
	collector_stop "$ROWS"
	host() {
		assert_rows "$ROWS" "event and action == \"$1\" and path == \"$2\" and (.[\"file.host_path\"] // \"\") == \"$3\"" 1 && return
		cat "$ROWS.err"
		rows "$ROWS" "event and path == \"$2\""
		false
	}
	host mkdir /top "$CTR_DIR/work/rootfs/top"
	host chmod /top "$CTR_DIR/work/rootfs/top"
	host mkdir /vol/deep/dir "$vol/dir"
	host mkdir /vol/deep/relative "$vol/relative"
	host rename /vol/deep/inside "$vol/inside"
	host link /vol/deep/dir/moved "$vol/dir/moved"
	host unlink /vol/deep/linked "$vol/linked"
	host rmdir /vol/deep/relative "$vol/relative"
	host rmdir /vol/nothing "$CTR_DIR/work/rootfs/vol/nothing"
	# the host has no path to it; it is not known whether that is a link; its root is another
	host mkdir /dev/shm/own ""
	host mkdir /top/../up ""
	host mkdir /in-jail ""
	[ -d "$vol/dir" ] && [ -d "$CTR_DIR/work/rootfs/top" ]
}

@test "cfileaccess --host-path: the last that a container's first process does, read when it is gone" {
	ctr_start last -- sh -c 'until [ -e /go ]; do sleep 0.1; done; exec mkdir /last'
	local init
	init=$(ctr_pid last)
	files_start --host-path -i 0.2
	# its row is written at the end of an interval: in the next one the mounts are looked at anew
	nsenter --target "$init" --mount --pid -- mkdir /early
	wait_for has_rows "$ROWS" 'event and .["file.path"] == "/early"'
	kill -STOP "$(cat "$ROWS.pid")"
	touch "$(root_of last)/go"
	wait_for ctr_ended last
	kill -CONT "$(cat "$ROWS.pid")"
	collector_stop "$ROWS"
	assert_rows "$ROWS" "event and action == \"mkdir\" and path == \"/last\" and .[\"file.host_path\"] == \"$CTR_DIR/last/rootfs/last\"" 1
}

@test "cfileaccess: deep and long paths, odd names" {
	start_waiting work -- sh -c 'mkdir /tmp/d && files deep /tmp/d && mkdir /tmp/o && files odd /tmp/o'
	files_start
	go work
	collector_stop "$ROWS"
	local deep=/tmp/d i
	for i in $(seq 40); do deep+=/level$i; done
	assert_rows "$ROWS" 'event and action == "create" and path == "'"$deep"'/bottom" and .["event.truncated"] != true' 1
	assert_rows "$ROWS" 'event and action == "create" and path == "'"$deep/$(printf 'n%.0s' $(seq 255))"'"' 1
	assert_rows "$ROWS" 'event and action == "mkdir" and path == "'"$deep"'"' 1
	assert_rows "$ROWS" 'event and action == "create" and path == "/tmp/o/new\\x0aline"' 1
	assert_rows "$ROWS" 'event and action == "create" and path == "/tmp/o/bad\\xff\\xc3utf"' 1
	assert_rows "$ROWS" 'event and action == "create" and path == "/tmp/o/esc\\x1b[31mred"' 1
	assert_rows "$ROWS" 'event and action == "open" and errno == "ENOENT" and (path | startswith("/tmp/o/gone\\x0a{"))' 1
	# no row was forged
	[ "$(grep -c '"event.kind":"event"' "$ROWS")" = "$(count_rows "$ROWS" event)" ]
}

@test "cfileaccess: pipes, sockets, memfd and deleted files say what they are" {
	start_waiting work -- files anon
	files_start
	go work
	collector_stop "$ROWS"
	is() { assert_rows "$ROWS" "event and comm == \"files\" and action == \"open\" and $1" 1; }
	is 'path == "pipe:" and errno == "" and .["file.type"] == "pipe"'
	is 'path == "memfd:hidden" and errno == ""'
	is 'path == "/tmp/removed" and (flags | endswith("|deleted"))'
	is '(path | startswith("/proc/")) and errno == "ENXIO"'
	assert_rows "$ROWS" 'event and comm == "files" and path == "/"' 0
}

@test "cfileaccess --bytes: reads and writes of each file, to the byte" {
	start_waiting work -- files bytes /tmp/b 101
	files_start --bytes -i 60
	go work
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	assert_rows "$ROWS" 'event and action == "write" and path == "/tmp/b" and count == 202 and
		.["file.write_bytes"] == 101 * 1016 and .["file.read_bytes"] == 0' 1
	assert_rows "$ROWS" 'event and action == "read" and path == "/tmp/b" and count == 101 and
		.["file.read_bytes"] == 101 * 503' 1
}

@test "cfileaccess: mappings to execute and to write; io_uring is only partly seen" {
	start_waiting work -- sh -c 'echo x > /tmp/m && files map /tmp/m; files ring'
	files_start
	go work
	collector_stop "$ROWS"
	assert_rows "$ROWS" 'event and action == "map" and path == "/tmp/m"' 2
	assert_rows "$ROWS" 'event and action == "map" and path == "/tmp/m" and flags == "exec" and count == 1' 1
	assert_rows "$ROWS" 'event and action == "map" and path == "/tmp/m" and flags == "write" and count == 1' 1
	assert_rows "$ROWS" 'event and action == "partly-seen" and flags == "io_uring" and comm == "files"' 1
}

@test "cfileaccess: another's mounts and shared files name the other container" {
	local vol=$BATS_TEST_TMPDIR/vol
	mkdir "$vol"
	echo x >"$vol/common"
	start_waiting one --bind "$vol:/vol" -- files open /vol/common
	start_waiting two --bind "$vol:/data" -- files open /data/common
	start_waiting spy --host-pid --cgroup "/$(printf %064x $$)" --cap CAP_SYS_PTRACE --cap CAP_DAC_READ_SEARCH --cap CAP_DAC_OVERRIDE -- \
		files open "/proc/$(ctr_pid one)/root/etc/passwd"
	files_start -i 60
	go one
	go two
	go spy
	cat "$CTR_DIR/spy/out"
	collector_stop "$ROWS"
	assert_rows "$ROWS" 'event and action == "open" and ctr == "'"$(ctr_id one)"'" and path == "/vol/common" and
		foreign == "shared" and other == "'"$(ctr_id two)"'"' 1
	assert_rows "$ROWS" 'event and action == "open" and ctr == "'"$(ctr_id two)"'" and path == "/data/common" and
		foreign == "shared" and other == "'"$(ctr_id one)"'"' 1
	assert_rows "$ROWS" 'event and action == "open" and ctr == "'"$(ctr_id spy)"'" and path == "/etc/passwd" and
		foreign == "container" and other == "'"$(ctr_id one)"'"' 1
}

@test "cfileaccess: a file that has the number of one that another container removed is not shared" {
	local vol=$BATS_TEST_TMPDIR/vol c
	mkdir "$vol"
	for c in one two; do
		start_waiting $c --bind "$vol:/vol" -- sh -c 'for i in 1 2 3 4 5 6 7; do echo x >/vol/$0$i; done; ls -i /vol; rm /vol/*' $c
	done
	files_start -i 60
	go one
	go two
	collector_stop "$ROWS"
	# some file systems give no number twice
	echo "numbers given again: $(cat "$CTR_DIR"/{one,two}/out | awk 'NF == 2 {print $1}' | sort | uniq -d | wc -l)"
	assert_rows "$ROWS" 'event and action == "create" and (path | startswith("/vol/"))' 14
	assert_rows "$ROWS" 'event and foreign == "shared"' 0
}

@test "cfileaccess: a flood of names hides no open elsewhere, and stays bounded" {
	local i
	start_waiting flood -- sh -c 'files flood /tmp & files flood /etc &'
	start_waiting needle -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do files open /etc/shadow$i; done'
	files_start -i 60
	go flood
	go needle
	ctr_stop flood
	collector_stop "$ROWS"
	for i in $(seq 13); do
		assert_rows "$ROWS" 'event and ctr == "'"$(ctr_id needle)"'" and path == "/etc/shadow'"$i"'" and errno == "ENOENT"' 1
	done
	[ "$(count_rows "$ROWS" 'event and ctr == "'"$(ctr_id flood)"'"')" -lt 1200 ]
	# the rest by folder, counted
	assert_rows "$ROWS" 'event and path == "/tmp/..." and .["event.truncated"] and count > 1' 1
}

@test "cfileaccess -p: one process" {
	start_waiting work -- sh -c 'mkdir /tmp/d && files opens /tmp/d 7 331 && echo x > /tmp/by-shell'
	collector_start "$ROWS" cfileaccess -j -p "$(ctr_pid work)" -i 60
	go work
	collector_stop "$ROWS"
	assert_rows "$ROWS" 'event and pid != '"$(ctr_pid work)" 0
	collector_start "$ROWS.n" cfileaccess -j -n files -i 60 -c "$(ctr_id work)"
	ctr_exec work files opens /tmp/d 7 331
	collector_stop "$ROWS.n"
	assert_rows "$ROWS.n" 'event and action == "open" and (path | startswith("/tmp/d/f")) and flags == "read"' 7
	[ "$(sum_counts "$ROWS.n" 'action == "open" and (path | startswith("/tmp/d/f")) and flags == "read"')" = 331 ]
}

# what is done again and again, odd names, failures, and bytes
busy() {
	start_waiting work -- sh -c 'mkdir /tmp/d /tmp/o && files opens /tmp/d 7 331 && files odd /tmp/o && files bytes /tmp/b 11 && files ops /tmp/d'
}

@test "cfileaccess -r: a recording gives the rows as they were, to the byte" {
	local rec=$BATS_TEST_TMPDIR/rec
	busy
	files_start --bytes -w "$rec.jsonl.zst"
	collector_start "$ROWS.csv" cfileaccess --csv --host-path -c "$(ctr_id work)" -w "$rec.csv"
	collector_start "$ROWS.table" cfileaccess --bytes -c "$(ctr_id work)" -w "$rec.jsonl"
	collector_start "$ROWS.every" cfileaccess -j --every --bytes -c "$(ctr_id work)" -w "$rec.every.jsonl"
	go work
	collector_stop "$ROWS"
	collector_stop "$ROWS.csv"
	collector_stop "$ROWS.table"
	collector_stop "$ROWS.every"
	[ "$(count_rows "$ROWS" 'event and action == "write"')" -gt 0 ]
	cfileaccess -r "$rec.jsonl.zst" -j | grep '"event.kind":"event"' | cmp - <(grep '"event.kind":"event"' "$ROWS")
	cfileaccess -r "$rec.every.jsonl" --every -j | grep '"event.kind":"event"' | cmp - <(grep '"event.kind":"event"' "$ROWS.every")
	cfileaccess -r "$rec.csv" --csv | grep ',event,' | cmp - <(grep ',event,' "$ROWS.csv")
	cfileaccess -r "$rec.jsonl" | cmp - "$ROWS.table"
}

@test "cfileaccess --top: a picture of each interval; -r draws the same" {
	local rec=$BATS_TEST_TMPDIR/rec.jsonl pid=$BATS_TEST_TMPDIR/pid live=$BATS_TEST_TMPDIR/live again=$BATS_TEST_TMPDIR/again
	require_tool script
	busy
	script -qfc "stty rows 50 cols 200; echo \$\$ >$pid; exec cfileaccess --top=calls --bytes -i 1 -c $(ctr_id work) -w $rec" "$live" \
		>/dev/null </dev/null 3>&- 4>&- &
	wait_for grep -qs '"schema"' "$rec"
	go work
	kill -INT "$(cat "$pid")"
	wait $!
	script -qfc "stty rows 50 cols 200; exec cfileaccess --top=calls --bytes -r $rec" "$again" >/dev/null </dev/null 3>&- 4>&-
	# screens that show a file; the first line is of script(1)
	screens() { tail -n +2 "$1" | grep -v '^Script done' | tr -d '\r' | awk -v RS='\033\\[H\033\\[J' '/\// { print }'; }
	screens "$live" >"$live.screens"
	screens "$again" >"$again.screens"
	cat "$again.screens"
	grep -q "files within .* by calls" "$live.screens"
	grep -Eq "$(ctr_id work | cut -c 1-20).* files +[0-9]+ .* /tmp/d/f6" "$live.screens"
	cmp "$live.screens" "$again.screens"
}
