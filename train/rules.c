/* SPDX-License-Identifier: GPL-2.0 */
#include <fnmatch.h>
#include <string.h>
#include "rules.h"

#define FILES "cbtools.file"
#define CONTACTS "cbtools.contact"

static const struct cb_rule rules[] = {
	{ "other-shadow", FILES, "access", "T1003.008", "passwords of the host or of another container were opened",
	  { { "file.foreign", "?*" }, { "file.foreign", "!shared" }, { "file.path", "*/etc/*shadow*" } } },
	{ "mounted-shadow", FILES, "access", "T1003.008", "passwords of another system were opened, below a mount",
	  { { "file.path", "?*/etc/shadow" }, { "error.errno", "" } } },
	{ "host-root", FILES, "access", "T1611", "a file was reached in the mounts of the host",
	  { { "file.foreign", "host" }, { "file.flags", "*write*" } } },
	{ "release-agent", FILES, "access", "T1611", "a program was named that the kernel is to run on the host",
	  { { "file.path", "*/release_agent" }, { "file.flags", "*write*" } } },
	{ "core-pattern", FILES, "access", "T1611", "a program was named that the kernel is to run on the host",
	  { { "file.path", "/proc/sys/kernel/core_pattern" }, { "file.flags", "*write*" } } },
	{ "preload", FILES, "access", "T1574.006", "a library was named that all programs are to load",
	  { { "file.path", "*/etc/ld.so.preload" }, { "file.flags", "*write*" } } },
	{ "load-module", "cbtools.syscall", "syscall", "T1547.006", "a module was given to the kernel",
	  { { "syscall.name", "*init_module" }, { "container.id", "?*" } } },
	{ "ptrace-other", CONTACTS, "syscall", "T1055.008", "a process of another container was traced",
	  { { "event.action", "ptrace" }, { "contact.peer", "!* itself" }, { "container.id", "?*" } } },
	{ "write-other", CONTACTS, "syscall", "T1055", "memory of another container's process was written",
	  { { "event.action", "process_vm_writev" }, { "contact.peer", "!* itself" }, { "container.id", "?*" } } },
	{ "memory-other", CONTACTS, "access", "T1055.009", "memory of another container's process was opened",
	  { { "event.action", "proc_mem" }, { "contact.peer", "!* itself" }, { "container.id", "?*" } } },
};
#define NRULES (sizeof(rules) / sizeof(rules[0]))

bool cb_rules_any(const char *dataset)
{
	size_t i;

	for (i = 0; i < NRULES; i++)
		if (!strcmp(rules[i].dataset, dataset))
			return true;
	return false;
}

static bool fits(struct cb_names *names, const struct cb_row *row, const struct cb_rule *r)
{
	const char *text, *pattern;
	size_t i;

	for (i = 0; i < sizeof(r->match) / sizeof(r->match[0]) && r->match[i].column; i++) {
		text = cb_row_get(row, cb_names_id(names, r->match[i].column));
		pattern = r->match[i].pattern;
		if ((*pattern == '!') != !!fnmatch(pattern + (*pattern == '!'), text ? text : "", 0))
			return false;
	}
	return true;
}

const struct cb_rule *cb_rules_next(struct cb_names *names, const struct cb_row *row, const struct cb_rule *after)
{
	const struct cb_rule *r = after ? after + 1 : rules;

	for (; r < rules + NRULES; r++)
		if (!strcmp(r->dataset, row->dataset->name) && fits(names, row, r))
			return r;
	return NULL;
}
