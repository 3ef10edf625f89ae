# SPDX-License-Identifier: GPL-2.0
# Containers that share the pid namespace of the host: no process of theirs is the first of a namespace.
# Daemons: docker
bats_require_minimum_version 1.5.0
load lib
load engines

setup_file() { engines_up hybrid docker podman runc; }
teardown_file() { engines_down; }

setup() {
	live_setup
	ROWS=$BATS_TEST_TMPDIR/rows
	MOVES=
}

teardown() {
	engine_teardown
	live_teardown
	[ -z "$MOVES" ] || find "$MOVES" -depth -type d -exec rmdir {} +
}

# hostpid_brief ENGINE: a container that is gone after 50 ms has its name in each row.
hostpid_brief() {
	local right name
	name=$(engine_name "$1" one)
	right="ctr == \"$name\" and (.[\"container.image.name\"] // \"\") == \"$(engine_image "$1" one)\" and
		.[\"container.runtime\"] == \"$1\""
	collector_start "$ROWS" cexecsnoop -j
	case $1 in
	runc) ctr_run one --host-pid --cgroup "/$(hex one)" --annotation "org.opencontainers.image.ref.name=$OCI_IMAGE" -- \
		sh -c "/$TAG/execs 3; sleep 0.05" >/dev/null ;;
	*)
		RUN=(--rm --pid=host)
		engine_start "$1" one sh -c "/$TAG/execs 3; sleep 0.05"
		;;
	esac
	wait_for has_rows "$ROWS" 'event and action == "exit" and comm == "sleep"'
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	assert_rows "$ROWS" "event and $right and action == \"start\" and args[1:2] == [\"child\"] and (exe | startswith(\"/$TAG/\"))" 3
	assert_rows "$ROWS" "event and (exe // \"\" | startswith(\"/$TAG/\")) and ($right | not)" 0
	# it starts and ends with one process, which its number does not tell
	assert_rows "$ROWS" "event and ($right) and .[\"process.first\"] and comm == \"sh\" and action == \"start\"" 1
	assert_rows "$ROWS" "event and ($right) and .[\"process.first\"] and action == \"exit\"" 1
	assert_rows "$ROWS" "event and ($right) and .[\"process.first\"] and comm == \"execs\"" 0
	assert_rows "$ROWS" "event and ($right) and ([comm] - [\"sh\", \"execs\", \"sleep\", \"exe\"] | length > 0)" 0
}

@test "docker: a container of a moment is named in each row" { hostpid_brief docker; }
@test "podman: a container of a moment is named in each row" { hostpid_brief podman; }
@test "runc: a container of a moment is named in each row" { hostpid_brief runc; }

@test "runc: containers that are over in less than a millisecond are named" { over_at_once runc; }

# reads FILE: how often the collector of that file has read one
reads() {
	sed -n 's/^syscr: //p' "/proc/$(cat "$1.pid")/io"
}

# Its parent is the runtime, on the host; a cgroup it may write to is what systemd inside a container gets.
@test "a container that moves itself between cgroups gives the collectors nothing to do" {
	local before
	MOVES=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)/$(ctr_id moves)
	mkdir "$MOVES" "$MOVES/$(hex a)" "$MOVES/$(hex b)"
	collector_start "$ROWS" cexecsnoop -j
	before=$(reads "$ROWS")
	ctr_run mover --bind "$MOVES:/mnt" -- sh -c "i=0; while [ \$i -lt 2003 ]; do
		echo 0 >/mnt/$(hex a)/cgroup.procs && echo 0 >/mnt/$(hex b)/cgroup.procs || exit; i=\$((i + 1)); done"
	wait_for has_rows "$ROWS" "event and ctr == \"$(ctr_id mover)\" and action == \"exit\""
	[ $(($(reads "$ROWS") - before)) -lt 1000 ] || fail "$(($(reads "$ROWS") - before)) reads"
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
}

# children NUMBER: so many rows of a program's children, that only this file's containers have
children() {
	assert_rows "$ROWS" "event and action == \"start\" and args[1:2] == [\"child\"] and (exe | startswith(\"/$TAG/\"))" "$1"
}

@test "a container is over when its last process is, whoever leaves its folder; its series go" {
	local id after end
	id=$(ctr_id over)
	collector_start "$ROWS" cresource -j -i 1s --prometheus="$ROWS.prom"
	ctr_start over --host-pid --cgroup "/$(hex over)" -- sh -c 'sleep 1000 & read x </tmp/none; use hold & use burn 101 hold'
	wait_for has_rows "$ROWS" "event and ctr == \"$id\""
	wait_for grep -qF "\"$id\"" "$ROWS.prom"
	runc kill -a "$id" KILL 2>/dev/null || runc kill "$id" KILL
	wait_for eval '[ -z "$(cat /sys/fs/cgroup/pids/$(hex over)/cgroup.procs /sys/fs/cgroup/$(hex over)/cgroup.procs 2>/dev/null)" ]'
	after=$(date +%s%N)
	wait_for has_rows "$ROWS" "event and ctr == \"$id\" and action == \"end\""
	# it says when
	end=$(date -d "$(rows "$ROWS" "event and ctr == \"$id\" and action == \"end\"" | jq -r '.["@timestamp"]')" +%s%N)
	[ "$end" -le $((after + 50000000)) ]
	assert_rows "$ROWS" "event and ctr == \"$id\" and action == \"end\"" 1
	WAIT=60 wait_for eval '! grep -qF "\"$id\"" "$ROWS.prom"'
	collector_stop "$ROWS"
}

@test "a pid namespace made inside is part of the container, for who comes later, too" {
	local id
	id=$(ctr_id deep)
	ctr_start deep --host-pid --cap CAP_SYS_ADMIN --cgroup "/$(hex deep)" -- sh -c "unshare -p -f sh -c 'echo in; sleep 1000; :' & wait"
	wait_for grep -q in "$CTR_DIR/deep/out"
	timeout 30 ccontainers -j -c "$id" >"$ROWS"
	assert_rows "$ROWS" event 1
	# sh, unshare, sh, sleep
	assert_rows "$ROWS" 'event and .["container.tasks"] == 4' 1
	collector_start "$ROWS" cexecsnoop -j -c "$id"
	ctr_exec deep "/$TAG/execs" 3
	ctr_stop deep
	collector_stop "$ROWS"
	children 3
	assert_rows "$ROWS" "event and ctr != \"$id\"" 0
}

@test "whose cgroup nobody knows takes no name of what it holds" {
	collector_start "$ROWS" cexecsnoop -j
	ctr_start plain --host-pid --cap CAP_SYS_ADMIN -- sh -c "unshare -p -f sh -c '/$TAG/execs 1; echo in; sleep 1000; :' &
		until [ -e /tmp/go ]; do sleep 0.05; done; /$TAG/execs 3; echo out; wait"
	wait_for grep -q in "$CTR_DIR/plain/out"
	touch "/proc/$(ctr_pid plain)/root/tmp/go"
	wait_for grep -q out "$CTR_DIR/plain/out"
	ctr_exec plain "/$TAG/execs" 5
	collector_stop "$ROWS"
	# what has a pid namespace of its own is seen
	children 1
}

@test "mounts of a container that is over, whose first process executed nothing, name nobody" {
	local i
	collector_start "$ROWS" cexecsnoop -j
	# numbers of namespaces are used again at once
	for i in 1 2 3 4 5; do
		unshare --pid --mount bash -c '(/bin/true; /bin/sleep 0.01; :) & wait'
		ctr_run "plain$i" --host-pid -- "/$TAG/execs" 3 >/dev/null
	done
	wait_for has_rows "$ROWS" 'event and comm == "sleep" and exe != "/usr/bin/busybox"' 5
	collector_stop "$ROWS"
	children 0
}

# in_hex NAME CMD...: CMD, in a cgroup as engines name theirs
in_hex() {
	local c
	c=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)/$1
	mkdir -p "$c"
	shift
	sh -c 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"' sh "$c" "$@"
}

# Under systemd a daemon or timer has, with PrivateTmp or ProtectSystem, mounts that are not the host's.
@test "collectors of a service with its own mounts take the host for no container, nor its engines' helpers" {
	local VIEW=(unshare --mount --propagation unchanged --) name execs=$BATS_TEST_TMPDIR/execs
	cp "$HELPERS/execs" "$execs" # other tests run it too
	name=$(hex one)
	collector_start "$ROWS" cexecsnoop -j
	VIEW=()
	in_hex "$name" "$execs" 7
	in_hex "libpod-conmon-$name.scope" unshare --mount "$execs" 5
	in_hex "crio-conmon-$name.scope" unshare --mount "$execs" 3
	# a helper that another service starts, and then that service itself
	unshare --mount sh -c "$(declare -f in_hex); in_hex $(hex two) /bin/true; $execs 11"
	ctr_run one --host-pid --cgroup "/$(hex three)" -- "/$TAG/execs" 13 >/dev/null
	"$execs" 2
	collector_stop "$ROWS"
	rmdir "$(findmnt -n -o TARGET -t cgroup2 | head -n 1)"/{"$name","libpod-conmon-$name.scope","crio-conmon-$name.scope","$(hex two)"}
	assert_no_loss "$ROWS"
	children 13
	assert_rows "$ROWS" "event and exe == \"$execs\"" 0
}

@test "a guest in the pid namespace of a container takes it for a container all the same" {
	ctr_start one --cgroup "/$(hex one)" -- sh -c 'echo in; exec sleep 1000'
	wait_for grep -q in "$CTR_DIR/one/out"
	nsenter --pid --target "$(ctr_pid one)" unshare --mount --propagation unchanged cexecsnoop -j -d 4s \
		>"$ROWS" 2>"$ROWS.err" </dev/null 3>&- 4>&- &
	echo $! >"$ROWS.pid"
	collector_attached "$ROWS"
	ctr_exec one "/$TAG/execs" 5
	wait $!
	assert_no_loss "$ROWS"
	children 5
	assert_rows "$ROWS" "event and ctr == \"$(ctr_id one)\" and args[1:2] == [\"child\"]" 5
}
