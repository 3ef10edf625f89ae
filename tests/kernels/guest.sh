# Runs as root inside the guest (busybox sh): the collectors attach to this kernel, see a runc container by its
# name and count exactly. Called by kernels.bats; /ctr holds the bundle, its root and the helpers.
execs=101 calls=10007 threads=2
bad=0

check() { # WHAT EXPECTED GOT
	if [ "$2" = "$3" ]; then
		echo "guest: ok: $1"
	else
		echo "guest: FAILED: $1: expected $2, got $3"
		bad=1
	fi
}

run_ctr() { # NAME CMD...
	local name=$1 mnt=/run/ctr/$1
	shift
	mkdir -p $mnt/rootfs $mnt/upper $mnt/work
	# as the engines do it; /run is a tmpfs
	mount -t overlay overlay -o lowerdir=/ctr/rootfs,upperdir=$mnt/upper,workdir=$mnt/work $mnt/rootfs || return 1
	jq '.process.args = $ARGS.positional' /ctr/config.json --args -- "$@" >$mnt/config.json
	runc run --bundle $mnt $name </dev/null
}

start() { # FILE TOOL ARGS...
	local file=$1 i=0
	shift
	: >$file
	"$@" >$file 2>$file.err </dev/null &
	pid=$!
	# its first line comes after it has attached
	until [ "$(head -n 1 $file | wc -l)" = 1 ]; do
		if ! kill -0 $pid 2>/dev/null || [ $((i += 1)) -gt 600 ]; then
			echo "guest: FAILED: $* did not attach: $(cat $file.err)"
			bad=1
			return 1
		fi
		usleep 100000
	done
}

stop() { # FILE
	kill -INT $pid
	wait $pid
	check "$1: exit status" 0 $?
	check "$1: lost" 0 "$(tail -n 1 $1 | jq -r 'select(.["event.kind"] == "end") | .["event.lost"] // 0')"
	check "$1: seen = sent + filtered + lost" true \
		"$(tail -n 1 $1 | jq '.["event.seen"] == .["event.sent"] + .["event.filtered"] + (.["event.lost"] // 0)')"
	[ ! -s $1.err ] || sed "s,^,guest: $1: ," $1.err
}

names='def ctr: .["container.name"]; def args: .["process.command_args"] | if type == "array" then join(" ") else . end;
	def event: .["event.kind"] == "event"; def action: .["event.action"]; '

cd /tmp
echo "guest: $(uname -r), cgroups: $(cat /proc/1/cgroup | tr '\n' ' ')"

if start exec.json cexecsnoop -j; then
	check "execs in the container" "execs $execs" "$(run_ctr guest-exec execs $execs)"
	stop exec.json
	check "starts of the children, in order and by name" \
		"$(i=0; while [ $((i += 1)) -le $execs ]; do echo "execs child $i of $execs"; done)" \
		"$(jq -r "$names"'select(event and action == "start" and ctr == "guest-exec") | args |
			select(startswith("execs child"))' exec.json)"
	check "starts and ends in the container" "$((execs + 1)) $((execs + 1))" \
		"$(for a in start exit; do
			jq -c "$names"'select(event and ctr == "guest-exec" and action == "'$a'")' exec.json | wc -l
		done | xargs)"
	check "rows of anything else" 0 "$(jq -c "$names"'select(event and ctr != "guest-exec")' exec.json | wc -l)"
fi

if start seq.json ctop-syscalls -S -j; then
	out=$(run_ctr guest-calls calls $calls $threads)
	check "calls in the container" "total $((calls * threads))" "$(echo "$out" | tail -n 1)"
	stop seq.json
	check "getppid of each thread" "$(i=0; while [ $((i += 1)) -le $threads ]; do echo $calls; done)" \
		"$(jq -r "$names"'select(event and ctr == "guest-calls") |
			"\(.["process.thread.id"]) \(.["syscall.sequence"] | [scan("(?<![a-z_])getppid(?![a-z_0-9])")] | length)"' \
			seq.json | awk '$2 {n[$1] += $2} END {for (t in n) print n[t]}')"
fi

sum() { # FIELD FILTER: over the rows of peer.json
	jq "$names"'def dir: .["network.direction"]; def via: .["network.transport"]; select(event and ctr == "guest-net" and '"$2"') |
		.["'$1'"] // 0' peer.json | awk '{n += $1} END {print n + 0}'
}

if start peer.json cnetpeer -j -i 500ms; then
	run_ctr guest-net sh -c 'ready() { until grep -q ready /tmp/s 2>/dev/null; do :; done; rm /tmp/s; }
		net serve tcp 127.0.0.1 80 7 1009 100003 >/tmp/s & ready; net call tcp 127.0.0.1 80 7 1009 100003; wait
		net call tcp 127.0.0.1 81 3 1 1
		net serve udp 127.0.0.1 90 5 10 20 >/tmp/s & ready; net call udp 127.0.0.1 90 5 10 20; wait
		net serve unix /tmp/u 0 3 10 20 >/tmp/s & ready; net call unix /tmp/u 0 3 10 20; wait
		net ask 127.0.0.1 www.example.com 1 sendto' >/dev/null
	stop peer.json
	check "TCP contacts, and bytes each way" "7 7 7063 700021" "$(sum event.count 'via == "tcp" and dir == "outbound" and .["destination.port"] == 80'
		) $(sum event.count 'via == "tcp" and dir == "inbound"') $(sum source.bytes 'via == "tcp" and dir == "inbound"'
		) $(sum destination.bytes 'via == "tcp" and dir == "outbound"')"
	check "refused" 3 "$(sum network.failures '.["destination.port"] == 81 and (.["network.failures_by"] | startswith("ECONNREFUSED"))')"
	check "UDP datagrams, and bytes each way" "5 5 50 100" "$(sum event.count 'via == "udp" and dir == "outbound" and .["destination.port"] == 90'
		) $(sum event.count 'via == "udp" and dir == "inbound"') $(sum source.bytes 'via == "udp" and dir == "inbound"'
		) $(sum destination.bytes 'via == "udp" and dir == "outbound"')"
	check "unix contacts" "3 3" "$(sum event.count 'via == "unix" and dir == "outbound"') $(sum event.count 'via == "unix" and dir == "inbound"')"
	check "both ends named" 0 "$(jq -c "$names"'select(event and .["network.failures"] == 0 and .["destination.port"] != 53 and action != "listen" and
		.["network.direction"] != "listening" and (.["source.container.name"] != "guest-net" or .["destination.container.name"] != "guest-net"))' peer.json | wc -l)"
	check "question" '"www.example.com"' "$(jq "$names"'select(event and action == "query") | .["dns.question.name"]' peer.json)"
fi
exit $bad
