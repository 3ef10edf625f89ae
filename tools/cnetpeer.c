/* SPDX-License-Identifier: GPL-2.0 */
/* cnetpeer: which containers talk to whom, over the network and over sockets of this host. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>
#include "cb.h"
#include "container.h"
#include "field.h"
#include "flow.h"
#include "matrix.h"
#include "netmap.h"
#include "peer.h"
#include "peer.skel.h"
#include "peertext.h"

CB_SKEL(peer)

#define SECOND 1000000000ULL
#define IDLE_NS (600 * SECOND)	   /* a flow without contacts is forgotten ... */
#define IDLE_FULL_NS (10 * SECOND) /* ... and when its container has used half its share */
#define SCAN_NS (2 * SECOND)	   /* addresses of containers are looked for again no sooner */
#define KEEP_NS (10 * SECOND)	   /* addresses of a container that is gone */
#define BATCH 256

struct by_errno {
	uint32_t err;
	uint64_t now, told;
};

/* A flow as the kernel last had it, and what rows have told of it. */
struct entry {
	uint64_t id;
	struct flow f;
	uint64_t live_tx, live_rx; /* of its open connections */
	struct {
		uint64_t contacts, failures, tx, rx, closed, lasted, opened;
	} told;
	struct by_errno *by;
	size_t nby;
	bool announced, dying;
	UT_hash_handle hh;
};

struct top {
	struct peer_bpf *skel;
	struct bpf_link *files, *spaces;
	struct entry *entry;
	struct cb_netmap *net;
	struct cb_matrix *matrix;
	const char *picture;
	bool print_matrix, begun;
	uint64_t scanned; /* boot time: when namespaces were last looked at */
};

/* ---- the kernel's tables ---- */

static struct entry *entry_get(struct top *t, uint64_t id)
{
	struct entry *e;

	HASH_FIND(hh, t->entry, &id, sizeof(id), e);
	if (e)
		return e;
	e = cb_xalloc(sizeof(*e));
	e->id = id;
	HASH_ADD(hh, t->entry, id, sizeof(e->id), e);
	return e;
}

static void entry_free(struct top *t, struct entry *e)
{
	HASH_DEL(t->entry, e);
	free(e->by);
	free(e);
}

static struct by_errno *by_get(struct entry *e, uint32_t err)
{
	for (size_t i = 0; i < e->nby; i++)
		if (e->by[i].err == err)
			return &e->by[i];
	e->by = cb_xrealloc(e->by, (e->nby + 1) * sizeof(*e->by));
	e->by[e->nby] = (struct by_errno){ .err = err };
	return &e->by[e->nby++];
}

/* Calls fn for each element of a hash until it fails; elements that come or go meanwhile may be missed, never torn. */
static int each_element(struct cb_run *run, struct bpf_map *map,
			int (*fn)(struct top *t, const void *key, const void *value))
{
	size_t ksize = bpf_map__key_size(map), vsize = bpf_map__value_size(map);
	char *key = cb_xalloc(BATCH * ksize), *value = cb_xalloc(BATCH * vsize), in[256];
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	bool first = true, more = true;
	int err = 0;

	while (more && !err) {
		__u32 n = BATCH;

		more = !bpf_map_lookup_batch(bpf_map__fd(map), first ? NULL : in, in, key, value, &n, &opts);
		if (!more && errno != ENOENT) {
			err = -errno;
			break;
		}
		for (__u32 i = 0; i < n && !err; i++)
			err = fn(cb_run_data(run), key + i * ksize, value + i * vsize);
		first = false;
	}
	free(key);
	free(value);
	return err ? cb_run_fail(run, err, "map %s: %s", bpf_map__name(map), strerror(-err)) : 0;
}

static int take_flow(struct top *t, const void *key, const void *value)
{
	uint64_t id;

	memcpy(&id, key, sizeof(id));
	memcpy(&entry_get(t, id)->f, value, sizeof(struct flow));
	return 0;
}

static int take_error(struct top *t, const void *key, const void *value)
{
	const struct flow_err *k = key;
	struct entry *e;

	HASH_FIND(hh, t->entry, &k->flow, sizeof(k->flow), e);
	if (e)
		memcpy(&by_get(e, k->err)->now, value, sizeof(uint64_t));
	return 0;
}

/* Reads an iterator's output to its end; records of size bytes go to fn. */
static int each_record(struct cb_run *run, struct bpf_link *link, size_t size, void (*fn)(struct top *t, const void *rec))
{
	int fd = bpf_iter_create(bpf_link__fd(link));
	char buf[8 * sizeof(struct flow_net)];
	size_t have = 0;
	ssize_t n;

	if (fd < 0)
		return cb_run_fail(run, -errno, "new iterator over sockets: %s", strerror(errno));
	while ((n = read(fd, buf + have, sizeof(buf) - have)) > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
		size_t at = 0;

		have += n > 0 ? n : 0;
		for (; size && have - at >= size; at += size)
			fn(cb_run_data(run), buf + at);
		memmove(buf, buf + at, have - at);
		have = size ? have - at : 0;
	}
	if (n < 0)
		cb_run_fail(run, n = -errno, "iterator over sockets: %s", strerror(errno));
	close(fd);
	return n;
}

/* Asks for the payload of the sockets that are named in the probe's room. Returns -errno. */
static int ask_live(struct top *t)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct flow_live *l = t->skel->bss->live;
	uint32_t n = t->skel->bss->nlive;
	struct entry *e;
	int err;

	if (!n)
		return 0;
	err = bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.peer_live), &opts) ? -errno : 0;
	t->skel->bss->nlive = 0;
	for (; !err && n--; l++) {
		HASH_FIND(hh, t->entry, &l->flow, sizeof(l->flow), e);
		if (!e)
			continue;
		e->live_tx += l->tx;
		e->live_rx += l->rx;
	}
	return err;
}

static int take_socket(struct top *t, const void *key, const void *value)
{
	const struct flow_sock *fs = value;

	if (fs->dir == FLOW_LISTEN || !fs->open)
		return 0;
	memcpy(&t->skel->bss->live[t->skel->bss->nlive++].sock, key, sizeof(uint64_t));
	return t->skel->bss->nlive < FLOW_LIVE ? 0 : ask_live(t);
}

/*
 * Flows first, then the open connections: what closes in between is in neither, and is told the next time. The other
 * way round it would be in both.
 */
static int refresh(struct cb_run *run)
{
	struct top *t = cb_run_data(run);
	struct entry *e;
	int err = each_element(run, t->skel->maps.flows, take_flow);

	if (!err)
		err = each_element(run, t->skel->maps.flow_errs, take_error);
	for (e = t->entry; e; e = e->hh.next)
		e->live_tx = e->live_rx = 0;
	if (!err)
		err = each_element(run, t->skel->maps.flow_socks, take_socket);
	if (!err && (err = ask_live(t)))
		err = cb_run_fail(run, err, "payload of open connections: %s", strerror(-err));
	return err;
}

/* One flow and its errors, for a row at once. NULL: it is gone. */
static struct entry *refresh_one(struct top *t, const struct flow_note *n)
{
	struct flow_err k = { .flow = n->flow };
	struct entry *e;
	struct flow f;

	if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.flows), &n->flow, &f))
		return NULL;
	e = entry_get(t, n->flow);
	e->f = f;
	if (n->err)
		by_get(e, n->err);
	for (size_t i = 0; i < e->nby; i++) {
		k.err = e->by[i].err;
		bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.flow_errs), &k, &e->by[i].now);
	}
	return e;
}

/* ---- whose addresses ---- */

static const char *container_of(struct cb_run *run, uint64_t cont)
{
	struct cb_head h = { .cont = cont };

	return cont ? cb_run_container(run, &h) : "";
}

/* One that is gone keeps its addresses for a while: what it did may still be on its way to us. */
static enum cb_life life(void *arg, uint64_t cont)
{
	struct cb_head h = { .cont = cont };
	const struct cb_cont *c = cb_run_cont(arg, &h);

	if (!c)
		return CB_GONE;
	if (!c->gone)
		return CB_ALIVE;
	return c->gone + KEEP_NS > cb_now_boot() ? CB_JUST_GONE : CB_GONE;
}

static bool recent(struct cb_run *run, uint64_t cont)
{
	return cont && life(run, cont) != CB_GONE;
}

static void take_space(struct top *t, const void *rec)
{
	cb_netmap_net(t->net, rec);
}

/* A container, or the host, may have got an address since it was last looked at. */
static int look_again(struct cb_run *run)
{
	struct top *t = cb_run_data(run);
	uint64_t now = cb_now_boot();

	if (!t->spaces || (t->scanned && now - t->scanned < SCAN_NS))
		return 0; /* contacts come from the moment the probes are attached */
	t->scanned = now;
	t->skel->data->walks++;
	cb_netmap_scan_host(t->net);
	return each_record(run, t->spaces, sizeof(struct flow_net), take_space);
}

/* A contact is one datagram. */
static bool is_datagram(const struct flow_key *k)
{
	return k->proto == FLOW_UDP || k->proto == FLOW_UNIX_DGRAM;
}

static void learn(struct top *t, const struct flow *f)
{
	const struct flow_key *k = &f->key;

	if (k->dir == FLOW_LISTEN && !cb_peertext_is_unix(k) && !(k->flags & FLOW_F_OTHER))
		cb_netmap_listens(t->net, k->netns, k->proto, k->port, k->cont);
}

/* The network of a namespace, as the kernel half numbers them. */
static uint64_t network_of(struct top *t, uint32_t netns)
{
	int joined = bpf_map__fd(t->skel->maps.flow_joined);
	struct flow_space s = {};

	bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.flow_netns), &netns, &s);
	for (int i = 0; i < 8 && !bpf_map_lookup_elem(joined, &s.network, &s.network); i++)
		;
	return s.network;
}

/* Behind translated addresses: who accepted what came from our end. */
static uint64_t answered_by(struct top *t, const struct flow *f)
{
	struct flow_owner_key k = { .port = f->lport, .proto = FLOW_TCP };
	uint64_t cont = 0;

	if (f->key.dir != FLOW_OUT || f->key.proto != FLOW_TCP || !f->lport || cb_addr_any(f->laddr))
		return 0;
	memcpy(k.addr, f->laddr, sizeof(k.addr));
	k.net = network_of(t, f->key.netns);
	bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.flow_accepted), &k, &cont);
	return cont;
}

/*
 * Who sent the one datagram of this flow. It may have been read before the call that sent it returned, at which the kernel
 * half learns whose the port is. Of more than one only the first's port is known, so none is named by it.
 */
static uint64_t sent_by(struct top *t, const struct flow *f)
{
	struct flow_owner_key k = { .port = f->rport, .proto = FLOW_UDP };
	bool here = cb_addr_loopback(f->key.addr) || !memcmp(f->key.addr, f->laddr, sizeof(f->laddr));
	int owners = bpf_map__fd(t->skel->maps.flow_owner);
	struct flow_owner o = {};

	if (f->key.dir != FLOW_IN || f->key.proto != FLOW_UDP || f->contacts != 1 || !f->rport)
		return 0;
	memcpy(k.addr, f->key.addr, sizeof(k.addr));
	k.net = cb_addr_loopback(k.addr) ? f->key.netns : network_of(t, f->key.netns);
	if (bpf_map_lookup_elem(owners, &k, &o) && here) {
		/* it sends from any of the namespace's addresses */
		memset(k.addr, 0, sizeof(k.addr));
		k.net = f->key.netns;
		bpf_map_lookup_elem(owners, &k, &o);
	}
	return o.cont == FLOW_SHARED ? 0 : o.cont;
}

/* Container of the other side, 0 if it is none of this host's, or not known. */
static uint64_t other_side(struct cb_run *run, const struct flow *f)
{
	struct top *t = cb_run_data(run);
	const struct flow_key *k = &f->key;
	const uint8_t *addr = k->dir == FLOW_QUERY ? f->raddr : k->addr;
	uint32_t netns = k->netns;
	uint16_t port = k->dir == FLOW_OUT ? k->port : k->dir == FLOW_QUERY ? 53 : f->rport;
	uint64_t cont;

	if (k->peer || cb_peertext_is_unix(k) || k->dir == FLOW_LISTEN || (k->flags & FLOW_F_OTHER))
		return k->peer;
	if (cb_addr_any(addr))
		return 0;
	cont = sent_by(t, f);
	if (cont)
		return cont;
	cont = cb_netmap_find(t->net, addr, netns, k->proto, port);
	if (recent(run, cont) || cb_addr_loopback(addr))
		return cont;
	if (cb_addr_private(addr))
		look_again(run);
	cont = cb_netmap_find(t->net, addr, netns, k->proto, port);
	return cont ? cont : answered_by(t, f);
}

/* ---- flows to rows ---- */

static int most_first(const void *a, const void *b)
{
	const struct by_errno *x = a, *y = b;
	uint64_t n = x->now - x->told, m = y->now - y->told;

	if (n != m)
		return n < m ? 1 : -1;
	return x->err < y->err ? -1 : x->err > y->err;
}

static void fill_errors(struct entry *e, struct peer_rec *r)
{
	size_t at = 0;

	if (e->nby)
		qsort(e->by, e->nby, sizeof(*e->by), most_first);
	for (size_t i = 0; i < e->nby; i++) {
		struct by_errno *b = &e->by[i];
		int n;

		if (b->now <= b->told)
			continue;
		if (!r->error)
			r->error = b->err;
		n = snprintf(r->failures_by + at, sizeof(r->failures_by) - at, "%s%s:%llu", at ? " " : "",
			     cb_errno_name(b->err), (unsigned long long)(b->now - b->told));
		if (n < 0 || (size_t)n >= sizeof(r->failures_by) - at) {
			r->failures_by[at] = '\0';
			return;
		}
		at += n;
	}
}

static uint64_t more(uint64_t now, uint64_t *told)
{
	uint64_t n = now > *told ? now - *told : 0;

	*told += n;
	return n;
}

/*
 * What is new since the last row. A row at once tells of contacts; what came of them, and the bytes of open TCP
 * connections, are known at the end of an interval.
 */
static uint64_t fill_counts(struct entry *e, struct peer_rec *r, bool at_once)
{
	const struct flow *f = &e->f;
	bool in = f->key.dir == FLOW_IN;
	uint64_t tx = 0, rx = 0;

	fill_errors(e, r);
	for (size_t i = 0; i < e->nby; i++)
		e->by[i].told = e->by[i].now;
	if (!at_once) {
		tx = more(f->tx + e->live_tx, &e->told.tx);
		rx = more(f->rx + e->live_rx, &e->told.rx);
		r->closed = more(f->closed, &e->told.closed);
		r->lasted_ns = more(f->lasted_ns, &e->told.lasted);
	}
	r->source_bytes = in ? rx : tx;
	r->destination_bytes = in ? tx : rx;
	r->failures = more(f->failures, &e->told.failures);
	r->open = f->opened > f->closed ? f->opened - f->closed : 0;
	return more(f->contacts, &e->told.contacts);
}

static const char *action(const struct entry *e, const struct peer_rec *r)
{
	const struct flow_key *k = &e->f.key;

	/* without a contact: it was there before the tool */
	if (e->announced || !e->told.contacts)
		return r->closed && !r->open ? "close" : "total";
	switch (k->dir) {
	case FLOW_LISTEN: return "listen";
	case FLOW_QUERY: return "query";
	case FLOW_IN: return is_datagram(k) ? "receive" : "accept";
	default: return is_datagram(k) ? "send" : "connect";
	}
}

static bool changed(const struct entry *e)
{
	const struct flow *f = &e->f;

	return f->contacts != e->told.contacts || f->failures != e->told.failures || f->closed != e->told.closed ||
	       f->tx + e->live_tx > e->told.tx || f->rx + e->live_rx > e->told.rx;
}

/* to: end of the interval, 0: at once */
static int emit(struct cb_run *run, struct entry *e, uint64_t from, uint64_t to)
{
	struct peer_rec r = { .h = e->f.h };
	const struct flow *f = &e->f;
	uint64_t cont, contacts = fill_counts(e, &r, !to);
	const char *what = action(e, &r), *other;
	bool in = f->key.dir == FLOW_IN, first = !e->announced;

	e->announced = true;
	learn(cb_run_data(run), f);
	cb_peertext_flow(f, &r, first);
	cont = other_side(run, f);
	other = container_of(run, cont);
	snprintf(in ? r.source_container : r.destination_container, PEER_CONTAINER, "%s", other);
	snprintf(in || f->key.dir == FLOW_LISTEN ? r.destination_container : r.source_container, PEER_CONTAINER, "%s",
		 cb_run_container(run, &f->h));
	cb_peertext_peer(f, &r, cont && cont == f->key.cont ? "itself" : other);
	if (cb_run_failed(run) && !r.failures) {
		cb_run_filtered(run, contacts);
		return 0;
	}
	if (!first || to)
		r.h.time_ns = to ? to : cb_now_boot();
	if (f->key.flags & FLOW_F_OTHER)
		r.h.pid = r.h.tid = 0; /* of many programs */
	return cb_emit_span(run, &r, sizeof(r), what, to ? from : 0, to, contacts, 0);
}

/* Datagrams of unix sockets are there to be told. */
static int attach_ready(struct cb_run *run)
{
	struct top *t = cb_run_data(run);
	int err;

	if (t->skel->bss->ready_on != FLOW_READY_WANTED || cb_run_ending(run))
		return 0;
	err = cb_run_attach_now(run, "peer_ready");
	if (!err)
		t->skel->bss->ready_on = FLOW_READY_ON;
	return err;
}

static int record(struct cb_run *run, const void *rec, size_t len, bool peek)
{
	const struct flow_note *n = rec;
	struct entry *e;

	if (len == sizeof(struct flow_net)) {
		take_space(cb_run_data(run), rec);
		return 0;
	}
	if (len != sizeof(*n))
		return cb_run_fail(run, -EIO, "note of %zu bytes", len);
	if (!n->flow)
		return attach_ready(run);
	e = refresh_one(cb_run_data(run), n);
	return e && (!e->announced || n->err) && changed(e) ? emit(run, e, 0, 0) : 0;
}

/* ---- flows that are over ---- */

static uint64_t number(struct bpf_map *m, uint64_t key)
{
	uint64_t n = 0;

	bpf_map_lookup_elem(bpf_map__fd(m), &key, &n);
	return n;
}

/* As in the probe: the host's share has key 1. */
static uint64_t share_key(uint64_t cont)
{
	return cont ? cont : 1;
}

static void count_gone(struct top *t, uint64_t key)
{
	uint64_t n = number(t->skel->maps.flow_gone, key) + 1;

	bpf_map_update_elem(bpf_map__fd(t->skel->maps.flow_gone), &key, &n, BPF_ANY);
}

static uint64_t used(struct top *t, uint64_t key)
{
	return number(t->skel->maps.flow_made, key) - number(t->skel->maps.flow_gone, key);
}

static void forget(struct top *t, struct entry *e, bool gone)
{
	struct flow_err k = { .flow = e->id };
	uint64_t key = share_key(e->f.key.cont);

	bpf_map_delete_elem(bpf_map__fd(t->skel->maps.flows), &e->id);
	for (size_t i = 0; i < e->nby; i++) {
		k.err = e->by[i].err;
		bpf_map_delete_elem(bpf_map__fd(t->skel->maps.flow_errs), &k);
	}
	if (!(e->f.key.flags & FLOW_F_OTHER)) {
		count_gone(t, key);
		count_gone(t, 0);
	}
	if (gone && !used(t, key)) {
		bpf_map_delete_elem(bpf_map__fd(t->skel->maps.flow_made), &key);
		bpf_map_delete_elem(bpf_map__fd(t->skel->maps.flow_gone), &key);
	}
	entry_free(t, e);
}

/* First out of reach of new contacts; what still had it in its hands counts until the next interval. */
static void retire(struct cb_run *run, struct entry *e, uint64_t now)
{
	struct top *t = cb_run_data(run);
	const struct flow *f = &e->f;
	uint64_t cont = f->key.cont;
	bool gone;

	if (!e->dying && f->last_ns + IDLE_FULL_NS > now)
		return;
	gone = cont && !recent(run, cont);
	if (e->dying) {
		forget(t, e, gone);
		return;
	}
	if (!gone && f->opened > f->closed)
		return;
	if (!gone && f->last_ns + (used(t, share_key(cont)) > FLOW_SHARE / 2 ? IDLE_FULL_NS : IDLE_NS) > now)
		return;
	bpf_map_delete_elem(bpf_map__fd(t->skel->maps.flow_ids), &f->key);
	e->dying = true;
}

static int tick(struct cb_run *run, uint64_t from, uint64_t to)
{
	struct top *t = cb_run_data(run);
	struct entry *e, *next;
	int err = refresh(run);

	HASH_ITER(hh, t->entry, e, next) {
		if (!err && changed(e))
			err = emit(run, e, from, to);
		if (!err)
			retire(run, e, to);
	}
	cb_netmap_forget(t->net);
	return err ? err : attach_ready(run); /* the note may have found no room */
}

/* ---- set-up ---- */

static int number_of(const char *call)
{
	return cb_syscall_number(call);
}

static void set_numbers(struct peer_bpf *s)
{
	s->rodata->nr_sendto = number_of("sendto");
	s->rodata->nr_sendmsg = number_of("sendmsg");
	s->rodata->nr_sendmmsg = number_of("sendmmsg");
	s->rodata->nr_write = number_of("write");
	s->rodata->nr_writev = number_of("writev");
	s->rodata->nr_recvfrom = number_of("recvfrom");
	s->rodata->nr_recvmsg = number_of("recvmsg");
	s->rodata->nr_recvmmsg = number_of("recvmmsg");
}

/* A program of several calls; one that the kernel was built without is no error. */
static int attach(struct cb_run *run, const char *program, const char *when, const char *const *calls, size_t n)
{
	int err = 0;

	for (size_t i = 0; err >= 0 && i < n; i++) {
		char *path = cb_xasprintf("syscalls/sys_%s_%s", when, calls[i]);

		err = cb_run_attach(run, program, path);
		free(path);
	}
	return err < 0 ? err : 0;
}

#define CALLS(...) ((const char *const[]){ __VA_ARGS__ }), sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)

/* Which programs there are, and which of two ways they go. */
static int choose_programs(struct cb_run *run, bool lengths)
{
	static const char *const with[] = { "peer_ready", "peer_sent", "peer_got", "peer_received" };
	static const char *const without[] = { "peer_enter", "peer_enter_address", "peer_call_sent", "peer_call_received" };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(with) / sizeof(with[0]); i++)
		err = cb_run_program(run, with[i], lengths);
	for (size_t i = 0; !err && i < sizeof(without) / sizeof(without[0]); i++)
		err = cb_run_program(run, without[i], !lengths);
	return err;
}

static int set_programs(struct cb_run *run, bool lengths)
{
	int err = choose_programs(run, lengths);

	if (!err)
		err = attach(run, "peer_accept", "exit", CALLS("accept", "accept4"));
	if (err)
		return err;
	if (lengths)
		return 0; /* loaded() */
	cb_run_remark(run, "this kernel counts no bytes of unix sockets, nor of datagrams sent or received by write and read");
	err = attach(run, "peer_enter_address", "enter", CALLS("sendto", "recvfrom"));
	if (!err)
		err = attach(run, "peer_enter", "enter", CALLS("sendmsg", "sendmmsg", "recvmsg", "recvmmsg"));
	if (!err)
		err = attach(run, "peer_call_sent", "exit", CALLS("sendto", "sendmsg", "sendmmsg"));
	if (!err)
		err = attach(run, "peer_call_received", "exit", CALLS("recvfrom", "recvmsg", "recvmmsg"));
	return err;
}

/* Whom datagrams are from is asked at a hook that only UDP passes, or else at the exits of calls that TCP makes, too. */
static int loaded(struct cb_run *run)
{
	static const char *const hook[] = { "peer_from4", "peer_from6" };
	struct top *t = cb_run_data(run);
	int err = bpf_program__autoload(t->skel->progs.peer_from4) ? 0 : -ENOTSUP;

	for (size_t i = 0; !err && i < sizeof(hook) / sizeof(hook[0]); i++)
		err = cb_run_attach_cgroups(run, hook[i]);
	t->skel->bss->hooked = !err;
	if (!err || !t->skel->rodata->lengths)
		return 0;
	return attach(run, "peer_received", "exit", CALLS("recvfrom", "recvmsg", "recvmmsg"));
}

static int setup(struct cb_run *run, void *skel)
{
	struct top *t = cb_run_data(run);
	struct peer_bpf *s = skel;
	bool lengths = cb_run_kernel_has("__traceiter_sock_send_length");
	bool hook = lengths && libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_get_current_pid_tgid, NULL) == 1;

	t->skel = s;
	bpf_program__set_autoload(s->progs.peer_from4, hook);
	bpf_program__set_autoload(s->progs.peer_from6, hook);
	t->net = cb_netmap_new(life, run);
	s->rodata->by_process = cb_run_by_process(run);
	s->rodata->lengths = lengths;
	s->rodata->cb_cast = cb_run_kernel_has("bpf_rdonly_cast");
	s->rodata->host_netns = cb_netmap_host(t->net);
	set_numbers(s);
	bpf_program__set_autoattach(s->progs.peer_live, false);
	bpf_program__set_autoattach(s->progs.peer_ready, false);
	bpf_program__set_autoattach(s->progs.peer_from4, false);
	bpf_program__set_autoattach(s->progs.peer_from6, false);
	bpf_program__set_autoattach(s->progs.peer_files, false);
	bpf_program__set_autoattach(s->progs.peer_spaces, false);
	return set_programs(run, lengths);
}

static void nothing(struct top *t, const void *rec)
{
}

static int attach_iterators(struct cb_run *run)
{
	struct top *t = cb_run_data(run);

	t->files = bpf_program__attach_iter(t->skel->progs.peer_files, NULL);
	t->spaces = bpf_program__attach_iter(t->skel->progs.peer_spaces, NULL);
	if (!t->files || !t->spaces)
		return cb_run_fail(run, -errno, "cannot attach iterators over sockets: %s", strerror(errno));
	return 0;
}

/* What is there already: who listens first, since that tells which side began a connection. */
static int begun(struct cb_run *run)
{
	struct top *t = cb_run_data(run);
	int err = attach_iterators(run);

	t->begun = true;
	if (!err)
		err = look_again(run);
	for (int pass = 0; !err && pass < 2; pass++) {
		t->skel->bss->listeners_only = !pass;
		err = each_record(run, t->files, 0, nothing);
	}
	return err ? err : attach_ready(run);
}

enum { KEY_MATRIX = CB_KEY_TOOL };

static const struct argp_option options[] = {
	{ "matrix", KEY_MATRIX, "FILE.svg", OPTION_ARG_OPTIONAL,
	  "at the end, who talked to whom as a table in place of rows, of a recording (-r) too; with a name also as a picture (.svg or .png, by gnuplot)", 3 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static int parse(struct cb_run *run, int key, char *arg)
{
	struct top *t = cb_run_data(run);

	if (arg && !cb_matrix_can(arg))
		return cb_run_fail(run, -EINVAL, "--matrix: expected a name ending in .svg or .png, got \"%s\"", arg);
	if (!t->matrix)
		t->matrix = cb_matrix_new();
	t->picture = arg;
	t->print_matrix = true;
	cb_run_no_table(run);
	return 0;
}

/* Who the other side is, where it is no container that is known. net: CB_ADDR_TEXT bytes. */
static const char *stranger(const struct peer_rec *r, const char *addr, char *net)
{
	uint8_t bytes[16];

	if (!strcmp(r->transport, "unix"))
		return "host";
	if (cb_addr_parse(addr, bytes))
		return addr; /* "other" */
	cb_addr_class(bytes, net);
	return net;
}

/* The matrix is made from rows, so that it is the same of a recording. */
static void row(struct cb_run *run, const struct cb_event *ev)
{
	struct top *t = cb_run_data(run);
	const struct peer_rec *r = ev->rec;
	bool in = !strcmp(r->direction, "inbound");
	const char *own = *ev->c.cont_name ? ev->c.cont_name : "host";
	const char *other = in ? r->source_container : r->destination_container;
	struct cb_meeting m = { .transport = r->transport, .port = cb_peertext_steady(r->destination_port),
				.seen_by_to = in, .contacts = ev->c.count, .failures = r->failures,
				.sent = r->source_bytes, .received = r->destination_bytes };
	char net[CB_ADDR_TEXT];

	t->begun = true;
	if (!t->matrix || *r->dns_type || !strcmp(r->direction, "listening"))
		return;
	if (!*other)
		other = stranger(r, in ? r->source_address : r->destination_address, net);
	m.from = in ? other : own;
	m.to = in ? own : other;
	cb_matrix_add(t->matrix, &m);
}

static void end_matrix(struct top *t, struct cb_run *run)
{
	struct cb_err e = {};

	if (!t->begun)
		return;
	if (t->print_matrix)
		cb_matrix_print(t->matrix, cb_run_table(run) ? stdout : stderr);
	if (t->picture && cb_matrix_draw(t->matrix, t->picture, &e))
		fprintf(stderr, "cnetpeer: %s\n", e.text);
}

static void done(struct cb_run *run)
{
	struct top *t = cb_run_data(run);
	struct entry *e, *next;

	if (t->matrix)
		end_matrix(t, run);
	HASH_ITER(hh, t->entry, e, next)
		entry_free(t, e);
	bpf_link__destroy(t->files);
	bpf_link__destroy(t->spaces);
	cb_netmap_free(t->net);
	cb_matrix_free(t->matrix);
	free(t);
}

static const struct cb_tool cnetpeer = {
	.name = "cnetpeer",
	.doc = "Shows which containers talk to whom: TCP, UDP, unix sockets, DNS questions.",
	.examples = "cnetpeer                     contacts as they begin, totals every 5 s\n"
		    "cnetpeer -c web -j           one container, as JSON Lines\n"
		    "cnetpeer -x                  contacts that failed, and why\n"
		    "cnetpeer --matrix -d 10      ten seconds, then who talked to whom\n"
		    "cnetpeer -i 1m -w p.jsonl.zst -d 10   recorded as well\n",
	.schema = { &cb_schema_peer },
	.skel = &peer_skel,
	.option = options,
	.interval_ns = 5 * SECOND,
	.tasks_ns = 1000000000, /* nothing of it lies in idle buffers */
	.failed_option = true,
	.calls = true,
	.parse = parse,
	.setup = setup,
	.loaded = loaded,
	.begun = begun,
	.record = record,
	.tick = tick,
	.row = row,
	.done = done,
};

int main(int argc, char **argv)
{
	struct top *t = cb_xalloc(sizeof(*t));

	return cb_main_data(&cnetpeer, t, argc, argv);
}
