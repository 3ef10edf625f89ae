/* SPDX-License-Identifier: GPL-2.0 */
#include <math.h>
#include <string.h>
#include "explain.h"

#define AROUND 20	  /* calls shown */
#define LOUD 112	  /* a cost of 7 bits is worth a mark */
#define ALTERNATIVES 3

/* Index in the ring of the call `ago` calls before the newest. */
static unsigned ring_at(const struct cb_recall *r, unsigned ago)
{
	return (r->w.at + 2 * CB_WINDOW - 1 - ago) % CB_WINDOW;
}

static const char *word(const struct cb_tokens *t, const struct cb_recall *r, unsigned ago)
{
	return t->name.key[r->word[ring_at(r, ago)]];
}

static unsigned filled(const struct cb_recall *r)
{
	return r->w.since < CB_WINDOW ? r->w.since : CB_WINDOW;
}

/* Around the call `mid` calls ago, oldest first; those between >> and << that cost at least `loud`. */
static void list_calls(struct cb_buf *out, const struct cb_tokens *t, const struct cb_recall *r, unsigned mid,
		       unsigned loud)
{
	unsigned n = filled(r), to = mid > AROUND / 4 ? mid - AROUND / 4 : 0, i;
	unsigned from = to + AROUND - 1 < n ? to + AROUND : n;

	for (i = from; i-- > to;) {
		bool mark = i == mid || r->w.ring[ring_at(r, i)] >= loud;

		if (out->len)
			cb_buf_putc(out, ' ');
		cb_buf_printf(out, "%s%.48s%s", mark ? ">>" : "", word(t, r, i), mark ? "<<" : "");
	}
}

void cb_explain_calls(struct cb_buf *out, const struct cb_tokens *t, const struct cb_recall *r)
{
	list_calls(out, t, r, 0, 256);
}

/* History of the chain as it was before the call `ago` calls ago. */
static struct cb_history history_before(const struct cb_model *m, const struct cb_tokens *t, const struct cb_recall *r,
					unsigned ago)
{
	struct cb_history h = { .matched = CB_ORDER + 1 };
	unsigned n = filled(r) - ago - 1;

	for (n = n < m->order ? n : m->order; n > 0; n--) {
		h.hist = h.hist << 10 | t->symbol[r->word[ring_at(r, ago + n)]];
		h.n++;
	}
	return h;
}

static void alternatives(struct cb_buf *out, const struct cb_model *m, const struct cb_program *p,
			 struct cb_history h, const char *got)
{
	double best[ALTERNATIVES] = { 0 }, q;
	unsigned sym[ALTERNATIVES] = { 0 }, x;
	int i, k;

	for (x = 1; x <= m->sym.n; x++) {
		q = cb_chain_p(p->chain, h, x);
		for (i = 0; i < ALTERNATIVES && q <= best[i]; i++)
			;
		for (k = ALTERNATIVES - 1; i < ALTERNATIVES && k > i; k--) {
			best[k] = best[k - 1];
			sym[k] = sym[k - 1];
		}
		if (i < ALTERNATIVES) {
			best[i] = q;
			sym[i] = x;
		}
	}
	cb_buf_printf(out, "instead of %.48s:", got);
	for (i = 0; i < ALTERNATIVES && best[i] >= 0.01; i++)
		cb_buf_printf(out, "%s %s %.0f %%", i ? "," : "", cb_model_symbol_name(m, sym[i]), best[i] * 100);
	if (!i)
		cb_buf_puts(out, " nothing certain");
}

void cb_explain_instead(struct cb_buf *out, const struct cb_model *m, const struct cb_program *p,
			const struct cb_tokens *t, const struct cb_recall *r)
{
	alternatives(out, m, p, history_before(m, t, r, 0), word(t, r, 0));
}

void cb_explain_window(struct cb_finding *f, struct cb_buf *value, const struct cb_model *m, const struct cb_program *p,
		       const struct cb_tokens *t, const struct cb_recall *r, int scale)
{
	unsigned n = filled(r) < cb_scale[scale] ? filled(r) : cb_scale[scale], i, peak = 0, new = 0;
	const struct cb_threshold *th = &p->window[scale];
	double mean = (double)r->w.sum[scale] / cb_scale[scale];

	for (i = 0; i < n; i++) {
		unsigned cost = r->w.ring[ring_at(r, i)];

		new += cost >= LOUD;
		if (cost >= r->w.ring[ring_at(r, peak)]) /* the earliest of equals began it */
			peak = i;
	}
	cb_buf_reset(value);
	for (i = peak + 2 < filled(r) ? peak + 3 : filled(r); i-- > peak;)
		cb_buf_printf(value, "%s%.48s", value->len ? " " : "", word(t, r, i));
	f->score = fmax(0, log10(th->blocks) + (mean - th->top) / th->scale / M_LN10);
	cb_buf_printf(&f->reason, "unusual order: %u of %u calls surprise, %.1f bits a call, alarm from %.1f; most: %s", new, n,
		      mean / CB_COST_BIT, th->score / CB_COST_BIT, cb_text(value));
	alternatives(&f->expected, m, p, history_before(m, t, r, peak), word(t, r, peak));
	list_calls(&f->calls, t, r, peak, LOUD);
}

void cb_explain_common(struct cb_buf *out, const struct cb_items *i, const char *prefix)
{
	uint32_t list[ALTERNATIVES];
	size_t n = cb_items_common(i, prefix, ALTERNATIVES, list), k;

	for (k = 0; k < n; k++)
		cb_buf_printf(out, "%s%.100s (%llu)", k ? ", " : "", i->map.key[list[k]] + strlen(prefix),
			      (unsigned long long)i->item[list[k]].n);
	if (!n)
		cb_buf_puts(out, "nothing");
}
