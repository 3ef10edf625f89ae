# Harness of the live tests: real containers (runc, docker), real collectors. A test file begins
#
#	load lib
#	setup() { live_setup; }
#	teardown() { live_teardown; }
#
# and then has, in each test:
#	ctr_run NAME [OPTION...] [--] CMD...	runs CMD in a container of its own, in the foreground
#	ctr_start NAME [OPTION...] [--] CMD...	the same in the background; ctr_out NAME prints what it wrote
#	ctr_exec NAME CMD...			puts CMD into a running container from outside
#	ctr_pid NAME, ctr_id NAME, ctr_stop NAME	first process (host pid), the engine's name for it, end it
#	collector_start FILE TOOL ARGS...	starts a collector into FILE, returns when it is attached
#	collector_stop FILE...			ends them as ^C does, checks status and end row
#	rows FILE FILTER, count_rows FILE FILTER	rows (JSON) for which the jq expression holds
#	wait_for CMD...				until CMD succeeds; fails after 30 s (WAIT=SECONDS)
#	docker_up, docker_down			a private docker daemon; the image local/bb:1.0 is there. For setup_file
#						and teardown_file; each test's containers are removed at its end
#
# OCI names another runtime than runc for ctr_*; in_view CMD... runs it where VIEW_PID says, if it does; collectors run there, too.
#
# Options of ctr_run and ctr_start: --cgroup PATH, --cap CAP_NAME, --annotation KEY=VALUE, --netns PATH,
# --user UID, --host-pid, --host-net, --cwd DIR, --env NAME=VALUE, --bind DIR:PLACE.
# Containers have a root of busybox and of tests/helpers in /bin, read from an overlay when that can be mounted.

CB_TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
O=${O:-$CB_TOP/build}
case $O in /*) ;; *) O=$CB_TOP/$O ;; esac
HELPERS=$O/tests/helpers
PATH=$O:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export CB_CACHE=${CB_CACHE:-$O/cache}

# ---- what a test needs, or a skip that says why ----

require_root() {
	[ "$(id -u)" = 0 ] || skip "not root"
}

require_bpf() {
	require_root
	[ -r /sys/kernel/btf/vmlinux ] || skip "no BPF: kernel without BTF (/sys/kernel/btf/vmlinux)"
	local said
	said=$("$HELPERS/attack" bpf)
	[ "$said" = "bpf: done" ] || skip "no BPF: bpf(BPF_MAP_CREATE) ${said#bpf: }"
}

# In a chroot an engine cannot change the root, or exec into a container ends up outside.
require_mounts() {
	require_root
	[ "$(nsenter --mount=/proc/self/ns/mnt stat -c %d:%i / 2>/dev/null)" = "$(stat -c %d:%i /)" ] ||
		skip "no containers: in a chroot"
}

require_runc() {
	require_mounts
	command -v runc >/dev/null || skip "no runc"
}

require_docker() {
	require_mounts
	command -v dockerd >/dev/null || skip "no dockerd"
	command -v docker >/dev/null || skip "no docker client"
}

require_tool() {
	local t
	for t; do
		command -v "$t" >/dev/null || skip "no $t"
	done
}

# ---- small things ----

# As `false`, with a reason; bats prints it under the failed test.
fail() {
	echo "$*" >&2
	return 1
}

# Without a process: half of what this waits for is that others get the CPU.
exec {PAUSE_FD}<> <(:)
pause() {
	read -rt "$1" -u "$PAUSE_FD" || true
}

# Asks less often the longer it takes: to ask costs as much as what is waited for.
wait_for() {
	local end=$((SECONDS + ${WAIT:-30})) ms=40 pause
	until "$@"; do
		[ $SECONDS -lt $end ] || { fail "waited ${WAIT:-30} s for: $*"; return 1; }
		printf -v pause 0.%03d "$ms"
		pause "$pause"
		ms=$((ms < 250 ? ms * 5 / 4 : ms))
	done
}

# ---- life of a test ----

# file_needs CHECK...: in setup_file, of which Debian 12's bats knows no skip: what a check (require_...) skips for, every
# test of the file will say. Not 0: so it is.
file_needs() {
	(
		skip() {
			echo "$1" >"$BATS_FILE_TMPDIR/skipped"
			exit 1
		}
		"$@"
	)
}

live_setup() {
	[ ! -e "$BATS_FILE_TMPDIR/skipped" ] || skip "$(cat "$BATS_FILE_TMPDIR/skipped")"
	CTR_DIR=$BATS_TEST_TMPDIR/ctr
	COLLECTORS=()
	mkdir -p "$CTR_DIR"
}

live_teardown() {
	local f left=0 d
	[ -n "${CTR_DIR:-}" ] || return 0 # skipped before live_setup
	for f in "${COLLECTORS[@]}"; do
		SIGNAL=KILL collector_signal "$f" 2>/dev/null && wait "$(cat "$f.pid")" 2>/dev/null || true
	done
	for d in "$CTR_DIR"/*/; do
		[ -d "$d" ] || continue
		ctr_remove "$(basename "$d")" || left=1
	done
	if [ -n "${DOCKER_TEST:-}" ]; then
		docker_down || left=1
	elif [ -n "${DOCKER_DIR:-}" ]; then
		docker_clear || left=1
	fi
	[ $left = 0 ] || fail "containers, mounts or cgroups were left behind"
}

# ---- another host inside of this one ----

# The command that goes there: into the namespaces (VIEW_NS: options of nsenter) of the process VIEW_PID
view_set() {
	VIEW=()
	# shellcheck disable=SC2206
	[ -z "${VIEW_PID:-}" ] || VIEW=(nsenter $VIEW_NS --target "$VIEW_PID" --)
}
view_set

in_view() {
	"${VIEW[@]}" "$@"
}

# ---- containers of runc ----

# Unique on this machine, so that test runs side by side do not meet.
ctr_id() {
	echo "cbt-$1-$BATS_TEST_NUMBER-$$"
}

# The root all containers of a file share, read only.
CTR_ROOT=${BATS_FILE_TMPDIR:-}/root
ctr_root() {
	[ -e "$CTR_ROOT.done" ] && return
	[ -x "$HELPERS/calls" ] || { fail "$HELPERS: not built (make tests)"; return 1; }
	rm -rf "$CTR_ROOT"
	"$CB_TOP/scripts/mkroot" "$CTR_ROOT" --busybox || return 1
	cp "$HELPERS"/* "$CTR_ROOT/bin/" || return 1
	: >"$CTR_ROOT.done"
}

# What a runtime begins with, asked for once a file: $CTR_ROOT.spec-RUNTIME
ctr_spec() {
	local oci=${OCI:-runc} dir
	[ ! -e "$CTR_ROOT.spec-$oci" ] || return 0
	dir=$(mktemp -d) && (cd "$dir" && "$oci" spec) && mv "$dir/config.json" "$CTR_ROOT.spec-$oci" && rmdir "$dir"
}

# Makes $CTR_DIR/NAME/rootfs, which may be written to.
ctr_rootfs() {
	local dir=$CTR_DIR/$1
	ctr_root || return 1
	mkdir -p "$dir/rootfs" "$dir/upper" "$dir/work"
	in_view mountpoint -q "$dir/rootfs" || in_view mount -t overlay overlay \
		-o "lowerdir=$CTR_ROOT,upperdir=$dir/upper,workdir=$dir/work" "$dir/rootfs" 2>/dev/null || cp -a "$CTR_ROOT/." "$dir/rootfs/"
}

# ctr_bundle NAME [OPTION...] [--] CMD...: makes $CTR_DIR/NAME with its config.json
ctr_bundle() {
	local name=$1 dir=$CTR_DIR/$1 edit='.' args=()
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--cgroup) args+=(--arg cgroup "$2"); edit+='|.linux.cgroupsPath=$cgroup'; shift ;;
		--netns) args+=(--arg netns "$2")
			edit+='|(.linux.namespaces[]|select(.type=="network")).path=$netns'; shift ;;
		--user) edit+="|.process.user.uid=$2"; shift ;;
		--cwd) args+=(--arg cwd "$2"); edit+='|.process.cwd=$cwd'; shift ;;
		--cap) edit+="|.process.capabilities|=with_entries(.value+=[\"$2\"])"; shift ;;
		--env) edit+="|.process.env+=[$(jq -n --arg v "$2" '$v')]"; shift ;;
		--annotation) edit+="|.annotations+={$(jq -n --arg v "${2%%=*}" '$v'):$(jq -n --arg v "${2#*=}" '$v')}"
			shift ;;
		--bind) edit+="|.mounts+=[{type:\"bind\",options:[\"rbind\"],source:$(jq -n --arg v "${2%%:*}" '$v'),destination:$(
				jq -n --arg v "${2#*:}" '$v')}]"
			shift ;;
		--host-net) edit+='|del(.linux.namespaces[]|select(.type=="network"))' ;;
		--host-pid) edit+='|del(.linux.namespaces[]|select(.type=="pid"))' ;;
		--) shift; break ;;
		*) break ;;
		esac
		shift
	done
	ctr_rootfs "$name" || return 1
	ctr_spec || return 1
	# what limits devices takes a privilege that not every host gives
	[ "${OCI:-runc}" != crun ] || edit+='|del(.linux.resources)'
	jq "${args[@]}" ".process.terminal=false|.root.readonly=false|.process.args=\$ARGS.positional|$edit" \
		"$CTR_ROOT.spec-${OCI:-runc}" --args -- "$@" >"$dir/config.json"
}

ctr_oci() {
	in_view "${OCI:-runc}" "$@"
}

ctr_run() {
	local name=$1
	ctr_bundle "$@" || return 1
	ctr_oci run --bundle "$CTR_DIR/$name" "$(ctr_id "$name")" </dev/null 3>&- 4>&-
}

# Nothing of the container may keep the test's own streams open: bats would wait for them.
ctr_start() {
	local name=$1 dir=$CTR_DIR/$1
	ctr_bundle "$@" || return 1
	ctr_oci run --detach --pid-file "$dir/pid" --bundle "$dir" "$(ctr_id "$name")" \
		</dev/null >"$dir/out" 2>"$dir/err" 3>&- 4>&- || { cat "$dir/err" >&2; return 1; }
}

ctr_exec() {
	local name=$1
	shift
	ctr_oci exec "$(ctr_id "$name")" "$@" </dev/null 3>&- 4>&-
}

ctr_pid() {
	local pid
	read -r pid <"$CTR_DIR/$1/pid" || [ -n "$pid" ] && echo "$pid"
}

ctr_out() {
	cat "$CTR_DIR/$1/out"
}

ctr_ended() {
	! kill -0 "$(ctr_pid "$1")" 2>/dev/null
}

ctr_stop() {
	ctr_oci delete --force "$(ctr_id "$1")" 2>/dev/null || true
}

# Ends it, takes its mount and bundle away; fails if its cgroup stayed.
ctr_remove() {
	local id parent
	id=$(ctr_id "$1")
	ctr_stop "$1"
	# parents that --cgroup named and runc made
	parent=$(jq -r '.linux.cgroupsPath // "" | split("/")[:-1] | join("/")' "$CTR_DIR/$1/config.json" 2>/dev/null)
	while [ "${parent:-/}" != / ]; do
		rmdir "/sys/fs/cgroup$parent" /sys/fs/cgroup/*"$parent" 2>/dev/null || true
		parent=${parent%/*}
	done
	if in_view mountpoint -q "$CTR_DIR/$1/rootfs"; then
		in_view umount "$CTR_DIR/$1/rootfs" || in_view umount -l "$CTR_DIR/$1/rootfs" || return 1
	fi
	rm -rf "${CTR_DIR:?}/$1"
	[ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -name "$id" 2>/dev/null)" ]
}

# ---- collectors ----

collector_ready() {
	local line pid
	# its first line comes after it has attached
	{ read -r line <"$1"; } 2>/dev/null || { read -r pid <"$1.pid" && ! kill -0 "$pid" 2>/dev/null; }
}

collector_start() {
	collector_launch "$@" && collector_attached "$1"
}

collector_launch() {
	local file=$1
	shift
	: >"$file" # what an earlier one wrote would tell that it is ready
	# a shell without job control starts what it puts in the background with SIGINT ignored
	env --default-signal=INT "${VIEW[@]}" "$@" >"$file" 2>"$file.err" </dev/null 3>&- 4>&- &
	echo $! >"$file.pid"
	COLLECTORS+=("$file")
}

collector_attached() {
	wait_for collector_ready "$1" || return 1
	kill -0 "$(cat "$1.pid")" 2>/dev/null && [ -s "$1" ] || fail "collector of $1 ended at once: $(cat "$1.err")"
}

# Sends a signal, INT unless SIGNAL is set.
collector_signal() {
	local pid
	pid=$(cat "$1.pid")
	# in a view with pids of its own nsenter waits for it
	case " ${VIEW[*]} " in *" --pid "*) pid=$(pgrep -P "$pid" || echo "$pid") ;; esac
	kill "-${SIGNAL:-INT}" "$pid" || fail "collector of $1 had ended: $(cat "$1.err")"
}

# Ends it, returns the collector's own exit status.
collector_end() {
	local rc=0
	collector_signal "$1" || return 1
	wait "$(cat "$1.pid")" || rc=$?
	return $rc
}

# All are told first: each needs a moment.
collector_stop() {
	local f rc
	for f; do
		collector_signal "$f" || return 1
	done
	for f; do
		rc=0
		wait "$(cat "$f.pid")" || rc=$?
		[ $rc = 0 ] || { fail "collector of $f: exit status $rc: $(cat "$f.err")"; return 1; }
		case $(head -c 1 "$f") in
		'{') assert_totals "$f" || return 1 ;;
		esac
	done
}

# ---- rows ----

# Short names for what tests ask most.
JQ_NAMES='def kind: .["event.kind"]; def dataset: .["event.dataset"]; def action: .["event.action"];
def ctr: .["container.name"]; def pid: .["process.pid"]; def tid: .["process.thread.id"]; def ppid: .["process.parent_pid"];
def comm: .["process.name"]; def exe: .["process.executable.path"]; def args: .["process.command_args"];
def lost: .["event.lost"] // 0; def event: kind == "event"; '

rows() {
	jq -c "$JQ_NAMES select($2)" "$1"
}

count_rows() {
	rows "$1" "$2" | wc -l
}

has_rows() {
	[ "$(count_rows "$1" "$2")" -ge "${3:-1}" ]
}

assert_rows() {
	local n
	n=$(count_rows "$1" "$2")
	[ "$n" = "$3" ] || fail "$1: expected $3 rows with $2, got $n"
}

# The last row is the end row, and what it says adds up.
assert_totals() {
	tail -n 1 "$1" | jq -e 'select(.["event.kind"] == "end")' >/dev/null ||
		{ fail "$1: expected an end row last, got $(tail -n 1 "$1")"; return 1; }
	tail -n 1 "$1" | jq -e '.["event.seen"] == .["event.sent"] + .["event.filtered"] + (.["event.lost"] // 0)' \
		>/dev/null || fail "$1: seen is not sent + filtered + lost: $(tail -n 1 "$1")"
}

assert_no_loss() {
	tail -n 1 "$1" | jq -e '(.["event.lost"] // 0) == 0 and (.["event.recursion_misses"] // 0) == 0' >/dev/null ||
		fail "$1: expected nothing lost or missed, got $(tail -n 1 "$1")"
}

# ---- docker ----

# A daemon and a containerd with their own data and sockets, without a network of their own: a docker that may
# run on this host, its containers and its firewall rules are not touched. In a view all lies where it usually does.
docker_up() {
	local data=$BATS_FILE_TMPDIR/docker exec
	DOCKER_TEST=${BATS_TEST_TMPDIR:-} # it ends with the test that called, if one did
	export DOCKER_DIR=${DOCKER_DIR:-/run/cbt-docker-$$} DOCKER_DATA=$data
	export CONTAINERD_STATE=$DOCKER_DIR/containerd
	exec=$DOCKER_DIR/exec
	mkdir -p "$DOCKER_DIR" "$data"
	if [ ${#VIEW[@]} != 0 ]; then
		CONTAINERD_STATE=/run/containerd exec=/run/docker data=/var/lib
	fi
	export CONTAINERD_ADDRESS=$CONTAINERD_STATE/containerd.sock
	export DOCKER_HOST=unix://$DOCKER_DIR/docker.sock DOCKER_CONFIG=$DOCKER_DIR/client
	# a docker of the host has one already, which must not go away under it
	export DOCKER_CGROUPS=
	has_cgroups docker || DOCKER_CGROUPS=docker
	cat >"$DOCKER_DIR/containerd.toml" <<-T
		version = 2
		root = "$data/containerd"
		state = "$CONTAINERD_STATE"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$CONTAINERD_ADDRESS"
	T
	echo '{}' >"$DOCKER_DIR/daemon.json"
	docker_daemon "$CONTAINERD_ADDRESS" containerd --config "$DOCKER_DIR/containerd.toml" || return 1
	docker_daemon "$DOCKER_DIR/docker.sock" dockerd --data-root "$data/docker" --exec-root "$exec" \
		--pidfile "$exec.pid" --host "$DOCKER_HOST" --containerd "$CONTAINERD_ADDRESS" \
		--bridge none --iptables=false --ip6tables=false --config-file "$DOCKER_DIR/daemon.json" "$@" || return 1
	wait_for docker_answers || return 1
	ctr_root || return 1
	tar -C "$CTR_ROOT" -c . | docker import -c 'CMD ["/bin/sh"]' -c 'LABEL made.by=cbtools' - local/bb:1.0 >/dev/null
}

# docker_daemon SOCKET PROGRAM ARGS...: starts it, returns when its socket is there
docker_daemon() {
	local socket=$1 pid
	shift
	"${VIEW[@]}" setsid "$@" </dev/null >"$DOCKER_DIR/$1.log" 2>&1 3>&- 4>&- &
	pid=$!
	echo "$pid" >"$DOCKER_DIR/$1.pid"
	WAIT=60 wait_for socket_or_end "$socket" "$pid" || true
	in_view test -S "$socket" || fail "$1 did not start: $(tail -n 5 "$DOCKER_DIR/$1.log")"
}

socket_or_end() {
	in_view test -S "$1" || ! kill -0 "$2" 2>/dev/null
}

docker_answers() {
	docker version >/dev/null 2>&1
}

# All containers of the daemon
docker_clear() {
	local ids
	ids=$(docker ps -aq 2>/dev/null)
	# shellcheck disable=SC2086
	[ -z "$ids" ] || docker rm -f $ids >/dev/null 2>&1
}

process_ended() {
	! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null
}

# In any hierarchy, at its top
has_cgroups() {
	local c
	for c in /sys/fs/cgroup/{,*/}"$1"; do
		[ ! -d "$c" ] || return 0
	done
	return 1
}

docker_down() {
	local m pid left=0 program
	# both, or an empty prefix below would be every mount of the host
	[ -n "${DOCKER_DIR:-}" ] && [ -n "${DOCKER_DATA:-}" ] || return 0 # skipped before it came up
	docker_clear || left=1
	for program in dockerd containerd; do
		pid=$(cat "$DOCKER_DIR/$program.pid" 2>/dev/null) && kill "$pid" 2>/dev/null || continue
		wait_for process_ended "$pid" || left=1
	done
	for m in $(awk -v a="${DOCKER_DIR:?}/" -v b="${DOCKER_DATA:?}/" \
		'index($2, a) == 1 || index($2, b) == 1 {print $2}' /proc/mounts | sort -r); do
		umount "$m" || umount -l "$m" || left=1
	done
	[ -z "${DOCKER_CGROUPS:-}" ] || rmdir /sys/fs/cgroup/{,*/}"$DOCKER_CGROUPS" 2>/dev/null || true
	rm -rf "$DOCKER_DIR" "$DOCKER_DATA"
	unset DOCKER_DIR DOCKER_HOST DOCKER_CONFIG
	return $left
}
