/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System call numbers and names. Five spaces in 16 bits: this machine's own table, classes of arguments (0x400 to
 * 0x7ff, "socket:packet"), io_uring operations (0x800 to 0x8ff, "uring:openat"), names that only recordings of
 * other machines hold (from 0x1000), and with CB_SYSCALL_COMPAT the 32-bit table.
 */
#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include "../bpf/argclass.h"
#include "../bpf/uring.h"
#include "field.h"

#if defined(__x86_64__)
#define COMPAT_ARCH SCMP_ARCH_X86
#elif defined(__aarch64__)
#define COMPAT_ARCH SCMP_ARCH_ARM
#else
#define COMPAT_ARCH SCMP_ARCH_NATIVE
#endif

#define CLASSES (sizeof(cb_argclasses) / sizeof(cb_argclasses[0]))
#define URING (sizeof(cb_uring_ops) / sizeof(cb_uring_ops[0]))
#define NAMED (CB_URING_BASE + URING) /* none of the numbers from here has a name */
#define FOREIGN_BASE 0x1000
#define FOREIGN 2048 /* so many different ones at the most */
#define NUMBERS 0x10000

/* Calls that an older libseccomp does not know; above 402 numbers are the same on every machine. */
#define NEWER_FIRST 450
static const char *const newer[] = {
	"set_mempolicy_home_node", "cachestat", "fchmodat2", "map_shadow_stack", "futex_wake", "futex_wait",
	"futex_requeue", "statmount", "listmount", "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules",
	"mseal", "setxattrat", "getxattrat", "listxattrat", "removexattrat", "open_tree_attr", "file_getattr",
	"file_setattr",
};

struct name {
	size_t len;
	char s[CB_SYSCALL_MAXNAME];
};

/* Made when first asked for, kept for ever: any of the numbers may come, as a container chooses them. */
static struct name *names[NUMBERS];
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

/* Known name of a number without the compat bit, to be freed; NULL if it has none. */
static char *known(unsigned nr, uint32_t arch)
{
	char *s;

	if (nr >= CB_ARGCLASS_BASE && arch != SCMP_ARCH_NATIVE)
		return NULL;
	if (nr >= CB_URING_BASE)
		return nr < NAMED ? cb_xasprintf("uring:%s", cb_uring_ops[nr - CB_URING_BASE]) : NULL;
	if (nr >= CB_ARGCLASS_BASE)
		return nr < CB_ARGCLASS_BASE + CLASSES ? cb_xstrdup(cb_argclasses[nr - CB_ARGCLASS_BASE].name) : NULL;
	s = seccomp_syscall_resolve_num_arch(arch, nr);
	if (!s && nr >= NEWER_FIRST && nr - NEWER_FIRST < sizeof(newer) / sizeof(newer[0]))
		s = cb_xstrdup(newer[nr - NEWER_FIRST]);
	return s;
}

static struct name *make(unsigned nr)
{
	bool compat = nr & CB_SYSCALL_COMPAT;
	unsigned plain = nr & ~CB_SYSCALL_COMPAT;
	char *s = known(plain, compat ? COMPAT_ARCH : SCMP_ARCH_NATIVE);
	struct name *n = cb_xalloc(sizeof(*n));

	if (s)
		snprintf(n->s, sizeof(n->s), "%s%s", compat ? "compat:" : "", s);
	else if (!compat && plain >= CB_URING_BASE && plain < CB_URING_BASE + CB_URING_OPS)
		snprintf(n->s, sizeof(n->s), "uring:op_%u", plain - CB_URING_BASE);
	else
		snprintf(n->s, sizeof(n->s), "%ssyscall_%u", compat ? "compat:" : "", plain);
	n->len = strlen(n->s);
	free(s);
	return n;
}

/* Out of line: what it saves on the stack is not for each name to pay. */
static __attribute__((noinline, cold)) const struct name *slow(unsigned nr)
{
	pthread_mutex_lock(&making);
	if (!names[nr])
		__atomic_store_n(&names[nr], make(nr), __ATOMIC_RELEASE);
	pthread_mutex_unlock(&making);
	return names[nr];
}

static inline const struct name *name_of(uint16_t nr)
{
	const struct name *n = __atomic_load_n(&names[nr], __ATOMIC_ACQUIRE);

	return __builtin_expect(!n, 0) ? slow(nr) : n;
}

const char *cb_syscall_name_len(unsigned nr, size_t *len)
{
	/* no record holds a larger number; the highest stands for them */
	const struct name *n = name_of(nr < NUMBERS ? nr : CB_SYSCALL_COMPAT - 1);

	*len = n->len;
	return n->s;
}

const char *cb_syscall_name(unsigned nr)
{
	size_t len;

	return cb_syscall_name_len(nr, &len);
}

size_t cb_syscalls_fit(const uint16_t *nr, size_t n, size_t max)
{
	size_t len = 0, i;

	for (i = 0; i < n; i++) {
		len += name_of(nr[i])->len + !!i;
		if (i && len > max)
			break;
	}
	return i;
}

/* Copies of fixed size, and what is too much is overwritten. */
size_t cb_syscalls_text(const void *nr, size_t n, char *to)
{
	const struct name *name;
	char *p = to;
	uint16_t v;

	for (size_t i = 0; i < n; i++) {
		memcpy(&v, (const char *)nr + i * sizeof(v), sizeof(v));
		name = name_of(v);
		memcpy(p, name->s, 16);
		if (__builtin_expect(name->len > 16, 0))
			memcpy(p + 16, name->s + 16, CB_SYSCALL_MAXNAME - 16);
		p += name->len;
		*p++ = ' ';
	}
	p -= !!n;
	*p = 0;
	return p - to;
}

/* ---- name to number: a hash of all that have a name, open addressing, never more than half full ---- */
#define SLOTS 8192
static uint16_t slot[SLOTS]; /* number + 1 would not fit 0xffff, which has no name; 0: free */
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static unsigned hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return (h ^ h >> 15) % SLOTS;
}

static void fill_one(unsigned nr)
{
	const char *name = cb_syscall_name(nr);
	unsigned i;

	for (i = hash(name); slot[i]; i = (i + 1) % SLOTS)
		if (!strcmp(cb_syscall_name(slot[i] - 1), name))
			return; /* the lowest number of a name is meant */
	slot[i] = nr + 1;
}

static void fill(void)
{
	for (unsigned nr = 0; nr < NAMED; nr++) {
		char *s = known(nr, SCMP_ARCH_NATIVE);

		if (s)
			fill_one(nr);
		free(s);
		s = known(nr, COMPAT_ARCH);
		if (s)
			fill_one(nr | CB_SYSCALL_COMPAT);
		free(s);
	}
}

/* "syscall_999", with "compat:" before it, or "uring:op_99"; only as cb_syscall_name() writes it. */
static int unnamed(const char *name)
{
	bool compat = !strncmp(name, "compat:", 7), ring = !strncmp(name, "uring:op_", 9);
	const char *digits = name + (compat ? 7 : 0) + (ring ? 9 : 8);
	unsigned long nr;
	char *end;

	if ((!ring && strncmp(name + (compat ? 7 : 0), "syscall_", 8)) || digits[0] < '0' || digits[0] > '9')
		return -1;
	nr = strtoul(digits, &end, 10);
	if (*end || nr >= (ring ? CB_URING_OPS : CB_SYSCALL_COMPAT))
		return -1;
	nr += ring ? CB_URING_BASE : 0;
	nr |= compat ? CB_SYSCALL_COMPAT : 0;
	return strcmp(cb_syscall_name(nr), name) ? -1 : (int)nr;
}

static int find(const char *name, unsigned *ret_slot)
{
	unsigned i;

	for (i = hash(name); slot[i]; i = (i + 1) % SLOTS)
		if (!strcmp(cb_syscall_name(slot[i] - 1), name))
			return slot[i] - 1;
	*ret_slot = i;
	return -1;
}

int cb_syscall_number(const char *name)
{
	unsigned free_slot;
	int nr;

	pthread_once(&filled, fill);
	nr = find(name, &free_slot);
	return nr >= 0 ? nr : unnamed(name);
}

static bool is_symbol(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:");

	return n && !name[n] && n < CB_SYSCALL_MAXNAME && (name[0] < '0' || name[0] > '9');
}

/* Not called while names are looked up in another thread: recordings are replayed by one. */
int cb_syscall_symbol(const char *name)
{
	static unsigned foreign;
	unsigned free_slot;
	int nr = cb_syscall_number(name);
	struct name *n;

	while (foreign < FOREIGN && names[FOREIGN_BASE + foreign])
		foreign++;
	if (nr >= 0 || foreign == FOREIGN || !is_symbol(name))
		return nr;
	n = cb_xalloc(sizeof(*n));
	n->len = strlen(name);
	memcpy(n->s, name, n->len + 1);
	nr = FOREIGN_BASE + foreign++;
	names[nr] = n;
	find(name, &free_slot);
	slot[free_slot] = nr + 1;
	return nr;
}

/* Lines of a call, or 0 where one of them asks for more than a value of the first argument. */
static int spreadable(const char *call)
{
	int n = 0;

	for (size_t i = 0; i < CLASSES; i++) {
		const struct cb_argclass *a = &cb_argclasses[i];

		if (strcmp(a->call, call))
			continue;
		if (a->arg || a->deref || a->mask != 0xffffffff)
			return 0;
		n++;
	}
	return n;
}

/* Where lines of a call begin: its own place, or for a call with many that of the value in its spread. */
static uint8_t *argclass_place(struct cb_argtable *table, const struct cb_argclass *a, int nr, int *spreads)
{
	uint8_t *first = &table->first[nr];

	if (!*first && *spreads < CB_ARGCLASS_SPREADS && spreadable(a->call) > 2)
		*first = CB_ARGCLASS_MAX + 1 + (*spreads)++;
	if (*first <= CB_ARGCLASS_MAX)
		return first;
	return &table->spread[*first - CB_ARGCLASS_MAX - 1][a->value & (CB_ARGCLASS_SPREAD - 1)];
}

void cb_argclass_rules(struct cb_argtable *table, struct cb_argrule *rule)
{
	int spreads = 0;

	_Static_assert(CLASSES <= CB_ARGCLASS_MAX, "argument classes");
	for (size_t i = CLASSES; i-- > 0;) { /* backwards, so that a chain is in the order of the table */
		const struct cb_argclass *a = &cb_argclasses[i];
		int nr = cb_syscall_number(a->call);
		uint8_t *place;

		if (nr < 0 || nr >= CB_ARGCLASS_CALLS)
			continue; /* not a call of this machine */
		place = argclass_place(table, a, nr, &spreads);
		rule[i].mask = a->mask;
		rule[i].value = a->value;
		rule[i].arg = a->arg;
		rule[i].deref = a->deref;
		rule[i].next = *place;
		*place = i + 1;
	}
}
