/* SPDX-License-Identifier: GPL-2.0 */
/* What this kernel has, asked of it and not of its version, and the constants of task.bpf.h that follow. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "buf.h"
#include "run.h"

#define BTF_FILE "/sys/kernel/btf/vmlinux"

static bool may_load(void)
{
	char line[256];
	unsigned long long caps = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (f)
		fclose(f);
	/* CAP_SYS_ADMIN, or CAP_BPF with CAP_PERFMON */
	return (caps >> 21 & 1) || ((caps >> 39 & 1) && (caps >> 38 & 1));
}

int cb_kernel_check(struct cb_err *e)
{
	if (!may_load())
		return cb_fail(e, -EPERM, "needs root (CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON) to load its probes");
	if (access(BTF_FILE, R_OK))
		return cb_fail(e, -ENOENT, "needs a kernel with type information (CONFIG_DEBUG_INFO_BTF, 5.10 or later): %s: %s",
			       BTF_FILE, strerror(errno));
	return 0;
}

void *cb_kernel_var(struct bpf_object *o, const char *name, size_t size, struct cb_err *e)
{
	static const char *const sections[] = { ".rodata", ".bss", ".data" };
	const struct btf *btf = bpf_object__btf(o);
	size_t room;

	for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++) {
		int id = btf__find_by_name_kind(btf, sections[s], BTF_KIND_DATASEC);
		const struct btf_type *sec = id > 0 ? btf__type_by_id(btf, id) : NULL;
		const struct btf_var_secinfo *v = sec ? btf_var_secinfos(sec) : NULL;

		for (int i = 0; sec && i < btf_vlen(sec); i++, v++) {
			const struct btf_type *t = btf__type_by_id(btf, v->type);
			struct bpf_map *m;
			char *to;

			if (strcmp(btf__name_by_offset(btf, t->name_off), name))
				continue;
			bpf_object__for_each_map(m, o) {
				const char *map = bpf_map__name(m);
				size_t len = strlen(map), want = strlen(sections[s]);

				if (len < want || strcmp(map + len - want, sections[s]))
					continue;
				to = (char *)bpf_map__initial_value(m, &room);
				if (!to || v->offset + size > room || v->size != size)
					break;
				return to + v->offset;
			}
		}
	}
	cb_fail(e, -ENOENT, "probe has no variable %s of %zu bytes", name, size);
	return NULL;
}

int cb_kernel_const(struct bpf_object *o, const char *name, const void *value, size_t size, struct cb_err *e)
{
	void *to = cb_kernel_var(o, name, size, e);

	if (!to)
		return -ENOENT;
	memcpy(to, value, size);
	return 0;
}

/* All names in the kernel's type information, each between NULs. Two megabytes: read once for all that a start asks. */
static struct cb_buf names;

/* Only the names: to make types of it all takes a tenth of a second. False: they cannot be read. */
static bool read_names(void)
{
	struct btf_header h = {};
	int fd = open(BTF_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;
	size_t len = 0;
	char *to;

	if (fd < 0)
		return false;
	if (pread(fd, &h, sizeof(h), 0) == sizeof(h) && h.magic == BTF_MAGIC) {
		to = cb_buf_room(&names, h.str_len);
		while (len < h.str_len && (n = pread(fd, to + len, h.str_len - len, (off_t)h.hdr_len + h.str_off + len)) > 0)
			len += n;
		names.len = len;
	}
	close(fd);
	return names.len > 0;
}

void cb_kernel_forget(void)
{
	cb_buf_free(&names);
}

bool cb_kernel_has_function(const char *name)
{
	/* with the NULs around it; who asks knows that no type or member has that name */
	size_t len = strlen(name) + 2;
	char *whole = cb_xalloc(len);
	bool found;

	memcpy(whole + 1, name, len - 2);
	found = (names.len || read_names()) && memmem(names.s, names.len, whole, len);
	free(whole);
	return found;
}

static uint32_t ns_inode(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/* Is the unified hierarchy in use (v2 or hybrid)? If not, containers are told apart by a v1 one. */
static bool unified_mounted(void)
{
	char line[4096];
	bool found = false;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, " - cgroup2 ") != NULL;
	if (f)
		fclose(f);
	return found;
}

/* Numbers of v1 controllers depend on how the kernel was configured. */
static int v1_subsystem(struct cb_err *e)
{
	static const char *const wanted[] = { "pids_cgrp_id", "memory_cgrp_id", "cpuacct_cgrp_id" };
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "cgroup_subsys_id", BTF_KIND_ENUM) : -1, ret = -1;
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (size_t n = 0; t && ret < 0 && n < sizeof(wanted) / sizeof(wanted[0]); n++)
		for (int i = 0; i < btf_vlen(t); i++)
			if (!strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off), wanted[n]))
				ret = btf_enum(t)[i].val;
	btf__free(btf);
	if (ret < 0)
		return cb_fail(e, -ENOENT, "this kernel has neither a cgroup2 mount nor a pids, memory or cpuacct controller");
	return ret;
}

static int set_place(struct bpf_object *o, struct cb_err *e)
{
	uint32_t pidns = ns_inode("/proc/self/ns/pid"), mntns = ns_inode("/proc/self/ns/mnt"), self = getpid();
	int err;

	err = cb_kernel_const(o, "cb_pidns", &pidns, sizeof(pidns), e);
	if (!err)
		err = cb_kernel_const(o, "cb_mntns", &mntns, sizeof(mntns), e);
	return err ? err : cb_kernel_const(o, "cb_self_ns", &self, sizeof(self), e);
}

static int set_cgroups(struct bpf_object *o, struct cb_err *e)
{
	bool v1 = !unified_mounted();
	int subsys, err;

	if (!v1)
		return 0;
	subsys = v1_subsystem(e);
	if (subsys < 0)
		return subsys;
	err = cb_kernel_const(o, "cb_v1", &v1, sizeof(v1), e);
	return err ? err : cb_kernel_const(o, "cb_v1_subsys", &subsys, sizeof(subsys), e);
}

int cb_kernel_prepare(struct bpf_object *o, bool all, struct cb_err *e)
{
	bool storage = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, NULL) == 1;
	struct bpf_map *m;
	int err;

	m = bpf_object__find_map_by_name(o, storage ? "cb_states_tid" : "cb_states");
	if (m)
		bpf_map__set_autocreate(m, false);
	err = cb_kernel_const(o, "cb_storage", &storage, sizeof(storage), e);
	if (!err)
		err = cb_kernel_const(o, "cb_all", &all, sizeof(all), e);
	if (!err)
		err = set_place(o, e);
	if (!err)
		err = set_cgroups(o, e);
	return err;
}

int cb_kernel_ring(struct bpf_object *o, uint64_t bytes, struct cb_err *e)
{
	struct bpf_map *m = bpf_object__find_map_by_name(o, "cb_events");
	int err = m ? bpf_map__set_max_entries(m, bytes) : -ENOENT;

	if (err)
		return cb_fail(e, err, "ring of %llu bytes: %s", (unsigned long long)bytes, strerror(-err));
	return cb_kernel_const(o, "cb_ring", &bytes, sizeof(bytes), e);
}

uint64_t cb_kernel_misses(struct bpf_object *o)
{
	struct bpf_program *p;
	uint64_t sum = 0;

	bpf_object__for_each_program(p, o) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (bpf_program__fd(p) >= 0 && !bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
			sum += info.recursion_misses;
	}
	return sum;
}

int cb_kernel_stats(struct bpf_object *o, struct cb_stats *ret, struct cb_err *e)
{
	struct bpf_map *m = bpf_object__find_map_by_name(o, "cb_stats");
	int ncpu = libbpf_num_possible_cpus();
	struct cb_stats *cpu;
	__u32 zero = 0;
	int err;

	if (ncpu < 0)
		return cb_fail(e, ncpu, "number of CPUs: %s", strerror(-ncpu));
	cpu = cb_xalloc(ncpu * sizeof(*cpu));
	err = bpf_map_lookup_elem(bpf_map__fd(m), &zero, cpu);
	memset(ret, 0, sizeof(*ret));
	for (int i = 0; !err && i < ncpu; i++) {
		ret->seen += cpu[i].seen;
		ret->sent += cpu[i].sent;
		ret->lost += cpu[i].lost;
		ret->nostate += cpu[i].nostate;
		ret->life_lost += cpu[i].life_lost;
	}
	free(cpu);
	return err ? cb_fail(e, -errno, "counters of the probe: %s", strerror(errno)) : 0;
}
