/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses, and which container has which. All of it is bounded: containers choose how many addresses they have. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>
#include "cb.h"
#include "netmap.h"

#define ADDRESSES 32768
#define OF_ONE 256 /* addresses of one namespace */

struct space {
	uint32_t netns;
	uint32_t naddr;
	uint64_t cont;
	bool several;
	UT_hash_handle hh;
};

struct address {
	uint8_t addr[16];
	struct space *space;
	UT_hash_handle hh; /* in order of use */
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
	bool (*alive)(void *arg, uint64_t cont);
	void *arg;
	uint32_t host;
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

/* ---- whose ---- */

static uint32_t netns_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

struct cb_netmap *cb_netmap_new(bool (*alive)(void *arg, uint64_t cont), void *arg)
{
	struct cb_netmap *m = cb_xalloc(sizeof(*m));

	m->alive = alive;
	m->arg = arg;
	m->host = netns_of("/proc/self/ns/net");
	return m;
}

uint32_t cb_netmap_host(const struct cb_netmap *m)
{
	return m->host;
}

static void address_free(struct cb_netmap *m, struct address *a)
{
	a->space->naddr--;
	HASH_DEL(m->address, a);
	free(a);
}

void cb_netmap_free(struct cb_netmap *m)
{
	struct address *a, *anext;
	struct space *s, *snext;
	struct port *p, *pnext;

	if (!m)
		return;
	HASH_ITER(hh, m->address, a, anext)
		address_free(m, a);
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

static struct space *space_find(const struct cb_netmap *m, uint32_t netns)
{
	struct space *s;

	HASH_FIND(hh, m->space, &netns, sizeof(netns), s);
	return s;
}

static struct space *space_get(struct cb_netmap *m, uint32_t netns, uint64_t cont)
{
	struct space *s = space_find(m, netns);

	if (!s) {
		s = cb_xalloc(sizeof(*s));
		s->netns = netns;
		s->several = netns == m->host;
		HASH_ADD(hh, m->space, netns, sizeof(s->netns), s);
	}
	if (!cont || s->cont == cont)
		return s;
	if (!s->cont || !m->alive(m->arg, s->cont))
		s->cont = cont;
	else
		s->several = true;
	return s;
}

void cb_netmap_learn(struct cb_netmap *m, const uint8_t *addr, uint32_t netns, uint64_t cont)
{
	struct space *s = space_get(m, netns, cont);
	struct address *a;

	if (cb_addr_any(addr) || cb_addr_loopback(addr) || multicast(addr))
		return;
	HASH_FIND(hh, m->address, addr, 16, a);
	if (a && a->space == s)
		return;
	if (a)
		address_free(m, a); /* it has moved */
	if (s->naddr >= OF_ONE)
		return;
	if (HASH_COUNT(m->address) >= ADDRESSES)
		address_free(m, m->address);
	a = cb_xalloc(sizeof(*a));
	memcpy(a->addr, addr, 16);
	a->space = s;
	s->naddr++;
	HASH_ADD(hh, m->address, addr, 16, a);
}

/* "  |-- 10.0.0.2" and then, somewhere below, "/32 host LOCAL" */
static void scan4(struct cb_netmap *m, FILE *f, uint32_t netns, uint64_t cont)
{
	uint8_t addr[16] = { [10] = 0xff, [11] = 0xff };
	char line[256], text[64];
	bool have = false;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " |-- %63s", text) == 1)
			have = inet_pton(AF_INET, text, addr + 12) == 1;
		else if (have && strstr(line, "/32 host LOCAL"))
			cb_netmap_learn(m, addr, netns, cont);
	}
}

/* 32 digits, then index, prefix length, scope, flags, device; a link-local one is not unique on a host. */
static void scan6(struct cb_netmap *m, FILE *f, uint32_t netns, uint64_t cont)
{
	uint8_t addr[16];
	char line[256];

	while (fgets(line, sizeof(line), f)) {
		size_t i;

		for (i = 0; i < 16 && sscanf(line + 2 * i, "%2hhx", &addr[i]) == 1; i++)
			;
		if (i == 16 && !link_local(addr))
			cb_netmap_learn(m, addr, netns, cont);
	}
}

void cb_netmap_scan(struct cb_netmap *m, uint32_t pid, uint64_t cont)
{
	static void (*const scan[])(struct cb_netmap *, FILE *, uint32_t, uint64_t) = { scan4, scan6 };
	static const char *const file[] = { "fib_trie", "if_inet6" };
	char path[64];
	uint32_t netns;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	netns = netns_of(path);
	if (!netns || netns == m->host)
		return;
	for (int i = 0; i < 2; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%u/net/%s", pid, file[i]);
		f = fopen(path, "re");
		if (!f)
			continue;
		scan[i](m, f, netns, cont);
		fclose(f);
	}
	space_get(m, netns, cont);
}

void cb_netmap_listens(struct cb_netmap *m, uint32_t netns, uint8_t proto, uint16_t port, uint64_t cont)
{
	struct port_key key = { netns, port, proto };
	struct port *p;

	HASH_FIND(hh, m->port, &key, sizeof(key), p);
	if (!p) {
		if (HASH_COUNT(m->port) >= ADDRESSES) {
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

void cb_netmap_gone(struct cb_netmap *m, uint64_t cont)
{
	struct address *a, *anext;
	struct space *s, *snext;
	struct port *p, *pnext;

	HASH_ITER(hh, m->address, a, anext)
		if (!a->space->several && a->space->cont == cont)
			address_free(m, a);
	HASH_ITER(hh, m->port, p, pnext)
		if (p->cont == cont) {
			HASH_DEL(m->port, p);
			free(p);
		}
	HASH_ITER(hh, m->space, s, snext)
		if (!s->naddr && !s->several && s->cont == cont) {
			HASH_DEL(m->space, s);
			free(s);
		}
}

bool cb_netmap_shared(const struct cb_netmap *m, uint32_t netns)
{
	const struct space *s = space_find(m, netns);

	return netns == m->host || (s && s->several);
}

static uint64_t on_port(const struct cb_netmap *m, uint32_t netns, uint8_t proto, uint16_t port)
{
	struct port_key key = { netns, port, proto };
	struct port *p;

	HASH_FIND(hh, m->port, &key, sizeof(key), p);
	return p ? p->cont : 0;
}

uint64_t cb_netmap_find(const struct cb_netmap *m, const uint8_t *addr, uint32_t netns, uint8_t proto, uint16_t port)
{
	const struct space *s;
	struct address *a;

	if (cb_addr_loopback(addr)) {
		s = space_find(m, netns);
	} else {
		HASH_FIND(hh, m->address, addr, 16, a);
		s = a ? a->space : NULL;
	}
	if (s && !s->several)
		return s->cont;
	return on_port(m, s ? s->netns : cb_addr_loopback(addr) ? netns : m->host, proto, port);
}
