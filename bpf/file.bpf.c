/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What watched tasks do to files, at the exits of the calls that do it. The registers are still the caller's
 * there and what it named is in memory, so nothing is needed at their entry. What is done again and again is
 * counted before any path is made of it: a file is known by its directory entry and its mount.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "filenote.h"

const volatile bool every = false;	 /* each time, uncounted */
const volatile bool only_failed = false; /* -x */
const volatile bool fs_paths = false;	 /* --host-path */
const volatile __u64 seed = 0;
const volatile struct file_call calls[FILE_CALLS] = {};

#define CB_STATE_DATA                                                                                                  \
	__u64 who;     /* container and program, 0: not looked at yet */                                               \
	__u32 partly;  /* FILE_32BIT when that was told */

struct cb_state;
struct task_struct;
static __always_inline void file_exec(struct cb_state *s, struct task_struct *t);
static __always_inline void file_exit(struct cb_state *s);
static __always_inline void file_look(struct cb_state *s, struct task_struct *t);

#define CB_ON_EXEC(ctx, s, t, bprm) file_exec(s, t)
#define CB_ON_EXIT(ctx, s, t, last) file_exit(s)
#define CB_PEEK(seq, s, t) file_look(s, t)

#include "task.bpf.h"
#include "call.bpf.h"

#define TURN_KEY struct file_key
#define TURN_COUNT struct file_count
#define TURN_TABLE FILE_TABLE
#include "turn.bpf.h"

_Static_assert(2 * FILE_ASKED + 3 * (FILE_NAMES + 256) < FILE_DATA - 256, "a note has room for its paths");

#define FMODE_READ 0x1
#define FMODE_WRITE 0x2
#define FMODE_PATH 0x4000
#define FMODE_CREATED 0x100000
#define AT_FDCWD -100
#define AT_REMOVEDIR 0x200
#define O_CREAT 0100
#define O_TRUNC 01000
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_SHARED 1
#define MAP_ANONYMOUS 0x20
#define CALL_MASK (FILE_CALLS - 1)

#define SET(where, to) (*(volatile typeof(where) *)&(where) = (to)) /* there and then */

/* of each CPU, of both turns; user space makes it as large */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct file_slot);
} slots SEC(".maps");

/* As numbers: the verifier would not let pointers be mixed. */
struct place {
	__u64 entry, mount;
};

struct name {
	struct place base, base2;
	__u32 len, len2; /* as asked for, in the note one behind the other */
	__u32 num1, num2;
};

/* What the stack has no room for: a note in the making, and of whom; seq: numbers of this CPU's counters */
struct room {
	__u64 seq;
	struct name name;
	struct file_note n;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct room);
} rooms SEC(".maps");

static __always_inline struct room *get_room(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&rooms, &zero);
}

/* ---- paths ---- */

static __always_inline bool put_name(struct file_note *n, __u32 start, const unsigned char *name)
{
	__u32 pos = *(volatile __u32 *)&n->len;
	long len;

	if (pos >= FILE_DATA - 256 || pos - start >= FILE_NAMES) {
		n->bits |= FILE_CUT;
		return false;
	}
	len = bpf_probe_read_kernel_str(n->data + pos, 256, name);
	if (len <= 0)
		return false;
	*(volatile __u32 *)&n->len = pos + len;
	return true;
}

#define TURNS 80 /* names and mounts of one path */

/*
 * From an entry up to the root of the process. A program of its own to the verifier, which then looks at it once;
 * returns the bytes added to the note.
 */
__noinline int walk(__u64 entry, __u64 mount)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct dentry *d = (void *)entry, *root;
	struct vfsmount *vm = (void *)mount, *root_vm;
	const unsigned char *name = NULL;
	struct room *r = get_room();
	__u32 start;

	if (!r)
		return 0;
	start = r->n.len;
	root = BPF_CORE_READ(t, fs, root.dentry);
	root_vm = BPF_CORE_READ(t, fs, root.mnt);
	for (int i = 0; i < TURNS; i++) {
		switch (cb_path_step(&d, &vm, root, root_vm, &name)) {
		case CB_PATH_MOUNT:
			continue;
		case CB_PATH_NAME:
			if (put_name(&r->n, start, name))
				continue;
			return r->n.len - start;
		case CB_PATH_DETACHED:
			r->n.bits |= FILE_ANON;
			put_name(&r->n, start, name);
			return r->n.len - start;
		case CB_PATH_OUTSIDE:
			r->n.bits |= FILE_OUTSIDE;
			return r->n.len - start;
		case CB_PATH_ROOT:
			return r->n.len - start;
		}
	}
	r->n.bits |= FILE_CUT;
	return r->n.len - start;
}

/* The path inside the file system, whatever is mounted where. */
__noinline int walk_fs(__u64 entry)
{
	struct dentry *d = (void *)entry;
	struct room *r = get_room();
	__u32 start;

	if (!r)
		return 0;
	start = r->n.len;
	for (int i = 0; i < TURNS; i++) {
		struct dentry *up = BPF_CORE_READ(d, d_parent);

		if (d == up || !put_name(&r->n, start, BPF_CORE_READ(d, d_name.name)))
			return r->n.len - start;
		d = up;
	}
	r->n.bits |= FILE_CUT;
	return r->n.len - start;
}

/* ---- the caller ---- */

static __always_inline __u32 number(struct pt_regs *regs, __u32 n)
{
	__u64 v = cb_call_argument(regs, n & ~FILE_HOW_POINTER);
	__u64 there = 0;

	if (!(n & FILE_HOW_POINTER))
		return v;
	bpf_probe_read_user(&there, sizeof(there), (void *)v);
	return there;
}

/* Sessions from outside are others than the container's own. */
static __noinline __u64 who(struct cb_state *s)
{
	s->who = cb_mix(s->h.cont, cb_call_program()) << 2 | 1;
	s->who |= s->h.flags & CB_F_ENTERED ? 2 : 0;
	return s->who;
}

/* ---- counting ---- */

/*
 * A container may use half of the table, a quarter for what failed (names that are not there cost nothing), and
 * never what is left when table or ring are nearly full: the rest is for those that use little, so that none can
 * hide what another does.
 */
static __always_inline bool admit(__u64 cont, bool failed, __u32 now)
{
	__u64 whose = cont << 1 | failed;
	struct share *have = bpf_map_lookup_elem(&shares, &whose);
	__u32 n = turn_share(have, now), most = failed ? FILE_TABLE / 4 : FILE_TABLE / 2;

	if (n >= FILE_SMALL) {
		if (!every && (n >= most || turn_full(now)))
			return false;
		if (bpf_ringbuf_query(&cb_events, BPF_RB_AVAIL_DATA) > cb_ring / 4 * 3)
			return false;
	}
	turn_take(have, whose, now);
	return true;
}

static __always_inline struct file_count *make(struct file_key *k, __u64 cont, __u32 now)
{
	struct room *r = get_room();
	struct file_count c = {};

	if (!r || !admit(cont, k->what >> 32, now))
		return NULL;
	c.id = ++r->seq << 12 | bpf_get_smp_processor_id();
	return turn_make(now, k, &c) < 0 ? NULL : turn_find(now, k);
}

static __always_inline void add(struct file_count *c, __u64 n, __u64 bytes, __u32 flags)
{
	__sync_fetch_and_add(&c->count, n);
	if (bytes)
		__sync_fetch_and_add(&c->bytes, bytes);
	if ((c->flags | flags) != c->flags)
		c->flags |= flags;
}

static __always_inline struct file_slot *slot_of(struct file_key *k, __u32 now)
{
	__u64 h = (k->who ^ k->a ^ k->b ^ k->c ^ k->what) * 0x9e3779b97f4a7c15;
	__u32 i = h >> (64 - FILE_SLOT_BITS) | (bpf_get_smp_processor_id() << 1 | (now & 1)) << FILE_SLOT_BITS;

	return bpf_map_lookup_elem(&slots, &i);
}

/* The slot is another's, or busy: the counter itself is asked, and the slot becomes its if the other has left it alone. */
static __noinline bool count_again(struct file_slot *slot, struct file_key *k, __u32 now, __u64 bytes, __u32 flags)
{
	struct file_count *c = turn_find(now, k), *old;

	if (!c || c->told != FILE_TOLD)
		return false;
	if (slot->busy || (slot->count && slot->asked != (__u16)slot->count)) {
		slot->asked = slot->count;
		add(c, 1, bytes, flags);
		return true;
	}
	SET(slot->busy, 1);
	old = slot->count ? turn_find(now, &slot->key) : NULL;
	if (old)
		add(old, slot->count, slot->bytes, slot->flags);
	slot->key = *k;
	slot->count = 1;
	slot->bytes = bytes;
	slot->flags = flags;
	slot->asked = 0;
	SET(slot->busy, 0);
	return true;
}

/* Has it been told of already? Then it is counted, and that is all. */
static __always_inline bool again(struct file_key *k, __u64 bytes, __u32 flags)
{
	struct file_slot *slot;
	__u32 now = turn;

	if (every)
		return false;
	slot = slot_of(k, now);
	if (!slot)
		return false;
	if (slot->key.a != k->a || slot->key.c != k->c || slot->key.what != k->what || slot->key.who != k->who ||
	    slot->key.b != k->b || slot->busy)
		return count_again(slot, k, now, bytes, flags);
	SET(slot->busy, 1);
	slot->count++;
	slot->bytes += bytes;
	slot->flags |= flags;
	SET(slot->busy, 0);
	return true;
}

/* If not: true when a note must be made, with ret the counter it belongs to (NULL: none counts). */
static __always_inline bool first(struct file_key *k, __u64 cont, __u64 bytes, __u32 flags, struct file_count **ret)
{
	struct cb_stats *st = cb_stat();
	struct file_count *c = NULL;
	__u32 now = turn;

	*ret = NULL;
	if (!st)
		return false;
	if (every ? admit(cont, k->what >> 32, now) : (c = turn_find(now, k)) || (c = make(k, cont, now))) {
		if (c)
			add(c, 1, bytes, flags);
		*ret = c;
		return true;
	}
	/* what is counted user space adds to what was seen */
	st->seen++;
	st->lost++;
	st->pending++;
	return false;
}

/* ---- notes ---- */

/* All but the paths. */
static __always_inline struct file_note *begin(struct cb_state *s, __u8 op, __u32 error)
{
	struct room *r = get_room();
	struct task_struct *t = (void *)bpf_get_current_task();

	if (!r)
		return NULL;
	__builtin_memset(&r->n, 0, __builtin_offsetof(struct file_note, data));
	r->n.h = s->h;
	r->n.h.time_ns = bpf_ktime_get_boot_ns();
	r->n.h.uid = BPF_CORE_READ(t, cred, uid.val);
	bpf_core_read(r->n.h.comm, sizeof(r->n.h.comm), &t->comm);
	r->n.op = op;
	r->n.error = error;
	return &r->n;
}

static __always_inline void send(struct file_note *n, struct file_count *c)
{
	__u32 size = __builtin_offsetof(struct file_note, data) + (*(volatile __u32 *)&n->len & (FILE_DATA - 1));
	struct cb_stats *st = cb_stat();

	if (!c) {
		cb_send(n, size, 1, false);
		return;
	}
	n->id = c->id;
	/* what cannot be sent the counter keeps, and the next time it is tried again */
	if (!cb_send(n, size, 0, false)) {
		if (c->told == FILE_MISSED && st)
			st->lost--;
		c->told = FILE_TOLD;
	} else if (!c->told && st) {
		c->told = FILE_MISSED;
		st->lost++;
	}
}

/* In whose mounts the file lies, if not in the caller's own. */
static __always_inline void foreign(struct file_note *n, struct vfsmount *vm)
{
	struct mnt_namespace *there = cb_foreign_mounts(vm);
	__u64 cont = 0;

	if (!there || !cb_mounts_owner(BPF_CORE_READ(there, ns.inum), &cont))
		return;
	if (!cont)
		n->bits |= FILE_HOST;
	else if (cont != n->h.cont)
		n->foreign = cont;
}

static __always_inline void about(struct file_note *n, struct file *f, struct dentry *d, struct vfsmount *vm)
{
	struct inode *in = BPF_CORE_READ(f, f_inode);

	n->ino = BPF_CORE_READ(in, i_ino);
	n->gen = BPF_CORE_READ(in, i_generation);
	n->dev = BPF_CORE_READ(in, i_sb, s_dev);
	n->magic = BPF_CORE_READ(in, i_sb, s_magic);
	n->imode = BPF_CORE_READ(in, i_mode);
	n->fmode = BPF_CORE_READ(f, f_mode);
	foreign(n, vm);
	/* unlinked or renamed over: no longer among the names of its directory */
	if (!BPF_CORE_READ(d, d_hash.pprev) && d != BPF_CORE_READ(d, d_parent))
		n->bits |= FILE_DELETED;
}

/* ---- an open file: what it is, is beyond doubt ---- */

static __always_inline struct place place_of(struct file *f)
{
	struct path path = {};

	if (cb_cast)
		return (struct place){ CB_POINTER(f, file, f_path.dentry), CB_POINTER(f, file, f_path.mnt) };
	bpf_core_read(&path, sizeof(path), &f->f_path);
	return (struct place){ (__u64)path.dentry, (__u64)path.mnt };
}

/* what: operation, how << 8, error << 32 */
static __always_inline void key_of(struct file_key *k, struct cb_state *s, struct file *f, __u64 what)
{
	struct place p = place_of(f);

	k->who = s->who ? s->who : who(s);
	k->what = what;
	k->a = p.entry;
	k->b = p.mount;
	k->c = CB_GET(p.entry, dentry, d_name.hash_len);
}

/* The first time. A function of its own, so that what is done each time stays together in the cache. */
__noinline int opened_first(__u32 fd, __u64 what, __u64 nums, __u64 bytes)
{
	struct task_struct *t;
	struct cb_state *s = cb_current_task(&t);
	struct file_key k = {};
	struct file_count *c;
	struct file_note *n;
	struct place p;
	struct file *f;

	if (!s)
		return 0;
	f = cb_call_file(t, fd);
	if (!f)
		return 0;
	key_of(&k, s, f, what);
	if (!first(&k, s->h.cont, bytes, nums, &c))
		return 0;
	n = begin(s, what, what >> 32);
	if (!n)
		return 0;
	n->num[0] = nums;
	n->num[1] = nums >> 32;
	n->bytes = bytes;
	p = place_of(f);
	about(n, f, (void *)p.entry, (void *)p.mount);
	n->names[0] = walk(p.entry, p.mount);
	if (fs_paths)
		n->fsnames = walk_fs(p.entry);
	send(n, c);
	return 0;
}

static __always_inline int opened(struct cb_state *s, struct file *f, __u32 fd, __u64 what, __u32 num1, __u32 num2, __u64 bytes)
{
	struct file_key k;

	key_of(&k, s, f, what);
	if (again(&k, bytes, num1))
		return 0;
	return opened_first(fd, what, num1 | (__u64)num2 << 32, bytes);
}

/* ---- a name ---- */

/* Of the first len bytes of the note's data. Seeded: names are chosen by whom we watch. */
__noinline __u64 hash_asked(__u32 len)
{
	struct room *r = get_room();
	__u64 h = seed, *word;
	__u32 n = (len + 7) / 8;

	if (!r)
		return 0;
	word = (__u64 *)r->n.data;
	for (__u32 i = 0; i < 2 * FILE_ASKED / 8; i++) {
		if (i >= n)
			break;
		h = cb_mix(h, word[i]);
	}
	return h;
}

static __always_inline struct place working_directory(struct task_struct *t)
{
	struct task_struct *self = (void *)bpf_get_current_task();

	if (cb_cast)
		return (struct place){ CB_POINTER(t->fs, fs_struct, pwd.dentry), CB_POINTER(t->fs, fs_struct, pwd.mnt) };
	return (struct place){ (__u64)BPF_CORE_READ(self, fs, pwd.dentry), (__u64)BPF_CORE_READ(self, fs, pwd.mnt) };
}

/* Where a name begins: nowhere when it is absolute. */
static __always_inline struct place base_of(struct task_struct *t, struct pt_regs *regs, __u32 dir, char first_char)
{
	struct file *f;
	int fd = AT_FDCWD;

	if (first_char == '/' || dir == FILE_TEXT)
		return (struct place){};
	if (dir)
		fd = cb_call_argument(regs, dir);
	if (fd == AT_FDCWD)
		return working_directory(t);
	f = cb_call_file(t, fd);
	return f ? place_of(f) : (struct place){};
}

static __always_inline __u32 asked(struct room *r, __u32 pos, struct pt_regs *regs, __u32 arg)
{
	long len;

	if (!arg)
		return 0;
	/* a bound that older verifiers see too */
	asm volatile("%0 &= %1" : "+r"(pos) : "i"(FILE_ASKED - 1));
	len = bpf_probe_read_user_str(r->n.data + pos, FILE_ASKED, (void *)cb_call_argument(regs, arg));
	return len > 1 && len <= FILE_ASKED ? len - 1 : 0;
}

/* Where names begin on this host is for user space to find out; it is sure only of the root of the container. */
static __always_inline void tell_root(struct file_note *n)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct dentry *root = BPF_CORE_READ(t, fs, root.dentry);

	n->root_dev = BPF_CORE_READ(root, d_sb, s_dev);
	n->fsnames = walk_fs((__u64)root);
}

/* The first time, as opened_first(). */
static __noinline int named_first(struct cb_state *s, struct file_key *k, struct name *name)
{
	struct file_count *c;
	struct file_note *n;

	if (!first(k, s->h.cont, 0, name->num1, &c))
		return 0;
	n = begin(s, k->what, k->what >> 32);
	if (!n)
		return 0;
	n->asked[0] = name->len;
	n->asked[1] = name->len2;
	n->num[0] = name->num1;
	n->num[1] = name->num2;
	n->len = name->len + name->len2;
	if (name->len == FILE_ASKED - 1 || name->len2 == FILE_ASKED - 1)
		n->bits |= FILE_CUT;
	if (name->base.entry)
		n->names[0] = walk(name->base.entry, name->base.mount);
	if (name->base2.entry)
		n->names[1] = walk(name->base2.entry, name->base2.mount);
	if (fs_paths)
		tell_root(n);
	send(n, c);
	return 0;
}

/* A call by name. */
static __noinline int named(struct cb_state *s, struct task_struct *t, struct pt_regs *regs, __u32 nr, __u64 what)
{
	const volatile struct file_call *call = &calls[nr & CALL_MASK];
	struct room *r = get_room();
	struct file_key k;
	struct name *name;
	__u32 len;

	if (!r)
		return 0;
	name = &r->name;
	__builtin_memset(name, 0, sizeof(*name));
	name->len = asked(r, 0, regs, call->path);
	name->base = base_of(t, regs, call->dir, name->len ? r->n.data[0] : 0);
	len = name->len;
	if (call->path2) {
		name->len2 = asked(r, len, regs, call->path2);
		name->base2 = base_of(t, regs, call->dir2, name->len2 ? r->n.data[len & (FILE_ASKED - 1)] : 0);
		len += name->len2;
	}
	if (call->num1)
		name->num1 = number(regs, call->num1);
	if (call->num2)
		name->num2 = number(regs, call->num2);
	*(__u64 *)(r->n.data + (len & (2 * FILE_ASKED - 1))) = 0;
	k.who = s->who ? s->who : who(s);
	k.a = name->base.entry;
	k.b = cb_mix(name->base.mount, name->base2.entry);
	k.c = cb_mix(cb_mix(hash_asked(len), (__u64)name->num1 << 32 | name->num2), name->len);
	k.what = what;
	return again(&k, 0, name->num1) ? 0 : named_first(s, &k, name);
}

/* ---- programs: attached to the exits of the calls that user space has put into the table ---- */

static __always_inline struct cb_state *wanted(struct task_struct **ret)
{
	struct cb_state *s = cb_current_task(ret);

	return s && !(s->h.flags & CB_F_DROP) ? s : NULL;
}

static __always_inline __u32 access_of(__u32 fmode)
{
	return (fmode & (FMODE_READ | FMODE_WRITE)) | (fmode & FMODE_PATH ? 4 : 0);
}

/* num1, num2: arguments with the flags and the mode; of an open that went well nothing else is needed. */
static __always_inline int open_returned(struct trace_event_raw_sys_exit *ctx, __u32 num1, __u32 num2)
{
	struct task_struct *t;
	struct cb_state *s = wanted(&t);
	__u32 fmode, what, flags, mode;
	struct file_key k;
	struct pt_regs *regs;
	long ret = cb_call_result(ctx);
	__u32 nr = ctx->id;
	struct file *f;

	if (!s)
		return 0;
	if (ret < 0)
		return named(s, t, cb_call_regs(t, ctx), nr, FILE_OPEN | (__u64)-ret << 32);
	if (only_failed)
		return 0;
	f = cb_call_file(t, ret);
	if (!f)
		return 0;
	fmode = CB_GET(f, file, f_mode);
	what = (fmode & FMODE_CREATED ? FILE_CREATE : FILE_OPEN) | access_of(fmode) << 8;
	key_of(&k, s, f, what);
	/* opens to read are most of all, and differ in nothing that matters: the flags of the first will do */
	if (!(fmode & FMODE_WRITE) && again(&k, 0, 0))
		return 0;
	regs = cb_call_regs(t, ctx);
	flags = num1 ? number(regs, num1) : 01 | O_CREAT | O_TRUNC;
	if ((fmode & FMODE_WRITE) && again(&k, 0, flags))
		return 0;
	mode = num2 ? number(regs, num2) : 0;
	return opened_first(ret, what, flags | (__u64)mode << 32, 0);
}

SEC("tp")
int file_open(struct trace_event_raw_sys_exit *ctx)
{
	return open_returned(ctx, 2, 3);
}

SEC("tp")
int file_creat(struct trace_event_raw_sys_exit *ctx)
{
	return open_returned(ctx, 0, 2);
}

SEC("tp")
int file_openat(struct trace_event_raw_sys_exit *ctx)
{
	return open_returned(ctx, 3, 4);
}

SEC("tp")
int file_openat2(struct trace_event_raw_sys_exit *ctx)
{
	return open_returned(ctx, 3 | FILE_HOW_POINTER, 0);
}

SEC("tp")
int file_handle(struct trace_event_raw_sys_exit *ctx)
{
	return open_returned(ctx, 3, 0);
}

SEC("tp")
int file_named(struct trace_event_raw_sys_exit *ctx)
{
	long ret = cb_call_result(ctx);
	__u32 nr = ctx->id;
	const volatile struct file_call *call = &calls[nr & CALL_MASK];
	struct task_struct *t;
	struct cb_state *s = wanted(&t);
	struct pt_regs *regs;
	__u64 op = call->op;

	if (!s || (only_failed && ret >= 0))
		return 0;
	regs = cb_call_regs(t, ctx);
	if (op == FILE_UNLINK && call->num1 && cb_call_argument(regs, call->num1) & AT_REMOVEDIR)
		op = FILE_RMDIR;
	return named(s, t, regs, nr, op | (ret < 0 ? -ret : 0) << 32);
}

/* A call on a descriptor: the file it stands for, whether it failed or not. */
SEC("tp")
int file_fd(struct trace_event_raw_sys_exit *ctx)
{
	const volatile struct file_call *call = &calls[ctx->id & CALL_MASK];
	struct task_struct *t;
	struct cb_state *s = wanted(&t);
	__u64 error = ctx->ret < 0 ? -ctx->ret : 0;
	struct pt_regs *regs;
	struct file *f;
	__u32 fd;

	if (!s || (only_failed && !error))
		return 0;
	regs = cb_call_regs(t, ctx);
	fd = cb_call_argument(regs, call->fd);
	f = cb_call_file(t, fd);
	if (!f)
		return 0;
	return opened(s, f, fd, call->op | error << 32, call->num1 ? number(regs, call->num1) : 0,
		      call->num2 ? number(regs, call->num2) : 0, 0);
}

SEC("tp")
int file_map(struct trace_event_raw_sys_exit *ctx)
{
	struct task_struct *t;
	struct cb_state *s = wanted(&t);
	__u64 error = ctx->ret < 0 && ctx->ret > -4096 ? -ctx->ret : 0;
	struct pt_regs *regs;
	__u32 prot, flags, fd, how = 0;
	struct file *f;

	if (!s || (only_failed && !error))
		return 0;
	regs = cb_call_regs(t, ctx);
	prot = cb_call_argument(regs, 3);
	flags = cb_call_argument(regs, 4);
	if (flags & MAP_ANONYMOUS)
		return 0;
	if (prot & PROT_EXEC)
		how |= PROT_EXEC;
	if ((prot & PROT_WRITE) && (flags & MAP_SHARED))
		how |= PROT_WRITE;
	if (!how)
		return 0;
	fd = cb_call_argument(regs, 5);
	f = cb_call_file(t, fd);
	return f ? opened(s, f, fd, FILE_MAP | how << 8 | error << 32, how, 0, 0) : 0;
}

/* ---- --bytes: every call passes here ---- */

SEC("tp_btf/sys_exit")
int BPF_PROG(file_bytes, struct pt_regs *regs, long ret)
{
	const volatile struct file_call *call;
	struct task_struct *t;
	struct cb_state *s;
	struct file *f;
	__u32 fd;
	long nr;

#if defined(__TARGET_ARCH_x86)
	nr = regs->orig_ax;
#else
	nr = BPF_CORE_READ(regs, syscallno);
#endif
	if (nr < 0 || nr >= FILE_CALLS || ret < 0)
		return 0;
	call = &calls[nr & CALL_MASK];
	if (call->op != FILE_READ && call->op != FILE_WRITE)
		return 0;
	s = wanted(&t);
	if (!s || only_failed)
		return 0;
	if (call->fd) {
		fd = cb_call_argument(regs, call->fd);
		f = cb_call_file(t, fd);
		if (f)
			opened(s, f, fd, FILE_READ, 0, 0, ret);
	}
	if (call->fd2) {
		fd = cb_call_argument(regs, call->fd2);
		f = cb_call_file(t, fd);
		if (f)
			opened(s, f, fd, FILE_WRITE, 0, 0, ret);
	}
	return 0;
}

/* ---- ways around ---- */

static __always_inline int partly(struct cb_state *s, __u32 why)
{
	struct file_key k = { .what = FILE_PARTLY | why << 8 };
	struct file_count *c;
	struct file_note *n;

	k.who = s->who ? s->who : who(s);
	if (again(&k, 0, 0) || !first(&k, s->h.cont, 0, 0, &c))
		return 0;
	n = begin(s, FILE_PARTLY, 0);
	if (!n)
		return 0;
	n->num[0] = why;
	send(n, c);
	return 0;
}

SEC("tp")
int file_ring(struct trace_event_raw_sys_exit *ctx)
{
	struct task_struct *t;
	struct cb_state *s = wanted(&t);

	return s && ctx->ret >= 0 && !only_failed ? partly(s, FILE_IO_URING) : 0;
}

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h: in a 32-bit call */

/* By how far its addresses go: the flags that say so have other numbers in each kernel. */
static __always_inline bool small_program(struct task_struct *t)
{
	return BPF_CORE_READ(t, mm, task_size) <= 1ULL << 32;
}

static __always_inline void file_exec(struct cb_state *s, struct task_struct *t)
{
	s->who = 0;
	s->partly = 0;
	s->h.flags &= ~CB_F_COMPAT;
	if (!small_program(t) || (s->h.flags & CB_F_DROP) || only_failed)
		return;
	s->partly = FILE_32BIT;
	partly(s, FILE_32BIT);
}

/* A 64-bit program may make 32-bit calls too: seen when the iterator meets it in one. */
static __always_inline void file_look(struct cb_state *s, struct task_struct *t)
{
#if defined(__TARGET_ARCH_x86)
	if (!s->partly && (t->thread_info.status & TS_COMPAT))
		s->h.flags |= CB_F_COMPAT;
#endif
}

static __always_inline void file_exit(struct cb_state *s)
{
	if ((s->h.flags & (CB_F_COMPAT | CB_F_DROP)) == CB_F_COMPAT && !s->partly && !only_failed) {
		s->partly = FILE_32BIT;
		partly(s, FILE_32BIT);
	}
}
