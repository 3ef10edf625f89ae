# Runs as root inside the guest (busybox sh), called by kernels.bats: the collectors attach to this kernel while runc
# containers do countable things. All starts of programs are slow under emulation, those of jq above all, so nothing is
# checked here: what the collectors and containers said (folder /tmp/out) goes out by the third serial port.
# /ctr holds configurations, the root and the helpers. execs, calls, threads: from the kernel's command line.
bad=0

failed() { # WHAT
	echo "guest: FAILED: $*"
	bad=1
	return 1
}

at() { # WHAT
	local up
	read -r up _ </proc/uptime
	echo "guest: at $up s: $*"
}

run_ctr() { # NAME CMD...; its process id: NAME.pid
	local name=$1 mnt=/run/ctr/$1 config=/ctr/config.json
	shift
	[ ! -e /ctr/$name.json ] || config=/ctr/$name.json
	mkdir -p $mnt/rootfs $mnt/upper $mnt/work
	# as the engines do it; /run is a tmpfs
	mount -t overlay overlay -o lowerdir=/ctr/rootfs,upperdir=$mnt/upper,workdir=$mnt/work $mnt/rootfs || return 1
	awk 'BEGIN {
		for (i = 2; i < ARGC; i++) {
			a = ARGV[i]
			gsub(/[\\"]/, "\\\\&", a)
			gsub(/\n/, "\\n", a)
			gsub(/\t/, "\\t", a)
			args = args (i > 2 ? "," : "") "\"" a "\""
		}
		getline config <ARGV[1]
		i = index(config, "\"ARGS\"")
		print substr(config, 1, i - 1) args substr(config, i + 6)
	}' $config "$@" >$mnt/config.json
	runc run --bundle $mnt --pid-file $PWD/$name.pid $name </dev/null
}

start() { # FILE TOOL ARGS...
	local file=$1 i=0 line
	shift
	at "$*"
	: >$file
	"$@" >$file 2>$file.err </dev/null &
	pid=$!
	# its first line comes after it has attached
	until read -r line <$file; do
		if ! kill -0 $pid 2>/dev/null || [ $((i += 1)) -gt 600 ]; then
			failed "$* did not attach: $(cat $file.err)"
			return 1
		fi
		usleep 100000
	done
	at "attached"
}

stop() { # FILE
	at "to be stopped"
	kill -INT $pid
	wait $pid
	echo $? >$1.status
}

until_true() { # CMD...
	local up end
	read -r up _ </proc/uptime
	end=$((${up%.*} + 60))
	until "$@"; do
		read -r up _ </proc/uptime
		[ ${up%.*} -le $end ] || failed "waited for: $*" || return 1
		usleep 100000
	done
}

send() { # what was said, and ends
	at "all done"
	stty -F /dev/ttyS2 raw
	tar cz . >/dev/ttyS2 || failed "tar"
	at "all sent"
	exit $bad
}

mkdir /tmp/out
cd /tmp/out
echo "guest: $(uname -r), cgroups: $(cat /proc/1/cgroup | tr '\n' ' ')"

# Whoever gives a task storage and takes it away is interrupted by one who forks, and the kernel has none for the child.
if [ -n "${late-}" ]; then
	/ctr/rootfs/bin/late hammer 0 >hammer &
	until_true grep -q hammering hammer
	if start late-resource.json cresource -j -i 500ms; then
		run_ctr guest-late late fork 0 $late >late-resource
		stop late-resource.json
	fi
	if start late-seq.json ctop-syscalls -S -j; then
		run_ctr guest-later late fork 0 $late >late-seq
		stop late-seq.json
	fi
	kill %?hammer
	send
fi

if start exec.json cexecsnoop -j; then
	run_ctr guest-exec execs $execs >exec
	stop exec.json
fi

if start seq.json ctop-syscalls -S -j; then
	run_ctr guest-calls calls $calls $threads >calls
	run_ctr guest-compat compat getpid 211 >compat
	stop seq.json
fi

open_now() { # N: they are open, and all their payload has been told
	awk -v n=$1 'function number(field) {
			return match($0, "\"" field "\":[0-9]+") ? substr($0, RSTART + length(field) + 3, RLENGTH - length(field) - 3) : 0
		}
		/"container.name":"guest-open"/ && /"event.action":"total"/ && /"network.direction":"outbound"/ {
			sent += number("source.bytes")
			got += number("destination.bytes")
			open = number("network.connections.open")
		}
		END {exit !(sent == 1009 * n && got == 10007 * n && open == n)}' peer.json
}

if start peer.json cnetpeer -j -i 500ms; then
	# more at once than it asks the kernel for at a time
	run_ctr guest-open sh -c 'net serve tcp 127.0.0.1 82 67 1009 10007 & until grep -q :0052 /proc/net/tcp; do :; done
		net hold tcp 127.0.0.1 82 1009 10007 & until [ -e /tmp/more ]; do usleep 100000; done
		i=1; while [ $((i += 1)) -le 67 ]; do net hold tcp 127.0.0.1 82 1009 10007 & done; wait' >/dev/null &
	until_true open_now 1
	: >/run/ctr/guest-open/rootfs/tmp/more
	until_true open_now 67
	kill -KILL $(cat guest-open.pid)
	wait $!
	run_ctr guest-net sh -c 'ready() { until grep -q ready /tmp/s 2>/dev/null; do :; done; rm /tmp/s; }
		net serve tcp 127.0.0.1 80 7 1009 100003 >/tmp/s & ready; net call tcp 127.0.0.1 80 7 1009 100003; wait
		net call tcp 127.0.0.1 81 3 1 1
		net serve udp 127.0.0.1 90 5 10 20 >/tmp/s & ready; net call udp 127.0.0.1 90 5 10 20; wait
		net serve unix /tmp/u 0 3 10 20 >/tmp/s & ready; net call unix /tmp/u 0 3 10 20; wait
		net ask 127.0.0.1 www.example.com 1 sendto' >/dev/null
	stop peer.json
fi

if start file.json cfileaccess -j -i 60; then
	run_ctr guest-file sh -c 'mkdir /tmp/d /tmp/o; files opens /tmp/d 101 1009; files ops /tmp/o; files ring' >/dev/null
	stop file.json
fi

if start resource.json cresource -j -i 500ms; then
	run_ctr guest-use use fork 101 exec 53 thread 37 burn 101 memory 23 >/dev/null
	stop resource.json
fi

if start contact.json ccontact -j; then
	run_ctr guest-victim contact wait >victim &
	until_true grep -q waiting victim
	p=$(cat guest-victim.pid)
	run_ctr guest-spy sh -c "contact signal $p 101; contact ptrace $p 3; contact read $p 7; contact mem $p 5; contact root $p 2" >/dev/null
	kill -KILL $p
	wait %?victim 2>/dev/null
	stop contact.json
fi

list() { # FILE ARGS...
	local file=$1
	shift
	at "ccontainers $*"
	timeout 60 ccontainers "$@" >$file 2>$file.err </dev/null
	echo $? >$file.status
}

date +%s >before
run_ctr guest-list sh -c 'i=0; while [ $((i += 1)) -le 11 ]; do sleep 1000 & done; exec use burn 1 aside burn 1 hold' >list &
first=$!
run_ctr guest-hostpid sh -c 'sleep 1000 & echo waiting; exec sleep 1000' >hostpid &
running() {
	[ "$(grep -c 'done burn' list)" = 2 ] && grep -q waiting hostpid
}
if until_true running; then
	list list.json -j -a
	date +%s >after
	list table
	kill -KILL $(cat guest-list.pid)
	wait $first
	list ended.json -j
fi
send
