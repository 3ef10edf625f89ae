bats_require_minimum_version 1.5.0
load lib

setup() { require_bpf; require_runc; require_tool ip; live_setup; NETS=(); BRIDGES=(); }
teardown() {
	live_teardown
	net_down
	[ -z "${LONELY:-}" ] || kill -KILL "$LONELY"
	[ ! -d "${INNER:-}" ] || rmdir "$INNER"
}

# ns_up NAME I: a network namespace $(ns NAME), and in it eth0 of 10.213.N.I and fd13:N::I, once that is made
ns_up() {
	N=$(($$ % 250))
	ip netns add "$(ns "$1")"
	NETS+=("$(ns "$1")")
	ip -n "$(ns "$1")" link set lo up
}

eth_up() {
	ip -n "$(ns "$1")" addr add "10.213.$N.$2/24" dev eth0
	ip -n "$(ns "$1")" addr add "fd13:$N::$2/64" dev eth0 nodad
	ip -n "$(ns "$1")" link set eth0 up
}

# net_up NAME...: a bridge, and for each name a namespace on it, from 10.213.N.2 on; another bridge, the same addresses
net_up() {
	local name i=2 b=${#BRIDGES[@]}
	BRIDGES+=("cbt$$-b$b")
	ip link add "cbt$$-b$b" type bridge
	ip link set "cbt$$-b$b" up
	for name; do
		ns_up "$name"
		ip link add "cbt$$-$b$i" type veth peer name eth0 netns "$(ns "$name")"
		ip link set "cbt$$-$b$i" master "cbt$$-b$b" up
		eth_up "$name" $i
		i=$((i + 1))
	done
}

# pair_up NAME NAME: two namespaces and a cable between them, 10.213.N.2 and 10.213.N.3
pair_up() {
	ns_up "$1"
	ns_up "$2"
	ip -n "$(ns "$1")" link add eth0 type veth peer name eth0 netns "$(ns "$2")"
	eth_up "$1" 2
	eth_up "$2" 3
}

net_down() {
	local n
	for n in "${NETS[@]}"; do
		ip netns del "$n" || true
	done
	for n in "${BRIDGES[@]}"; do
		ip link del "$n" || true
	done
}

ns() {
	echo "cbt-$1-$$"
}

netns() {
	echo "/run/netns/$(ns "$1")"
}

# of the rows that hold FILTER, the sum of FIELD
total() {
	rows "$1" "event and ($2)" | jq -s "map(.[\"$3\"] // 0) | add // 0"
}

assert_sum() {
	local got
	got=$(total "$1" "$2" "$3")
	[ "$got" = "$4" ] || fail "$1: expected $3 of rows with $2 to add up to $4, got $got: $(rows "$1" "event and ($2)")"
}

F='def dir: .["network.direction"]; def via: .["network.transport"]; def from: .["source.container.name"]; def to: .["destination.container.name"];
def src: .["source.address"]; def dst: .["destination.address"]; def port: .["destination.port"]; def sport: .["source.port"]; def err: .["error.errno"]; def count: .["event.count"] // 0; '
JQ_NAMES+=$F

served() {
	grep -q '^done' "$CTR_DIR/$1/out"
}

listening() {
	grep -q '^ready' "$CTR_DIR/$1/out"
}

established() {
	nsenter -t "$(ctr_pid b)" -n grep -qE '^ *[0-9]+: [0-9A-F]+:0050 [0-9A-F]+:[0-9A-F]+ 01 ' /proc/net/tcp
}

# does this kernel tell of what is sent and received on sockets of any kind?
unix_lengths() {
	: "${LENGTHS:=$(cnetpeer -v -d 100ms 2>&1 >/dev/null | grep -c 'counts no bytes of unix sockets' || true)}"
	[ "$LENGTHS" = 0 ]
}

# both_named FILE VIA ADDRESS PORT: 7 connections of 1,009 and 100,003 bytes, from both sides
both_named() {
	local out=$1 addr=$2 own=$3 port=$4 a b
	a=$(ctr_id a) b=$(ctr_id b)
	# who began it
	assert_rows "$out" "event and ctr == \"$a\" and action == \"connect\"" 1
	assert_rows "$out" "event and ctr == \"$a\" and action == \"connect\" and dir == \"outbound\" and via == \"tcp\" and src == \"$own\" and sport > 1023
		and dst == \"$addr\" and port == $port and from == \"$a\" and to == \"$b\" and err == null and comm == \"net\" and exe == \"/usr/bin/net\"" 1
	assert_sum "$out" "ctr == \"$a\"" event.count 7
	assert_sum "$out" "ctr == \"$a\"" source.bytes $((7 * 1009))
	assert_sum "$out" "ctr == \"$a\"" destination.bytes $((7 * 100003))
	assert_sum "$out" "ctr == \"$a\"" network.connections.closed 7
	assert_rows "$out" "event and ctr == \"$a\" and action == \"close\" and .[\"network.connections.duration_ns\"] > 0 and .[\"network.connections.open\"] == 0" 1
	# who waited
	assert_rows "$out" "event and ctr == \"$b\" and action == \"listen\" and dir == \"listening\" and port == $port and to == \"$b\" and src == null" 1
	assert_rows "$out" "event and ctr == \"$b\" and action == \"accept\"" 1
	assert_rows "$out" "event and ctr == \"$b\" and action == \"accept\" and dir == \"inbound\" and via == \"tcp\" and src == \"$own\" and sport > 1023
		and dst == \"$addr\" and port == $port and from == \"$a\" and to == \"$b\"" 1
	assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\"" event.count 7
	assert_sum "$out" "ctr == \"$b\"" source.bytes $((7 * 1009))
	assert_sum "$out" "ctr == \"$b\"" destination.bytes $((7 * 100003))
	assert_rows "$out" "event and ctr != \"$a\" and ctr != \"$b\"" 0
}

@test "two containers on a bridge, IPv4: both named on both sides, payload to the byte" {
	local out=$BATS_TEST_TMPDIR/rows
	net_up a b
	collector_start "$out" cnetpeer -j -c "$(ctr_id a)" -c "$(ctr_id b)" -i 200ms
	ctr_start b --netns "$(netns b)" net serve tcp "10.213.$N.3" 80 7 1009 100003
	wait_for listening b
	ctr_run a --netns "$(netns a)" net call tcp "10.213.$N.3" 80 7 1009 100003
	wait_for served b
	collector_stop "$out"
	assert_no_loss "$out"
	both_named "$out" "10.213.$N.3" "10.213.$N.2" 80
}

@test "two containers on a bridge, IPv6, and a listener on all addresses" {
	local out=$BATS_TEST_TMPDIR/rows
	net_up a b
	collector_start "$out" cnetpeer -j -c "$(ctr_id a)" -c "$(ctr_id b)" -i 200ms
	ctr_start b --netns "$(netns b)" net serve tcp :: 8443 7 1009 100003
	wait_for listening b
	ctr_run a --netns "$(netns a)" net call tcp "fd13:$N::3" 8443 7 1009 100003
	wait_for served b
	collector_stop "$out"
	assert_no_loss "$out"
	both_named "$out" "fd13:$N::3" "fd13:$N::2" 8443
	assert_rows "$out" 'event and action == "listen" and dst == "::"' 1
}

@test "payload by write, sendfile, splice, sendmsg and sendmmsg, half closed, looked at before it is read: to the byte" {
	local out=$BATS_TEST_TMPDIR/rows a b via
	net_up a b
	mkdir "$BATS_TEST_TMPDIR/share"
	a=$(ctr_id a) b=$(ctr_id b)
	collector_start "$out" cnetpeer -j -c "$a" -c "$b" -i 200ms
	for via in "tcp 10.213.$N.3 80" "unix /share/s 0"; do
		# shellcheck disable=SC2086
		ctr_start b --netns "$(netns b)" --bind "$BATS_TEST_TMPDIR/share:/share" net serve $via 1 $((5 * 1009)) 10007
		wait_for listening b
		# shellcheck disable=SC2086
		ctr_run a --netns "$(netns a)" --bind "$BATS_TEST_TMPDIR/share:/share" net ways $via 1009 10007
		wait_for served b
		ctr_remove b
		ctr_remove a
	done
	collector_stop "$out"
	assert_no_loss "$out"
	for via in tcp unix; do
		[ $via = tcp ] || unix_lengths || continue
		assert_sum "$out" "ctr == \"$a\" and via == \"$via\" and to == \"$b\"" source.bytes $((5 * 1009))
		assert_sum "$out" "ctr == \"$a\" and via == \"$via\" and to == \"$b\"" destination.bytes 10007
		assert_sum "$out" "ctr == \"$b\" and via == \"$via\" and from == \"$a\"" source.bytes $((5 * 1009))
		assert_sum "$out" "ctr == \"$b\" and via == \"$via\" and from == \"$a\"" destination.bytes 10007
		assert_sum "$out" "ctr == \"$a\" and via == \"$via\"" event.count 1
	done
	assert_sum "$out" "ctr == \"$a\" and via == \"tcp\"" network.connections.closed 1
}

# every_udp FILE HOOKS [CMD...]: by every call, watched by a collector that CMD starts and that has so many hooks of cgroups
every_udp() {
	local out=$1 hooks=$2 via
	shift 2
	collector_start "$out" "$@" cnetpeer -j -c "$(ctr_id a)" -c "$(ctr_id b)" -i 200ms
	! unix_lengths || [ "$(cat "/proc/$(cat "$out.pid")"/fdinfo/* | grep -c '^link_type:[[:space:]]*cgroup$')" = "$hooks" ]
	for via in udp udpc udpm; do
		ctr_start b --netns "$(netns b)" net serve $via "10.213.$N.3" 5353 13 101 211
		wait_for listening b
		ctr_run a --netns "$(netns a)" net call $via "10.213.$N.3" 5353 13 101 211
		wait_for served b
		ctr_remove b
		ctr_remove a
	done
	collector_stop "$out"
	assert_no_loss "$out"
	a=$(ctr_id a) b=$(ctr_id b)
	assert_sum "$out" "ctr == \"$a\" and via == \"udp\"" event.count 39
	assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\"" event.count 39
	assert_sum "$out" "ctr == \"$a\"" source.bytes $((39 * 101))
	assert_sum "$out" "ctr == \"$a\"" destination.bytes $((39 * 211))
	assert_sum "$out" "ctr == \"$b\"" source.bytes $((39 * 101))
	assert_sum "$out" "ctr == \"$b\"" destination.bytes $((39 * 211))
	assert_rows "$out" "event and ctr == \"$a\" and (dir != \"outbound\" or dst != \"10.213.$N.3\" or port != 5353 or from != \"$a\" or to != \"$b\")" 0
	assert_rows "$out" "event and ctr == \"$b\" and dir == \"inbound\" and (src != \"10.213.$N.2\" or port != 5353 or from != \"$a\" or to != \"$b\")" 0
	assert_rows "$out" "event and ctr == \"$b\" and action == \"listen\" and via == \"udp\" and port == 5353" 3
	assert_rows "$out" "event and ctr == \"$a\" and action == \"send\" and sport > 1023" 3
	assert_rows "$out" "event and ctr == \"$b\" and action == \"receive\" and sport > 1023" 3
}

@test "UDP by every call: datagrams to the byte, both named, who began it" {
	net_up a b
	every_udp "$BATS_TEST_TMPDIR/rows" 2
}

@test "UDP by every call where a collector has no access to all cgroups" {
	local dir=/sys/fs/cgroup
	net_up a b
	[ -e $dir/cgroup.controllers ] || dir=$dir/unified
	[ -e $dir/cgroup.procs ] || skip "no cgroup v2 is mounted"
	INNER=$dir/cbt-inner-$$
	mkdir "$INNER"
	every_udp "$BATS_TEST_TMPDIR/rows" 0 sh -c 'echo $$ >"$0/cgroup.procs" && exec unshare --cgroup "$@"' "$INNER"
}

@test "unix sockets on a shared volume, by path and abstract: the other container is named" {
	local out=$BATS_TEST_TMPDIR/rows path a b
	net_up a
	mkdir "$BATS_TEST_TMPDIR/share"
	collector_start "$out" cnetpeer -j -c "$(ctr_id a)" -c "$(ctr_id b)" -i 200ms
	for path in /share/s @abstract; do
		ctr_start b --netns "$(netns a)" --bind "$BATS_TEST_TMPDIR/share:/share" net serve unix $path 0 11 1009 10007
		wait_for listening b
		ctr_run a --netns "$(netns a)" --bind "$BATS_TEST_TMPDIR/share:/share" net call unix $path 0 11 1009 10007
		wait_for served b
		ctr_remove b
		ctr_remove a
	done
	ctr_run a net call unix /nobody/there 0 3 1 1
	collector_stop "$out"
	assert_no_loss "$out"
	a=$(ctr_id a) b=$(ctr_id b)
	for path in /share/s @abstract; do
		assert_rows "$out" "event and action == \"listen\" and dst == \"$path\" and via == \"unix\" and to == \"$b\"" 1
		assert_sum "$out" "ctr == \"$a\" and dir == \"outbound\" and dst == \"$path\" and from == \"$a\" and to == \"$b\"" event.count 11
		assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\" and dst == \"$path\" and from == \"$a\" and to == \"$b\"" event.count 11
		if unix_lengths; then
			assert_sum "$out" "ctr == \"$a\" and dst == \"$path\"" source.bytes $((11 * 1009))
			assert_sum "$out" "ctr == \"$a\" and dst == \"$path\"" destination.bytes $((11 * 10007))
			assert_sum "$out" "ctr == \"$b\" and dst == \"$path\"" source.bytes $((11 * 1009))
			assert_sum "$out" "ctr == \"$b\" and dst == \"$path\"" destination.bytes $((11 * 10007))
		fi
	done
	assert_sum "$out" 'dst == "/nobody/there"' network.failures 3
	assert_rows "$out" 'event and dst == "/nobody/there" and err == "ENOENT" and action == "connect"' 1
}

@test "datagrams over unix sockets, by path, abstract, connected, from a host's process: both sides are named" {
	local out=$BATS_TEST_TMPDIR/rows path via a b
	unix_lengths || skip "this kernel does not tell of datagrams"
	net_up a
	mkdir "$BATS_TEST_TMPDIR/share"
	# one is there before the tool is
	ctr_start b --netns "$(netns a)" --bind "$BATS_TEST_TMPDIR/share:/other" net serve unixd /other/early 0 5 101 0
	wait_for listening b
	collector_start "$out" cnetpeer -j -c "$(ctr_id a)" -c "$(ctr_id b)" -i 200ms
	a=$(ctr_id a) b=$(ctr_id b)
	ctr_run a --netns "$(netns a)" --bind "$BATS_TEST_TMPDIR/share:/share" net call unixd /share/early 0 5 101 0
	wait_for served b
	for path in /share/unixd /share/unixdc @unixd @unixdc; do
		via=${path##*[/@]}
		ctr_remove b
		ctr_remove a
		ctr_start b --netns "$(netns a)" --bind "$BATS_TEST_TMPDIR/share:/share" net serve $via $path 0 13 101 211
		wait_for listening b
		ctr_run a --netns "$(netns a)" --bind "$BATS_TEST_TMPDIR/share:/share" net call $via $path 0 13 101 211
		wait_for served b
	done
	ctr_remove b
	ctr_start b --bind "$BATS_TEST_TMPDIR/share:/share" net serve unixd /share/host 0 7 101 0
	wait_for listening b
	"$HELPERS/net" call unixd "$BATS_TEST_TMPDIR/share/host" 0 7 101 0
	wait_for served b
	ctr_remove a
	ctr_run a net call unixd /nobody/there 0 3 1 0
	collector_stop "$out"
	assert_no_loss "$out"
	assert_sum "$out" "ctr == \"$a\" and dst == \"/other/early\" and to == \"$b\"" event.count 5
	assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\" and dst == \"/other/early\" and from == \"$a\"" source.bytes 505
	for path in /share/unixd /share/unixdc @unixd @unixdc; do
		assert_sum "$out" "ctr == \"$a\" and dir == \"outbound\" and dst == \"$path\" and from == \"$a\" and to == \"$b\"" event.count 13
		assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\" and dst == \"$path\" and from == \"$a\" and to == \"$b\"" event.count 13
		assert_sum "$out" "ctr == \"$a\" and dst == \"$path\"" source.bytes $((13 * 101))
		assert_sum "$out" "ctr == \"$a\" and dst == \"$path\"" destination.bytes $((13 * 211))
		assert_sum "$out" "ctr == \"$b\" and dst == \"$path\"" source.bytes $((13 * 101))
		assert_sum "$out" "ctr == \"$b\" and dst == \"$path\"" destination.bytes $((13 * 211))
		assert_rows "$out" "event and ctr == \"$a\" and action == \"send\" and dst == \"$path\" and via == \"unix\"" 1
		assert_rows "$out" "event and ctr == \"$b\" and action == \"receive\" and dst == \"$path\"" 1
	done
	assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\" and dst == \"/share/host\" and from == null" source.bytes 707
	assert_sum "$out" "ctr == \"$a\" and dst == \"/nobody/there\" and err == \"ENOENT\"" network.failures 3
	# answers are no contacts of their own
	assert_rows "$out" "event and ctr == \"$b\" and dir == \"outbound\"" 0
}

# Does a collector in a view stand where every segment that arrives passes?
stands_at_ready() {
	grep -qs '^tp_name:[[:space:]]*sk_data_ready$' "/proc/$(pgrep -P "$(cat "$1.pid")")"/fdinfo/*
}

# A host of its own: what other tests' containers do it does not see.
lonely_view() {
	unshare --pid --mount --propagation slave --fork --kill-child --mount-proc sleep 1000 3>&- 4>&- &
	LONELY=$!
	wait_for pgrep -P "$LONELY" -x sleep
	VIEW_PID=$(pgrep -P "$LONELY") VIEW_NS='--pid --mount'
	view_set
}

@test "datagrams to a socket of the host; where every segment passes a collector stands once it has to" {
	local out=$BATS_TEST_TMPDIR/rows share=$BATS_TEST_TMPDIR/share a b server
	unix_lengths || skip "this kernel does not tell of datagrams"
	net_up a
	a=$(ctr_id a) b=$(ctr_id b)
	mkdir "$share"
	lonely_view
	collector_start "$out" cnetpeer -j -c "$a" -c "$b" -i 200ms
	ctr_run a --netns "$(netns a)" net call udp 127.0.0.1 53 3 100 0
	wait_for has_rows "$out" "ctr == \"$a\" and port == 53"
	run ! stands_at_ready "$out"
	"$HELPERS/net" serve unixd "$share/sock" 0 13 101 0 >"$share/out" 3>&- 4>&- &
	server=$!
	wait_for grep -q '^ready' "$share/out"
	ctr_remove a
	ctr_run a --bind "$share:$share" net call unixd "$share/sock" 0 13 101 0
	wait "$server"
	wait_for stands_at_ready "$out"
	collector_stop "$out"
	assert_no_loss "$out"
	assert_rows "$out" "event and ctr == \"$a\" and action == \"send\" and via == \"unix\" and dst == \"$share/sock\" and to == null" 1
	assert_sum "$out" "ctr == \"$a\" and dir == \"outbound\" and dst == \"$share/sock\" and to == null" event.count 13
	assert_sum "$out" "ctr == \"$a\" and dst == \"$share/sock\"" source.bytes $((13 * 101))
	# a name is reason enough
	collector_start "$out.2" cnetpeer -j -c "$b"
	run ! stands_at_ready "$out.2"
	ctr_start b net serve unixd @here 0 5 101 0
	wait_for stands_at_ready "$out.2"
	collector_stop "$out.2"
}

@test "accepts that fail are counted, by errno" {
	local out=$BATS_TEST_TMPDIR/rows a
	a=$(ctr_id a)
	collector_start "$out" cnetpeer -j -c "$a" -i 200ms
	ctr_run a net starve 127.0.0.1 85 7 | grep '^done 7 0 0 7$'
	collector_stop "$out"
	assert_no_loss "$out"
	assert_sum "$out" 'dir == "inbound" and port == 85 and dst == "127.0.0.1" and src == null and from == null and .["network.failures_by"] == "EMFILE:7"' network.failures 7
	assert_sum "$out" 'dir == "inbound"' event.count 7
}

@test "failures by errno: nobody listens, no route; what was tried is said" {
	local out=$BATS_TEST_TMPDIR/rows a
	net_up a
	ip -n "$(ns a)" route add blackhole 192.0.2.0/24
	collector_start "$out" cnetpeer -j -x -c "$(ctr_id a)" -i 200ms
	ctr_run a --netns "$(netns a)" sh -c "net call tcp 10.213.$N.2 81 13 1 1; net call tcp 192.0.2.7 443 5 1 1; net call tcp ::1 82 3 1 1; net call tcp 198.51.100.1 83 2 1 1"
	collector_stop "$out"
	assert_no_loss "$out"
	assert_sum "$out" 'port == 81 and dst == "10.213.'$N'.2" and (.["network.failures_by"] | test("^ECONNREFUSED:[0-9]+$"))' network.failures 13
	assert_sum "$out" 'port == 82 and dst == "::1" and err == "ECONNREFUSED"' network.failures 3
	assert_sum "$out" 'port == 443 and dst == "192.0.2.7" and err == "EINVAL"' network.failures 5
	assert_sum "$out" 'port == 83 and dst == "198.51.100.1" and err == "ENETUNREACH"' network.failures 2
	assert_rows "$out" 'event and .["network.failures"] == 0' 0
	assert_rows "$out" 'event and action == "connect" and err != null' 4
}

@test "a connect that does not wait is one attempt, however often it is asked about; the next on its socket is another" {
	local out=$BATS_TEST_TMPDIR/rows a
	net_up a
	ip -n "$(ns a)" route add blackhole 192.0.2.0/24
	ip netns exec "$(ns a)" sh -c 'echo 50 >/proc/sys/net/ipv4/neigh/eth0/retrans_time_ms'
	collector_start "$out" cnetpeer -j -c "$(ctr_id a)" -i 200ms
	ctr_run a --netns "$(netns a)" net late 10.213.$N.77 84 7 | grep '^done 7 0 0 14$'
	collector_stop "$out"
	assert_no_loss "$out"
	assert_sum "$out" 'port == 84 and dst == "10.213.'$N'.77"' event.count 7
	assert_sum "$out" 'port == 84 and dst == "10.213.'$N'.77" and .["network.failures_by"] == "EHOSTUNREACH:7"' network.failures 7
	assert_sum "$out" 'port == 84 and dst == "192.0.2.7" and .["network.failures_by"] == "EINVAL:7"' network.failures 7
	assert_sum "$out" 'port == 84' event.count 14
}

@test "DNS questions by every way to send them" {
	local out=$BATS_TEST_TMPDIR/rows a how
	net_up a
	collector_start "$out" cnetpeer -j -c "$(ctr_id a)" -i 200ms
	ctr_run a --netns "$(netns a)" sh -c 'for how in sendto send write sendmsg sendmmsg; do net ask 10.213.'$N'.77 $how.Example.com 28 $how; done; net ask 10.213.'$N'.77 a.b.example.org 16 sendto'
	collector_stop "$out"
	assert_no_loss "$out"
	a=$(ctr_id a)
	for how in sendto send write sendmsg sendmmsg; do
		[ $how != write ] || unix_lengths || continue
		assert_rows "$out" "event and action == \"query\" and .[\"dns.question.name\"] == \"$how.example.com\" and .[\"dns.question.type\"] == \"AAAA\"
			and dst == \"10.213.$N.77\" and port == 53 and via == \"udp\" and from == \"$a\" and .[\"network.peer\"] == \"query AAAA example.com\"" 1
	done
	assert_rows "$out" 'event and action == "query" and .["dns.question.name"] == "a.b.example.org" and .["dns.question.type"] == "TXT"' 1
}

@test "loopback of one namespace: itself; of a namespace that two containers share: who waits there" {
	local out=$BATS_TEST_TMPDIR/rows a b c
	net_up a
	collector_start "$out" cnetpeer -j -c "$(ctr_id a)" -c "$(ctr_id b)" -c "$(ctr_id c)" -i 200ms
	ctr_run c --netns "$(netns a)" sh -c 'net serve tcp 127.0.0.1 70 3 10 20 & until net call tcp 127.0.0.1 70 1 10 20 | grep -q "done 1 10 20 0"; do :; done; net call tcp 127.0.0.1 70 2 10 20; wait'
	a=$(ctr_id a) b=$(ctr_id b) c=$(ctr_id c)
	ctr_start b --netns "$(netns a)" net serve tcp 0.0.0.0 71 7 10 20
	wait_for listening b
	ctr_run a --netns "$(netns a)" net call tcp 127.0.0.1 71 7 10 20
	wait_for served b
	collector_stop "$out"
	assert_rows "$out" "event and port == 70 and dir == \"outbound\" and .[\"network.failures\"] == 0 and (from != \"$c\" or to != \"$c\")" 0
	assert_sum "$out" 'port == 70 and dir == "inbound"' event.count 3
	assert_rows "$out" "event and port == 71 and ctr == \"$a\" and (from != \"$a\" or to != \"$b\")" 0
	assert_rows "$out" "event and port == 71 and ctr == \"$b\" and dir == \"inbound\" and to != \"$b\"" 0
	assert_sum "$out" "port == 71 and ctr == \"$a\"" event.count 7
	assert_sum "$out" "port == 71 and ctr == \"$b\" and dir == \"inbound\"" source.bytes 70
}

@test "what is there before the tool: listeners are shown, open connections counted from now on" {
	local out=$BATS_TEST_TMPDIR/rows a b
	net_up a b
	a=$(ctr_id a) b=$(ctr_id b)
	ctr_start b --netns "$(netns b)" net serve tcp "10.213.$N.3" 80 1 1009 100003
	wait_for listening b
	ctr_start a --netns "$(netns a)" sh -c "mkfifo /tmp/go; { echo; cat /tmp/go; } | nc 10.213.$N.3 80 | wc -c; echo done"
	wait_for established
	collector_start "$out" cnetpeer -j -c "$a" -c "$b" -i 200ms
	wait_for has_rows "$out" "event and action == \"listen\" and ctr == \"$b\" and port == 80"
	assert_rows "$out" "event and action == \"listen\" and ctr == \"$b\" and port == 80" 1
	head -c 1008 /dev/zero >"/proc/$(ctr_pid a)/root/tmp/go"
	wait_for served b
	wait_for has_rows "$out" "action == \"close\" and ctr == \"$b\" and dir == \"inbound\""
	collector_stop "$out"
	assert_rows "$out" 'event and (action == "connect" or action == "accept")' 0
	assert_sum "$out" "ctr == \"$a\" and dir == \"outbound\"" source.bytes 1008
	assert_sum "$out" "ctr == \"$a\" and dir == \"outbound\"" destination.bytes 100003
	assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\"" source.bytes 1008
	assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\"" destination.bytes 100003
	assert_rows "$out" "event and dir == \"outbound\" and (from != \"$a\" or to != \"$b\" or port != 80)" 0
}

@test "a flood of ever new peers is bounded and counted, and hides no other container's connect" {
	local out=$BATS_TEST_TMPDIR/rows a b begun=$SECONDS
	a=$(ctr_id a) b=$(ctr_id b)
	collector_start "$out" cnetpeer -j -c "$a" -c "$b" -i 200ms
	ctr_start a net flood 200003
	ctr_start b net call tcp 127.0.0.1 4444 1 1 1
	wait_for served b
	WAIT=60 wait_for served a
	collector_stop "$out"
	assert_no_loss "$out"
	assert_rows "$out" "event and ctr == \"$b\" and port == 4444 and err == \"ECONNREFUSED\" and count == 1" 1
	assert_sum "$out" "ctr == \"$a\"" event.count 200003
	assert_sum "$out" "ctr == \"$a\"" network.failures 200003
	has_rows "$out" "ctr == \"$a\" and dst == \"other\""
	# a busy machine is slow: what has half its share used is forgotten after ten seconds, and told again
	[ "$(count_rows "$out" "event and ctr == \"$a\" and action == \"connect\"")" -le $((1100 * (1 + (SECONDS - begun) / 10))) ]
}

@test "--matrix: who talked to whom, as a table and as a picture" {
	local out=$BATS_TEST_TMPDIR/table a b
	net_up a b
	a=$(ctr_id a) b=$(ctr_id b)
	ctr_start b --netns "$(netns b)" net serve tcp "10.213.$N.3" 80 7 1009 100003
	wait_for listening b
	collector_start "$BATS_TEST_TMPDIR/rows" cnetpeer -j -c "$a" -c "$b" "--matrix=$BATS_TEST_TMPDIR/m.svg"
	ctr_run a --netns "$(netns a)" net call tcp "10.213.$N.3" 80 7 1009 100003
	wait_for served b
	collector_stop "$BATS_TEST_TMPDIR/rows"
	grep -E "^$a +$b +tcp +80 +7 +0 +7063 +700021$" "$BATS_TEST_TMPDIR/rows.err"
	if command -v gnuplot; then
		grep -q '</svg>' "$BATS_TEST_TMPDIR/m.svg"
		grep -q "$a" "$BATS_TEST_TMPDIR/m.svg"
	fi
	run -64 cnetpeer --matrix=x.pdf
}

@test "a recording shows the same rows and the same matrix, in every format" {
	local out=$BATS_TEST_TMPDIR/rows rec=$BATS_TEST_TMPDIR/r.jsonl.zst a b f
	net_up a b
	a=$(ctr_id a) b=$(ctr_id b)
	collector_start "$out" cnetpeer -q -j -c "$a" -c "$b" -i 200ms -w "$rec" --matrix
	ctr_start b --netns "$(netns b)" net serve tcp "10.213.$N.3" 80 7 1009 100003
	wait_for listening b
	ctr_run a --netns "$(netns a)" sh -c "net call tcp 10.213.$N.3 80 7 1009 100003; net call tcp 10.213.$N.3 81 3 1 1
		net call udp 192.0.2.1 53 2 3 0; net call unix /nobody 0 5 1 1; net ask 10.213.$N.3 example.com 1 sendto; net flood 2003"
	wait_for served b
	collector_stop "$out"
	grep -E "^$a +$b +tcp +80 +7 +0 +7063 +700021$" "$out.err"
	grep -E "^$a +$b +tcp +81 +3 +3 +0 +0$" "$out.err"
	grep -E "^$a +other +tcp +- +[0-9]+ " "$out.err"
	grep -E "^$a +host +unix +- +5 +5 +0 +0$" "$out.err"
	# the table alone, then rows as they were with the table beside them
	cnetpeer -r "$rec" --matrix >"$out.table"
	cmp "$out.table" "$out.err"
	cnetpeer -r "$rec" -j --matrix >"$out.again" 2>"$out.table"
	cmp "$out.table" "$out.err"
	cmp <(rows "$out" event) <(rows "$out.again" event)
	has_rows "$out" 'action == "total"'
	has_rows "$out" 'action == "close"'
	# every other format, from the recording and from a recording of that
	for f in csv table; do
		cnetpeer -r "$out" -o $f | grep -vE ',(schema|end),' >"$out.1"
		cnetpeer -r "$rec" -o $f | grep -vE ',(schema|end),' >"$out.2"
		cmp "$out.1" "$out.2"
	done
	cnetpeer -r "$rec" --csv >"$out.csv"
	cnetpeer -r "$out.csv" -j >"$out.again"
	cmp <(rows "$out" event) <(rows "$out.again" event)
	# a filter is one of the matrix, too
	cnetpeer -r "$rec" --matrix -c "$b" >"$out.table"
	run -1 grep -c " 81 " "$out.table"
	grep -E "^$a +$b +tcp +80 +7 +0 +7063 +700021$" "$out.table"
}

@test "a connection that stays open: its bytes at each interval, the rest at its end" {
	local out=$BATS_TEST_TMPDIR/rows a
	net_up a b
	a=$(ctr_id a)
	ctr_start b --netns "$(netns b)" net serve tcp "10.213.$N.3" 80 1 1009 100003
	wait_for listening b
	collector_start "$out" cnetpeer -j -c "$a" -i 200ms
	ctr_start a --netns "$(netns a)" net hold tcp "10.213.$N.3" 80 1009 100003
	wait_for listening a
	wait_for has_rows "$out" 'action == "total" and .["network.connections.open"] == 1 and .["source.bytes"] == 1009 and .["destination.bytes"] == 100003'
	ctr_stop a
	wait_for has_rows "$out" 'action == "close"'
	collector_stop "$out"
	assert_sum "$out" "true" source.bytes 1009
	assert_sum "$out" "true" destination.bytes 100003
	assert_rows "$out" 'event and action == "close" and .["network.connections.closed"] == 1 and .["network.connections.open"] == 0' 1
	cnetpeer -r "$out" -j >"$BATS_TEST_TMPDIR/again"
	cmp <(rows "$out" event) <(rows "$BATS_TEST_TMPDIR/again" event)
}

@test "through translated addresses: the server names the client, the client's totals name the server" {
	local out=$BATS_TEST_TMPDIR/rows a b
	require_tool iptables
	net_up a b r
	ip netns exec "$(ns r)" iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to "10.213.$N.3:80" || skip "no iptables that works here"
	ip netns exec "$(ns r)" sysctl -qw net.ipv4.ip_forward=1
	ip netns exec "$(ns r)" sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0
	# b answers through the router, too
	ip -n "$(ns b)" route add "10.213.$N.2/32" via "10.213.$N.4"
	a=$(ctr_id a) b=$(ctr_id b)
	collector_start "$out" cnetpeer -j -c "$a" -c "$b" -i 200ms
	ctr_start b --netns "$(netns b)" net serve tcp 0.0.0.0 80 3 1009 100003
	wait_for listening b
	ctr_run a --netns "$(netns a)" net call tcp "10.213.$N.4" 8080 3 1009 100003
	wait_for served b
	collector_stop "$out"
	assert_rows "$out" "event and ctr == \"$b\" and dir == \"inbound\" and (from != \"$a\" or src != \"10.213.$N.2\" or port != 80)" 0
	assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\"" event.count 3
	assert_rows "$out" "event and ctr == \"$a\" and (dst != \"10.213.$N.4\" or port != 8080)" 0
	assert_rows "$out" "event and ctr == \"$a\" and action == \"close\" and to == \"$b\"" 1
	assert_sum "$out" "ctr == \"$a\"" destination.bytes $((3 * 100003))
}

waits() {
	ctr_start "$1" --netns "$(netns "$1")" net serve tcp "$2" 80 3 10 20
	wait_for listening "$1"
}

# talk FROM TO ADDRESS: 3 connections to one that waits, of 10 and 20 bytes
talk() {
	ctr_run "$1" --netns "$(netns "$1")" net call tcp "$3" 80 3 10 20
	wait_for served "$2"
}

# talked FILE FROM TO: each names the other, and nobody else
talked() {
	local from to
	from=$(ctr_id "$2") to=$(ctr_id "$3")
	assert_sum "$1" "ctr == \"$from\" and dir == \"outbound\" and to == \"$to\"" event.count 3
	assert_sum "$1" "ctr == \"$to\" and dir == \"inbound\" and from == \"$from\"" event.count 3
	assert_rows "$1" "event and ctr == \"$from\" and dir == \"outbound\" and to != \"$to\"" 0
	assert_rows "$1" "event and ctr == \"$to\" and dir == \"inbound\" and from != \"$from\"" 0
}

@test "the same addresses in several networks of a host: each names its own neighbour, whom nothing leads to nobody" {
	local out=$BATS_TEST_TMPDIR/rows name args=()
	net_up a b
	net_up c d
	pair_up e f
	pair_up alone nobody # has it there, in which no container is
	for name in a b c d e f alone; do
		args+=(-c "$(ctr_id $name)")
	done
	collector_start "$out" cnetpeer -j -i 200ms "${args[@]}"
	# all of them are there before the first asks for the address that all of them have
	for name in b d f; do
		waits $name "10.213.$N.3"
	done
	for name in "a b" "c d" "e f"; do
		# shellcheck disable=SC2086
		talk $name "10.213.$N.3"
	done
	ctr_run alone --netns "$(netns alone)" net call udp "10.213.$N.3" 80 5 7 0
	collector_stop "$out"
	assert_no_loss "$out"
	talked "$out" a b
	talked "$out" c d
	talked "$out" e f
	assert_sum "$out" "ctr == \"$(ctr_id alone)\" and dir == \"outbound\"" event.count 5
	assert_rows "$out" "event and ctr == \"$(ctr_id alone)\" and to != null" 0
}

@test "over a router that holds no container; a container that never had a contact is named, too" {
	local out=$BATS_TEST_TMPDIR/rows
	N=$(($$ % 250))
	ns_up a
	ns_up b
	ns_up r
	for name in a b; do
		ip -n "$(ns "$name")" link add eth0 type veth peer name "to-$name" netns "$(ns r)"
		ip -n "$(ns r)" link set "to-$name" up
		ip -n "$(ns "$name")" link set eth0 up
	done
	ip -n "$(ns a)" addr add "10.213.$N.2/31" dev eth0
	ip -n "$(ns r)" addr add "10.213.$N.3/31" dev to-a
	ip -n "$(ns b)" addr add "10.213.$N.4/31" dev eth0
	ip -n "$(ns r)" addr add "10.213.$N.5/31" dev to-b
	ip -n "$(ns a)" route add default via "10.213.$N.3"
	ip -n "$(ns b)" route add default via "10.213.$N.5"
	ip netns exec "$(ns r)" sysctl -qw net.ipv4.ip_forward=1
	collector_start "$out" cnetpeer -j -c "$(ctr_id a)" -c "$(ctr_id b)" -i 200ms
	waits b "10.213.$N.4"
	talk a b "10.213.$N.4"
	ctr_remove b
	ctr_start b --netns "$(netns b)" sleep 1000
	ctr_run a --netns "$(netns a)" net call tcp "10.213.$N.4" 81 5 1 1
	collector_stop "$out"
	assert_no_loss "$out"
	assert_sum "$out" "ctr == \"$(ctr_id a)\" and port == 81 and to == \"$(ctr_id b)\" and err == \"ECONNREFUSED\"" network.failures 5
	assert_sum "$out" "ctr == \"$(ctr_id b)\" and dir == \"inbound\" and from == \"$(ctr_id a)\"" event.count 3
	assert_sum "$out" "ctr == \"$(ctr_id a)\" and to == \"$(ctr_id b)\"" event.count 8
	assert_rows "$out" "event and ctr == \"$(ctr_id a)\" and to == null" 0
}

@test "the host's network: who sent a datagram is named, were it read before the call that sent it returned" {
	local out=$BATS_TEST_TMPDIR/rows
	port=$((20000 + $$ % 10000))
	collector_start "$out" cnetpeer -j -i 200ms
	ctr_start b --host-net net crowd $port 997
	wait_for grep -q ready "$CTR_DIR/b/out"
	ctr_run a --host-net net shout $port 5
	wait_for grep -q done "$CTR_DIR/b/out"
	collector_stop "$out"
	assert_no_loss "$out"
	assert_sum "$out" "ctr == \"$(ctr_id b)\" and dir == \"inbound\" and from == \"$(ctr_id a)\"" event.count 1
	assert_rows "$out" "event and ctr == \"$(ctr_id b)\" and dir == \"inbound\" and from != \"$(ctr_id a)\"" 0
}

@test "the host's network: two containers and -a are told apart by port; -p takes one process" {
	local out=$BATS_TEST_TMPDIR/rows one=$BATS_TEST_TMPDIR/one a b
	a=$(ctr_id a) b=$(ctr_id b)
	port=$((20000 + $$ % 10000))
	collector_start "$out" cnetpeer -j -c "$a" -c "$b" -i 200ms
	ctr_start b --host-net net serve tcp 127.0.0.1 $port 8 1009 10007
	wait_for listening b
	collector_start "$one" cnetpeer -j -a -p $$ -i 200ms
	ctr_run a --host-net net call tcp 127.0.0.1 $port 7 1009 10007
	# a process of the host, and the shell's own
	exec 9<>/dev/tcp/127.0.0.1/$port
	head -c 1009 /dev/zero >&9
	wait_for served b
	exec 9>&-
	collector_stop "$one"
	collector_stop "$out"
	assert_sum "$out" "ctr == \"$a\" and from == \"$a\" and to == \"$b\" and port == $port" event.count 7
	assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\" and from == \"$a\"" event.count 7
	assert_sum "$out" "ctr == \"$b\" and dir == \"inbound\" and from == null" event.count 1
	assert_rows "$one" "event and (pid != $$ or to != \"$b\" or ctr != null)" 0
	assert_sum "$one" "true" event.count 1
	assert_sum "$one" "true" source.bytes 1009
}
