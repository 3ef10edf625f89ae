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

enum cb_path_step {
	CB_PATH_ROOT,	  /* that was all */
	CB_PATH_NAME,	  /* its name goes before the others */
	CB_PATH_MOUNT,	  /* on to what it is mounted on */
	CB_PATH_OUTSIDE,  /* mounted nowhere that the root can see */
	CB_PATH_DETACHED, /* in no tree, as pipes and memory files; it may have a name of its own */
};

/* One step of fs/d_path.c prepend_path(): from an entry towards the root, across mounts. */
static __always_inline enum cb_path_step cb_path_step(struct dentry **d, struct vfsmount **vm, struct dentry *root,
						      struct vfsmount *root_vm, const unsigned char **name)
{
	struct dentry *at = *d, *up;
	struct mount *m, *over;

	if (at == root && *vm == root_vm)
		return CB_PATH_ROOT;
	up = BPF_CORE_READ(at, d_parent);
	if (at != BPF_CORE_READ(*vm, mnt_root)) {
		*name = BPF_CORE_READ(at, d_name.name);
		*d = up;
		return at == up ? CB_PATH_DETACHED : CB_PATH_NAME;
	}
	m = (void *)*vm - bpf_core_field_offset(struct mount, mnt);
	over = BPF_CORE_READ(m, mnt_parent);
	if (over == m)
		return CB_PATH_OUTSIDE;
	*d = BPF_CORE_READ(m, mnt_mountpoint);
	*vm = (void *)over + bpf_core_field_offset(struct mount, mnt);
	return CB_PATH_MOUNT;
}

static __always_inline void cb_walk_dentry(struct cb_life *l, struct dentry *d, struct vfsmount *vm,
					   struct dentry *root, struct vfsmount *root_vm)
{
	const unsigned char *name = NULL;

	l->len = 0;
	l->cut = 0;
	for (int i = 0; i < CB_PATH_TURNS; i++) {
		enum cb_path_step step = cb_path_step(&d, &vm, root, root_vm, &name);

		if (step == CB_PATH_MOUNT)
			continue;
		if (step == CB_PATH_DETACHED && !l->len)
			cb_put_name(l, (const char *)name);
		if (step != CB_PATH_NAME || !cb_put_name(l, (const char *)name))
			return;
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
