/* SPDX-License-Identifier: GPL-2.0 */
/* hold N: makes N getppid calls, prints "held N" and then sleeps until it is killed: a thread that went idle. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long i, n;

	if (argc != 2) {
		fprintf(stderr, "usage: hold N\n");
		return 64;
	}
	n = strtoul(argv[1], NULL, 10);
	for (i = 0; i < n; i++)
		syscall(SYS_getppid);
	printf("held %lu\n", i);
	fflush(stdout);
	for (;;)
		pause();
}
