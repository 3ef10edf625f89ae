/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Once the probes are attached a collector needs to read maps, iterate over tasks, and read /proc and the engines'
 * files; a fault in what it does with a container's bytes should not be worth more than that.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "run.h"

#define BIT(cap) (1ULL << (cap))

/*
 * A container of a moment is gone with its files 5 ms after its end: on a busy host a reader that waits for its turn
 * comes too late to name it. It sleeps most of the time, so going first costs the others nothing.
 */
void cb_raise_priority(void)
{
	setpriority(PRIO_PROCESS, 0, -10);
}

int cb_drop_capabilities(struct cb_run *run)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	uint64_t keep = BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) | run->tool->caps;

	if (run->opt.write || run->opt.prometheus)
		keep |= BIT(CAP_DAC_OVERRIDE); /* their folder may be another user's, and they are opened anew */
	if (syscall(SYS_capget, &head, data))
		return cb_fail(&run->err, -errno, "capget: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= keep >> (32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_capset, &head, data))
		return cb_fail(&run->err, -errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}
