// SPDX-License-Identifier: GPL-2.0
/*
 * System call numbers and names. Three spaces in 16 bits: this machine's own table, classes of
 * arguments (0x400 to 0x7ff, "socket:packet"), and with CB_SYSCALL_COMPAT the 32-bit table.
 */
#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include "../bpf/argclass.h"
#include "field.h"

#if defined(__x86_64__)
#define COMPAT_ARCH SCMP_ARCH_X86
#elif defined(__aarch64__)
#define COMPAT_ARCH SCMP_ARCH_ARM
#else
#define COMPAT_ARCH SCMP_ARCH_NATIVE
#endif

#define CLASSES (sizeof(cb_argclasses) / sizeof(cb_argclasses[0]))
#define NAMED (CB_ARGCLASS_BASE + CLASSES) /* none of the numbers from here has a name */
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

	if (nr >= CB_ARGCLASS_BASE) {
		nr -= CB_ARGCLASS_BASE;
		return arch == SCMP_ARCH_NATIVE && nr < CLASSES ? cb_xstrdup(cb_argclasses[nr].name) : NULL;
	}
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
	else
		snprintf(n->s, sizeof(n->s), "%ssyscall_%u", compat ? "compat:" : "", plain);
	n->len = strlen(n->s);
	free(s);
	return n;
}

static const struct name *slow(unsigned nr)
{
	pthread_mutex_lock(&making);
	if (!names[nr])
		__atomic_store_n(&names[nr], make(nr), __ATOMIC_RELEASE);
	pthread_mutex_unlock(&making);
	return names[nr];
}

const char *cb_syscall_name_len(unsigned nr, size_t *len)
{
	const struct name *n;

	if (nr >= NUMBERS)
		nr = CB_SYSCALL_COMPAT - 1; /* no record holds such; the highest stands for them */
	n = __atomic_load_n(&names[nr], __ATOMIC_ACQUIRE);
	if (__builtin_expect(!n, 0))
		n = slow(nr);
	*len = n->len;
	return n->s;
}

const char *cb_syscall_name(unsigned nr)
{
	size_t len;

	return cb_syscall_name_len(nr, &len);
}

size_t cb_syscalls_text_len(const uint16_t *nr, size_t n)
{
	size_t sum = n ? n - 1 : 0, len;

	for (size_t i = 0; i < n; i++) {
		cb_syscall_name_len(nr[i], &len);
		sum += len;
	}
	return sum;
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

/* "syscall_999", and with "compat:" before it; only as cb_syscall_name() writes it. */
static int unnamed(const char *name)
{
	bool compat = !strncmp(name, "compat:", 7);
	const char *digits = name + (compat ? 7 : 0);
	unsigned long nr;
	char *end;

	if (strncmp(digits, "syscall_", 8) || digits[8] < '0' || digits[8] > '9')
		return -1;
	nr = strtoul(digits + 8, &end, 10);
	if (*end || nr >= CB_SYSCALL_COMPAT)
		return -1;
	nr |= compat ? CB_SYSCALL_COMPAT : 0;
	return strcmp(cb_syscall_name(nr), name) ? -1 : (int)nr;
}

int cb_syscall_number(const char *name)
{
	pthread_once(&filled, fill);
	for (unsigned i = hash(name); slot[i]; i = (i + 1) % SLOTS)
		if (!strcmp(cb_syscall_name(slot[i] - 1), name))
			return slot[i] - 1;
	return unnamed(name);
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
