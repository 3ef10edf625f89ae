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
