/* SPDX-License-Identifier: GPL-2.0 */
/*
 * empty: attaches one empty program to sys_enter, says "ready", and lets it be until it is ended. Loads under it are
 * what others are compared with: less than this no tool can cost that sees system calls.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tests/bench/empty.skel.h"

int main(void)
{
	struct empty_bpf *skel = empty_bpf__open();
	struct bpf_program *p;
	int err;

	if (skel)
		bpf_object__for_each_program(p, skel->obj)
			bpf_program__set_autoload(p, p == skel->progs.empty_enter);
	err = skel ? empty_bpf__load(skel) : -errno;
	if (!err)
		err = empty_bpf__attach(skel);
	if (err) {
		fprintf(stderr, "empty: %s\n", strerror(-err));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
