/* SPDX-License-Identifier: GPL-2.0 */
/* What pictures on a terminal share. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "cb.h"
#include "field.h"

void cb_screen_size(int *rows, int *columns)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) || !ws.ws_row || !ws.ws_col)
		ws = (struct winsize){ .ws_row = 24, .ws_col = 80 }; /* a terminal that does not know */
	*rows = ws.ws_row;
	*columns = ws.ws_col;
}

void cb_screen_begin(FILE *out, uint64_t utc_ns)
{
	time_t t = utc_ns / 1000000000;
	struct tm tm;
	char clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&t, &tm));
	fprintf(out, "\033[H\033[J%s", clock);
}

void cb_screen_text(struct cb_buf *to, const char *text, size_t len, int width)
{
	struct cb_buf b = {};

	cb_escape(&b, text, len, false);
	cb_buf_printf(to, "%-*.*s ", width, width, b.len ? b.s : "-");
	cb_buf_free(&b);
}

int cb_run_choice(struct cb_run *run, const char *option, const char *arg, const char *const *words, int n)
{
	struct cb_buf all = {};
	int err;

	for (int i = 0; i < n; i++)
		if (!strcmp(arg, words[i]))
			return i;
	for (int i = 0; i < n; i++)
		cb_buf_printf(&all, "%s%s", i == 0 ? "" : i < n - 1 ? ", " : " or ", words[i]);
	err = cb_run_fail(run, -EINVAL, "%s: expected %s, got \"%s\"", option, all.s, arg);
	cb_buf_free(&all);
	return err;
}
