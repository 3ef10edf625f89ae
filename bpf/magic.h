/* SPDX-License-Identifier: GPL-2.0 */
/* File systems by the number in their superblock: include/uapi/linux/magic.h */
#ifndef CB_MAGIC_H
#define CB_MAGIC_H

#define CB_MAGIC_PROC 0x9fa0
#define CB_MAGIC_OVERLAY 0x794c7630

/* The file systems of the kernel itself: there is one of each, and all see it, so nobody shares its files. */
static inline __attribute__((always_inline)) _Bool cb_kernels_own(unsigned long magic)
{
	switch (magic) {
	case CB_MAGIC_PROC:
	case 0x62656572: /* sysfs */
	case 0x27e0eb:	 /* cgroup */
	case 0x63677270: /* cgroup2 */
	case 0x64626720: /* debugfs */
	case 0x74726163: /* tracefs */
	case 0xcafe4a11: /* bpf */
	case 0x1cd1:	 /* devpts */
	case 0x73636673: /* securityfs */
	case 0x19800202: /* mqueue */
		return 1;
	}
	return 0;
}
#endif
