/* SPDX-License-Identifier: GPL-2.0 */
/* Process starts and ends: cexecsnoop. */
#ifndef CB_EXEC_H
#define CB_EXEC_H
#include "cb.h"

#define EXEC_PATH 512
#define EXEC_LINEAGE 128
#define EXEC_ARGS 1024

struct exec_rec {
	struct cb_head h;
	__u64 caps;
	__u64 lifetime_ns;
	__u32 error;
	__u32 code;
	__u32 signal;
	__u32 gid;
	char origin[16];
	char parent[CB_COMM];
	char requested[EXEC_PATH];
	char lineage[EXEC_LINEAGE];
	char args[EXEC_ARGS]; /* last: only the used part is sent */
};

#ifndef __bpf__
CB_SCHEMA(exec, 1, "process starts, ends and failed execs", exec_rec,
	  CB_FIELD(exec_rec, parent, CB_STR, "process.parent.name", "PARENT", CB_SET, "name of the process that started it"),
	  CB_FIELD(exec_rec, lineage, CB_STR, "process.lineage", NULL, CB_NONE,
		   "names from the parent up to the container's init, nearest first, with < between"),
	  CB_FIELD(exec_rec, caps, CB_CAPS, "process.capabilities.effective", NULL, CB_NONE, "effective capabilities"),
	  CB_FIELD(exec_rec, gid, CB_UINT, "group.id", NULL, CB_NONE, "real group id"),
	  CB_FIELD(exec_rec, origin, CB_STR, "process.executable.origin", "FROM", CB_SET,
		   "image, changed (changed or new since the image), memfd, deleted, or other"),
	  CB_FIELD(exec_rec, requested, CB_PATH, "process.executable.requested", NULL, CB_NONE,
		   "the file as it was asked for (of a script: the script)"),
	  CB_FIELD(exec_rec, error, CB_ERRNO, "error.errno", "ERR", CB_NONE, "why an exec failed"),
	  CB_FIELD(exec_rec, code, CB_UINT, "process.exit_code", "CODE", CB_NONE, "exit status"),
	  CB_FIELD(exec_rec, signal, CB_SIGNAL, "process.exit_signal", "SIG", CB_NONE, "signal that ended it"),
	  CB_FIELD(exec_rec, lifetime_ns, CB_DURATION, "process.lifetime_ns", NULL, CB_NONE, "exit: since the process was made"),
	  CB_FIELD(exec_rec, args, CB_ARGV, "process.command_args", "ARGS", CB_SET, "arguments, cut at 1024 bytes"))
#endif
#endif
