/* SPDX-License-Identifier: GPL-2.0 */
/* Paths as names, deepest first. The write position lives in memory, not in a register: verifiers give up otherwise. */
#ifndef CB_PATH_BPF_H
#define CB_PATH_BPF_H

#define CB_PATH_TURNS 48

/* Appends one name; false when the room is used up. */
static __always_inline bool cb_put_name(struct cb_life *l, const char *name)
{
	__u32 pos = *(volatile __u32 *)&l->len;
	long n;

	if (pos >= LIFE_NAMES) {
		l->cut = 1;
		return false;
	}
	n = bpf_probe_read_kernel_str(l->names + pos, 256, name);
	if (n <= 0)
		return false;
	*(volatile __u32 *)&l->len = pos + n;
	return true;
}

/* fs/d_path.c prepend_path(), from a dentry up to root, across mounts. */
static __always_inline void cb_walk_dentry(struct cb_life *l, struct dentry *d, struct vfsmount *vm,
					   struct dentry *rd, struct vfsmount *rm)
{
	l->len = 0;
	l->cut = 0;
	for (int i = 0; i < CB_PATH_TURNS; i++) {
		struct dentry *parent;

		if (d == rd && vm == rm)
			return;
		parent = BPF_CORE_READ(d, d_parent);
		if (d == BPF_CORE_READ(vm, mnt_root) || d == parent) {
			struct mount *m = (void *)vm - bpf_core_field_offset(struct mount, mnt);
			struct mount *up = BPF_CORE_READ(m, mnt_parent);

			if (up == m) {
				/* no place in the tree: a memfd still has a name */
				if (!l->len && d != BPF_CORE_READ(vm, mnt_root))
					cb_put_name(l, (const char *)BPF_CORE_READ(d, d_name.name));
				return;
			}
			d = BPF_CORE_READ(m, mnt_mountpoint);
			vm = (void *)up + bpf_core_field_offset(struct mount, mnt);
			continue;
		}
		if (!cb_put_name(l, (const char *)BPF_CORE_READ(d, d_name.name)))
			return;
		d = parent;
	}
	l->cut = 1;
}

static __always_inline void cb_walk_file(struct cb_life *l, struct file *f, struct task_struct *t)
{
	struct fs_struct *fs = BPF_CORE_READ(t, fs);

	cb_walk_dentry(l, BPF_CORE_READ(f, f_path.dentry), BPF_CORE_READ(f, f_path.mnt),
		       BPF_CORE_READ(fs, root.dentry), BPF_CORE_READ(fs, root.mnt));
}

/* kernfs_node.parent was renamed; css.parent has not moved. */
static __always_inline void cb_walk_cgroup(struct cb_life *l, struct cgroup *cg)
{
	l->len = 0;
	l->cut = 0;
	for (int i = 0; i < 24; i++) {
		struct cgroup_subsys_state *up = BPF_CORE_READ(cg, self.parent);

		if (!up)
			return; /* the root has no name */
		if (!cb_put_name(l, BPF_CORE_READ(cg, kn, name)))
			return;
		cg = BPF_CORE_READ(up, cgroup);
	}
	l->cut = 1;
}
#endif
