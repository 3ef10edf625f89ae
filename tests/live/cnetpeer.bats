bats_require_minimum_version 1.5.0
load lib

setup() { require_bpf; require_runc; require_tool ip; live_setup; NETS=(); BRIDGE=; }
teardown() { live_teardown; net_down; }

# net_up NAME...: a bridge, and for each name a network namespace $(ns NAME) on it: 10.213.N.2, 10.213.N.3, ... and fd13:N::2 ...
net_up() {
	local name i=2
	N=$(($$ % 250))
	BRIDGE=cbt$$
	ip link add "$BRIDGE" type bridge
	ip link set "$BRIDGE" up
	for name; do
		ip netns add "$(ns "$name")"
		NETS+=("$(ns "$name")")
		ip link add "cbt$$-$i" type veth peer name eth0 netns "$(ns "$name")"
		ip link set "cbt$$-$i" master "$BRIDGE" up
		ip -n "$(ns "$name")" addr add "10.213.$N.$i/24" dev eth0
		ip -n "$(ns "$name")" addr add "fd13:$N::$i/64" dev eth0 nodad
		ip -n "$(ns "$name")" link set eth0 up
		ip -n "$(ns "$name")" link set lo up
		i=$((i + 1))
	done
}

net_down() {
	local n
	for n in "${NETS[@]}"; do
		ip netns del "$n" || true
	done
	[ -z "$BRIDGE" ] || ip link del "$BRIDGE" || true
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
	[ -d /sys/kernel/tracing/events/sock/sock_send_length ] || [ -d /sys/kernel/debug/tracing/events/sock/sock_send_length ]
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

@test "UDP by every call: datagrams to the byte, both named, who began it" {
	local out=$BATS_TEST_TMPDIR/rows via
	net_up a b
	collector_start "$out" cnetpeer -j -c "$(ctr_id a)" -c "$(ctr_id b)" -i 200ms
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
	ctr_run c --netns "$(netns a)" sh -c 'net serve tcp 127.0.0.1 70 3 10 20 & until net call tcp 127.0.0.1 70 1 10 20 >/dev/null; do :; done; net call tcp 127.0.0.1 70 2 10 20; wait'
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
