/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls through the 32-bit table, from a 64-bit program (int 0x80) or from a 32-bit one:
 *	compat getpid N | open PATH N | unlink PATH | connect ADDRESS PORT N | kill PID N | exec WORD...
 *	compat program PATH N	makes and runs a 32-bit program that opens /etc/passwd N times
 * Prints "compat WORD N" when each went as it should (connect: was refused). Status 77: no such calls here.
 */
#include <arpa/inet.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __x86_64__
enum { OPEN = 5, CLOSE = 6, UNLINK = 10, EXECVE = 11, GETPID = 20, KILL = 37, SOCKET = 359, CONNECT = 362 };

/* What calls point at must lie below 4 GB, as all of a program does that is not moved. */
static char text[4096];
static struct sockaddr_in address = { .sin_family = AF_INET };

static uint32_t low(const void *p)
{
	return (uintptr_t)p;
}

static int call(int nr, uint32_t a, uint32_t b, uint32_t c)
{
	int ret;

	asm volatile("int $0x80" : "=a"(ret) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static int open_one(void)
{
	int fd = call(OPEN, low(text), O_RDONLY, 0);

	return fd < 0 ? fd : call(CLOSE, fd, 0, 0);
}

static int connect_one(void)
{
	int fd = call(SOCKET, AF_INET, SOCK_STREAM, 0), ret = call(CONNECT, fd, low(&address), sizeof(address));

	call(CLOSE, fd, 0, 0);
	return ret == -ECONNREFUSED ? 0 : -1;
}

static int exec_words(char **word)
{
	static uint32_t argv[16];
	size_t at = 0;

	for (int i = 0; word[i] && i < 15 && at + strlen(word[i]) < sizeof(text); i++) {
		argv[i] = low(strcpy(text + at, word[i]));
		at += strlen(word[i]) + 1;
	}
	return call(EXECVE, argv[0], low(argv), 0);
}

/* An executable of 32 bits, as small as it can be. */
struct program {
	Elf32_Ehdr e;
	Elf32_Phdr p;
	uint8_t code[64];
	char file[16];
};

static int run_program(const char *path, uint32_t n)
{
	struct program made = {
		.e = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		       .e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT, .e_ehsize = sizeof(Elf32_Ehdr),
		       .e_entry = 0x10000 + sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr), .e_phoff = sizeof(Elf32_Ehdr),
		       .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1 },
		.p = { .p_type = PT_LOAD, .p_vaddr = 0x10000, .p_filesz = sizeof(made), .p_memsz = sizeof(made),
		       .p_flags = PF_R | PF_X, .p_align = 0x1000 },
		.code = {
			0xbe, 0, 0, 0, 0,		/* mov esi, N */
			0xbb, 0, 0, 0, 0,		/* again: mov ebx, file */
			0xb8, OPEN, 0, 0, 0,		/* mov eax, open */
			0x31, 0xc9, 0xcd, 0x80,		/* xor ecx, ecx; int 0x80 */
			0x89, 0xc3,			/* mov ebx, eax */
			0xb8, CLOSE, 0, 0, 0,		/* mov eax, close */
			0xcd, 0x80, 0x4e, 0x75, 0xe6,	/* int 0x80; dec esi; jnz again */
			0xb8, 1, 0, 0, 0,		/* mov eax, exit */
			0x31, 0xdb, 0xcd, 0x80,		/* xor ebx, ebx; int 0x80 */
		},
		.file = "/etc/passwd",
	};
	uint32_t file = 0x10000 + offsetof(struct program, file);
	int fd;

	memcpy(made.code + 1, &n, 4);
	memcpy(made.code + 6, &file, 4);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);
	if (fd < 0 || write(fd, &made, sizeof(made)) != sizeof(made) || close(fd))
		return -errno;
	execl(path, path, NULL);
	if (errno == ENOEXEC)
		_exit(77);
	return -errno;
}

static int run(char **word)
{
	const char *what = word[0];
	int n = 1, ret = -1;

	snprintf(text, sizeof(text), "%s", word[1]);
	if (!strcmp(what, "unlink"))
		ret = call(UNLINK, low(text), 0, 0);
	else if (!strcmp(what, "exec"))
		ret = exec_words(word + 1);
	else if (!strcmp(what, "getpid"))
		for (n = 0, ret = 0; n < atoi(word[1]); n++)
			call(GETPID, 0, 0, 0);
	else if (!strcmp(what, "open") && word[2])
		for (n = 0, ret = 0; !ret && n < atoi(word[2]); n++)
			ret = open_one();
	else if (!strcmp(what, "kill") && word[2])
		for (n = 0, ret = 0; !ret && n < atoi(word[2]); n++)
			ret = call(KILL, atoi(word[1]), SIGUSR1, 0);
	else if (!strcmp(what, "program") && word[2])
		ret = run_program(word[1], atoi(word[2]));
	else if (!strcmp(what, "connect") && word[2] && word[3] && inet_pton(AF_INET, word[1], &address.sin_addr) == 1) {
		address.sin_port = htons(atoi(word[2]));
		for (n = 0, ret = 0; !ret && n < atoi(word[3]); n++)
			ret = connect_one();
	}
	if (ret)
		fprintf(stderr, "compat: %s: %s\n", what, strerror(-ret));
	else
		printf("compat %s %d\n", what, n);
	return !!ret;
}
#else
static int run(char **word)
{
	return 77;
}
#endif

static void none_here(int sig)
{
	_exit(77);
}

int main(int argc, char **argv)
{
	signal(SIGSEGV, none_here);
	if (argc < 3) {
		fprintf(stderr, "usage: compat WORD ARGUMENT...\n");
		return 64;
	}
	return run(argv + 1);
}
