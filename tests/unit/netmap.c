/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses as text and by kind; whose they are when namespaces are shared, move on, or overflow. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "flow.h"
#include "netmap.h"

#define TCP 6
#define UDP 17

static uint8_t *addr(const char *text)
{
	static uint8_t a[4][16];
	static int turn;
	uint8_t *to = a[turn++ % 4];

	assert_int_equal(cb_addr_parse(text, to), 0);
	return to;
}

static void test_text_and_class(void **state)
{
	static const struct {
		const char *addr, *class;
		bool private;
	} t[] = {
		{ "10.1.2.3", "10.1.2.0/24", true },	 { "8.8.8.8", "8.8.8.0/24", false },
		{ "127.3.2.1", "localhost", false },	 { "::1", "localhost", false },
		{ "0.0.0.0", "any", false },		 { "::", "any", false },
		{ "224.0.0.251", "multicast", false },	 { "ff02::fb", "multicast", false },
		{ "169.254.169.254", "169.254.169.254", true }, { "fe80::1", "fe80::1", true },
		{ "172.31.255.1", "172.31.255.0/24", true }, { "172.32.0.1", "172.32.0.0/24", false },
		{ "100.64.0.1", "100.64.0.0/24", true }, { "2001:db8:1:2::3", "2001:db8:1::/48", false },
		{ "fd00::5", "fd00::/48", true },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char text[CB_ADDR_TEXT];

		cb_addr_text(addr(t[i].addr), text);
		assert_string_equal(text, t[i].addr);
		cb_addr_class(addr(t[i].addr), text);
		assert_string_equal(text, t[i].class);
		assert_int_equal(cb_addr_private(addr(t[i].addr)), t[i].private);
	}
	assert_true(cb_addr_parse("other", (uint8_t[16]){ 0 }) < 0);
	assert_true(cb_addr_parse("", (uint8_t[16]){ 0 }) < 0);
}

static enum cb_life life(void *arg, uint64_t cont)
{
	const uint64_t *gone = arg;

	return cont == *gone ? CB_GONE : CB_ALIVE;
}

/* A namespace as the kernel half tells of it; addrs: text with a space between, links: {segment, namespace} to {0, 0}. */
static void net_told(struct cb_netmap *m, uint32_t netns, uint64_t cont, bool shared, const char *addrs,
		     const uint64_t (*link)[2])
{
	struct flow_net n = { .netns = netns, .cont = cont, .shared = shared };
	char text[256], *save, *a;

	snprintf(text, sizeof(text), "%s", addrs);
	for (a = strtok_r(text, " ", &save); a; a = strtok_r(NULL, " ", &save))
		memcpy(n.addr[n.naddr++], addr(a), 16);
	for (; link && (*link)[1]; link++)
		n.link[n.nlink++] = (struct flow_link){ (*link)[0], (*link)[1] };
	cb_netmap_net(m, &n);
}

static void net(struct cb_netmap *m, uint32_t netns, uint64_t cont, const char *addrs, const uint64_t (*link)[2])
{
	net_told(m, netns, cont, false, addrs, link);
}

#define LINKS(...) ((const uint64_t[][2]){ __VA_ARGS__, { 0, 0 } })

/* On one bridge of the host: each has a cable to segment 7 in the host's namespace. */
static void on_bridge(struct cb_netmap *m, uint32_t netns, uint64_t cont, const char *addrs)
{
	net(m, netns, cont, addrs, LINKS({ 7, cb_netmap_host(m) }));
}

static void test_whose(void **state)
{
	uint64_t gone = 0;
	struct cb_netmap *m = cb_netmap_new(life, &gone);

	on_bridge(m, 1, 100, "10.0.0.2 fd00::2");
	on_bridge(m, 2, 200, "10.0.0.3");
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 2, TCP, 80), 100);
	assert_int_equal(cb_netmap_find(m, addr("fd00::2"), 2, TCP, 80), 100);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 1, TCP, 80), 200);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 1, TCP, 80), 100);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.4"), 1, TCP, 80), 0);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), cb_netmap_host(m), TCP, 80), 100);
	/* from where nothing is known of */
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 0);
	/* loopback is the namespace's own */
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), 1, TCP, 80), 100);
	assert_int_equal(cb_netmap_find(m, addr("::1"), 2, TCP, 80), 200);
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), 3, TCP, 80), 0);
	/* an address that moved */
	on_bridge(m, 1, 100, "10.0.0.9");
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 2, TCP, 80), 0);
	on_bridge(m, 2, 200, "10.0.0.3 10.0.0.2");
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 1, TCP, 80), 200);
	/* who takes another's address does not get its name */
	on_bridge(m, 1, 100, "10.0.0.9 10.0.0.3");
	on_bridge(m, 3, 300, "10.0.0.4");
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 3, TCP, 80), 200);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 1, TCP, 80), 100);
	cb_netmap_free(m);
}

/* The same addresses twice: the nearest has it, and one that no device leads to has it not. */
static void test_networks(void **state)
{
	uint64_t gone = 0;
	struct cb_netmap *m = cb_netmap_new(life, &gone);
	uint32_t host = cb_netmap_host(m);

	/* a bridge of the host, another with the same addresses, a third */
	on_bridge(m, 1, 100, "10.0.0.2");
	on_bridge(m, 2, 200, "10.0.0.3");
	net(m, 11, 1100, "10.0.0.2", LINKS({ 8, host }));
	net(m, 12, 1200, "10.0.0.3", LINKS({ 8, host }));
	net(m, 13, 1300, "10.9.0.1", LINKS({ 9, host }));
	/* a cable from one to the other, and one that stands alone */
	net(m, 21, 2100, "10.0.0.2", LINKS({ 50, 22 }));
	net(m, 22, 2200, "10.0.0.3", LINKS({ 50, 21 }));
	net(m, 31, 3100, "10.0.0.77", NULL);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 1, TCP, 80), 200);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 11, TCP, 80), 1200);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 12, TCP, 80), 1100);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 21, TCP, 80), 2200);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 31, TCP, 80), 0);
	/* over the host, two could be meant */
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 13, TCP, 80), 0);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.77"), 1, TCP, 80), 0);
	/* one of them ends */
	gone = 1200;
	cb_netmap_forget(m);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 13, TCP, 80), 200);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 11, TCP, 80), 200);
	/* a router that nobody is in: its cables lead to two others */
	net(m, 41, 4100, "10.1.0.2", LINKS({ 60, 40 }));
	net(m, 42, 4200, "10.2.0.2", LINKS({ 61, 40 }));
	assert_int_equal(cb_netmap_find(m, addr("10.2.0.2"), 41, TCP, 80), 4200);
	cb_netmap_forget(m);
	assert_int_equal(cb_netmap_find(m, addr("10.2.0.2"), 41, TCP, 80), 4200);
	/* a card in a namespace of its own: the wire that the host is on */
	net(m, 51, 5100, "192.0.2.7", LINKS({ 0, host }));
	net(m, 52, 5200, "192.0.2.8", LINKS({ 0, host }));
	assert_int_equal(cb_netmap_find(m, addr("192.0.2.8"), 51, TCP, 80), 5200);
	assert_int_equal(cb_netmap_find(m, addr("192.0.2.8"), 1, TCP, 80), 5200);
	cb_netmap_free(m);
}

static void test_shared(void **state)
{
	uint64_t gone = 0;
	struct cb_netmap *m = cb_netmap_new(life, &gone);
	uint32_t host = cb_netmap_host(m);

	on_bridge(m, 9, 900, "10.0.0.9");
	on_bridge(m, 1, 100, "10.0.0.2");
	net_told(m, 1, 101, true, "10.0.0.2", LINKS({ 7, host }));
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 0);
	cb_netmap_listens(m, 1, TCP, 80, 101);
	cb_netmap_listens(m, 1, UDP, 80, 100);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 101);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, UDP, 80), 100);
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), 1, TCP, 80), 101);
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), 1, TCP, 81), 0);
	/* the host's namespace is shared from the first on; an address of nobody's is not the host's */
	cb_netmap_listens(m, host, TCP, 443, 102);
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), host, TCP, 443), 102);
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), host, TCP, 444), 0);
	assert_int_equal(cb_netmap_find(m, addr("198.51.100.1"), 9, TCP, 443), 0);
	/* one of two ends: what is left is the other's */
	gone = 100;
	cb_netmap_forget(m);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 81), 101);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, UDP, 80), 101);
	cb_netmap_free(m);
}

/* The next container in a namespace takes it over, one beside another does not. */
static void test_gone(void **state)
{
	uint64_t gone = 100;
	struct cb_netmap *m = cb_netmap_new(life, &gone);

	on_bridge(m, 9, 900, "10.0.0.9");
	on_bridge(m, 1, 100, "10.0.0.2");
	/* its last rows are still to come */
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 100);
	/* another got its address meanwhile */
	on_bridge(m, 2, 200, "10.0.0.2");
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 200);
	on_bridge(m, 1, 101, "10.0.0.3");
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 9, TCP, 80), 101);
	/* whoever comes alone takes it over, whether the end of the one before was heard of or not */
	gone = 0;
	on_bridge(m, 1, 102, "10.0.0.3");
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 9, TCP, 80), 102);
	gone = 102;
	cb_netmap_forget(m);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 9, TCP, 80), 0);
	cb_netmap_free(m);
}

/* A container with ever more addresses, or namespaces, pushes out nobody else's. */
static void test_bounded(void **state)
{
	uint64_t gone = 0;
	struct cb_netmap *m = cb_netmap_new(life, &gone);
	struct flow_net n = { .cont = 200, .nlink = 1, .naddr = FLOW_ADDRS, .cut = 1,
			      .link[0] = { 7, cb_netmap_host(m) } };
	uint8_t *last = n.addr[FLOW_ADDRS - 1];

	on_bridge(m, 1, 100, "10.0.0.2");
	for (uint32_t i = 0; i < 20011; i++) {
		n.netns = i % 3 ? 2 : 100000 + i;
		for (uint32_t k = 0; k < FLOW_ADDRS; k++)
			memcpy(n.addr[k], (uint8_t[16]){ [10] = 0xff, 0xff, 11, i >> 8, i, k }, 16);
		cb_netmap_net(m, &n);
	}
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 2, TCP, 80), 100);
	assert_int_equal(cb_netmap_find(m, last, 1, TCP, 80), 200);
	on_bridge(m, 3, 300, "10.0.0.3");
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 1, TCP, 80), 300);
	cb_netmap_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_class), cmocka_unit_test(test_whose), cmocka_unit_test(test_shared),
		cmocka_unit_test(test_networks),	       cmocka_unit_test(test_gone),  cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
