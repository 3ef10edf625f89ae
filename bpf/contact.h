/* SPDX-License-Identifier: GPL-2.0 */
/* Contacts between containers that need no socket: ccontact. */
#ifndef CB_CONTACT_H
#define CB_CONTACT_H
#include "cb.h"

/* what was done; the names are in tools/ccontact.c */
enum {
	CONTACT_SIGNAL = 1,
	CONTACT_PTRACE,
	CONTACT_VM_READ,
	CONTACT_VM_WRITE,
	CONTACT_MADVISE,
	CONTACT_MRELEASE,
	CONTACT_GETFD,
	CONTACT_KCMP,
	CONTACT_MOVE_PAGES,
	CONTACT_MIGRATE_PAGES,
	CONTACT_PERF,
	CONTACT_PRLIMIT,
	CONTACT_AFFINITY,
	CONTACT_SCHEDULER,
	CONTACT_SETNS,
	CONTACT_ROOT,
	CONTACT_MEM,
	CONTACT_MAPS,
	CONTACT_ENVIRON,
	CONTACT_FD,
	CONTACT_WRITE,
	CONTACT_SHARED_READ,
	CONTACT_SHARED_WRITE,
	CONTACT_KINDS
};

/* of CONTACT_ROOT */
#define CONTACT_BY_READ 0x1
#define CONTACT_BY_WRITE 0x2
#define CONTACT_BY_CHDIR 0x4
#define CONTACT_BY_CHROOT 0x8
#define CONTACT_BY_EXEC 0x10

#define CONTACT_NAME 40	      /* of a file in /proc/PID, or one that is shared */
#define CONTACT_UNKNOWN (~0ULL) /* whose namespace it is, user space finds out */

/* How a call says whom it is about. Numbers of arguments, from 1; 0: it has none. */
struct contact_call {
	__u8 what;
	__u8 pid, pid2; /* a number in the caller's pid namespace, */
	__u8 pidfd;	/* a descriptor of a process */
	__u8 num;	/* what is told of it: signal, request, ... */
	__u8 change;	/* a pointer; NULL: it only asks */
	__u8 path;
};
#define CONTACT_QUEUE_CALLS 3
#define CONTACT_CALLS 512

/* What happens again and again is counted under this, in an interval. */
struct contact_key {
	__u64 from, to; /* containers */
	__u64 prog;	/* the file that the acting process runs, or the process */
	__u32 pid;	/* of whom it is done to; 0: not known */
	__u32 num;
	__u32 ns; /* of CONTACT_SETNS; of a shared file its device */
	__u16 what, error;
};

struct contact_note {
	struct cb_head h; /* of the first who did it */
	struct contact_key key;
	__u64 start_ns; /* of whom it was done to */
	__u32 vpid;
	__u32 other; /* there was no room: of any program to any process */
	char comm[CB_COMM];
	char name[CONTACT_NAME];
};

struct contact_count {
	struct contact_note n;
	__u64 count; /* beside those told at once */
};

#define CONTACT_FILES 32768 /* looked at for being shared */
#define CONTACT_TABLE 4096
#define CONTACT_SHARE 512 /* of it for one container ... */
#define CONTACT_SMALL 32  /* ... and when three quarters are used */

struct contact_rec {
	struct cb_head h;
	__u32 target_pid, target_vpid;
	__u32 signal;
	__u32 error;
	char target_comm[CB_COMM];
	char target_container[128];
	char target_id[128];
	char target_image[128];
	char detail[40];
	char contact[160];
	char scope[16];
};

#ifndef __bpf__
CB_SCHEMA(contact, 1, "contacts between containers that need no socket", contact_rec,
	  CB_FIELD(contact_rec, target_container, CB_STR, "target.container.name", "TO", CB_NONE,
		   "container it was done to; empty: the host, or not known (see contact.peer)"),
	  CB_FIELD(contact_rec, target_id, CB_STR, "target.container.id", NULL, CB_NONE, "its id"),
	  CB_FIELD(contact_rec, target_image, CB_STR, "target.container.image.name", NULL, CB_NONE, "its image"),
	  CB_FIELD(contact_rec, target_pid, CB_UINT, "target.process.pid", "TO-PID", CB_NONE,
		   "process it was done to, as the host sees it; 0: not known, or no single one"),
	  CB_FIELD(contact_rec, target_vpid, CB_UINT, "target.process.vpid", NULL, CB_NONE,
		   "the same as its own pid namespace sees it"),
	  CB_FIELD(contact_rec, target_comm, CB_STR, "target.process.name", "TO-NAME", CB_NONE, "its name"),
	  CB_FIELD(contact_rec, signal, CB_SIGNAL, "contact.signal", "SIGNAL", CB_NONE, "signal that was sent"),
	  CB_FIELD(contact_rec, detail, CB_STR, "contact.detail", "DETAIL", CB_NONE,
		   "ptrace request, namespaces, file in /proc/PID, shared file, or how another's files were reached"),
	  CB_FIELD(contact_rec, error, CB_ERRNO, "error.errno", "ERR", CB_NONE, "why it failed"),
	  CB_FIELD(contact_rec, contact, CB_STR, "contact.peer", NULL, CB_SET,
		   "what was done and to which container, host, itself (the same container) or unknown"),
	  CB_FIELD(contact_rec, scope, CB_STR, "contact.scope", NULL, CB_NONE,
		   "between (two containers), to-host, from-host (the host did it to a container: no act of that), inside or unknown"))
#endif
#endif
