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

run_ctr() { # NAME CMD...; edit: a jq expression for its configuration
	local name=$1 mnt=/run/ctr/$1
	shift
	mkdir -p $mnt/rootfs $mnt/upper $mnt/work
	# as the engines do it; /run is a tmpfs
	mount -t overlay overlay -o lowerdir=/ctr/rootfs,upperdir=$mnt/upper,workdir=$mnt/work $mnt/rootfs || return 1
	jq ".process.args = \$ARGS.positional | ${edit:-.}" /ctr/config.json --args -- "$@" >$mnt/config.json
	runc run --bundle $mnt --pid-file $mnt/pid $name </dev/null
}

start() { # FILE TOOL ARGS...
	local file=$1 i=0
	shift
	echo "guest: at $(cut -d ' ' -f 1 /proc/uptime) s: $*"
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

until_true() { # CMD...
	local end=$(($(cut -d . -f 1 /proc/uptime) + 60))
	until "$@"; do
		if [ "$(cut -d . -f 1 /proc/uptime)" -gt $end ]; then
			echo "guest: FAILED: waited for: $*"
			bad=1
			return 1
		fi
		usleep 100000
	done
}

stop() { # FILE
	kill -INT $pid
	wait $pid
	ended $1 $?
}

ended() { # FILE STATUS
	check "$1: exit status" 0 $2
	check "$1: lost" 0 "$(tail -n 1 $1 | jq -r 'select(.["event.kind"] == "end") | .["event.lost"] // 0')"
	check "$1: seen = sent + filtered + lost" true \
		"$(tail -n 1 $1 | jq '.["event.seen"] == .["event.sent"] + .["event.filtered"] + (.["event.lost"] // 0)')"
	[ ! -s $1.err ] || sed "s,^,guest: $1: ," $1.err
}

names='def ctr: .["container.name"]; def args: .["process.command_args"] | if type == "array" then join(" ") else . end;
	def event: .["event.kind"] == "event"; def action: .["event.action"]; def comm: .["process.name"]; '

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
	check "32-bit calls in the container" "compat getpid 211" "$(run_ctr guest-compat compat getpid 211)"
	stop seq.json
	check "32-bit calls by their names" 211 "$(jq -r "$names"'select(event and ctr == "guest-compat") | .["syscall.sequence"]' seq.json |
		tr ' ' '\n' | grep -cx compat:getpid)"
	check "getppid of each thread" "$(i=0; while [ $((i += 1)) -le $threads ]; do echo $calls; done)" \
		"$(jq -r "$names"'select(event and ctr == "guest-calls") |
			"\(.["process.thread.id"]) \(.["syscall.sequence"] | [scan("(?<![a-z_])getppid(?![a-z_0-9])")] | length)"' \
			seq.json | awk '$2 {n[$1] += $2} END {for (t in n) print n[t]}')"
fi

sum() { # FIELD FILTER: over the rows of peer.json; of: whose
	jq "$names"'def dir: .["network.direction"]; def via: .["network.transport"]; select(event and ctr == "'${of:-guest-net}'" and '"$2"') |
		.["'$1'"] // 0' peer.json | awk '{n += $1} END {print n + 0}'
}

open_bytes() { # FILTER: what the rows of those that stay open add up to
	echo "$(of=guest-open sum source.bytes 'dir == "outbound" and '"$1") $(of=guest-open sum destination.bytes 'dir == "outbound" and '"$1")"
}

open_now() { # N: they are open, and all their payload has been told
	[ "$(jq -s -r "$names"'map(select(event and ctr == "guest-open" and .["network.direction"] == "outbound" and action == "total")) |
		"\(map(.["source.bytes"] // 0) | add) \(map(.["destination.bytes"] // 0) | add) \(last | .["network.connections.open"])"' peer.json
		)" = "$((1009 * $1)) $((10007 * $1)) $1" ]
}

if start peer.json cnetpeer -j -i 500ms; then
	# more at once than it asks the kernel for at a time
	run_ctr guest-open sh -c 'net serve tcp 127.0.0.1 82 67 1009 10007 & until grep -q :0052 /proc/net/tcp; do :; done
		net hold tcp 127.0.0.1 82 1009 10007 & until [ -e /tmp/more ]; do usleep 100000; done
		i=1; while [ $((i += 1)) -le 67 ]; do net hold tcp 127.0.0.1 82 1009 10007 & done; wait' >/dev/null &
	until_true open_now 1
	: >/run/ctr/guest-open/rootfs/tmp/more
	until_true open_now 67
	kill -KILL $(cat /run/ctr/guest-open/pid)
	wait $!
	run_ctr guest-net sh -c 'ready() { until grep -q ready /tmp/s 2>/dev/null; do :; done; rm /tmp/s; }
		net serve tcp 127.0.0.1 80 7 1009 100003 >/tmp/s & ready; net call tcp 127.0.0.1 80 7 1009 100003; wait
		net call tcp 127.0.0.1 81 3 1 1
		net serve udp 127.0.0.1 90 5 10 20 >/tmp/s & ready; net call udp 127.0.0.1 90 5 10 20; wait
		net serve unix /tmp/u 0 3 10 20 >/tmp/s & ready; net call unix /tmp/u 0 3 10 20; wait
		net ask 127.0.0.1 www.example.com 1 sendto' >/dev/null
	stop peer.json
	check "bytes of connections while they are open" "$((67 * 1009)) $((67 * 10007))" "$(open_bytes 'action == "total" and
		.["network.connections.open"] > 0')"
	check "the same when they have closed" "$((67 * 1009)) $((67 * 10007)) 67 67" "$(open_bytes true
		) $(of=guest-open sum network.connections.closed 'dir == "outbound"') $(of=guest-open sum event.count 'dir == "outbound"')"
	check "TCP contacts, and bytes each way" "7 7 7063 700021" "$(sum event.count 'via == "tcp" and dir == "outbound" and .["destination.port"] == 80'
		) $(sum event.count 'via == "tcp" and dir == "inbound"') $(sum source.bytes 'via == "tcp" and dir == "inbound"'
		) $(sum destination.bytes 'via == "tcp" and dir == "outbound"')"
	check "refused" 3 "$(sum network.failures '.["destination.port"] == 81 and (.["network.failures_by"] | startswith("ECONNREFUSED"))')"
	check "UDP datagrams, and bytes each way" "5 5 50 100" "$(sum event.count 'via == "udp" and dir == "outbound" and .["destination.port"] == 90'
		) $(sum event.count 'via == "udp" and dir == "inbound"') $(sum source.bytes 'via == "udp" and dir == "inbound"'
		) $(sum destination.bytes 'via == "udp" and dir == "outbound"')"
	check "unix contacts" "3 3" "$(sum event.count 'via == "unix" and dir == "outbound"') $(sum event.count 'via == "unix" and dir == "inbound"')"
	check "both ends named" 0 "$(jq -c "$names"'select(event and .["network.failures"] == 0 and .["destination.port"] != 53 and action != "listen" and
		.["network.direction"] != "listening" and (.["source.container.name"] != ctr or .["destination.container.name"] != ctr))' peer.json | wc -l)"
	check "question" '"www.example.com"' "$(jq "$names"'select(event and action == "query") | .["dns.question.name"]' peer.json)"
fi

total() { # FILE FIELD FILTER
	jq "$names"'select(event and ('"$3"')) | .["'$2'"] // 0' $1 | awk '{n += $1} END {print n + 0}'
}

if start file.json cfileaccess -j -i 60; then
	run_ctr guest-file sh -c 'mkdir /tmp/d /tmp/o; files opens /tmp/d 101 1009; files ops /tmp/o; files ring' >/dev/null
	stop file.json
	of='ctr == "guest-file" and comm == "files" and'
	path='.["file.path"]'
	check "files opened, and how often" "101 1009" "$(jq -c "$names"'select(event and '"$of"' action == "open" and
		('$path' | startswith("/tmp/d/f")))' file.json | wc -l) $(total file.json event.count "$of"' action == "open" and
		('$path' | startswith("/tmp/d/f"))')"
	check "files made" 101 "$(total file.json event.count "$of"' action == "create" and ('$path' | startswith("/tmp/d/f"))')"
	check "renamed, unlinked, refused, mounted" "1 1 1 1" "$(total file.json event.count "$of"' action == "rename" and
		'$path' == "/tmp/o/sub/linked" and .["file.target_path"] == "/tmp/o/sub/renamed"') $(total file.json event.count "$of"'
		action == "unlink" and '$path' == "/tmp/o/sub/renamed"') $(total file.json event.count "$of"' action == "open" and
		'$path' == "/tmp/o/missing" and .["error.errno"] == "ENOENT"') $(total file.json event.count "$of"' action == "mount" and
		'$path' == "/mnt-is-not-there"')"
	check "io_uring is told" 1 "$(jq -c "$names"'select(event and '"$of"' action == "partly-seen" and .["file.flags"] == "io_uring")' \
		file.json | wc -l)"
fi

if start resource.json cresource -j -i 500ms; then
	run_ctr guest-use use fork 101 exec 53 thread 37 burn 101 memory 23 >/dev/null
	stop resource.json
	of='ctr == "guest-use"'
	check "forks, execs and threads" "154 54 37" "$(total resource.json container.process.forks "$of"
		) $(total resource.json container.process.execs "$of") $(total resource.json container.thread.starts "$of")"
	check "CPU time, of its cgroup" "true true" "$([ "$(total resource.json container.cpu.time_ns "$of")" -ge 101000000 ] && echo true
		) $([ "$(total resource.json event.count "$of"' and (.["container.resource.source"] | startswith("cpu:cgroup "))')" -gt 0 ] && echo true)"
	check "its last row" 1 "$(jq -c "$names"'select(event and '"$of"' and action == "end")' resource.json | wc -l)"
fi

if start contact.json ccontact -j; then
	run_ctr guest-victim contact wait >victim &
	until grep -q waiting victim; do usleep 100000; done
	p=$(cat /run/ctr/guest-victim/pid)
	edit='del(.linux.namespaces[] | select(.type == "pid")) | .linux.cgroupsPath = "/'$(echo spy | sha256sum | cut -c 1-64)'" |
		.process.capabilities |= with_entries(.value += ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"])' \
		run_ctr guest-spy sh -c "contact signal $p 101; contact ptrace $p 3; contact read $p 7; contact mem $p 5; contact root $p 2" >/dev/null
	kill -KILL $p
	wait %?victim 2>/dev/null
	stop contact.json
	of='ctr == "guest-spy" and .["target.container.name"] == "guest-victim" and .["target.process.pid"] == '$p
	for what in signal:101 ptrace:9 process_vm_readv:7 proc_mem:5 proc_root:2; do
		check "${what%:*} across containers" ${what#*:} "$(total contact.json event.count "$of"' and action == "'${what%:*}'"')"
	done
fi

listed() { # NAME FIELD...: of its only row in list.json
	local name=$1
	shift
	jq -r "$names"'select(event and ctr == "'$name'") | [.[$ARGS.positional[]] | if type == "array" then join(" ") else . end] |
		join(" ")' list.json --args -- "$@"
}

list() { # ARGS...
	timeout 60 ccontainers "$@" >list.json 2>list.json.err </dev/null
}

before=$(date +%s)
edit='.annotations = {"org.opencontainers.image.ref.name": "img/list:7", "tier": "db"}' run_ctr guest-list \
	sh -c 'i=0; while [ $((i += 1)) -le 11 ]; do sleep 1000 & done; exec use burn 1 aside burn 1 hold' >list &
first=$!
cgroup=$(echo hostpid | sha256sum | cut -c 1-64)
edit='del(.linux.namespaces[] | select(.type == "pid")) | .linux.cgroupsPath = "/'$cgroup'"' run_ctr guest-hostpid \
	sh -c 'sleep 1000 & echo waiting; exec sleep 1000' >hostpid &
running() {
	[ "$(grep -c 'done burn' list)" = 2 ] && grep -q waiting hostpid
}
if until_true running; then
	p=$(cat /run/ctr/guest-list/pid) q=$(cat /run/ctr/guest-hostpid/pid)
	list -j -a
	ended list.json $?
	check "containers listed, and the host" "guest-hostpid guest-list null" "$(jq -r "$names"'select(event) | ctr' list.json | sort | xargs)"
	check "id, engine, image, first process, cgroup, tasks" "guest-list runc img/list:7 $p 1 use /guest-list 13 12" "$(
		listed guest-list container.id container.runtime container.image.name process.pid process.vpid process.name \
			container.cgroup.path container.tasks container.processes)"
	check "labels" "org.opencontainers.image.ref.name=img/list:7 tier=db" "$(listed guest-list container.labels | tr ' ' '\n' | sort | xargs)"
	check "since when" "true true" "$([ "$(listed guest-list container.started)" = "$(listed guest-list process.creation.time)" ] &&
		echo true) $(listed guest-list container.started | jq -R --argjson from $before --argjson to $(date +%s) \
		'(.[:19] + "Z" | fromdate) as $t | $t >= $from - 1 and $t <= $to + 1')"
	check "one in the host's pid namespace" "guest-hostpid runc $q /$cgroup 2" "$(
		listed guest-hostpid container.id container.runtime process.pid container.cgroup.path container.tasks)"
	list
	check "table" "guest-list runc img/list:7 guest-list $p 13" "$(awk '$1 == "guest-list" {print $1, $2, $3, $4, $5, $7}' list.json)"
	kill -KILL $p
	wait $first
	list -j
	check "one that ended is not listed" guest-hostpid "$(jq -r "$names"'select(event) | ctr' list.json)"
fi
exit $bad
