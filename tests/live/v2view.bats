# SPDX-License-Identifier: GPL-2.0
# Containers of every engine where all cgroups are of v2 (a mount namespace that has no others), their state where
# it is by default.
# Daemons: docker
bats_require_minimum_version 1.5.0
load lib
load engines

setup_file() { engines_up v2 docker ctr podman rootless runc crun lxc nspawn; }
teardown_file() { engines_down; }
setup() { live_setup; }
teardown() { engine_teardown; live_teardown; }

@test "v2: docker" { engine_shown docker; }
@test "v2: containerd (ctr)" { engine_shown ctr; }
@test "v2: podman" { engine_shown podman; }
@test "v2: rootless podman" { engine_shown rootless; }
@test "v2: runc" { engine_shown runc; }
@test "v2: crun" { engine_shown crun; }
@test "v2: crun, containers that are over in less than a millisecond" { over_at_once crun; }
@test "v2: runc, containers that are over in less than a millisecond" { over_at_once runc; }
@test "v2: LXC" { engine_shown lxc; }
@test "v2: systemd-nspawn" { engine_shown nspawn; }
