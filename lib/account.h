/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel accounts for a container: the files of its cgroups and its network devices, kept open. */
#ifndef CB_ACCOUNT_H
#define CB_ACCOUNT_H
#include "container.h"

/* Counters since the cgroup, or the network namespace, was made. Only what a has_ flag tells of is filled. */
struct cb_usage {
	bool has_cpu, has_throttled, has_split, has_disk, has_net;
	__u64 cpu_ns, user_ns, system_ns;
	__u64 throttled_ns, throttled;
	__u64 anon, file; /* has_split */
	__u64 read_bytes, write_bytes;
	__u64 rx_bytes, tx_bytes, rx_packets, tx_packets, rx_dropped, tx_dropped; /* all devices but lo */
};

/* Where the hierarchies are mounted. root: "" or a folder that holds proc and sys as on a host (tests). */
struct cb_hiers;
struct cb_hiers *cb_hiers_new(const char *root);
void cb_hiers_free(struct cb_hiers *h);

/*
 * pid: a process of the container, its init if it has one, which is the init of the pid namespace pidns (0: not
 * known). A cgroup it shares with its parent process is not the container's own and is not used, nor is the root:
 * then memory_id is 0 and has_cpu, has_disk are false. What is left when the process is gone already is the path
 * that c knows. Never fails; the network's file keeps the namespace until the account is closed.
 */
struct cb_account;
struct cb_account *cb_account_open(const struct cb_hiers *h, const struct cb_cont *c, uint32_t pid, uint32_t pidns);
void cb_account_close(struct cb_account *a);
/* cpu: its CPU time too; split: anon and file too. Each is a third of the cost. */
void cb_account_read(struct cb_account *a, bool cpu, bool split, struct cb_usage *ret);
uint64_t cb_account_memory_id(const struct cb_account *a); /* of its folder in the memory hierarchy, 0: none */
int cb_account_memory(struct cb_account *a, __u64 *ret_usage, __u64 *ret_limit); /* -errno; limit 0: none */
bool cb_account_host_net(const struct cb_account *a);	   /* it uses the host's network */
#endif
