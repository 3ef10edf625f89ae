/* SPDX-License-Identifier: GPL-2.0 */
/* What is read for a container under v2, v1 and both, on trees of files that look like a host. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include "account.h"
#include "tree.h"

#define CG "sys/fs/cgroup/"
#define V2_MOUNT "24 1 0:22 / /proc rw - proc proc rw\n31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT                                                                                                       \
	"30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"                                                            \
	"32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"                                  \
	"33 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"                                            \
	"34 30 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
#define V1_LINES "3:memory:%1$s\n2:cpu,cpuacct:%1$s\n1:name=systemd:%1$s\n"

static void put_v2(const char *dir)
{
	char path[512];
	static const char *const file[][2] = {
		{ "cpu.stat", "usage_usec 3000007\nuser_usec 2000003\nsystem_usec 1000004\nnr_periods 5\nnr_throttled 3\n"
			      "throttled_usec 17\n" },
		{ "memory.stat", "anon 4096\nfile 8192\nkernel_stack 16384\nanon_thp 0\n" },
		{ "memory.current", "12288\n" },
		{ "memory.max", "max\n" },
		{ "io.stat", "8:0 rbytes=101 wbytes=211 rios=3 wios=5 dbytes=999 dios=1\n253:1 rbytes=7 wbytes=11 rios=1 "
			     "wios=1 dbytes=0 dios=0\n" },
	};

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		snprintf(path, sizeof(path), CG "%s/%s", dir, file[i][0]);
		tree_put(path, "%s", file[i][1]);
	}
}

static void put_v1(const char *dir)
{
	char path[512];
	static const char *const file[][2] = {
		{ "cpu,cpuacct", "cpuacct.usage\0" "5000011\n" },
		{ "cpu,cpuacct", "cpuacct.usage_user\0" "3000005\n" },
		{ "cpu,cpuacct", "cpuacct.usage_sys\0" "2000006\n" },
		{ "cpu,cpuacct", "cpu.stat\0" "nr_periods 7\nnr_throttled 2\nthrottled_time 1234567\n" },
		{ "memory", "memory.stat\0" "cache 1\nrss 2\ntotal_cache 20480\ntotal_rss 40960\ntotal_rss_huge 0\n" },
		{ "memory", "memory.usage_in_bytes\0" "61440\n" },
		{ "memory", "memory.limit_in_bytes\0" "1048576\n" },
	};

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		snprintf(path, sizeof(path), CG "%s/%s/%s", file[i][0], dir, file[i][1]);
		tree_put(path, "%s", file[i][1] + strlen(file[i][1]) + 1);
	}
}

static void put_net(unsigned pid, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "proc/%u/ns/net", pid);
	tree_put(path, " ");
	snprintf(path, sizeof(path), "proc/%u/net/dev", pid);
	tree_put(path, "Inter-|   Receive                                                |  Transmit\n"
		       " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo\n%s", text);
	tree_put("proc/self/ns/net", " ");
}

static uint64_t inode(const char *path)
{
	struct stat st;

	return stat(tree_path(path), &st) ? 0 : st.st_ino;
}

static struct cb_account *opened(struct cb_hiers **h, const char *id, uint32_t pid, uint32_t pidns)
{
	static struct cb_cont c;

	c.id = (char *)id;
	c.cgroup = "/docker/" ID1;
	*h = cb_hiers_new(tree);
	return cb_account_open(*h, &c, pid, pidns);
}

static void closed(struct cb_hiers *h, struct cb_account *a)
{
	cb_account_close(a);
	cb_hiers_free(h);
}

static void test_v2(void **state)
{
	__u64 usage = 0, limit = 7;
	struct cb_account *a;
	struct cb_usage u;
	struct cb_hiers *h;

	tree_put("proc/1/mountinfo", V2_MOUNT);
	tree_proc(40, 1, "40\t1", "/docker/" ID1);
	tree_proc(1, 0, "1", "/init.scope");
	put_v2("docker/" ID1);
	a = opened(&h, ID1, 40, 0);
	cb_account_read(a, true, true, &u);
	assert_true(u.has_cpu && u.has_throttled && u.has_split && u.has_disk && !u.has_net);
	assert_int_equal(u.cpu_ns, 3000007000);
	assert_int_equal(u.user_ns, 2000003000);
	assert_int_equal(u.system_ns, 1000004000);
	assert_int_equal(u.throttled, 3);
	assert_int_equal(u.throttled_ns, 17000);
	assert_int_equal(u.anon, 4096);
	assert_int_equal(u.file, 8192);
	assert_int_equal(u.read_bytes, 108);
	assert_int_equal(u.write_bytes, 222);
	assert_int_equal(cb_account_memory(a, &usage, &limit), 0);
	assert_int_equal(usage, 12288);
	assert_int_equal(limit, 0);
	assert_int_equal(cb_account_memory_id(a), inode(CG "docker/" ID1));
	/* kept open and read anew */
	tree_put(CG "docker/" ID1 "/cpu.stat", "usage_usec 4\nuser_usec 3\nsystem_usec 1\n");
	cb_account_read(a, true, false, &u);
	assert_int_equal(u.cpu_ns, 4000);
	assert_false(u.has_split);
	closed(h, a);
}

static void test_v1(void **state)
{
	struct cb_account *a;
	struct cb_usage u;
	struct cb_hiers *h;
	__u64 usage, limit;

	tree_put("proc/1/mountinfo", V1_MOUNT);
	tree_proc(40, 1, "40\t1", "/");
	tree_proc(1, 0, "1", "/");
	tree_put("proc/40/cgroup", V1_LINES, "/docker/" ID1);
	tree_put("proc/1/cgroup", V1_LINES, "/");
	put_v1("docker/" ID1);
	a = opened(&h, ID1, 40, 0);
	cb_account_read(a, true, true, &u);
	assert_true(u.has_cpu && u.has_throttled && u.has_split && !u.has_disk);
	assert_int_equal(u.cpu_ns, 5000011);
	assert_int_equal(u.user_ns, 3000005);
	assert_int_equal(u.system_ns, 2000006);
	assert_int_equal(u.throttled, 2);
	assert_int_equal(u.throttled_ns, 1234567);
	assert_int_equal(u.anon, 40960);
	assert_int_equal(u.file, 20480);
	assert_int_equal(cb_account_memory(a, &usage, &limit), 0);
	assert_int_equal(usage, 61440);
	assert_int_equal(limit, 1048576);
	assert_int_equal(cb_account_memory_id(a), inode(CG "memory/docker/" ID1));
	closed(h, a);
}

/* CPU from v2, which needs no controller there; memory and quota from v1. */
static void test_hybrid(void **state)
{
	struct cb_account *a;
	struct cb_usage u;
	struct cb_hiers *h;

	tree_put("proc/1/mountinfo", "%s35 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", V1_MOUNT);
	tree_proc(40, 1, "40\t1", "/");
	tree_proc(1, 0, "1", "/");
	tree_put("proc/40/cgroup", V1_LINES "0::%1$s\n", "/docker/" ID1);
	put_v1("docker/" ID1);
	tree_put(CG "unified/docker/" ID1 "/cpu.stat", "usage_usec 9\nuser_usec 5\nsystem_usec 4\n");
	a = opened(&h, ID1, 40, 0);
	cb_account_read(a, true, true, &u);
	assert_int_equal(u.cpu_ns, 9000);
	assert_int_equal(u.throttled, 2);
	assert_int_equal(u.anon, 40960);
	assert_false(u.has_disk);
	closed(h, a);
}

/* systemd inside made folders below; another's folder, or one's own with a path to nowhere, is not taken. */
static void test_which_folder(void **state)
{
	static const struct {
		const char *id, *own, *parent;
		bool has;
	} t[] = {
		{ ID1, "/docker/" ID1 "/init.scope", "/system.slice", true },
		{ ID1, "/machine.slice/libpod-" ID1 ".scope/container", "/", true },
		{ "web", "/web", "/", true },
		{ "", "/web", "/", true },
		{ ID1, "/", "/", false },
		{ "", "/user.slice/session-3.scope", "/user.slice/session-3.scope", false },
		{ "", "/../web", "/", false },
		{ "", "/linked", "/", false },
	};
	struct cb_hiers *h;
	struct cb_usage u;

	tree_put("proc/1/mountinfo", V2_MOUNT);
	put_v2("docker/" ID1);
	put_v2("machine.slice/libpod-" ID1 ".scope");
	put_v2("web");
	put_v2("user.slice/session-3.scope");
	assert_int_equal(symlink("web", tree_path(CG "linked")), 0);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct cb_account *a;

		tree_proc(40, 30, "40\t1", t[i].own);
		tree_proc(30, 1, "30", t[i].parent);
		a = opened(&h, t[i].id, 40, 0);
		cb_account_read(a, true, true, &u);
		if (u.has_cpu != t[i].has || !cb_account_memory_id(a) == t[i].has)
			fail_msg("%s: has_cpu %d", t[i].own, u.has_cpu);
		closed(h, a);
	}
}

/* The process is gone, or its number is another's: by the path the container is known for, if it is an engine's. */
static void test_gone(void **state)
{
	struct cb_hiers *h;
	struct cb_account *a;
	struct cb_usage u;

	tree_put("proc/1/mountinfo", V2_MOUNT);
	put_v2("docker/" ID1);
	put_v2("another");
	a = opened(&h, ID1, 40, 0);
	cb_account_read(a, true, false, &u);
	assert_true(u.has_cpu);
	closed(h, a);
	a = opened(&h, "", 40, 0);
	cb_account_read(a, true, false, &u);
	assert_false(u.has_cpu);
	closed(h, a);

	tree_proc(40, 1, "40\t1", "/another");
	tree_proc(1, 0, "1", "/");
	tree_put("proc/40/ns/pid", " ");
	put_net(40, "  eth0: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n");
	a = opened(&h, "", 40, inode("proc/40/ns/pid") + 1);
	cb_account_read(a, true, false, &u);
	assert_false(u.has_cpu || u.has_net);
	closed(h, a);
	a = opened(&h, "", 40, inode("proc/40/ns/pid"));
	cb_account_read(a, true, false, &u);
	assert_true(u.has_cpu && u.has_net);
	closed(h, a);
}

/* The tool in a container sees a part of the hierarchy. */
static void test_part_mounted(void **state)
{
	struct cb_hiers *h;
	struct cb_account *a;
	struct cb_usage u;

	tree_put("proc/1/mountinfo", "31 24 0:27 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	put_v2("inner");
	tree_proc(1, 0, "1", "/outer");
	tree_proc(40, 1, "40\t1", "/outer/inner");
	a = opened(&h, "", 40, 0);
	cb_account_read(a, true, false, &u);
	assert_true(u.has_cpu);
	closed(h, a);
	tree_proc(40, 1, "40\t1", "/outerinner");
	a = opened(&h, "", 40, 0);
	cb_account_read(a, true, false, &u);
	assert_false(u.has_cpu);
	closed(h, a);
}

static void test_net(void **state)
{
	struct cb_hiers *h;
	struct cb_account *a;
	struct cb_usage u;

	tree_put("proc/1/mountinfo", V2_MOUNT);
	tree_proc(1, 0, "1", "/");
	tree_proc(40, 1, "40\t1", "/web");
	put_net(40, "    lo: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0\n"
		    "  eth0:   101      2    0    3    0     0          0         0      211       5    0    7    0     0       0          0\n"
		    "lo1: 13 1 0 0 0 0 0 0 17 1 0 0 0 0 0 0\n");
	a = opened(&h, "", 40, 0);
	assert_false(cb_account_host_net(a));
	cb_account_read(a, true, false, &u);
	assert_true(u.has_net);
	assert_int_equal(u.rx_bytes, 114);
	assert_int_equal(u.rx_packets, 3);
	assert_int_equal(u.rx_dropped, 3);
	assert_int_equal(u.tx_bytes, 228);
	assert_int_equal(u.tx_packets, 6);
	assert_int_equal(u.tx_dropped, 7);
	closed(h, a);

	/* one device more than any buffer */
	{
		FILE *f = fopen(tree_path("proc/40/net/dev"), "a");

		for (int i = 0; i < 20000; i++)
			fprintf(f, "veth%d: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n", i);
		fclose(f);
	}
	a = opened(&h, "", 40, 0);
	cb_account_read(a, true, false, &u);
	assert_true(u.has_net && u.rx_bytes > 114);
	closed(h, a);

	/* the host's own */
	unlink(tree_path("proc/40/ns/net"));
	{
		char self[4096];

		strcpy(self, tree_path("proc/self/ns/net"));
		assert_int_equal(link(self, tree_path("proc/40/ns/net")), 0);
	}
	a = opened(&h, "", 40, 0);
	assert_true(cb_account_host_net(a));
	cb_account_read(a, true, false, &u);
	assert_false(u.has_net);
	closed(h, a);
}

static void test_broken(void **state)
{
	struct cb_hiers *h;
	struct cb_account *a;
	struct cb_usage u;

	/* a host without cgroups, without anything */
	a = opened(&h, ID1, 40, 0);
	cb_account_read(a, true, true, &u);
	assert_false(u.has_cpu || u.has_split || u.has_disk || u.has_net || cb_account_memory_id(a));
	closed(h, a);
	/* files that say nothing */
	tree_put("proc/1/mountinfo", V2_MOUNT);
	tree_proc(40, 0, "40\t1", "/web");
	tree_put(CG "web/cpu.stat", "%s", "");
	tree_put(CG "web/memory.stat", "anonymous 7\n anon 5\nfile\n");
	tree_put(CG "web/io.stat", "bytes=");
	put_net(40, "eth0\n:\n  eth1: x\n");
	a = opened(&h, "", 40, 0);
	cb_account_read(a, true, true, &u);
	assert_false(u.has_cpu || u.has_split);
	assert_int_equal(u.read_bytes + u.write_bytes + u.rx_bytes, 0);
	closed(h, a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_v2, tree_new, tree_free),
		cmocka_unit_test_setup_teardown(test_v1, tree_new, tree_free),
		cmocka_unit_test_setup_teardown(test_hybrid, tree_new, tree_free),
		cmocka_unit_test_setup_teardown(test_which_folder, tree_new, tree_free),
		cmocka_unit_test_setup_teardown(test_gone, tree_new, tree_free),
		cmocka_unit_test_setup_teardown(test_part_mounted, tree_new, tree_free),
		cmocka_unit_test_setup_teardown(test_net, tree_new, tree_free),
		cmocka_unit_test_setup_teardown(test_broken, tree_new, tree_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
