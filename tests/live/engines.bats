# SPDX-License-Identifier: GPL-2.0
# Containers of every engine, on a host with the hybrid hierarchy of cgroups, their state in unusual places.
# Daemons: docker
bats_require_minimum_version 1.5.0
load lib
load engines

setup_file() { engines_up hybrid docker ctr podman rootless runc lxc nspawn; }
teardown_file() { engines_down; }
setup() { live_setup; }
teardown() { engine_teardown; live_teardown; }

@test "docker" { engine_shown docker '^/docker/[0-9a-f]{64}$'; }
@test "containerd (ctr)" { engine_shown ctr "^/$TAG/$TAG-one\$"; }
@test "podman" { engine_shown podman '^/libpod_parent/libpod-[0-9a-f]{64}$'; }
@test "rootless podman, without any cgroup" { engine_shown rootless '^/?$'; }
@test "runc" { engine_shown runc; }
@test "LXC" { engine_shown lxc '^/lxc.payload.'; }
@test "systemd-nspawn" { engine_shown nspawn '/payload$'; }

@test "docker: a container of a moment" { engine_brief_shown docker; }
@test "podman: a container of a moment" { engine_brief_shown podman; }
@test "docker: a container gets another name" { engine_renamed_shown docker; }
@test "podman: a container gets another name" { engine_renamed_shown podman; }
@test "docker: a container kills" { engine_kill_shown docker; }
@test "podman: a container kills" { engine_kill_shown podman; }
