# SPDX-License-Identifier: GPL-2.0
# Containers whose cgroups are made by systemd: one boots in namespaces of its own, on cgroup v2.
# Daemons: docker
bats_require_minimum_version 1.5.0
load lib
load engines

setup_file() { engines_up systemd docker podman runc crun; }
teardown_file() { engines_down; }
setup() { live_setup; }
teardown() { engine_teardown; live_teardown; }

# runc and crun have systemd make their cgroups when they are told to
ctr_oci() {
	in_view "${OCI:-runc}" --systemd-cgroup "$@"
}

@test "systemd driver: docker" { engine_shown docker '/system.slice/docker-[0-9a-f]{64}.scope$'; }
@test "systemd driver: podman" { engine_shown podman '/machine.slice/libpod-[0-9a-f]{64}.scope$'; }
@test "systemd driver: runc" { engine_shown runc "/system.slice/runc-$(ctr_id one).scope\$"; }
@test "systemd driver: crun" { engine_shown crun "/system.slice/crun-$(ctr_id one).scope(/container)?\$"; }
@test "systemd driver: docker, a container of a moment" { engine_brief_shown docker; }
@test "systemd driver: podman, a container of a moment" { engine_brief_shown podman; }
@test "systemd driver: runc, a container of a moment" { engine_brief_shown runc; }
@test "systemd driver: crun, a container of a moment" { engine_brief_shown crun; }
