# Alone: what it measures it compares within 1 %
load lib

setup() { live_setup; require_bpf; require_runc; }
teardown() { live_teardown; cleanup_net; }

# sum FILE FIELD FILTER: over the rows
sum() {
	rows "$1" "event and ($3)" | jq -s "map(.[\"container.$2\"]) | add // 0"
}

last() {
	rows "$1" "event and ($3)" | tail -n 1 | jq ".[\"container.$2\"]"
}

# near A B PERCENT [SLACK]
near() {
	awk -v a="$1" -v b="$2" -v p="$3" -v s="${4:-0}" \
		'BEGIN { d = a > b ? a - b : b - a; exit !(d <= b * p / 100 + s) }' || fail "expected $1 within $3 % of $2"
}

# A folder of the container in the hierarchy of a controller ("" for v2), by /proc
cgroup_of() {
	local pid=$1 ctl=$2 path point
	path=$(awk -F: -v c="$ctl" '{ n = split($2, l, ","); for (i = 1; i <= n; i++) if (l[i] == c) print $3 }
		c == "" && $2 == "" { print $3 }' "/proc/$pid/cgroup")
	point=$(awk -v c="$ctl" '{ for (i = 7; i <= NF; i++) if ($i == "-") { t = $(i + 1); o = "," $NF "," }
		if (c == "" ? t == "cgroup2" : t == "cgroup" && index(o, "," c ",")) { print $5; exit } }' /proc/self/mountinfo)
	[ -n "$point" ] && [ -n "$path" ] && [ "$path" != / ] && echo "$point$path"
}

cpu_ns_of() {
	local d
	if d=$(cgroup_of "$1" "") && [ -e "$d/cpu.stat" ]; then
		awk '$1 == "usage_usec" { printf "%.0f\n", $2 * 1000 }' "$d/cpu.stat"
	else
		cat "$(cgroup_of "$1" cpuacct)/cpuacct.usage"
	fi
}

# Of this run, so that two at a time do not meet
NET=10.203.$(($$ % 250))
PORT=$((20000 + $$ % 10000 * 2))

# sink PORT NAME [PREFIX...]: in the background, until the test ends
sink() {
	local port=$1 out=$BATS_TEST_TMPDIR/$2
	shift 2
	"$@" "$HELPERS/use" sink "$port" >"$out" 3>&- 4>&- &
	echo $! >>"$BATS_TEST_TMPDIR/sinks"
	wait_for grep -q listening "$out"
}

cleanup_net() {
	[ ! -e "$BATS_TEST_TMPDIR/sinks" ] || xargs kill -KILL <"$BATS_TEST_TMPDIR/sinks" 2>/dev/null || true
	[ ! -e "$BATS_TEST_TMPDIR/netns" ] || ip netns del "$(cat "$BATS_TEST_TMPDIR/netns")"
}

@test "CPU: agrees within 1 % with the cgroup's file and with the load's own clock" {
	local out=$BATS_TEST_TMPDIR/rows id a b
	id=$(ctr_id burn)
	ctr_start burn use wait /tmp/go burn 1009 wait /tmp/never
	collector_start "$out" cresource -j -c "$id" -i 500ms
	a=$(cpu_ns_of "$(ctr_pid burn)")
	touch "$CTR_DIR/burn/rootfs/tmp/go"
	wait_for grep -q 'done burn' "$CTR_DIR/burn/out"
	b=$(cpu_ns_of "$(ctr_pid burn)")
	collector_stop "$out"
	near "$(sum "$out" cpu.time_ns true)" $((b - a)) 1
	near "$(sum "$out" cpu.time_ns true)" 1009000000 3
	# the parts sum up, a share is time over time
	near $(($(sum "$out" cpu.user_ns true) + $(sum "$out" cpu.system_ns true))) "$(sum "$out" cpu.time_ns true)" 1
	assert_rows "$out" 'event and ((.["container.cpu.percent"] * .["event.duration_ns"] / 100 - .["container.cpu.time_ns"]) | fabs) >
		0.001 * .["container.cpu.time_ns"] + 1' 0
	has_rows "$out" 'event and .["container.cpu.percent"] > 20'
	assert_rows "$out" 'event and (.["container.resource.source"] | startswith("cpu:cgroup ") | not)' 0
	assert_rows "$out" "event and (ctr != \"$id\" or pid != null)" 0
}

# read_files PID: CPU ns, memory, anonymous memory, disk written, network received and sent, as the files have them;
# the disk of v1 is told of the process, no cgroup file does
read_files() {
	local pid=$1 mem v2
	mem=$(cgroup_of "$pid" memory) || mem=$(cgroup_of "$pid" "")
	v2=$(cgroup_of "$pid" "") || v2=
	echo "$(cpu_ns_of "$pid") $(cat "$mem/memory.usage_in_bytes" 2>/dev/null || cat "$mem/memory.current") $(
		awk '$1 == "total_rss" || $1 == "anon" { print $2 }' "$mem/memory.stat") $(
		cat "$v2/io.stat" 2>/dev/null "/proc/$pid/io" |
			awk '{ for (i = 2; i <= NF; i++) if ($i ~ /^wbytes=/) { n += substr($i, 8); cgroup = 1 } }
				$1 == "write_bytes:" && !cgroup { n = $2 } END { printf "%.0f\n", n }') $(
		awk '$1 == "eth0:" { print $2, $10 }' "/proc/$pid/net/dev")"
}

@test "10 s of one load: CPU, memory, disk and network within 1 % of the container's own files" {
	require_tool ip
	local out=$BATS_TEST_TMPDIR/rows id ns=cbt-net-$$ before after start
	id=$(ctr_id ten)
	ip netns add "$ns" 2>/dev/null || skip "no network namespaces"
	echo "$ns" >"$BATS_TEST_TMPDIR/netns"
	ip link add "cbt$$" type veth peer name eth0 netns "$ns" || skip "no veth devices"
	# no packet of the kernel's own, when it likes
	ip link set "cbt$$" addrgenmode none && ip -n "$ns" link set eth0 addrgenmode none
	ip addr add $NET.9/30 dev "cbt$$" && ip link set "cbt$$" up
	ip -n "$ns" addr add $NET.10/30 dev eth0 && ip -n "$ns" link set eth0 up
	sink $PORT sink
	# it rests in between: 10 s have passed, whatever the machine
	ctr_start ten --netns "/run/netns/$ns" use wait /tmp/go memory 97 write /tmp/file 13 burn 1009 send $NET.9 $PORT 10000019 \
		write /tmp/file 31 burn 2003 wait /tmp/never
	collector_start "$out" cresource -j -c "$id" -i 1s
	wait_for has_rows "$out" event
	before=$(read_files "$(ctr_pid ten)") start=$SECONDS
	touch "$CTR_DIR/ten/rootfs/tmp/go"
	WAIT=60 wait_for eval '[ "$(grep -c "done burn" "$CTR_DIR/ten/out")" = 2 ]'
	wait_for grep -q 'got 10000019' "$BATS_TEST_TMPDIR/sink"
	wait_for eval '[ $((SECONDS - start)) -ge 10 ]'
	after=$(read_files "$(ctr_pid ten)")
	collector_stop "$out"
	set -- $before $after
	near "$(sum "$out" cpu.time_ns true)" $((${7} - $1)) 1
	near "$(last "$out" memory.usage_bytes true)" "${8}" 1
	near "$(last "$out" memory.anon_bytes true)" "${9}" 1
	near "$(sum "$out" disk.write_bytes true)" $((${10} - $4)) 1
	near "$(sum "$out" network.rx_bytes true)" $((${11} - $5)) 1
	near "$(sum "$out" network.tx_bytes true)" $((${12} - $6)) 1
	# and the files tell of the load
	[ $((${7} - $1)) -ge 3000000000 ] && [ $((${9} - $3)) -ge $((96 * 1048576)) ]
	[ $((${10} - $4)) -ge $((44 * 1048576)) ] && [ $((${12} - $6)) -ge 10000019 ]
}

@test "memory: a ramp of known size, in usage and in anon; its folder's number at the end" {
	local out=$BATS_TEST_TMPDIR/rows id dir before
	id=$(ctr_id ramp)
	ctr_start ramp use wait /tmp/go memory 97 hold
	collector_start "$out" cresource -j -c "$id" -i 200ms
	wait_for has_rows "$out" event
	before=$(last "$out" memory.anon_bytes true)
	touch "$CTR_DIR/ramp/rootfs/tmp/go"
	wait_for grep -q 'done memory' "$CTR_DIR/ramp/out"
	wait_for has_rows "$out" "event and .[\"container.memory.anon_bytes\"] >= $before + 95 * 1048576"
	wait_for has_rows "$out" "event and .[\"container.memory.anon_bytes\"] >= $before + 95 * 1048576" 3
	dir=$(cgroup_of "$(ctr_pid ramp)" memory) || dir=$(cgroup_of "$(ctr_pid ramp)" "")
	usage=$(cat "$dir/memory.usage_in_bytes" 2>/dev/null || cat "$dir/memory.current")
	near "$(last "$out" memory.usage_bytes true)" "$usage" 1
	near $(($(last "$out" memory.anon_bytes true) - before)) $((97 * 1048576)) 1 1048576
	# every page was faulted in once (a huge page is one fault)
	[ "$(sum "$out" memory.faults true)" -ge 48 ]
	collector_stop "$out"
}

@test "forks, execs and threads are exact; tasks and descriptors are of the end" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id count)
	ctr_start count use wait /tmp/go fork 101 exec 53 thread 37 open 29 hold
	fds=$(ls "/proc/$(ctr_pid count)/fd" | wc -l)
	collector_start "$out" cresource -j -c "$id" -i 200ms
	touch "$CTR_DIR/count/rootfs/tmp/go"
	wait_for grep -q 'done open' "$CTR_DIR/count/out"
	wait_for has_rows "$out" "event and .[\"container.descriptors\"] == $((fds + 29))"
	collector_stop "$out"
	assert_no_loss "$out"
	[ "$(sum "$out" process.forks true)" = 154 ]
	[ "$(sum "$out" process.execs true)" = 53 ]
	[ "$(sum "$out" thread.starts true)" = 37 ]
	[ "$(last "$out" tasks true)" = 1 ]
}

@test "of those that sleep all are counted; who goes is gone from the next interval on, who comes is in it" {
	local out=$BATS_TEST_TMPDIR/rows id pids fds
	id=$(ctr_id sleepers)
	ctr_start sleepers sh -c 'i=0; while [ $((i += 1)) -le 13 ]; do sleep 1000 & done; until [ -e /tmp/go ]; do sleep 0.05; done
		i=0; while [ $((i += 1)) -le 3 ]; do sleep 1000 & done; exec sleep 1000'
	pids=$(pgrep -P "$(ctr_pid sleepers)" -x sleep | head -n 5)
	fds=$(ls "/proc/$(head -n 1 <<<"$pids")/fd" | wc -l)
	collector_start "$out" cresource -j -c "$id" -i 200ms
	wait_for has_rows "$out" 'event and .["container.tasks"] >= 14' 7
	kill -KILL $pids
	touch "$CTR_DIR/sleepers/rootfs/tmp/go"
	wait_for has_rows "$out" "event and .[\"container.tasks\"] == 12 and .[\"container.descriptors\"] == $((12 * fds))" 7
	collector_stop "$out"
	assert_no_loss "$out"
	assert_rows "$out" 'event and .["event.action"] != "end" and (.["container.tasks"] < 9 or .["container.tasks"] > 15)' 0
}

@test "what another thread than a process's first opens and takes is seen, while that one sleeps" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id aside)
	ctr_start aside use aside wait /tmp/go open 29 memory 24 hold
	fds=$(ls "/proc/$(ctr_pid aside)/fd" | wc -l)
	collector_start "$out" cresource -j -c "$id" -i 200ms
	wait_for has_rows "$out" "event and .[\"container.descriptors\"] == $fds"
	touch "$CTR_DIR/aside/rootfs/tmp/go"
	wait_for grep -q 'done memory' "$CTR_DIR/aside/out"
	wait_for has_rows "$out" "event and .[\"container.descriptors\"] == $((fds + 29)) and
		.[\"container.memory.usage_bytes\"] > 24 * 1048576 and .[\"container.memory.usage_bytes\"] < 32 * 1048576"
	collector_stop "$out"
	assert_no_loss "$out"
}

@test "disk: what went past the page cache, to the byte" {
	local out=$BATS_TEST_TMPDIR/rows id w r
	id=$(ctr_id disk)
	ctr_start disk use wait /tmp/go write /tmp/file 13 read /tmp/file hold
	collector_start "$out" cresource -j -c "$id" -i 200ms
	touch "$CTR_DIR/disk/rootfs/tmp/go"
	wait_for grep -Eq 'done read' "$CTR_DIR/disk/out"
	collector_stop "$out"
	grep -q 'done write' "$CTR_DIR/disk/out"
	r=$(sum "$out" disk.read_bytes true) w=$(sum "$out" disk.write_bytes true)
	[ "$w" -ge $((13 * 1048576)) ] && [ "$r" -ge $((13 * 1048576)) ]
	# the file system's own blocks
	[ "$w" -le $((14 * 1048576)) ] && [ "$r" -le $((14 * 1048576)) ]
}

@test "network: bytes and packets of the devices, as /proc/net/dev has them" {
	require_tool ip
	local out=$BATS_TEST_TMPDIR/rows id ns=cbt-net-$$ a b i
	id=$(ctr_id net)
	ip netns add "$ns" 2>/dev/null || skip "no network namespaces"
	echo "$ns" >"$BATS_TEST_TMPDIR/netns"
	ip link add "cbt$$" type veth peer name eth0 netns "$ns" || skip "no veth devices"
	ip addr add $NET.1/30 dev "cbt$$" && ip link set "cbt$$" up
	ip -n "$ns" addr add $NET.2/30 dev eth0 && ip -n "$ns" link set eth0 up && ip -n "$ns" link set lo up
	ctr_start net --netns "/run/netns/$ns" use wait /tmp/go send $NET.1 $PORT 1000003 hold
	sink $PORT sink
	collector_start "$out" cresource -j -c "$id" -i 200ms
	a=$(awk '$1 == "eth0:" { print $2, $3, $10, $11 }' "/proc/$(ctr_pid net)/net/dev")
	touch "$CTR_DIR/net/rootfs/tmp/go"
	wait_for grep -q 'got 1000003' "$BATS_TEST_TMPDIR/sink"
	wait_for grep -q 'done send' "$CTR_DIR/net/out"
	collector_stop "$out"
	b=$(awk '$1 == "eth0:" { print $2, $3, $10, $11 }' "/proc/$(ctr_pid net)/net/dev")
	got="$(sum "$out" network.rx_bytes true) $(sum "$out" network.rx_packets true) $(sum "$out" network.tx_bytes true) $(sum "$out" network.tx_packets true)"
	want=$(echo "$a $b" | awk '{ print $5 - $1, $6 - $2, $7 - $3, $8 - $4 }')
	# a packet of the neighbour protocols may come after the last reading
	for i in 1 2 3 4; do
		near "$(echo "$got" | cut -d ' ' -f $i)" "$(echo "$want" | cut -d ' ' -f $i)" 0.1 500
	done
	[ "$(sum "$out" network.tx_bytes true)" -ge 1000003 ]
	assert_rows "$out" 'event and (.["container.resource.source"] | endswith("network:devices") | not)' 0
}

# links FILE: programs its collector has attached
links() {
	find "/proc/$(cat "$1.pid")/fd" -lname 'anon_inode:bpf[-_]link' | wc -l
}

@test "network of a container that uses the host's: payload of its sockets, loopback left out" {
	require_tool ip
	grep -q "'btf_trace_sock_send_length'" <(bpftool btf dump file /sys/kernel/btf/vmlinux) || skip "kernel without sock_send_length"
	local out=$BATS_TEST_TMPDIR/rows id ns=cbt-net-$$ before
	id=$(ctr_id host)
	ip netns add "$ns" 2>/dev/null || skip "no network namespaces"
	echo "$ns" >"$BATS_TEST_TMPDIR/netns"
	ip link add "cbt$$" type veth peer name eth0 netns "$ns" || skip "no veth devices"
	ip addr add $NET.5/30 dev "cbt$$" && ip link set "cbt$$" up
	ip -n "$ns" addr add $NET.6/30 dev eth0 && ip -n "$ns" link set eth0 up
	sink $PORT sink ip netns exec "$ns"
	sink $((PORT + 1)) loop
	collector_start "$out" cresource -j -c "$id" -i 200ms
	before=$(links "$out")
	ctr_start host --netns /proc/self/ns/net use wait /tmp/go send $NET.6 $PORT 1000003 send 127.0.0.1 $((PORT + 1)) 500009 hold
	# sockets are watched from the first such container on
	wait_for has_rows "$out" 'event and (.["container.resource.source"] | endswith("network:sockets"))'
	[ "$(links "$out")" = $((before + 2)) ]
	touch "$CTR_DIR/host/rootfs/tmp/go"
	wait_for grep -q 'got 1000003' "$BATS_TEST_TMPDIR/sink"
	wait_for grep -q 'got 500009' "$BATS_TEST_TMPDIR/loop"
	collector_stop "$out"
	[ "$(sum "$out" network.tx_bytes true)" = 1000003 ]
	[ "$(sum "$out" network.rx_bytes true)" = 0 ]
	assert_rows "$out" 'event and (.["container.resource.source"] | endswith("network:sockets") | not)' 0
}

@test "limits: memory and its OOM kill, CPU quota and what it held back" {
	local out=$BATS_TEST_TMPDIR/rows id mem cpu
	id=$(ctr_id limit)
	ctr_start limit sh -c 'use wait /tmp/go memory 53; use wait /tmp/burn burn 301; use hold'
	mem=$(cgroup_of "$(ctr_pid limit)" memory) || mem=$(cgroup_of "$(ctr_pid limit)" "")
	cpu=$(cgroup_of "$(ctr_pid limit)" cpu) || cpu=$(cgroup_of "$(ctr_pid limit)" "")
	echo $((31 << 20)) >"$mem/memory.limit_in_bytes" 2>/dev/null || echo $((31 << 20)) >"$mem/memory.max" || skip "no memory controller"
	[ ! -e "$mem/memory.swap.max" ] || echo 0 >"$mem/memory.swap.max"
	collector_start "$out" cresource -j -c "$id" -i 200ms
	touch "$CTR_DIR/limit/rootfs/tmp/go"
	wait_for has_rows "$out" 'event and .["container.memory.oom_kills"] == 1'
	echo 10000 >"$cpu/cpu.cfs_quota_us" 2>/dev/null || echo "10000 100000" >"$cpu/cpu.max" || skip "no CPU controller"
	touch "$CTR_DIR/limit/rootfs/tmp/burn"
	wait_for grep -q 'done burn' "$CTR_DIR/limit/out"
	collector_stop "$out"
	[ "$(sum "$out" memory.oom_kills true)" = 1 ]
	assert_rows "$out" "event and .[\"container.memory.limit_bytes\"] != $((31 << 20))" 0
	# 300 ms at a tenth of a CPU: held back in most of 30 periods
	[ "$(sum "$out" cpu.throttled_periods true)" -ge 20 ]
	[ "$(sum "$out" cpu.throttled_ns true)" -ge 1000000000 ]
}

@test "what waits for a CPU is told: two loads on one CPU wait as long as they run" {
	local out=$BATS_TEST_TMPDIR/rows id cpu wait
	id=$(ctr_id wait)
	ctr_start wait sh -c 'use wait /tmp/go burn 1009 & use wait /tmp/go burn 1009; wait; use hold'
	taskset -acp 0 "$(ctr_pid wait)" >/dev/null || skip "no taskset"
	for p in $(pgrep -P "$(ctr_pid wait)"); do taskset -acp 0 "$p" >/dev/null; done
	collector_start "$out" cresource -j -c "$id" -i 200ms
	touch "$CTR_DIR/wait/rootfs/tmp/go"
	wait_for eval '[ "$(grep -c "done burn" "$CTR_DIR/wait/out")" = 2 ]'
	collector_stop "$out"
	wait=$(sum "$out" cpu.delay_ns true)
	cpu=$(sum "$out" cpu.time_ns true)
	near "$cpu" 2018000000 2
	# others on this CPU only add to it
	[ "$wait" -ge 1700000000 ]
}

@test "a container of less than an interval has one row, and it is its last" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id brief)
	collector_start "$out" cresource -j -i 2s
	ctr_run brief use fork 7 burn 101
	wait_for has_rows "$out" "event and ctr == \"$id\""
	collector_stop "$out"
	assert_rows "$out" "event and ctr == \"$id\"" 1
	assert_rows "$out" "event and ctr == \"$id\" and action == \"end\" and .[\"event.duration_ns\"] < 2000000000" 1
	[ "$(sum "$out" process.forks "ctr == \"$id\"")" = 7 ]
	[ "$(sum "$out" process.execs "ctr == \"$id\"")" = 1 ]
	[ "$(sum "$out" cpu.time_ns "ctr == \"$id\"")" -ge 97000000 ]
	[ "$(sum "$out" cpu.time_ns "ctr == \"$id\"")" -le 1000000000 ]
}

@test "a process that leaves its cgroup still counts where it belongs; one entered from outside too" {
	local out=$BATS_TEST_TMPDIR/rows id pid
	id=$(ctr_id away)
	ctr_start away use wait /tmp/go fork 17 hold
	pid=$(ctr_pid away)
	collector_start "$out" cresource -j -c "$id" -i 200ms
	for f in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
		[ -e "$f" ] && echo "$pid" >"$f"
	done
	touch "$CTR_DIR/away/rootfs/tmp/go"
	wait_for grep -q 'done fork' "$CTR_DIR/away/out"
	ctr_exec away use fork 11
	collector_stop "$out"
	[ "$(sum "$out" process.forks true)" = 28 ]
	[ "$(last "$out" tasks true)" = 1 ]
}

@test "without a cgroup of its own: short processes, memory and disk by its tasks" {
	local out=$BATS_TEST_TMPDIR/rows pid used
	collector_start "$out" cresource -j -i 200ms
	unshare --pid --mount --fork "$HELPERS/use" exec 211 memory 37 hold >"$BATS_TEST_TMPDIR/said" 3>&- 4>&- &
	echo $! >"$BATS_TEST_TMPDIR/sinks"
	wait_for grep -q 'done memory' "$BATS_TEST_TMPDIR/said"
	pid=$(pgrep -P $!)
	echo "$pid" >>"$BATS_TEST_TMPDIR/sinks"
	wait_for has_rows "$out" "event and ctr == \"pid:$pid\" and .[\"container.memory.anon_bytes\"] >= 37 * 1048576"
	# its own and its children's, of which the kernel keeps the account
	used=$(awk -v hz="$(getconf CLK_TCK)" '{ printf "%.0f\n", ($14 + $15 + $16 + $17) * 1e9 / hz }' "/proc/$pid/stat")
	collector_stop "$out"
	near "$(sum "$out" cpu.time_ns "ctr == \"pid:$pid\"")" "$used" 10 40000000
	[ "$(sum "$out" process.execs "ctr == \"pid:$pid\"")" = 212 ]
	near "$(last "$out" memory.anon_bytes "ctr == \"pid:$pid\"")" $((37 * 1048576)) 5 1048576
	has_rows "$out" "event and ctr == \"pid:$pid\" and .[\"container.resource.source\"] == \"cpu:tasks memory:tasks disk:tasks network:sockets\"
		or .[\"container.resource.source\"] == \"cpu:tasks memory:tasks disk:tasks network:none\""
}

@test "a busy host shows nothing" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id calm)
	ctr_start calm hold 3
	collector_start "$out" cresource -j -c "$id" -i 200ms
	"$HELPERS/use" fork 101 exec 53 burn 301 >/dev/null
	wait_for has_rows "$out" event 5
	collector_stop "$out"
	assert_rows "$out" "event and (ctr != \"$id\" or .[\"container.process.forks\"] != 0 or .[\"container.process.execs\"] != 0
		or .[\"container.cpu.percent\"] > 5)" 0
}

@test "interval, count, --sort" {
	run cresource 0.1 3 -a -j
	[ "$status" = 0 ]
	run cresource --sort=no.such 1
	[ "$status" = 64 ]
	[[ "$output" == *"--sort: expected a field that is a number"*'got "no.such"'* ]]
	local out=$BATS_TEST_TMPDIR/rows
	ctr_start big use memory 53 hold
	ctr_start small hold 3
	wait_for grep -q 'done memory' "$CTR_DIR/big/out"
	collector_start "$out" cresource -j -i 200ms --sort=anon_bytes
	wait_for has_rows "$out" "event and ctr == \"$(ctr_id small)\"" 2
	collector_stop "$out"
	# in each interval the big one comes before the small one
	[ "$(rows "$out" "event and (ctr == \"$(ctr_id big)\" or ctr == \"$(ctr_id small)\")" | head -n 1 | jq -r '.["container.name"]')" = "$(ctr_id big)" ]
}
