# Daemons: docker
bats_require_minimum_version 1.5.0
load lib

setup() { live_setup; require_bpf; require_docker; require_tool ip docker-proxy; BRIDGE=; }

teardown() {
	live_teardown
	[ -z "$BRIDGE" ] || ip link del "$BRIDGE"
}

JQ_NAMES+='def dir: .["network.direction"]; def from: .["source.container.name"]; def to: .["destination.container.name"];
def src: .["source.address"]; def dst: .["destination.address"]; def port: .["destination.port"]; '

# of the rows that hold FILTER, the contacts
assert_contacts() {
	local got
	got=$(rows "$1" "event and ($2)" | jq -s 'map(.["event.count"] // 0) | add // 0')
	[ "$got" = "$3" ] || fail "$1: expected $3 contacts in rows with $2, got $got: $(rows "$1" event)"
}

served() {
	docker logs server 2>/dev/null | grep -q '^done'
}

listening() {
	docker logs server 2>/dev/null | grep -q '^ready'
}

@test "docker's bridge, a published port through its user-land proxy, the host's network" {
	local out=$BATS_TEST_TMPDIR/rows proxy=$BATS_TEST_TMPDIR/proxy n=$(($$ % 250)) port=$((20000 + $$ % 10000)) addr gate
	gate=10.215.$n.1
	BRIDGE=cbtd$$
	ip link add "$BRIDGE" type bridge
	ip addr add "$gate/24" dev "$BRIDGE"
	ip link set "$BRIDGE" up
	docker_up --bridge="$BRIDGE" --ip-forward=false --userland-proxy=true
	collector_start "$out" cnetpeer -j -i 200ms -c client -c server -c hosted
	collector_start "$proxy" cnetpeer -j -i 200ms -a -n docker-proxy
	docker run -d --name server -p "$port:80" local/bb:1.0 net serve tcp 0.0.0.0 80 17 1009 10007 >/dev/null
	wait_for listening
	addr=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' server)
	# of a daemon whose folders are elsewhere only a process that lives tells where they are
	docker run -d --name client local/bb:1.0 sh -c "net call tcp $addr 80 3 1009 10007; net call tcp $gate $port 5 1009 10007
		exec sleep 1000" >/dev/null
	docker run -d --name hosted --network host local/bb:1.0 sh -c "net call tcp $addr 80 7 1009 10007; exec sleep 1000" >/dev/null
	wait_for has_rows "$out" 'event and ctr == "hosted" and action == "close"'
	wait_for has_rows "$out" "event and ctr == \"client\" and action == \"close\" and port == $port"
	"$HELPERS/net" call tcp 127.0.0.1 "$port" 2 1009 10007
	wait_for served
	wait_for has_rows "$proxy" 'event and action == "close" and dir == "outbound"'
	collector_stop "$proxy"
	collector_stop "$out"
	assert_no_loss "$out"
	# on the bridge: each the other; from the host's network: by the port
	assert_contacts "$out" "ctr == \"client\" and dst == \"$addr\" and port == 80 and from == \"client\" and to == \"server\"" 3
	assert_contacts "$out" 'ctr == "server" and dir == "inbound" and from == "client" and to == "server"' 3
	assert_contacts "$out" "ctr == \"hosted\" and dst == \"$addr\" and src == \"$gate\" and from == \"hosted\" and to == \"server\"" 7
	assert_contacts "$out" "ctr == \"server\" and dir == \"inbound\" and from == \"hosted\" and src == \"$gate\"" 7
	# through the proxy: the client names an address of the host, the server too
	assert_contacts "$out" "ctr == \"client\" and dst == \"$gate\" and port == $port and to == null" 5
	assert_contacts "$out" "ctr == \"server\" and dir == \"inbound\" and src == \"$gate\" and from == null" 7
	assert_contacts "$out" 'ctr == "server" and dir == "inbound"' 17
	# who stands between them, with -a, names both
	assert_contacts "$proxy" "comm == \"docker-proxy\" and dir == \"inbound\" and port == $port and from == \"client\"" 5
	assert_contacts "$proxy" "comm == \"docker-proxy\" and dir == \"outbound\" and dst == \"$addr\" and port == 80 and to == \"server\"" 7
}
