/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Does known things to files, for the tests of cfileaccess: files WHAT ARGS...
 *	opens DIR N COUNT	COUNT opens of N files of DIR in turn, which it makes first
 *	open PATH		one open to read, prints ok or the error
 *	ops DIR			each operation once, some failing
 *	bytes PATH N		reads and writes of known sizes, N of each
 *	deep DIR		a path of 40 names, and a name of 255 bytes
 *	odd DIR			names with a newline, bad UTF-8 and escapes
 *	anon			a pipe, a socket, a memfd and a deleted file opened again through /proc/self/fd
 *	map PATH		mapped to execute, and shared to write
 *	ring			io_uring_setup(2)
 *	flood DIR		ever new names, until it is killed
 * "done" is its last word.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "files: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_close(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags, mode);

	if (fd < 0)
		die(path);
	close(fd);
}

static void opens(const char *dir, int n, int count)
{
	char path[256];

	for (int i = 0; i < n + count; i++) {
		snprintf(path, sizeof(path), "%s/f%d", dir, i % n);
		if (i < n)
			open_close(path, O_CREAT | O_WRONLY, 0600);
		else
			open_close(path, O_RDONLY, 0);
	}
}

static void ops(const char *dir)
{
	int fd, at;

	if (chdir(dir))
		die(dir);
	open_close("made", O_CREAT | O_EXCL | O_RDWR, 0640);
	open_close("made", O_WRONLY | O_APPEND, 0);
	open_close("made", O_WRONLY | O_TRUNC, 0);
	open("missing", O_RDONLY);
	mkdir("sub", 0751);
	chmod("made", 0604);
	fd = open("sub", O_RDONLY | O_DIRECTORY);
	at = openat(fd, "../made", O_RDONLY);
	fchmod(at, 0611);
	fchown(at, 11, 13);
	if (chown("sub/../made", 17, -1)) /* needs CAP_CHOWN */
		puts("no chown");
	link("made", "sub/linked");
	symlink("../made", "sub/pointer");
	open_close("sub/pointer", O_RDONLY, 0);
	renameat(AT_FDCWD, "sub/linked", fd, "renamed");
	syscall(SYS_renameat2, fd, "renamed", fd, "pointer", 1); /* RENAME_NOREPLACE: fails */
	mknod("pipe", S_IFIFO | 0600, 0);
	if (truncate("made", 3) || ftruncate(at, 0)) /* the second: not open to write */
		unlinkat(fd, "renamed", 0);
	unlink("sub/pointer");
	unlink("gone");
	mkdir("sub/dir", 0700);
	unlinkat(fd, "dir", AT_REMOVEDIR);
	rmdir("sub");
	mount("none", "/mnt-is-not-there", "tmpfs", MS_RDONLY, NULL);
	umount2("/mnt-is-not-there", MNT_DETACH);
}

static void bytes(const char *path, int n)
{
	char block[4099] = "";
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	if (fd < 0)
		die(path);
	for (int i = 0; i < n; i++)
		if (write(fd, block, 1009) != 1009 || pwrite(fd, block, 7, 0) != 7)
			die("write");
	for (int i = 0; i < n; i++)
		if (pread(fd, block, 503, 0) != 503)
			die("read");
	close(fd);
}

static void deep(const char *dir)
{
	char name[256];

	if (chdir(dir))
		die(dir);
	for (int i = 1; i <= 40; i++) {
		snprintf(name, sizeof(name), "level%d", i);
		if (mkdir(name, 0700) || chdir(name))
			die(name);
	}
	open_close("bottom", O_CREAT | O_WRONLY, 0600);
	memset(name, 'n', 255);
	name[255] = '\0';
	open_close(name, O_CREAT | O_WRONLY, 0600);
}

static void odd(const char *dir)
{
	if (chdir(dir))
		die(dir);
	open_close("new\nline", O_CREAT | O_WRONLY, 0600);
	open_close("bad\xff\xc3utf", O_CREAT | O_WRONLY, 0600);
	open_close("esc\033[31mred", O_CREAT | O_WRONLY, 0600);
	open("gone\n{\"event.kind\":\"event\"}", O_RDONLY);
}

static void again(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_RDWR);
	if (fd < 0 && errno != ENXIO)
		die(path);
	close(fd);
}

static void anon(void)
{
	int p[2], s = socket(AF_UNIX, SOCK_STREAM, 0), m = syscall(SYS_memfd_create, "hidden", 0), f;

	if (pipe(p) || s < 0 || m < 0)
		die("anon");
	again(p[0]);
	again(s); /* fails: sockets cannot be opened */
	again(m);
	f = open("/tmp/removed", O_CREAT | O_RDWR, 0600);
	unlink("/tmp/removed");
	again(f);
}

static void map(const char *path)
{
	int fd = open(path, O_RDWR);

	if (fd < 0)
		die(path);
	mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
}

static void flood(const char *dir)
{
	char path[256];

	for (unsigned long i = 0;; i++) {
		snprintf(path, sizeof(path), "%s/no-such-file-%lu", dir, i);
		open(path, O_RDONLY);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *a = argc > 2 ? argv[2] : "";
	int n = argc > 3 ? atoi(argv[3]) : 0, fd;

	if (!strcmp(what, "opens") && argc == 5)
		opens(a, n, atoi(argv[4]));
	else if (!strcmp(what, "open") && argc == 3) {
		fd = open(a, O_RDONLY);
		printf("%s: %s\n", a, fd < 0 ? strerror(errno) : "ok");
	} else if (!strcmp(what, "ops"))
		ops(a);
	else if (!strcmp(what, "bytes"))
		bytes(a, n);
	else if (!strcmp(what, "deep"))
		deep(a);
	else if (!strcmp(what, "odd"))
		odd(a);
	else if (!strcmp(what, "anon"))
		anon();
	else if (!strcmp(what, "map"))
		map(a);
	else if (!strcmp(what, "ring"))
		syscall(SYS_io_uring_setup, 1, calloc(1, 120));
	else if (!strcmp(what, "flood"))
		flood(a);
	else
		return 64;
	puts("done");
	return 0;
}
