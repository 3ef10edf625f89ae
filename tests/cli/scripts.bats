# The scripts that make what tests and demo stand on, as far as they need no network.

setup() {
	top=$BATS_TEST_DIRNAME/../..
}

@test "bootstrap: where nothing is missing nothing is said, and no package manager started" {
	command -v dpkg-query >/dev/null || skip "no dpkg"
	"$top/scripts/bootstrap" --list || skip "not all is installed"
	mkdir "$BATS_TEST_TMPDIR/bin"
	for name in apt-get apt-cache dnf; do
		printf '#!/bin/sh\necho called\n' >"$BATS_TEST_TMPDIR/bin/$name"
	done
	chmod +x "$BATS_TEST_TMPDIR/bin"/*
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run "$top/scripts/bootstrap"
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "bootstrap: what it does not know is a usage error" {
	run "$top/scripts/bootstrap" --all
	[ "$status" = 64 ]
}

@test "mkroot --busybox: a root that runs, made only where nothing is" {
	[ "$(id -u)" = 0 ] || skip "not root"
	"$top/scripts/mkroot" "$BATS_TEST_TMPDIR/root" --busybox
	[ "$(chroot "$BATS_TEST_TMPDIR/root" /bin/sh -c 'echo $((6 * 7)); id -un' | xargs)" = "42 root" ]
	run "$top/scripts/mkroot" "$BATS_TEST_TMPDIR/root" --busybox
	[ "$status" = 1 ]
	[[ "$output" == *"expected a new or empty folder"* ]]
	run "$top/scripts/mkroot" "$BATS_TEST_TMPDIR/other"
	[ "$status" = 64 ]
}

@test "kernels/fetch: a release it does not know is a usage error" {
	run "$top/scripts/kernels/fetch" 4.19
	[ "$status" = 64 ]
}
