# Daemons: docker
bats_require_minimum_version 1.5.0
# What is there, listed once: every field against what made it.
load lib

setup() { live_setup; require_bpf; require_runc; ROWS=$BATS_TEST_TMPDIR/rows; }
teardown() {
	live_teardown
	rmdir /sys/fs/cgroup/{,*/}cbt 2>/dev/null || true # of containerd's namespace
}

# list OPTION...: rows into $ROWS; it ends by itself
list() {
	timeout 30 ccontainers -j "$@" >"$ROWS" 2>"$ROWS.err" || fail "status $?: $(cat "$ROWS.err")"
	assert_totals "$ROWS" && assert_no_loss "$ROWS"
}

# one NAME FIELD: of the only row of that container
one() {
	assert_rows "$ROWS" "event and ctr == \"$1\"" 1 && rows "$ROWS" "event and ctr == \"$1\"" | jq -r ".[\"$2\"]"
}

has_tasks() {
	[ "$(runc ps -f json "$(ctr_id "$1")" | jq length)" = "$2" ]
}

# When a process began, in ms since the machine did
began() {
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%d\n", $20 * 1000 / hz }' "/proc/$1/stat"
}

# When the machine began, in ms of the epoch; read again where something came between the two clocks
booted() {
	local before after now
	while :; do
		read -r before _ </proc/uptime
		now=${EPOCHREALTIME/[.,]/}
		read -r after _ </proc/uptime
		[ $((${after/./} - ${before/./})) -gt 2 ] || break
	done
	echo $((now / 1000 - ${after/./} * 10))
}

@test "ccontainers: each container is a row with all its fields; then it ends" {
	local id other ms
	id=$(ctr_id list)
	other=$(ctr_id other)
	ctr_start list --annotation org.opencontainers.image.ref.name=img/list:7 --annotation tier=db --annotation 'odd=a
b "c"' -- sh -c 'i=1; while [ $i -lt 13 ]; do sleep 1000 & i=$((i + 1)); done; wait'
	ctr_start other sleep 1000
	wait_for has_tasks list 13
	list
	[ "$(one "$id" container.id)" = "$id" ]
	[ "$(one "$id" container.runtime)" = runc ]
	[ "$(one "$id" container.image.name)" = img/list:7 ]
	[ "$(one "$id" container.tasks)" = 13 ]
	[ "$(one "$id" container.processes)" = 13 ]
	[ "$(one "$id" process.pid)" = "$(ctr_pid list)" ]
	[ "$(one "$id" process.vpid)" = 1 ]
	[ "$(one "$id" process.name)" = sh ]
	[ "$(one "$id" process.executable.path)" = /usr/bin/busybox ]
	[ "$(one "$id" event.action)" = running ]
	[[ "$(one "$id" container.cgroup.path)" == */"$id" ]]
	[ "$(rows "$ROWS" "ctr == \"$id\"" | jq -c '.["container.labels"] | sort')" = \
		'["odd=a\\x0ab \"c\"","org.opencontainers.image.ref.name=img/list:7","tier=db"]' ]
	# since when: within a tick of what /proc says
	[ "$(one "$id" container.started)" = "$(one "$id" process.creation.time)" ]
	ms=$(($(date -d "$(one "$id" container.started)" +%s%3N) - $(booted)))
	[ $((ms - $(began "$(ctr_pid list)"))) -ge -100 ]
	[ $((ms - $(began "$(ctr_pid list)"))) -le 100 ]
	[ "$(one "$other" container.tasks)" = 1 ]
	assert_rows "$ROWS" 'event and ctr == null' 0 # the host
	# as a table, and as CSV
	timeout 30 ccontainers >"$ROWS.table"
	[ "$(grep -c "^$(cut -c 1-19 <<<"$id")" "$ROWS.table")" = 1 ]
	[[ "$(head -n 1 "$ROWS.table")" == CONTAINER\ *\ SINCE\ *\ TASKS\ LABELS ]]
	timeout 30 ccontainers --csv >"$ROWS.csv"
	[ "$(grep -c "$id" "$ROWS.csv")" = 1 ]
}

@test "ccontainers -c, --exclude, label=, -a; none; a container that ended is not listed" {
	local id other n
	id=$(ctr_id list)
	other=$(ctr_id other)
	ctr_start list --annotation tier=web -- sleep 1000
	ctr_start other sleep 1000
	list -c "$id"
	assert_rows "$ROWS" event 1
	[ "$(one "$id" container.tasks)" = 1 ]
	list -c 'cbt-list-*' -c 'cbt-other-*' --exclude "$other"
	assert_rows "$ROWS" "event and ctr == \"$id\"" 1
	assert_rows "$ROWS" "event and ctr == \"$other\"" 0
	list -c label=tier=web
	assert_rows "$ROWS" "event and ctr == \"$id\"" 1
	assert_rows "$ROWS" "event and ctr == \"$other\"" 0
	list -a
	assert_rows "$ROWS" 'event and ctr == null' 1
	assert_rows "$ROWS" "event and ctr == \"$id\"" 1
	n=$(rows "$ROWS" 'event and ctr == null' | jq '.["container.tasks"] > 7 and .["container.tasks"] >= .["container.processes"]')
	[ "$n" = true ]
	ctr_stop other
	list -c "$other"
	assert_rows "$ROWS" event 0
	[ "$(cat "$ROWS.err")" = "ccontainers: no such container is running" ]
}

@test "ccontainers: host pid namespace: named by its control group, and the oldest process; recorded and replayed" {
	local id cgroup
	cgroup=$(printf '%s' "$BATS_TEST_TMPDIR" | sha256sum | cut -c 1-64)
	id=$(ctr_id hostpid)
	ctr_start hostpid --host-pid --cgroup "/$cgroup" -- sh -c 'sleep 1000 & sleep 1000 & wait'
	wait_for has_tasks hostpid 3
	list -c "$id" -w "$ROWS.rec.zst"
	assert_rows "$ROWS" event 1
	[ "$(one "$id" container.cgroup.path)" = "/$cgroup" ]
	[ "$(one "$id" process.pid)" = "$(ctr_pid hostpid)" ]
	[ "$(one "$id" container.tasks)" = 3 ]
	ccontainers -j -r "$ROWS.rec.zst" >"$ROWS.again"
	[ "$(rows "$ROWS.again" event)" = "$(rows "$ROWS" event)" ]
}

@test "ccontainers: image, digest and labels of a container of containerd; docker's new name after a rename" {
	local id
	require_docker
	require_tool ctr
	docker_up
	docker save local/bb:1.0 | ctr -n cbt images import - >/dev/null
	ctr -n cbt run -d --label tier=db docker.io/local/bb:1.0 cbt-list-$$ sleep 1000 </dev/null >/dev/null 2>&1 3>&- 4>&-
	id=$(docker run -d --network none --name cbt-old-$$ local/bb:1.0 sleep 1000)
	list
	[ "$(one "cbt-list-$$" container.runtime)" = containerd ]
	[ "$(one "cbt-list-$$" container.image.name)" = docker.io/local/bb:1.0 ]
	[ "$(one "cbt-list-$$" container.image.id)" = "$(ctr -n cbt images ls | awk '$1 ~ /local.bb/ { print $3 }')" ]
	[[ "$(one "cbt-list-$$" container.labels)" == *'"made.by=cbtools"'*'"tier=db"'* ]]
	[ "$(one "cbt-old-$$" container.id)" = "$id" ]
	docker rename "cbt-old-$$" "cbt-new-$$"
	list -c "${id:0:12}"
	[ "$(one "cbt-new-$$" container.id)" = "$id" ]
	[ "$(one "cbt-new-$$" container.runtime)" = docker ]
	ctr -n cbt tasks kill -s KILL "cbt-list-$$"
	wait_for sh -c "ctr -n cbt tasks ls | grep -q STOPPED"
	ctr -n cbt containers rm "cbt-list-$$"
}
