# The collectors on other kernels, under QEMU: 5.10 with pure cgroup v1, as on RHEL 8 and Anolis 8, and 6.1 with v2.
load ../live/lib

needs() {
	[ "$(uname -m)" = x86_64 ] || skip "no kernel package: not an x86_64 machine"
	require_root
	require_tool qemu-system-x86_64 cpio runc jq busybox
}

setup_file() {
	file_needs needs || return 0
	CTR_ROOT=$BATS_FILE_TMPDIR/ctr/rootfs
	mkdir -p "$BATS_FILE_TMPDIR/ctr"
	ctr_root
	(cd "$BATS_FILE_TMPDIR/ctr" && runc spec)
	jq '.process.terminal = false | .root.readonly = false' "$BATS_FILE_TMPDIR/ctr/config.json" \
		>"$BATS_FILE_TMPDIR/ctr/config.new"
	mv "$BATS_FILE_TMPDIR/ctr/config.new" "$BATS_FILE_TMPDIR/ctr/config.json"
	"$CB_TOP/scripts/kernels/mkinitrd" "$BATS_FILE_TMPDIR/initrd" "$(command -v runc)=/usr/sbin/runc" \
		"$(command -v jq)" "$O/cexecsnoop" "$O/ctop-syscalls" "$O/cnetpeer" "$O/cfileaccess" "$O/cresource" "$O/ccontact" "$O/ccontainers" \
		"$BATS_FILE_TMPDIR/ctr=/ctr"
}

setup() { live_setup; }

guest() {
	local kernel reason
	reason=$BATS_TEST_TMPDIR/reason
	kernel=$("$CB_TOP/scripts/kernels/fetch" "$1" 2>"$reason") || {
		[ $? = 77 ] && skip "$(tail -n 1 "$reason")"
		fail "$(cat "$reason")"
	}
	TIMEOUT=360 "$CB_TOP/scripts/kernels/run" "$kernel" "$BATS_FILE_TMPDIR/initrd" \
		"$BATS_TEST_DIRNAME/guest.sh" "cg=$2" 3>&- 4>&-
}

@test "5.10 with cgroup v1" {
	guest 5.10 v1
}

@test "6.1 with cgroup v2" {
	guest 6.1 v2
}
