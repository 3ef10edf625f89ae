/* SPDX-License-Identifier: GPL-2.0 */
/* Keys on the terminal while a screen is drawn: no line, no echo; put back at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>
#include "run.h"

struct cb_term {
	struct termios was;
	int flags;
};

void cb_term_begin(struct cb_run *run)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct termios raw;

	if (!run->screen || !run->tool->key || !isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	run->term = cb_xalloc(sizeof(*run->term));
	run->term->flags = fcntl(STDIN_FILENO, F_GETFL);
	tcgetattr(STDIN_FILENO, &run->term->was);
	raw = run->term->was;
	raw.c_lflag &= ~(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fcntl(STDIN_FILENO, F_SETFL, run->term->flags | O_NONBLOCK);
	epoll_ctl(run->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev);
}

/* 1: q was pressed. */
int cb_term_keys(struct cb_run *run)
{
	bool redraw = false;
	char c;

	if (!run->term)
		return 0;
	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c == 'q')
			return 1;
		if (c == 'p' || c == ' ')
			run->paused = !run->paused, redraw = true;
		else
			redraw |= run->tool->key(run, c);
	}
	return redraw ? run->tool->screen(run, stdout) : 0;
}

void cb_term_end(struct cb_run *run)
{
	if (!run->term)
		return;
	tcsetattr(STDIN_FILENO, TCSANOW, &run->term->was);
	fcntl(STDIN_FILENO, F_SETFL, run->term->flags);
	free(run->term);
	run->term = NULL;
}
