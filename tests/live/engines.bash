# SPDX-License-Identifier: GPL-2.0
# Containers of every engine for the live tests. A test file begins
#
#	load lib
#	load engines
#	setup_file() { engines_up hybrid|v2|systemd ENGINE...; }
#	teardown_file() { engines_down; }
#	setup() { live_setup; }
#	teardown() { engine_teardown; live_teardown; }
#
# and then has, in each test:
#	engine_start ENGINE NAME CMD...		runs CMD in a container in the background; engine_name ENGINE NAME is its name
#						(RUN: options of docker and podman, -d usually)
#	engine_image ENGINE NAME		what its image is called, "" if there is none
#	watch_start, watch_stop			all collectors at once, each into $WATCH/TOOL
#	watch_until FILTER			waits until each has a row with it
#	hex TEXT				name of a cgroup as engines name theirs: 64 hexadecimal digits
#	over_at_once RUNTIME			containers with the host's pids that live a moment are named
#
# Engines: docker, ctr (containerd), podman, rootless (podman started by a user), runc, crun, lxc, nspawn. In
# hybrid their state lies below $ENG and the folder of the test file. In a view (v2: a mount namespace where
# /sys/fs/cgroup is cgroup2; systemd: the same with a systemd of its own) it lies where it does by default, in
# folders that are empty at first and seen from there only.

WATCHES=(cexecsnoop ctop-syscalls cfileaccess cnetpeer ccontact cresource)
WATCH=${BATS_TEST_TMPDIR:-}/watch
BUSY=() # processes that keep the CPUs from all else

require_engine() {
	local e
	for e; do
		case $e in
		docker) require_docker ;;
		ctr) require_docker && require_tool ctr ;; # the image is docker's
		podman) require_docker && require_tool podman ;;
		rootless) require_docker && require_tool podman newuidmap setpriv ;;
		runc | crun) require_mounts && require_tool "$e" ;;
		lxc) require_mounts && require_tool lxc-start ;;
		nspawn) require_mounts && require_tool systemd-nspawn ;;
		esac
	done
}

# ---- up and down ----

engines_up() {
	local kind=$1 e
	shift
	file_needs require_bpf && file_needs require_engine "$@" || return 0
	export ENGINES="$*" ENG=/run/cbt-eng-$$ TAG=cbt-$$ VIEW_KIND=$kind
	mkdir -p "$ENG" "$BATS_FILE_TMPDIR/eng"
	chmod 711 "$ENG"
	engine_root || return 1
	engine_user || return 1
	[ "$kind" = hybrid ] || view_up || return 1
	podman_config
	for e; do
		case $e in
		docker) engine_docker_up && docker save -o "$ENG/image.tar" local/bb:1.0 && chmod 644 "$ENG/image.tar" ;;
		ctr) in_view ctr -n "$TAG" images import "$ENG/image.tar" >/dev/null ;;
		podman) podman_do load -q -i "$ENG/image.tar" >/dev/null ;;
		rootless) rootless_up && rootless_do load -q -i "$ENG/image.tar" >/dev/null ;;
		esac || { fail "$e did not come up"; return 1; }
	done
}

engine_docker_up() {
	local args=()
	[ "$VIEW_KIND" != systemd ] || args=(--exec-opt native.cgroupdriver=systemd)
	DOCKER_DIR=$ENG/docker
	docker_up "${args[@]}"
}

# A folder of programs that only this file's containers have: who runs them is known by that.
engine_root() {
	ctr_root || return 1
	mkdir -p "$CTR_ROOT/$TAG"
	cp "$HELPERS"/{execs,files,net,use} "$CTR_ROOT/$TAG/"
}

engines_down() {
	local left=0 pid
	[ -d "${ENG:-}" ] || return 0 # skipped
	case " $ENGINES " in *" rootless "*) rootless_down || left=1 ;; esac
	case " $ENGINES " in *" podman "*) podman_do system prune -f >/dev/null 2>&1 || left=1 ;; esac
	docker_down || left=1
	for pid in ${USERS_PID:-} ${VIEW_PID:-}; do
		kill -KILL "$pid" 2>/dev/null || continue
		wait_for process_ended "$pid" || left=1
	done
	remove_cgroups "$TAG" || left=1
	# what engines make and leave; others may use it
	rmdir /sys/fs/cgroup/{,*/}{lxc.pivot,libpod_parent/conmon,libpod_parent} 2>/dev/null || true
	rm -rf "$ENG"
	[ $left = 0 ] || fail "engines were left behind"
}

# ---- views ----

# What makes the new root in namespaces of its own; with a systemd changes go to memory, not to this host's files.
VIEW_SCRIPT='
set -e
m=$ENG/os
mkdir "$m"
if [ "$VIEW_KIND" = systemd ]; then
	mount -t tmpfs tmpfs "$m"
	mkdir "$m/upper" "$m/work" "$m/root"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$m/upper,workdir=$m/work" "$m/root"
	m=$m/root
	mount --rbind /sys "$m/sys"
	mount --rbind /dev "$m/dev"
	mount -t proc proc "$m/proc"
	mount -t tmpfs tmpfs "$m/etc/systemd/system"
	for u in $VIEW_MASK; do ln -s /dev/null "$m/etc/systemd/system/$u"; done
	for d in "$BATS_RUN_TMPDIR" "$O" "$CB_TOP"; do mkdir -p "$m$d"; mount --bind "$d" "$m$d"; done
else
	mount --rbind / "$m"
fi
mount --make-rprivate "$m"
umount -R "$m/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$m/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$m/var/lib"
mount -t tmpfs -o mode=755 tmpfs "$m/run"
mkdir -m 711 "$m$ENG"
mount --bind "$ENG" "$m$ENG"
for f in "$ENG"/etc/*; do mount --bind "$f" "$m/etc/${f##*/}"; done
cd "$m"
pivot_root . .
umount -l .
cd /
echo ready >"$ENG/view"
if [ "$VIEW_KIND" = systemd ]; then
	container=cbt exec /lib/systemd/systemd --unit=basic.target --log-target=console --show-status=no
fi
exec sleep infinity
'

# What a systemd should leave alone: it is not the only one on this host.
VIEW_MASK='systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service
	systemd-modules-load.service systemd-sysctl.service systemd-remount-fs.service systemd-binfmt.service
	systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer systemd-sysusers.service
	systemd-random-seed.service systemd-timesyncd.service systemd-networkd.service systemd-journal-flush.service
	systemd-journald-audit.socket systemd-firstboot.service systemd-machine-id-commit.service systemd-pstore.service
	proc-sys-fs-binfmt_misc.automount dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount
	sys-kernel-config.mount sys-fs-fuse-connections.mount docker.socket podman.socket tmp.mount
	systemd-update-utmp.service ldconfig.service'

view_ready() {
	[ -s "$ENG/view" ] || process_ended "$1"
}

systemd_runs() {
	in_view systemctl is-system-running 2>/dev/null | grep -q -E 'running|degraded'
}

view_up() {
	local new=(--mount)
	export VIEW_PID VIEW_NS=--mount VIEW_MASK O CB_TOP BATS_RUN_TMPDIR
	if [ "$VIEW_KIND" = systemd ]; then
		VIEW_NS='--mount --pid --net --uts --ipc --cgroup'
		new=($VIEW_NS --fork --kill-child)
		VIEW_CGROUP=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)/$TAG
		mkdir "$VIEW_CGROUP"
	fi
	VIEW_CGROUP=${VIEW_CGROUP:-} setsid sh -c '[ -z "$VIEW_CGROUP" ] || echo 0 >"$VIEW_CGROUP/cgroup.procs"
		exec unshare "$@"' sh "${new[@]}" --propagation private sh -c "$VIEW_SCRIPT" \
		</dev/null >"$ENG/view.log" 2>&1 3>&- 4>&- &
	VIEW_PID=$!
	wait_for view_ready $VIEW_PID
	[ -s "$ENG/view" ] || { fail "no view: $(cat "$ENG/view.log")"; return 1; }
	[ "$VIEW_KIND" != systemd ] || VIEW_PID=$(pgrep -P $VIEW_PID)
	view_set
	[ "$VIEW_KIND" != systemd ] || wait_for systemd_runs || { tail -n 20 "$ENG/view.log" >&2; return 1; }
}

# The cgroup at the top of any hierarchy and all below it, once those who died in it are gone from it.
remove_cgroups() {
	wait_for no_cgroups "$1"
}

no_cgroups() {
	local c
	for c in /sys/fs/cgroup/{,*/}"$1"; do
		[ ! -d "$c" ] || find "$c" -depth -type d -exec rmdir {} + 2>/dev/null
	done
	! has_cgroups "$1"
}

# ---- podman, by root and by a user ----

podman_config() {
	cat >"$ENG/containers.conf" <<-C
		[containers]
		# more is not allowed to everybody
		default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
		log_driver = "k8s-file"
		[engine]
		runtime = "runc"
		cgroup_manager = "$([ "$VIEW_KIND" = systemd ] && echo systemd || echo cgroupfs)"
		events_logger = "file"
		lock_type = "file"
	C
}

podman_do() {
	local where=()
	[ ${#VIEW[@]} != 0 ] || where=(--root "$BATS_FILE_TMPDIR/eng/podman" --runroot "$ENG/podman/run" --tmpdir "$ENG/podman/tmp")
	in_view env -u DOCKER_CONFIG CONTAINERS_CONF="$ENG/containers.conf" podman "${where[@]}" "$@"
}

# Copies of the lists of users with one more, for engine_user's user to be known in a mount namespace.
engine_user() {
	local f n=$(($$ % 1000))
	export USER_ID=$((64000 + n)) USER_HOME=$ENG/home
	mkdir -p "$ENG/etc" "$USER_HOME"
	for f in passwd group subuid subgid; do
		[ ! -e "/etc/$f" ] || cat "/etc/$f" >"$ENG/etc/$f"
	done
	echo "$TAG:x:$USER_ID:$USER_ID::$USER_HOME:/bin/sh" >>"$ENG/etc/passwd"
	echo "$TAG:x:$USER_ID:" >>"$ENG/etc/group"
	echo "$TAG:$((300000000 + n * 65536)):65536" | tee -a "$ENG/etc/subuid" >>"$ENG/etc/subgid"
	chown "$USER_ID:$USER_ID" "$USER_HOME"
}

rootless_up() {
	if [ ${#VIEW[@]} = 0 ]; then
		export USERS_PID
		setsid unshare --mount --propagation slave sh -c 'for f in "$ENG"/etc/*; do mount --bind "$f" "/etc/${f##*/}" || exit; done
			echo ready >"$ENG/view"; exec sleep infinity' </dev/null >"$ENG/view.log" 2>&1 3>&- 4>&- &
		USERS_PID=$!
		wait_for view_ready $USERS_PID
		[ -s "$ENG/view" ] || { fail "no view: $(cat "$ENG/view.log")"; return 1; }
	fi
	in_view mkdir -p -m 755 /run/user
	in_view mkdir -m 700 "/run/user/$USER_ID"
	in_view chown "$USER_ID:$USER_ID" "/run/user/$USER_ID"
}

rootless_do() {
	local ns=("${VIEW[@]}")
	[ -z "${USERS_PID:-}" ] || ns=(nsenter --mount --target "$USERS_PID" --)
	"${ns[@]}" setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups --reset-env env HOME="$USER_HOME" \
		XDG_RUNTIME_DIR="/run/user/$USER_ID" CONTAINERS_CONF="$ENG/containers.conf" PATH="$PATH" \
		sh -c 'cd && exec podman "$@"' podman "$@"
}

rootless_down() {
	local pid
	pid=$(in_view cat "/run/user/$USER_ID/libpod/tmp/pause.pid" 2>/dev/null) && kill "$pid"
	in_view rm -rf "/run/user/$USER_ID"
}

# ---- containers ----

engine_name() {
	case $1 in
	runc | crun) ctr_id "$2" ;;
	*) echo "$TAG-$2" ;;
	esac
}

engine_runtime() {
	case $1 in
	ctr) echo containerd ;;
	rootless) echo podman ;;
	*) echo "$1" ;;
	esac
}

OCI_IMAGE=cbt/oci:1.0

engine_image() {
	case $1 in
	docker) echo local/bb:1.0 ;;
	ctr) echo docker.io/local/bb:1.0 ;;
	podman | rootless) echo localhost/local/bb:1.0 ;;
	runc | crun) echo $OCI_IMAGE ;;
	nspawn) echo "$CTR_DIR/$(engine_name nspawn "$2")/rootfs" ;; # it has no other
	esac
}

# The host's processes are below /hostproc there.
engine_start() {
	local engine=$1 name
	name=$(engine_name "$1" "$2")
	echo "$engine $name" >>"$BATS_TEST_TMPDIR/started"
	case $engine in
	runc | crun) name=$2 ;;
	esac
	shift 2
	"start_$engine" "$name" "$@" </dev/null >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- ||
		fail "$engine: $(cat "$BATS_TEST_TMPDIR/log")"
}

# options of docker's and podman's run
RUN=(-d)

start_docker() {
	local name=$1
	shift
	docker run "${RUN[@]}" --network none -v /proc:/hostproc:ro --name "$name" local/bb:1.0 "$@"
}

start_podman() {
	run_podman podman_do "$@"
}

start_rootless() {
	run_podman rootless_do "$@"
}

run_podman() {
	local as=$1 name=$2
	shift 2
	"$as" run "${RUN[@]}" --network none --pids-limit 0 -v /proc:/hostproc:ro --name "$name" local/bb:1.0 "$@"
}

start_ctr() {
	local name=$1
	shift
	in_view ctr -n "$TAG" run -d --null-io --cpu-shares 0 --mount type=bind,src=/proc,dst=/hostproc,options=rbind:ro \
		"$(engine_image ctr)" "$name" "$@"
}

start_runc() {
	local name=$1 how=ctr_start
	shift
	[ "${RUN[*]}" != --rm ] || how=ctr_run
	$how "$name" --bind /proc:/hostproc --annotation "org.opencontainers.image.ref.name=$OCI_IMAGE" -- "$@"
}

start_crun() {
	OCI=crun start_runc "$@"
}

start_lxc() {
	local name=$1 path
	shift
	path=$(lxc_path)
	ctr_rootfs "$name"
	in_view mkdir -p "$path/$name"
	in_view tee "$path/$name/config" <<-C
		lxc.uts.name = $name
		lxc.rootfs.path = dir:$CTR_DIR/$name/rootfs
		lxc.net.0.type = empty
		lxc.net.0.flags = up
		lxc.mount.auto = proc:rw
		lxc.mount.entry = /proc hostproc none rbind,ro,create=dir 0 0
	C
	in_view lxc-start -P "$path" -n "$name" -d -- "$@"
}

lxc_path() {
	[ ${#VIEW[@]} != 0 ] && echo /var/lib/lxc || echo "$CTR_DIR"
}

# Leaves cgroups where it was started: in one of its own.
start_nspawn() {
	local name=$1
	shift
	ctr_rootfs "$name"
	"${VIEW[@]}" sh -c 'for c in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
			[ ! -e "$c/cgroup.procs" ] || { mkdir "$c/$1" && echo 0 >"$c/$1/cgroup.procs"; }; done
		root=$2 name=$1
		shift 2
		exec systemd-nspawn --quiet --register=no --keep-unit --settings=no --console=pipe --private-network \
			--bind-ro=/proc:/hostproc --machine="$name" --directory="$root" "$@"' sh "$name" "$CTR_DIR/$name/rootfs" "$@" &
	echo $! >"$CTR_DIR/$name/nspawn"
}

hex() {
	printf '%s' "$BATS_TEST_TMPDIR $1" | sha256sum | cut -c 1-64
}

# By its first exec the runtime is a millisecond from removing its state; the CPUs have other things to do than to read that.
over_at_once() {
	local i OCI=$1 ROWS=$BATS_TEST_TMPDIR/rows
	collector_start "$ROWS" cexecsnoop -j
	for i in 1 2; do
		sh -c 'while :; do :; done' 3>&- 4>&- &
		BUSY+=($!)
	done
	for i in 1 2 3 4 5 6 7 8 9 10 11; do
		ctr_run "m$i" --host-pid --cgroup "/$(hex "m$i")" -- true
	done
	wait_for has_rows "$ROWS" 'event and action == "exit" and comm == "true"' 11
	collector_stop "$ROWS"
	assert_no_loss "$ROWS"
	for i in 1 2 3 4 5 6 7 8 9 10 11; do
		assert_rows "$ROWS" "event and ctr == \"$(ctr_id "m$i")\" and .[\"container.runtime\"] == \"$1\" and comm == \"true\"" 2
	done
}

# What live_teardown does not
engine_teardown() {
	local engine name left=0
	[ ${#BUSY[@]} = 0 ] || kill "${BUSY[@]}"
	[ -e "$BATS_TEST_TMPDIR/started" ] || return 0
	while read -r engine name; do
		case $engine in
		ctr) in_view ctr -n "$TAG" task rm -f "$name" && in_view ctr -n "$TAG" container rm "$name" ;;
		podman) podman_do rm -f -i -t 0 "$name" ;;
		rootless) rootless_do rm -f -i -t 0 "$name" ;;
		crun) in_view crun delete --force "$name" ;;
		lxc) in_view lxc-stop -P "$(lxc_path)" -n "$name" -k ;;
		nspawn) remove_nspawn "$name" ;;
		esac </dev/null >"$BATS_TEST_TMPDIR/log" 2>&1 || { cat "$BATS_TEST_TMPDIR/log" >&2; left=1; }
	done <"$BATS_TEST_TMPDIR/started"
	return $left
}

remove_nspawn() {
	local pid
	pid=$(cat "$CTR_DIR/$1/nspawn")
	pkill -KILL -P "$pid" # its first process
	wait_for process_ended "$pid"
	remove_cgroups "$1"
}

# ---- all collectors ----

watch_start() {
	local tool
	mkdir -p "$WATCH"
	for tool in "${WATCHES[@]}"; do
		case $tool in
		cexecsnoop) collector_launch "$WATCH/$tool" $tool -j ;;
		ctop-syscalls) collector_launch "$WATCH/$tool" $tool -j --by=process 500ms ;;
		*) collector_launch "$WATCH/$tool" $tool -j -i 500ms ;;
		esac || return 1
	done
	for tool in "${WATCHES[@]}"; do
		WAIT=60 collector_attached "$WATCH/$tool" || return 1
	done
}

watch_stop() {
	collector_stop "${WATCHES[@]/#/$WATCH/}"
}

watch_until() {
	local tool
	for tool in "${WATCHES[@]}"; do
		wait_for has_rows "$WATCH/$tool" "event and ($1)" || { watch_tell "$tool"; return 1; }
	done
}

# What a collector had instead: the containers it named, its last rows and its messages
watch_tell() {
	jq -c 'select(has("container.id")) | with_entries(select(.key | startswith("container.")))' "$WATCH/$1" | sort | uniq -c >&2
	tail -n 3 "$WATCH/$1" >&2
	cat "$WATCH/$1.err" >&2
}

# ---- tests that every engine has ----

# Something for each collector; $1: whose environment it looks at
ENGINE_WORK='d=/'${TAG:-}'; $d/execs 3; $d/files open /etc/passwd; $d/net call tcp 127.0.0.1 9 1 0 0
cat /hostproc/$1/environ >/dev/null'

# engine_right ENGINE NAME: a row that tells all that is known of this container
engine_right() {
	echo "ctr == \"$(engine_name "$1" "$2")\" and (.[\"container.image.name\"] // \"\") == \"$(engine_image "$1" "$2")\" and
		.[\"container.runtime\"] == \"$(engine_runtime "$1")\" and (.[\"container.id\"] | length) > 0"
}

# Each collector had rows of it, and in each row all was right.
assert_shown() {
	local right tool
	right=$(engine_right "$1" "$2")
	for tool in "${WATCHES[@]}"; do
		assert_rows "$WATCH/$tool" "event and ((exe // \"\" | startswith(\"/$TAG/\")) or ctr == \"$(engine_name "$1" "$2")\") and
			($right | not)" 0
	done
	assert_rows "$WATCH/cexecsnoop" "event and $right and action == \"start\" and args[1:2] == [\"child\"]" 3
	has_rows "$WATCH/ccontact" "event and $right and action == \"proc_environ\" and .[\"target.process.pid\"] == $VICTIM_PID"
}

# engine_shown ENGINE [CGROUP]: a container is started and works; its cgroup is one that this expression describes.
engine_shown() {
	engine_victim "$1"
	watch_start
	engine_start "$1" one sh -c "$ENGINE_WORK; exec \$d/use hold" sh "$VICTIM_PID"
	watch_until "$(engine_right "$1" one)"
	watch_stop
	assert_shown "$1" one
	assert_rows "$WATCH/cexecsnoop" "event and $(engine_right "$1" one) and (.[\"container.cgroup.path\"] // \"\" | test(\"${2:-}\") | not)" 0
}

# The same of one that is gone at once, with all that told its name.
engine_brief_shown() {
	engine_victim "$1"
	watch_start
	RUN=(--rm)
	engine_start "$1" one sh -c "$ENGINE_WORK; sleep 0.05" sh "$VICTIM_PID"
	watch_until "$(engine_right "$1" one)"
	watch_stop
	assert_shown "$1" one
}

# A container gets another name while it is watched.
engine_renamed_shown() {
	engine_victim "$1"
	watch_start
	engine_start "$1" one sh -c "while :; do $ENGINE_WORK; sleep 0.2; done" sh "$VICTIM_PID"
	watch_until "$(engine_right "$1" one)"
	case $1 in
	docker) docker rename "$TAG-one" "$TAG-two" ;;
	podman) podman_do rename "$TAG-one" "$TAG-two" >/dev/null ;;
	esac
	echo "$1 $TAG-two" >>"$BATS_TEST_TMPDIR/started"
	watch_until "$(engine_right "$1" two)"
	watch_stop
}

# A container that sees the processes of the host sends signals to another: both are named.
engine_kill_shown() {
	local row
	engine_victim "$1"
	collector_start "$WATCH.kill" ccontact -j -i 1
	RUN=(-d --pid=host)
	engine_start "$1" spy sh -c "contact signal $VICTIM_PID 7; exec use hold"
	row="event and action == \"signal\" and .[\"target.container.name\"] == \"$(ctr_id victim)\""
	wait_for has_rows "$WATCH.kill" "$row"
	wait_for has_rows "$WATCH.kill" "$row and .[\"event.count\"] > 1"
	collector_stop "$WATCH.kill"
	assert_rows "$WATCH.kill" "$row and ($(engine_right "$1" spy) and .[\"target.container.image.name\"] == \"$OCI_IMAGE\" and
		.[\"target.process.pid\"] == $VICTIM_PID and comm == \"contact\" | not)" 0
	[ "$(rows "$WATCH.kill" "$row" | jq -s 'map(.["event.count"]) | add')" = 7 ]
}

# Somebody else to have something done to: VICTIM_PID. A user may look only at what is the user's.
engine_victim() {
	if [ "$1" = rootless ]; then
		engine_start rootless victim contact wait
		VICTIM_PID=$(rootless_do inspect -f '{{.State.Pid}}' "$TAG-victim")
	else
		ctr_start victim --annotation "org.opencontainers.image.ref.name=$OCI_IMAGE" -- contact wait
		wait_for grep -q waiting "$CTR_DIR/victim/out"
		VICTIM_PID=$(ctr_pid victim)
	fi
}
