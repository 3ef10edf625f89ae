/* SPDX-License-Identifier: GPL-2.0 */
/* File systems of the kernel that a host need not have mounted: for this process alone, without a place in the tree. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "run.h"

int cb_mount_detached(const char *type)
{
	int fs = syscall(SYS_fsopen, type, 1 /* FSOPEN_CLOEXEC */), mnt;

	if (fs < 0)
		return -1;
	if (syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0)) {
		close(fs);
		return -1;
	}
	mnt = syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
	close(fs);
	return mnt;
}

/* In a cgroup namespace what is mounted begins at the namespace's own: only the real root has this number. */
#define CGROUP_ROOT_INO 1

int cb_cgroup_root(void)
{
	int mnt = cb_mount_detached("cgroup2");
	struct stat st;

	if (mnt < 0)
		return -errno;
	if (!fstat(mnt, &st) && st.st_ino == CGROUP_ROOT_INO)
		return mnt;
	close(mnt);
	return -EXDEV;
}
