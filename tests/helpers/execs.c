/* SPDX-License-Identifier: GPL-2.0 */
/*
 * execs N: starts itself N times, one after the other, as "execs child I of N" (I from 1), which exits with
 * status I mod 100. Prints "execs N" when all have ended as they should.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_child(char *self, int i, int n)
{
	char number[16], of[16];
	char *args[] = { "execs", "child", number, "of", of, NULL };
	char *env[] = { NULL };
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", i);
	snprintf(of, sizeof(of), "%d", n);
	pid = fork();
	if (pid == 0) {
		execve(self, args, env);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == i % 100 ? 0 : -1;
}

int main(int argc, char **argv)
{
	char self[4096];
	ssize_t len;
	int i, n;

	if (argc == 5 && !strcmp(argv[1], "child"))
		return atoi(argv[2]) % 100;
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (argc != 2 || len < 0) {
		fprintf(stderr, "usage: execs N\n");
		return 64;
	}
	self[len] = '\0';
	n = atoi(argv[1]);
	for (i = 1; i <= n; i++) {
		if (run_child(self, i, n)) {
			fprintf(stderr, "execs: child %d did not run or ended otherwise\n", i);
			return 1;
		}
	}
	printf("execs %d\n", n);
	return 0;
}
