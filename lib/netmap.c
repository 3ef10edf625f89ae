/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses, and which container has which. All of it is bounded: containers choose how many addresses they have. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cb.h"
#include "flow.h"
#include "hash.h"
#include "netmap.h"

#define ADDRESSES 32768
#define PORTS 32768
#define SPACES 16384
#define OF_ONE 256 /* network namespaces of a container, addresses of a namespace */

/* A network namespace: of a container, of several, or one that theirs lead to. */
struct space {
	uint32_t netns;
	uint32_t naddr;
	uint64_t cont, other; /* if several use it: the first, and the last to come */
	bool several, led_to;
	bool of_host; /* a process of the host was in it */
	uint32_t round; /* when its addresses were last told */
	struct flow_link link[FLOW_LINKS];
	uint32_t nlink;
	struct space *up; /* towards the one that stands for all that can reach each other */
	UT_hash_handle hh;
};

/* An address in one namespace; others that have the same follow, the first known first. */
struct holder {
	struct space *space;
	struct holder *next;
	uint32_t round;
};

struct address {
	uint8_t addr[16];
	struct holder *holder;
	UT_hash_handle hh;
};

struct port_key {
	uint32_t netns;
	uint16_t port;
	uint16_t proto;
};

struct port {
	struct port_key key;
	uint64_t cont;
	UT_hash_handle hh;
};

struct cb_netmap {
	enum cb_life (*life)(void *arg, uint64_t cont);
	void *arg;
	uint32_t host;
	uint32_t naddr;
	bool joined; /* spaces' up is right */
	struct space *space;
	struct address *address;
	struct port *port;
};

/* ---- text and kind ---- */

static bool mapped(const uint8_t *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a, prefix, sizeof(prefix));
}

void cb_addr_text(const uint8_t *a, char *to)
{
	*to = '\0';
	if (mapped(a))
		inet_ntop(AF_INET, a + 12, to, CB_ADDR_TEXT);
	else
		inet_ntop(AF_INET6, a, to, CB_ADDR_TEXT);
}

int cb_addr_parse(const char *text, uint8_t *to)
{
	uint8_t addr[16] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, text, addr + 12) != 1 && inet_pton(AF_INET6, text, addr) != 1)
		return -EINVAL;
	memcpy(to, addr, sizeof(addr));
	return 0;
}

bool cb_addr_any(const uint8_t *a)
{
	static const uint8_t zero[16];

	return mapped(a) ? !memcmp(a + 12, zero, 4) : !memcmp(a, zero, 16);
}

bool cb_addr_loopback(const uint8_t *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return mapped(a) ? a[12] == 127 : !memcmp(a, one, 16);
}

static bool multicast(const uint8_t *a)
{
	return mapped(a) ? a[12] >= 224 : a[0] == 0xff;
}

static bool link_local(const uint8_t *a)
{
	return mapped(a) ? a[12] == 169 && a[13] == 254 : a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

bool cb_addr_private(const uint8_t *a)
{
	if (!mapped(a))
		return (a[0] & 0xfe) == 0xfc || link_local(a);
	return a[12] == 10 || (a[12] == 172 && (a[13] & 0xf0) == 16) || (a[12] == 192 && a[13] == 168) ||
	       (a[12] == 100 && (a[13] & 0xc0) == 64) || link_local(a);
}

void cb_addr_class(const uint8_t *a, char *to)
{
	uint8_t net[16];
	size_t len;

	if (cb_addr_any(a) || cb_addr_loopback(a) || multicast(a)) {
		strcpy(to, multicast(a) ? "multicast" : cb_addr_any(a) ? "any" : "localhost");
		return;
	}
	memcpy(net, a, sizeof(net));
	if (!link_local(a)) {
		if (mapped(a))
			net[15] = 0;
		else
			memset(net + 6, 0, 10);
	}
	cb_addr_text(net, to);
	len = strlen(to);
	if (!link_local(a))
		snprintf(to + len, CB_ADDR_TEXT - len, "/%d", mapped(a) ? 24 : 48);
}

/* ---- network namespaces ---- */

static struct space *space_find(const struct cb_netmap *m, uint32_t netns)
{
	struct space *s;

	HASH_FIND(hh, m->space, &netns, sizeof(netns), s);
	return s;
}

static enum cb_life life_of(const struct cb_netmap *m, uint64_t cont)
{
	return cont ? m->life(m->arg, cont) : CB_GONE;
}

/* Takes away an address of a namespace; returns what comes after it in its list. */
static struct holder *holder_free(struct cb_netmap *m, struct holder *h)
{
	struct holder *next = h->next;

	h->space->naddr--;
	m->naddr--;
	free(h);
	return next;
}

/* Forgets the addresses of s that were not told in its last round; s NULL: all of all. */
static void drop_addresses(struct cb_netmap *m, struct space *s, bool all)
{
	struct address *a, *anext;

	HASH_ITER(hh, m->address, a, anext) {
		struct holder **h = &a->holder;

		while (*h)
			if ((!s || (*h)->space == s) && (all || (*h)->round != s->round))
				*h = holder_free(m, *h);
			else
				h = &(*h)->next;
		if (!a->holder) {
			HASH_DEL(m->address, a);
			free(a);
		}
	}
}

static void space_free(struct cb_netmap *m, struct space *s)
{
	if (s->naddr)
		drop_addresses(m, s, true);
	HASH_DEL(m->space, s);
	free(s);
	m->joined = false;
}

/* Makes room: whoever comes with ever more of them loses its own. */
static void space_room(struct cb_netmap *m, uint64_t cont)
{
	struct space *first = NULL;
	unsigned n = 0;

	for (struct space *s = m->space; s; s = s->hh.next)
		if (s->cont == cont && !s->several) {
			first = first ? first : s;
			n++;
		}
	if (first && (n >= OF_ONE || HASH_COUNT(m->space) >= SPACES))
		space_free(m, first);
}

/* cont: whose it will be, if it is new */
static struct space *space_get(struct cb_netmap *m, uint32_t netns, uint64_t cont)
{
	struct space *s = space_find(m, netns);

	if (!s) {
		space_room(m, cont);
		if (HASH_COUNT(m->space) >= SPACES)
			return NULL;
		s = cb_xalloc(sizeof(*s));
		s->netns = netns;
		s->several = netns == m->host;
		HASH_ADD(hh, m->space, netns, sizeof(s->netns), s);
		m->joined = false;
	}
	return s;
}

struct cb_netmap *cb_netmap_new(enum cb_life (*life)(void *arg, uint64_t cont), void *arg)
{
	struct cb_netmap *m = cb_xalloc(sizeof(*m));
	struct stat st;

	m->life = life;
	m->arg = arg;
	m->host = stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
	space_get(m, m->host, 0);
	return m;
}

void cb_netmap_free(struct cb_netmap *m)
{
	struct space *s, *snext;
	struct port *p, *pnext;

	if (!m)
		return;
	drop_addresses(m, NULL, true);
	HASH_ITER(hh, m->port, p, pnext) {
		HASH_DEL(m->port, p);
		free(p);
	}
	HASH_ITER(hh, m->space, s, snext) {
		HASH_DEL(m->space, s);
		free(s);
	}
	free(m);
}

uint32_t cb_netmap_host(const struct cb_netmap *m)
{
	return m->host;
}

/* ---- which can reach each other ---- */

static struct space *root_of(struct space *s)
{
	while (s->up != s)
		s = s->up = s->up->up;
	return s;
}

static void join_all(struct cb_netmap *m)
{
	if (m->joined)
		return;
	for (struct space *s = m->space; s; s = s->hh.next)
		s->up = s;
	for (struct space *s = m->space; s; s = s->hh.next)
		for (uint32_t i = 0; i < s->nlink; i++) {
			struct space *to = space_find(m, s->link[i].netns);

			if (to)
				root_of(s)->up = root_of(to);
		}
	m->joined = true;
}

static bool leads_to(const struct space *a, const struct space *b)
{
	for (uint32_t i = 0; i < a->nlink; i++) {
		if (!a->link[i].segment)
			continue;
		if (a->link[i].netns == b->netns)
			return true;
		for (uint32_t k = 0; k < b->nlink; k++)
			if (a->link[i].segment == b->link[k].segment)
				return true;
	}
	return false;
}

enum { HERE, BESIDE, FAR, APART };

static int distance(struct space *from, struct space *to)
{
	if (from == to)
		return HERE;
	if (leads_to(from, to) || leads_to(to, from))
		return BESIDE;
	return root_of(from) == root_of(to) ? FAR : APART;
}

/* ---- addresses ---- */

/* Returns 1 if s has it now. */
static int address_add(struct cb_netmap *m, struct space *s, const uint8_t *addr)
{
	struct holder **h;
	struct address *a;

	if (cb_addr_any(addr) || cb_addr_loopback(addr) || multicast(addr))
		return 0;
	HASH_FIND(hh, m->address, addr, 16, a);
	for (h = a ? &a->holder : NULL; h && *h; h = &(*h)->next)
		if ((*h)->space == s) {
			(*h)->round = s->round;
			return 1;
		}
	if (s->naddr >= OF_ONE || m->naddr >= ADDRESSES)
		return 0;
	if (!a) {
		a = cb_xalloc(sizeof(*a));
		memcpy(a->addr, addr, 16);
		HASH_ADD(hh, m->address, addr, 16, a);
		h = &a->holder;
	}
	*h = cb_xalloc(sizeof(**h));
	(*h)->space = s;
	(*h)->round = s->round;
	s->naddr++;
	m->naddr++;
	return 1;
}

/* Only the kernel half knows who was there at the same time. */
static void take_over(struct space *s, const struct flow_net *n)
{
	s->of_host |= !n->cont;
	if (!n->cont || s->cont == n->cont)
		return;
	s->several = n->shared;
	s->other = s->several ? n->cont : 0;
	if (!s->several || !s->cont)
		s->cont = n->cont;
}

void cb_netmap_net(struct cb_netmap *m, const struct flow_net *n)
{
	struct space *s = space_get(m, n->netns, n->cont);
	uint32_t has = 0;

	if (!s || n->netns == m->host)
		return;
	take_over(s, n);
	s->nlink = n->nlink < FLOW_LINKS ? n->nlink : FLOW_LINKS;
	memcpy(s->link, n->link, sizeof(s->link));
	for (uint32_t i = 0; i < s->nlink; i++)
		space_get(m, s->link[i].netns, 0);
	m->joined = false;
	s->round++;
	for (uint32_t i = 0; i < n->naddr && i < FLOW_ADDRS; i++)
		has += address_add(m, s, n->addr[i]);
	if (!n->cut && s->naddr > has)
		drop_addresses(m, s, false);
}

/* "  |-- 10.0.0.2" and then, somewhere below, "/32 host LOCAL" */
static void scan4(struct cb_netmap *m, struct space *s, FILE *f)
{
	uint8_t addr[16] = { [10] = 0xff, [11] = 0xff };
	char line[256], text[64];
	bool have = false;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " |-- %63s", text) == 1)
			have = inet_pton(AF_INET, text, addr + 12) == 1;
		else if (have && strstr(line, "/32 host LOCAL"))
			address_add(m, s, addr);
	}
}

/* 32 digits, then index, prefix length, scope, flags, device; a link-local one is not unique on a host. */
static void scan6(struct cb_netmap *m, struct space *s, FILE *f)
{
	uint8_t addr[16];
	char line[256];

	while (fgets(line, sizeof(line), f)) {
		size_t i;

		for (i = 0; i < 16 && sscanf(line + 2 * i, "%2hhx", &addr[i]) == 1; i++)
			;
		if (i == 16 && !link_local(addr))
			address_add(m, s, addr);
	}
}

void cb_netmap_scan_host(struct cb_netmap *m)
{
	static void (*const scan[])(struct cb_netmap *, struct space *, FILE *) = { scan4, scan6 };
	static const char *const file[] = { "/proc/self/net/fib_trie", "/proc/self/net/if_inet6" };
	struct space *s = space_find(m, m->host);

	s->round++;
	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(file[i], "re");

		if (!f)
			continue;
		scan[i](m, s, f);
		fclose(f);
	}
	drop_addresses(m, s, false);
}

/* ---- ports ---- */

void cb_netmap_listens(struct cb_netmap *m, uint32_t netns, uint8_t proto, uint16_t port, uint64_t cont)
{
	struct port_key key = { netns, port, proto };
	struct port *p;

	HASH_FIND(hh, m->port, &key, sizeof(key), p);
	if (!p) {
		if (HASH_COUNT(m->port) >= PORTS) {
			p = m->port;
			HASH_DEL(m->port, p);
			free(p);
		}
		p = cb_xalloc(sizeof(*p));
		p->key = key;
		HASH_ADD(hh, m->port, key, sizeof(p->key), p);
	}
	p->cont = cont;
}

static uint64_t on_port(const struct cb_netmap *m, uint32_t netns, uint8_t proto, uint16_t port)
{
	struct port_key key = { netns, port, proto };
	struct port *p;

	HASH_FIND(hh, m->port, &key, sizeof(key), p);
	return p ? p->cont : 0;
}

/* ---- what is over ---- */

static bool over(const struct cb_netmap *m, const struct space *s)
{
	return s->netns != m->host && !s->led_to && !s->of_host && life_of(m, s->cont) == CB_GONE;
}

/* A namespace that several used is the last one's. */
static void pass_on(struct cb_netmap *m, struct space *s)
{
	s->led_to = false;
	if (!s->cont || life_of(m, s->cont) != CB_GONE)
		return;
	s->cont = s->other;
	s->other = 0;
	s->several = s->netns == m->host;
	if (life_of(m, s->cont) == CB_GONE)
		s->cont = 0;
	if (!s->cont && s->naddr && s->netns != m->host)
		drop_addresses(m, s, true);
}

void cb_netmap_forget(struct cb_netmap *m)
{
	struct space *s, *snext, *to;
	struct port *p, *pnext;

	HASH_ITER(hh, m->port, p, pnext)
		if (p->cont && life_of(m, p->cont) == CB_GONE) {
			HASH_DEL(m->port, p);
			free(p);
		}
	for (s = m->space; s; s = s->hh.next)
		pass_on(m, s);
	for (s = m->space; s; s = s->hh.next)
		for (uint32_t i = 0; (s->cont || s->of_host) && i < s->nlink; i++) {
			to = space_find(m, s->link[i].netns);
			if (to && to != s)
				to->led_to = true;
		}
	HASH_ITER(hh, m->space, s, snext)
		if (over(m, s))
			space_free(m, s);
}

/* ---- whose ---- */

/* Who lives before who is gone, the near before the far; NULL: nobody, or who is not clear. */
static struct space *nearest(struct cb_netmap *m, const uint8_t *addr, struct space *from)
{
	struct space *best = NULL;
	struct address *a;
	int score = 2 * APART;
	bool twice = false;

	HASH_FIND(hh, m->address, addr, 16, a);
	join_all(m);
	for (struct holder *h = a ? a->holder : NULL; h; h = h->next) {
		struct space *s = h->space;
		int far = distance(from, s), sc = 2 * far + (s->netns != m->host && life_of(m, s->cont) != CB_ALIVE);

		if (sc < score) {
			best = s;
			score = sc;
			twice = false;
		} else if (sc == score && far == FAR) {
			twice = true;
		}
	}
	return twice ? NULL : best;
}

uint64_t cb_netmap_find(struct cb_netmap *m, const uint8_t *addr, uint32_t netns, uint8_t proto, uint16_t port)
{
	struct space *from = space_find(m, netns), *s = NULL;

	if (from)
		s = cb_addr_loopback(addr) ? from : nearest(m, addr, from);
	if (!s)
		return 0;
	return s->several ? on_port(m, s->netns, proto, port) : s->cont;
}
