# SPDX-License-Identifier: GPL-2.0
# Containers whose cgroups are made by systemd: one boots in namespaces of its own, on cgroup v2.
bats_require_minimum_version 1.5.0
load lib
load engines

setup_file() { engines_up systemd docker podman; }
teardown_file() { engines_down; }
setup() { live_setup; }
teardown() { engine_teardown; live_teardown; }

@test "systemd driver: docker" { engine_shown docker '/system.slice/docker-[0-9a-f]{64}.scope$'; }
@test "systemd driver: podman" { engine_shown podman '/machine.slice/libpod-[0-9a-f]{64}.scope$'; }
@test "systemd driver: docker, a container of a moment" { engine_brief_shown docker; }
@test "systemd driver: podman, a container of a moment" { engine_brief_shown podman; }
