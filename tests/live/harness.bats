# The harness itself: what the other live tests stand on.
# Alone: it looks for what tests leave behind
load lib

setup() { live_setup; }
teardown() { live_teardown; }

@test "a container runs helpers that count for themselves" {
	require_runc
	run ctr_run count calls 101 3
	[ "$status" = 0 ]
	[ "${lines[-1]}" = "total 303" ]
	[ "$(grep -c '^thread .* calls 101$' <<<"$output")" = 3 ]
}

@test "a container's status is the command's, its root is its own" {
	require_runc
	run ctr_run status sh -c 'echo mine >/data/x; exit 7'
	[ "$status" = 7 ]
	[ -e "$CTR_DIR/status/rootfs/data/x" ]
	[ ! -e "$CTR_ROOT/data/x" ]
}

@test "a background container can be entered and goes away without a trace" {
	require_runc
	ctr_start back --cgroup /cbt-harness-$$/x hold 13
	wait_for grep -q '^held 13$' "$CTR_DIR/back/out"
	[ "$(ctr_exec back cat /proc/1/comm)" = hold ]
	grep -q "/cbt-harness-$$/x" "/proc/$(ctr_pid back)/cgroup"
	ctr_remove back
	[ -z "$(find /sys/fs/cgroup -maxdepth 2 -name "cbt-harness-$$")" ]
	! grep -q "$CTR_DIR/back" /proc/mounts
	! runc list -q | grep -q "$(ctr_id back)"
}

@test "options of a container: annotation, environment, user, host pids" {
	require_runc
	ctr_bundle opt --annotation a=b=c --env 'X=1 2' --user 33 --host-pid -- sh -c 'echo $X; id -u'
	run jq -r '.annotations.a, (.process.env|last), .process.user.uid, ([.linux.namespaces[].type]|index("pid"))' \
		"$CTR_DIR/opt/config.json"
	[ "$output" = $'b=c\nX=1 2\n33\nnull' ]
}

@test "the actions of the demo are harmless and come back" {
	require_runc
	run ctr_run act sh -c 'for a in $(attack list | cut -f1); do attack $a || echo $a: failed; done; ls -A /tmp'
	[ "$status" = 0 ]
	[ "$(grep -c -E '^[a-z]+: (done|refused: )' <<<"$output")" = "$(attack_count)" ]
	[ "${#lines[@]}" = "$(attack_count)" ]
}

attack_count() {
	"$HELPERS/attack" list | wc -l
}

@test "a private docker daemon runs an image made here" {
	require_docker
	docker_up
	[ "$(docker run --rm --network none local/bb:1.0 execs 7)" = "execs 7" ]
	docker run -d --name held --network none local/bb:1.0 hold 11
	wait_for docker_held held 11
	[ "$(docker inspect -f '{{.Config.Image}}' held)" = local/bb:1.0 ]
	docker_down
}

docker_held() {
	docker logs "$1" 2>&1 | grep -q "^held $2$"
}

@test "no test before left a cgroup" {
	run comm -13 "${CBT_FOUND:-/dev/null}" <("$CB_TOP/tests/cgroups")
	[ "$output" = "" ] || fail "$output"
}
