/* SPDX-License-Identifier: GPL-2.0 */
/*
 * argcalls COUNT...: for every value that bpf/argclass.h names of prctl's first argument, in the table's order, that
 * many prctl calls (the counts in turn); then as many of one it does not name. The other arguments are nonsense, so
 * that none does anything. Prints NAME COUNT.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "../../bpf/argclass.h"

static void calls(const char *name, unsigned long value, long n)
{
	for (long i = 0; i < n; i++)
		syscall(SYS_prctl, value, -1L, -1L, -1L, -1L);
	printf("%s %ld\n", name, n);
}

int main(int argc, char **argv)
{
	int at = 1;

	if (argc < 2) {
		fprintf(stderr, "usage: argcalls COUNT...\n");
		return 64;
	}
	for (size_t i = 0; i < sizeof(cb_argclasses) / sizeof(*cb_argclasses); i++) {
		if (strcmp(cb_argclasses[i].call, "prctl"))
			continue;
		calls(cb_argclasses[i].name, cb_argclasses[i].value, atol(argv[at]));
		at = at + 1 < argc ? at + 1 : 1;
	}
	calls("prctl", 0x7fffffc4, atol(argv[at])); /* the low bits of a value that has a line (4) */
	return 0;
}
