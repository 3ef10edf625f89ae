# SPDX-License-Identifier: GPL-2.0
# Containers of every engine, on a host with the hybrid hierarchy of cgroups, their state in unusual places.
bats_require_minimum_version 1.5.0
load lib
load engines

setup_file() { engines_up hybrid docker ctr podman rootless runc lxc nspawn; }
teardown_file() { engines_down; }
setup() { live_setup; }
teardown() { engine_teardown; live_teardown; }

@test "docker" { engine_shown docker; }
@test "containerd (ctr)" { engine_shown ctr; }
@test "podman" { engine_shown podman; }
@test "rootless podman, without any cgroup" { engine_shown rootless; }
@test "runc" { engine_shown runc; }
@test "LXC" { engine_shown lxc; }
@test "systemd-nspawn" { engine_shown nspawn; }
