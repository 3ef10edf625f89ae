// SPDX-License-Identifier: GPL-2.0
/* Addresses as text and by kind; whose they are when namespaces are shared, move on, or overflow. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include "netmap.h"

#define TCP 6
#define UDP 17

static uint8_t *addr(const char *text)
{
	static uint8_t a[4][16];
	static int turn;
	uint8_t *to = a[turn++ % 4];

	memset(to, 0, 16);
	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, to), 1);
		return to;
	}
	to[10] = to[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, to + 12), 1);
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
}

static bool alive(void *arg, uint64_t cont)
{
	const uint64_t *gone = arg;

	return cont != *gone;
}

static void test_whose(void **state)
{
	uint64_t gone = 0;
	struct cb_netmap *m = cb_netmap_new(alive, &gone);

	cb_netmap_learn(m, addr("10.0.0.2"), 1, 100);
	cb_netmap_learn(m, addr("10.0.0.3"), 2, 200);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 2, TCP, 80), 100);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.3"), 1, TCP, 80), 200);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.4"), 1, TCP, 80), 0);
	/* loopback is the namespace's own */
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), 1, TCP, 80), 100);
	assert_int_equal(cb_netmap_find(m, addr("::1"), 2, TCP, 80), 200);
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), 3, TCP, 80), 0);
	/* an address that moved */
	cb_netmap_learn(m, addr("10.0.0.2"), 2, 200);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 1, TCP, 80), 200);
	cb_netmap_free(m);
}

static void test_shared(void **state)
{
	uint64_t gone = 0;
	struct cb_netmap *m = cb_netmap_new(alive, &gone);

	cb_netmap_learn(m, addr("10.0.0.2"), 1, 100);
	cb_netmap_learn(m, addr("10.0.0.2"), 1, 101);
	assert_true(cb_netmap_shared(m, 1));
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 0);
	cb_netmap_listens(m, 1, TCP, 80, 101);
	cb_netmap_listens(m, 1, UDP, 80, 100);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 101);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, UDP, 80), 100);
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), 1, TCP, 80), 101);
	assert_int_equal(cb_netmap_find(m, addr("127.0.0.1"), 1, TCP, 81), 0);
	/* the host's namespace is shared from the first on */
	cb_netmap_learn(m, addr("192.0.2.1"), cb_netmap_host(m), 100);
	assert_true(cb_netmap_shared(m, cb_netmap_host(m)));
	assert_int_equal(cb_netmap_find(m, addr("192.0.2.1"), 1, TCP, 80), 0);
	cb_netmap_free(m);
}

/* The next container in a namespace takes it over, one beside another does not. */
static void test_gone(void **state)
{
	uint64_t gone = 100;
	struct cb_netmap *m = cb_netmap_new(alive, &gone);

	cb_netmap_learn(m, addr("10.0.0.2"), 1, 100);
	cb_netmap_learn(m, addr("10.0.0.2"), 1, 101);
	assert_false(cb_netmap_shared(m, 1));
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 101);
	cb_netmap_gone(m, 101);
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 0);
	cb_netmap_free(m);
}

/* A container with ever more addresses pushes out nobody else's. */
static void test_bounded(void **state)
{
	uint64_t gone = 0;
	struct cb_netmap *m = cb_netmap_new(alive, &gone);
	uint8_t a[16] = { [10] = 0xff, [11] = 0xff, [12] = 11 };

	cb_netmap_learn(m, addr("10.0.0.2"), 1, 100);
	for (uint32_t i = 0; i < 100003; i++) {
		a[13] = i >> 16;
		a[14] = i >> 8;
		a[15] = i;
		cb_netmap_learn(m, a, 2, 200);
	}
	assert_int_equal(cb_netmap_find(m, addr("10.0.0.2"), 9, TCP, 80), 100);
	assert_int_equal(cb_netmap_find(m, a, 9, TCP, 80), 0);
	assert_int_equal(cb_netmap_find(m, addr("11.0.0.1"), 9, TCP, 80), 200);
	cb_netmap_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_class), cmocka_unit_test(test_whose), cmocka_unit_test(test_shared),
		cmocka_unit_test(test_gone),	       cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
