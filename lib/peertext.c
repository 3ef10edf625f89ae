/* SPDX-License-Identifier: GPL-2.0 */
/* Flows of the kernel to texts: ends, unix socket names, DNS questions, and what ctrain learns. */
#include <stdio.h>
#include <string.h>
#include "netmap.h"
#include "peertext.h"

bool cb_peertext_is_unix(const struct flow_key *k)
{
	return k->proto == FLOW_UNIX || k->proto == FLOW_UNIX_DGRAM;
}

uint16_t cb_peertext_steady(uint16_t port)
{
	return port < 32768 ? port : 0;
}

static const char *direction(const struct flow_key *k)
{
	return k->dir == FLOW_IN ? "inbound" : k->dir == FLOW_LISTEN ? "listening" : "outbound";
}

static const char *transport(const struct flow_key *k)
{
	return k->proto == FLOW_TCP ? "tcp" : k->proto == FLOW_UDP ? "udp" : "unix";
}

static void put(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

void cb_peertext_unix(const struct flow *f, char *to)
{
	size_t len = f->namelen < PEER_ADDRESS - 1 ? f->namelen : PEER_ADDRESS - 1;

	memcpy(to, f->name, len);
	to[len] = '\0';
	if (to[0] || !len)
		return;
	for (size_t i = 0; i < len; i++)
		if (!to[i])
			to[i] = '@';
}

/* A byte of a name; what would look like another is written as in RFC 1035 section 5.1. */
static void put_byte(struct peer_rec *r, size_t *len, uint8_t c, bool escaped)
{
	if (*len + escaped >= sizeof(r->dns_name) - 2) {
		*len = sizeof(r->dns_name) - 2; /* nothing comes behind what is missing */
		return;
	}
	if (escaped)
		r->dns_name[(*len)++] = '\\';
	r->dns_name[(*len)++] = c >= 'A' && c <= 'Z' ? c + 32 : c ? c : '?';
}

/* Labels with their lengths, then type and class. */
void cb_peertext_question(const struct flow *f, struct peer_rec *r)
{
	static const struct {
		uint16_t type;
		const char *name;
	} types[] = { { 1, "A" },     { 2, "NS" },   { 5, "CNAME" }, { 6, "SOA" },    { 12, "PTR" },
		      { 15, "MX" },   { 16, "TXT" }, { 28, "AAAA" }, { 33, "SRV" },   { 35, "NAPTR" },
		      { 43, "DS" },   { 48, "DNSKEY" }, { 64, "SVCB" }, { 65, "HTTPS" }, { 255, "ANY" } };
	const uint8_t *q = (const uint8_t *)f->name;
	size_t at = 0, len = f->namelen < FLOW_NAME ? f->namelen : FLOW_NAME, out = 0;
	unsigned type;

	while (at + 5 <= len && q[at]) {
		size_t n = q[at++];

		if (out)
			put_byte(r, &out, '.', false);
		for (; n && at < len; n--, at++)
			put_byte(r, &out, q[at], q[at] == '.' || q[at] == '\\');
	}
	if (!out && at + 5 <= len)
		put(r->dns_name, sizeof(r->dns_name), ".");
	if (at + 5 > len)
		return;
	type = q[at + 1] << 8 | q[at + 2];
	snprintf(r->dns_type, sizeof(r->dns_type), "TYPE%u", type);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			put(r->dns_type, sizeof(r->dns_type), types[i].name);
}

static void address(char *to, const uint8_t *addr)
{
	char text[CB_ADDR_TEXT];

	cb_addr_text(addr, text);
	put(to, PEER_ADDRESS, text);
}

/* Both ends; ports that change from contact to contact only in the row that tells of the first. */
static void fill_ends(const struct flow *f, struct peer_rec *r, bool first)
{
	const struct flow_key *k = &f->key;

	if (k->flags & FLOW_F_OTHER) {
		put(k->dir == FLOW_IN ? r->source_address : r->destination_address, PEER_ADDRESS, "other");
		return;
	}
	if (cb_peertext_is_unix(k)) {
		cb_peertext_unix(f, r->destination_address);
		return;
	}
	switch (k->dir) {
	case FLOW_OUT:
		if (!cb_addr_any(f->laddr))
			address(r->source_address, f->laddr);
		r->source_port = first ? f->lport : 0;
		address(r->destination_address, k->addr);
		break;
	case FLOW_IN:
		if (!cb_addr_any(k->addr)) /* of an accept that failed nobody is known */
			address(r->source_address, k->addr);
		r->source_port = first ? f->rport : 0;
		address(r->destination_address, f->laddr);
		break;
	case FLOW_QUERY:
		if (!cb_addr_any(f->laddr))
			address(r->source_address, f->laddr);
		address(r->destination_address, f->raddr);
		cb_peertext_question(f, r);
		break;
	default:
		address(r->destination_address, k->addr);
	}
	r->destination_port = k->port;
}

void cb_peertext_flow(const struct flow *f, struct peer_rec *r, bool first)
{
	put(r->direction, sizeof(r->direction), direction(&f->key));
	put(r->transport, sizeof(r->transport), transport(&f->key));
	fill_ends(f, r, first);
}

static void port_text(uint16_t port, char *to, size_t size)
{
	if (port && !cb_peertext_steady(port))
		put(to, size, "high");
	else
		snprintf(to, size, "%u", port);
}

const char *cb_peertext_domain(const char *name)
{
	const char *part[4] = { name };
	size_t n = 1;

	for (const char *s = name; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (*s == '.') {
			memmove(part + 1, part, 3 * sizeof(part[0]));
			part[0] = s + 1;
			n++;
		}
	}
	if (n <= 2)
		return name;
	return part[0] - part[1] - 1 > 3 ? part[1] : part[2];
}

void cb_peertext_peer(const struct flow *f, struct peer_rec *r, const char *other)
{
	const struct flow_key *k = &f->key;
	char net[CB_ADDR_TEXT], port[16], via[32];

	if (k->flags & FLOW_F_OTHER)
		return; /* its parts were told before */
	snprintf(via, sizeof(via), "%s %s", r->direction, r->transport);
	port_text(k->port, port, sizeof(port));
	if (k->dir == FLOW_QUERY) {
		snprintf(r->peer, sizeof(r->peer), "query %s %.120s", r->dns_type, cb_peertext_domain(r->dns_name));
		return;
	}
	if (cb_peertext_is_unix(k)) {
		snprintf(r->peer, sizeof(r->peer), "%s %s%s%.100s", via, r->destination_address,
			 *other ? " " : "", other);
		return;
	}
	cb_addr_class(k->addr, net);
	snprintf(r->peer, sizeof(r->peer), k->dir == FLOW_IN ? "%s %.100s to :%s" : "%s %.100s:%s", via,
		 *other ? other : net, port);
}
