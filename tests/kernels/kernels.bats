# The collectors on other kernels, under QEMU: 5.10 with pure cgroup v1, as on RHEL 8 and Anolis 8, 6.1 and 6.12 with v2:
# they attach, see a runc container by its name and count exactly. guest.sh runs all of it there, what came out is
# checked here.
load ../live/lib

execs=101 calls=10007 threads=2 late=199 checks=checks

needs() {
	[ "$(uname -m)" = x86_64 ] || skip "no kernel package: not an x86_64 machine"
	require_root
	require_tool qemu-system-x86_64 cpio runc jq busybox
}

cgroup() {
	echo "/$(echo "$1" | sha256sum | cut -c 1-64)"
}

config() { # NAME EDIT: a container's configuration as one line, in which guest.sh puts the command
	jq -c '.process.terminal = false | .root.readonly = false | .process.args = ["ARGS"] | '"$2" \
		"$BATS_FILE_TMPDIR/spec/config.json" >"$BATS_FILE_TMPDIR/ctr/$1.json"
}

setup_file() {
	file_needs needs || return 0
	CTR_ROOT=$BATS_FILE_TMPDIR/ctr/rootfs
	mkdir -p "$BATS_FILE_TMPDIR/ctr" "$BATS_FILE_TMPDIR/spec"
	ctr_root
	(cd "$BATS_FILE_TMPDIR/spec" && runc spec)
	config config .
	config guest-list '.annotations = {"org.opencontainers.image.ref.name": "img/list:7", "tier": "db"}'
	config guest-hostpid 'del(.linux.namespaces[] | select(.type == "pid")) | .linux.cgroupsPath = "'"$(cgroup hostpid)"'"'
	config guest-spy 'del(.linux.namespaces[] | select(.type == "pid")) | .linux.cgroupsPath = "'"$(cgroup spy)"'" |
		.process.capabilities |= with_entries(.value += ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"])'
	"$CB_TOP/scripts/kernels/mkinitrd" "$BATS_FILE_TMPDIR/initrd" "$(command -v runc)=/usr/sbin/runc" \
		"$O/cexecsnoop" "$O/ctop-syscalls" "$O/cnetpeer" "$O/cfileaccess" "$O/cresource" "$O/ccontact" "$O/ccontainers" \
		"$BATS_FILE_TMPDIR/ctr=/ctr"
}

setup() { live_setup; }

check() { # WHAT EXPECTED GOT
	if [ "$2" = "$3" ]; then
		echo "guest: ok: $1"
	else
		failures+=("$1: expected $2, got $3")
	fi
}

names='def ctr: .["container.name"]; def args: .["process.command_args"] | if type == "array" then join(" ") else . end;
	def action: .["event.action"]; def comm: .["process.name"]; def path: .["file.path"];
	def dir: .["network.direction"]; def via: .["network.transport"]; def port: .["destination.port"];
	select(.["event.kind"] == "event") | '

# file: whose rows; of: which of them
events() { # FILTER [VALUE]: one line each
	jq -c -r "$names select((${of:-true}) and ($1)) | ${2-.}" "$file"
}

count() { # FILTER
	events "$1" | wc -l
}

total() { # FILTER FIELD...: the sum of each over these rows
	local filter=$1
	shift
	jq -n -r '[($ARGS.positional | map(0)), '"(inputs | $names select((${of:-true}) and ($filter))"' | [.[$ARGS.positional[]]] | map(. // 0))] |
		transpose | map(add) | join(" ")' "$file" --args -- "$@"
}

holds() { # CMD...: true or nothing
	! "$@" || echo true
}

each() { # N TEXT: "TEXT", N times, # in it is which
	local i
	for ((i = 1; i <= $1; i++)); do
		echo "${2//\#/$i}"
	done
}

listed() { # NAME FIELD...: of its only row
	local name=$1
	shift
	jq -r "$names select(ctr == \"$name\")"' | [.[$ARGS.positional[]] | if type == "array" then join(" ") else . end] | join(" ")' \
		"$file" --args -- "$@"
}

ended() {
	local last=
	[ ! -e "$file" ] || last=$(tail -n 1 "$file")
	check "$file: exit status" 0 "$(cat "$file.status")"
	check "$file: lost" 0 "$(jq -r 'select(.["event.kind"] == "end") | .["event.lost"] // 0' <<<"$last")"
	check "$file: seen = sent + filtered + lost" true \
		"$(jq '.["event.seen"] == .["event.sent"] + .["event.filtered"] + (.["event.lost"] // 0)' <<<"$last")"
	[ ! -s "$file.err" ] || sed "s,^,guest: $file: ," "$file.err"
}

ran() { # FILE: it did, these are its rows
	file=$1
	[ ! -e "$file.status" ] || return 0
	failures+=("no $file")
	return 1
}

# of late helpers: what the tools made of them
checks_of_late() {
	local file of what
	for what in late-resource late-seq; do
		ran $what.json || continue
		ended
		check "$what: some had no storage at their start" true "$(holds grep -q 'tasks were watched late' $file.err)"
		check "$what: calls and forks" "calls $((101 * late)) forks $((2 * late))" "$(cat $what)"
	done
	file=late-resource.json of='ctr == "guest-late"'
	check "forks, by these too" $((2 * late)) "$(total true container.process.forks)"
	# an emulator that got no time of the host for that long may have let one or two go first
	file=late-seq.json of='ctr == "guest-later"'
	check "their calls a moment later" true "$(holds [ "$(events true '"\(.["process.pid"]) \(.["syscall.sequence"] |
		[scan("(?<![a-z_])getppid(?![a-z_0-9])")] | length)"' | awk '{n[$1] += $2} END {for (p in n) whole += n[p] == 101; print whole}'
		)" -ge $((late - 5)) ])"
}

checks() {
	local p q file of what

	if ran exec.json; then
		ended
		of=
		check "execs in the container" "execs $execs" "$(cat exec)"
		check "starts of the children, in order and by name" "$(each $execs "execs child # of $execs")" \
			"$(events 'action == "start" and ctr == "guest-exec" and (args | startswith("execs child"))' args)"
		check "starts and ends in the container" "$((execs + 1)) $((execs + 1))" \
			"$(count 'ctr == "guest-exec" and action == "start"') $(count 'ctr == "guest-exec" and action == "exit"')"
		check "rows of anything else" 0 "$(count 'ctr != "guest-exec"')"
	fi

	if ran seq.json; then
		ended
		of=
		check "calls in the container" "total $((calls * threads))" "$(tail -n 1 calls)"
		check "32-bit calls in the container" "compat getpid 211" "$(cat compat)"
		check "32-bit calls by their names" 211 "$(events 'ctr == "guest-compat"' '.["syscall.sequence"]' | tr ' ' '\n' |
			grep -cx compat:getpid)"
		check "getppid of each thread" "$(each $threads $calls)" "$(events 'ctr == "guest-calls"' \
			'"\(.["process.thread.id"]) \(.["syscall.sequence"] | [scan("(?<![a-z_])getppid(?![a-z_0-9])")] | length)"' |
			awk '$2 {n[$1] += $2} END {for (t in n) print n[t]}')"
	fi

	if ran peer.json; then
		ended
		of='ctr == "guest-open" and dir == "outbound"'
		check "bytes of connections while they are open" "$((67 * 1009)) $((67 * 10007))" "$(
			total 'action == "total" and .["network.connections.open"] > 0' source.bytes destination.bytes)"
		check "the same when they have closed" "$((67 * 1009)) $((67 * 10007)) 67 67" \
			"$(total true source.bytes destination.bytes network.connections.closed event.count)"
		of='ctr == "guest-net"'
		check "TCP contacts, and bytes each way" "7 7 7063 700021" "$(total 'via == "tcp" and dir == "outbound" and port == 80' event.count
			) $(total 'via == "tcp" and dir == "inbound"' event.count source.bytes
			) $(total 'via == "tcp" and dir == "outbound"' destination.bytes)"
		check "refused" 3 "$(total 'port == 81 and (.["network.failures_by"] | startswith("ECONNREFUSED"))' network.failures)"
		check "UDP datagrams, and bytes each way" "5 5 50 100" "$(total 'via == "udp" and dir == "outbound" and port == 90' event.count
			) $(total 'via == "udp" and dir == "inbound"' event.count source.bytes
			) $(total 'via == "udp" and dir == "outbound"' destination.bytes)"
		check "unix contacts" "3 3" "$(total 'via == "unix" and dir == "outbound"' event.count
			) $(total 'via == "unix" and dir == "inbound"' event.count)"
		of=
		check "rows in which an end has no name" "" "$(events '.["network.failures"] == 0 and port != 53 and port != 81 and action != "listen" and
			dir != "listening" and (.["source.container.name"] != ctr or .["destination.container.name"] != ctr)')"
		check "question" www.example.com "$(events 'action == "query"' '.["dns.question.name"]')"
	fi

	if ran file.json; then
		ended
		of='ctr == "guest-file" and comm == "files"'
		check "files opened, and how often" "101 1009" "$(count 'action == "open" and (path | startswith("/tmp/d/f"))'
			) $(total 'action == "open" and (path | startswith("/tmp/d/f"))' event.count)"
		check "files made" 101 "$(total 'action == "create" and (path | startswith("/tmp/d/f"))' event.count)"
		check "renamed, unlinked, refused, mounted" "1 1 1 1" "$(
			total 'action == "rename" and path == "/tmp/o/sub/linked" and .["file.target_path"] == "/tmp/o/sub/renamed"' event.count
			) $(total 'action == "unlink" and path == "/tmp/o/sub/renamed"' event.count
			) $(total 'action == "open" and path == "/tmp/o/missing" and .["error.errno"] == "ENOENT"' event.count
			) $(total 'action == "mount" and path == "/mnt-is-not-there"' event.count)"
		check "io_uring is told" 1 "$(count 'action == "partly-seen" and .["file.flags"] == "io_uring"')"
	fi

	if ran resource.json; then
		ended
		of='ctr == "guest-use"'
		check "forks, execs and threads" "154 54 37" "$(total true container.process.forks container.process.execs container.thread.starts)"
		check "CPU time, of its cgroup" "true true" "$(holds [ "$(total true container.cpu.time_ns)" -ge 101000000 ]
			) $(holds [ "$(total '.["container.resource.source"] | startswith("cpu:cgroup ")' event.count)" -gt 0 ])"
		check "its last row" 1 "$(count 'action == "end"')"
	fi

	if ran contact.json; then
		ended
		p=$(cat guest-victim.pid || echo 0)
		of='ctr == "guest-spy" and .["target.container.name"] == "guest-victim" and .["target.process.pid"] == '$p
		for what in signal:101 ptrace:9 process_vm_readv:7 proc_mem:5 proc_root:2; do
			check "${what%:*} across containers" "${what#*:}" "$(total "action == \"${what%:*}\"" event.count)"
		done
	fi

	if ran list.json; then
		ended
		of=
		p=$(cat guest-list.pid || echo 0) q=$(cat guest-hostpid.pid || echo 0)
		check "containers listed, and the host" "guest-hostpid guest-list null" "$(events true ctr | sort | xargs)"
		check "id, engine, image, first process, cgroup, tasks" "guest-list runc img/list:7 $p 1 use /guest-list 13 12" "$(
			listed guest-list container.id container.runtime container.image.name process.pid process.vpid process.name \
				container.cgroup.path container.tasks container.processes)"
		check "labels" "org.opencontainers.image.ref.name=img/list:7 tier=db" "$(listed guest-list container.labels | tr ' ' '\n' | sort | xargs)"
		check "since when" "true true" "$(holds [ "$(listed guest-list container.started)" = "$(listed guest-list process.creation.time)" ]
			) $(listed guest-list container.started | jq -R --argjson from "$(cat before)" --argjson to "$(cat after)" \
			'(.[:19] + "Z" | fromdate) as $t | $t >= $from - 1 and $t <= $to + 1')"
		check "one in the host's pid namespace" "guest-hostpid runc $q $(cgroup hostpid) 2" "$(
			listed guest-hostpid container.id container.runtime process.pid container.cgroup.path container.tasks)"
		check "table" "guest-list runc img/list:7 guest-list $p 13" "$(awk '$1 == "guest-list" {print $1, $2, $3, $4, $5, $7}' table)"
		file=ended.json
		check "one that ended is not listed" guest-hostpid "$(events true ctr)"
	fi
}

guest() { # KERNEL CGROUPS [KERNEL ARGUMENT...]
	local kernel reason status=0
	failures=()
	reason=$BATS_TEST_TMPDIR/reason
	kernel=$("$CB_TOP/scripts/kernels/fetch" "$1" 2>"$reason") || {
		[ $? = 77 ] && skip "$(tail -n 1 "$reason")"
		fail "$(cat "$reason")"
	}
	OUT=$BATS_TEST_TMPDIR/out.tar.gz TIMEOUT=240 "$CB_TOP/scripts/kernels/run" "$kernel" "$BATS_FILE_TMPDIR/initrd" \
		"$BATS_TEST_DIRNAME/guest.sh" "cg=$2" execs=$execs calls=$calls threads=$threads "${@:3}" 3>&- 4>&- || status=$?
	mkdir "$BATS_TEST_TMPDIR/out"
	cd "$BATS_TEST_TMPDIR/out"
	tar xzf ../out.tar.gz || fail "the guest sent no files; its status: $status"
	"$checks"
	[ $status = 0 ] || failures+=("the guest's status: $status")
	# behind all that was printed, where they are seen
	[ ${#failures[@]} = 0 ] || fail "$(printf 'guest: FAILED: %s\n' "${failures[@]}")"
}

@test "5.10 with cgroup v1" {
	guest 5.10 v1
}

@test "6.1 with cgroup v2" {
	guest 6.1 v2
}

@test "6.12 with cgroup v2" {
	guest 6.12 v2
}

# one CPU: only who was interrupted there holds what another needs
@test "6.12 that can be interrupted anywhere: tasks it had no storage for at their start" {
	checks=checks_of_late CPUS=1
	export CPUS
	guest 6.12 v2 preempt=full late=$late
}
