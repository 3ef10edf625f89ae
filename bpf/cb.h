/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the probes and by user space: the head of every record, and the table of its fields. */
#ifndef CB_BPF_H
#define CB_BPF_H

#ifndef __bpf__
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#define CB_COMM 16
#define CB_UNKNOWN (~0ULL) /* in a __u64 of a record that is UINT, DURATION or BYTES: not measured */

/* cb_head.flags */
#define CB_F_ENTERED 0x1 /* the process, or an ancestor inside the container, was put there from outside */
#define CB_F_COMPAT 0x2 /* made at least one 32-bit system call */
#define CB_F_DROP 0x4 /* kernel only: filtered, not recorded */
#define CB_F_CUT 0x8 /* of a record: something did not fit into it */
#define CB_F_FIRST 0x10 /* the first process of its container */

/*
 * First in every record. Times are CLOCK_BOOTTIME nanoseconds; user space turns them into UTC.
 * A container is known by a key made in the kernel (0: the host), a program by the exec that
 * started it, so that both stay right when numbers and names are used again.
 */
struct cb_head {
	__u64 time_ns;
	__u64 cont;	/* container key */
	__u64 exec_id;	/* the exec this process runs since: boot time in ns, unique */
	__u64 start_ns; /* process creation */
	__u32 pid;	/* process (thread group) as the host sees it */
	__u32 tid;
	__u32 vpid;	/* process as its own pid namespace sees it */
	__u32 ppid;
	__u32 uid; /* real user id, host view */
	__u16 kind; /* index into cb_tool.schema[] */
	__u16 flags;
	__u32 lost; /* records (or calls) this CPU could not send since the last it did */
	__u32 pad;
	char comm[CB_COMM];
};

#ifndef __bpf__

/* How bytes become text and back: lib/field.c, the only switch over these. */
enum cb_type {
	CB_UINT,
	CB_INT,
	CB_FLOAT,
	CB_BOOL,
	CB_TIME,     /* UTC in ns since 1970; text RFC 3339 with 9 decimals */
	CB_DURATION, /* ns, plain number */
	CB_BYTES,    /* plain number */
	CB_ERRNO,    /* __u32 or __u16; text is the name, empty on 0 */
	CB_SIGNAL,   /* text is the name, empty on 0 */
	CB_STR,	     /* char[], ends at NUL or at the field's size */
	CB_PATH,     /* as CB_STR */
	CB_ARGV,     /* char[], words end with NUL; must be the last field: its length is what is left of the record */
	CB_SYSCALL,  /* __u16 call number of this machine; text is the name */
	CB_SYSCALLS, /* __u16[], as CB_SYSCALL; must be the last field, length as CB_ARGV */
	CB_HIST,     /* char[]: "LOWER:COUNT ..." */
	CB_CAPS,     /* __u64 capability set; text is 0x... */
	CB_NTYPES
};

/* What ctrain learns of a field and cdetect compares. Changing one changes models: raise the version. */
enum cb_role {
	CB_NONE,  /* carried along */
	CB_SET,	  /* seen before or not: path, peer, executable */
	CB_SEQ,	  /* symbols whose order counts */
	CB_RATE,  /* count in an interval */
	CB_LEVEL, /* value at the end of an interval */
	CB_NROLES
};

struct cb_field {
	const char *name;  /* OpenTelemetry name, else ECS: CSV header, JSON key, --fields */
	const char *title; /* table heading; NULL: only when asked for */
	const char *help;
	enum cb_type type;
	enum cb_role role;
	uint16_t off, size; /* in the record */
};

struct cb_schema {
	const char *name; /* "exec": dataset cbtools.exec */
	unsigned version;
	const char *help;
	size_t size; /* of the whole record */
	const struct cb_field *field;
	size_t nfields;
};

#define CB_FIELD(rec, member, type, name, title, role, help)                                                           \
	{                                                                                                              \
		name, title, help, type, role, offsetof(struct rec, member), sizeof(((struct rec *)0)->member)         \
	}

/*
 * CB_SCHEMA(exec, 1, "program execution", exec_rec, CB_FIELD(...), ...) declares cb_schema_exec; the
 * generated schemas.c defines CB_DEFINE_SCHEMAS first and so holds the one copy of each table.
 */
#ifdef CB_DEFINE_SCHEMAS
#define CB_SCHEMA(id, ver, text, rec, ...)                                                                             \
	static const struct cb_field cb_fields_##id[] = { __VA_ARGS__ };                                               \
	const struct cb_schema cb_schema_##id = { #id, ver, text, sizeof(struct rec), cb_fields_##id,                  \
						  sizeof(cb_fields_##id) / sizeof(cb_fields_##id[0]) };
#else
#define CB_SCHEMA(id, ver, text, rec, ...) extern const struct cb_schema cb_schema_##id;
#endif

#endif /* !__bpf__ */
#endif
