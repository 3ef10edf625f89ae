/* SPDX-License-Identifier: GPL-2.0 */
/* Flows of the kernel to texts, whatever bytes a container chose. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "netmap.h"
#include "peertext.h"

#define END "\0\0\x01\0\x01" /* no more labels, type A, class IN */

static struct flow flow;
static struct peer_rec row;

/* What lies behind the name is what nobody may see. */
static void start(uint8_t dir, uint8_t proto, const void *name, size_t len)
{
	memset(&row, 0, sizeof(row));
	memset(&flow, 0, sizeof(flow));
	memset(flow.name, 'Z', sizeof(flow.name));
	if (len)
		memcpy(flow.name, name, len);
	flow.namelen = len;
	flow.key.dir = dir;
	flow.key.proto = proto;
}

#define START(dir, proto, text) start(dir, proto, text, sizeof(text) - 1)

static void expect_question(const char *name, const char *type)
{
	cb_peertext_question(&flow, &row);
	assert_string_equal(row.dns_name, name);
	assert_string_equal(row.dns_type, type);
}

#define QUESTION(bytes, name, type)                                                                                    \
	do {                                                                                                           \
		START(FLOW_QUERY, FLOW_UDP, bytes);                                                                    \
		expect_question(name, type);                                                                           \
	} while (0)

static void test_question(void **state)
{
	QUESTION("\3WWW\7example\3com" END, "www.example.com", "A");
	QUESTION("\1a\0\0\x1c\0\1", "a", "AAAA");
	QUESTION("\1a\0\0\xff\0\1", "a", "ANY");
	QUESTION("\1a\0\0\0\0\1", "a", "TYPE0");
	QUESTION("\1a\0\xff\xff\0\1", "a", "TYPE65535");
	QUESTION(END, ".", "A"); /* the root */
}

static void test_question_cut(void **state)
{
	QUESTION("\1a\0\0\1\0", "a", ""); /* half a class */
	QUESTION("\1a\0\0\1", "a", "");
	QUESTION("\1a\0", "", "");
	QUESTION("\0\0\1\0", "", "");
	QUESTION("", "", "");
	/* labels that run over the end */
	QUESTION("\3www\x3f" "example", "www.example", "");
	QUESTION("\xff" "abcdefgh", "abcdefgh", "");
	QUESTION("\3www\xc0\x0c\0\1\0\1", "www.\x0c?\x01?\x01", "");
	/* one that takes type and class for its own */
	QUESTION("\7ab" END, "ab??\x01?\x01", "");
}

static void test_question_bytes(void **state)
{
	QUESTION("\5a\0b\nc" END, "a?b\nc", "A");
	QUESTION("\4\xff\x80\x1b[" END, "\xff\x80\x1b[", "A");
	QUESTION("\2%s\2%n" END, "%s.%n", "A");
	/* inside a label */
	QUESTION("\3a.b" END, "a\\.b", "A");
	QUESTION("\4a\\.b\1c" END, "a\\\\\\.b.c", "A");
}

/* The most that the kernel half keeps, and what says that it is more. */
static void test_question_long(void **state)
{
	char bytes[FLOW_NAME], name[FLOW_NAME];

	/* 125 labels of a byte, no more of them fit */
	for (size_t i = 0; i < 250; i += 2)
		memcpy(bytes + i, "\1x", 2);
	memcpy(bytes + 250, END, 5);
	start(FLOW_QUERY, FLOW_UDP, bytes, 255);
	for (size_t i = 0; i < 249; i++)
		name[i] = i % 2 ? '.' : 'x';
	name[249] = '\0';
	expect_question(name, "A");

	/* one label over everything */
	memset(bytes, 'y', sizeof(bytes));
	bytes[0] = (char)255;
	start(FLOW_QUERY, FLOW_UDP, bytes, sizeof(bytes));
	memset(name, 'y', 254);
	name[254] = '\0';
	expect_question(name, "");

	/* the last label begins at the last place where one can */
	memset(bytes, 'y', sizeof(bytes));
	bytes[0] = (char)250;
	bytes[251] = (char)255;
	start(FLOW_QUERY, FLOW_UDP, bytes, sizeof(bytes));
	name[250] = '.';
	expect_question(name, "");

	flow.namelen = UINT32_MAX;
	memset(&row, 0, sizeof(row));
	expect_question(name, "");

	/* dots inside of labels: twice as long */
	memset(bytes, '.', sizeof(bytes));
	bytes[0] = bytes[64] = bytes[128] = 63;
	memcpy(bytes + 192, END, 5);
	start(FLOW_QUERY, FLOW_UDP, bytes, 197);
	for (size_t i = 0; i < 254; i++)
		name[i] = i == 126 || i == 253 ? '.' : "\\."[(i > 126 ? i - 127 : i) % 2];
	name[254] = '\0';
	expect_question(name, "A");
}

static void expect_unix(const char *text)
{
	char to[PEER_ADDRESS + 1];

	memset(to, '#', sizeof(to));
	cb_peertext_unix(&flow, to);
	assert_string_equal(to, text);
	assert_int_equal(to[PEER_ADDRESS], '#');
}

static void test_unix(void **state)
{
	char name[FLOW_NAME], text[PEER_ADDRESS];

	START(FLOW_OUT, FLOW_UNIX, "/run/docker.sock");
	expect_unix("/run/docker.sock");
	START(FLOW_OUT, FLOW_UNIX, "/run/docker.sock\0behind");
	expect_unix("/run/docker.sock");
	START(FLOW_OUT, FLOW_UNIX, "\0abstract");
	expect_unix("@abstract");
	START(FLOW_OUT, FLOW_UNIX, "\0a\0\0b\0");
	expect_unix("@a@@b@");
	START(FLOW_OUT, FLOW_UNIX, "\0");
	expect_unix("@");
	START(FLOW_OUT, FLOW_UNIX, "\0%s\xff\n");
	expect_unix("@%s\xff\n");
	START(FLOW_OUT, FLOW_UNIX, "");
	expect_unix("");

	/* as long as an address can be, with no NUL */
	memset(name, 'n', sizeof(name));
	memset(text, 'n', sizeof(text));
	text[108] = '\0';
	start(FLOW_OUT, FLOW_UNIX, name, 108);
	expect_unix(text);
	name[0] = '\0';
	text[0] = '@';
	start(FLOW_OUT, FLOW_UNIX, name, 108);
	expect_unix(text);

	/* longer than that: cut */
	memset(text, 'n', sizeof(text));
	text[0] = '@';
	text[PEER_ADDRESS - 1] = '\0';
	start(FLOW_OUT, FLOW_UNIX, name, sizeof(name));
	expect_unix(text);
	flow.namelen = UINT32_MAX;
	expect_unix(text);
}

static void test_domain(void **state)
{
	assert_string_equal(cb_peertext_domain("a.b.co.uk"), "b.co.uk");
	assert_string_equal(cb_peertext_domain("b.co.uk"), "b.co.uk");
	assert_string_equal(cb_peertext_domain("www.example.com"), "example.com");
	assert_string_equal(cb_peertext_domain("a.b.c.d.example.com"), "example.com");
	assert_string_equal(cb_peertext_domain("example.com"), "example.com");
	assert_string_equal(cb_peertext_domain("www.ibm.com"), "www.ibm.com"); /* short as well */
	assert_string_equal(cb_peertext_domain("localhost"), "localhost");
	assert_string_equal(cb_peertext_domain("a.evil\\.com.example.com"), "example.com");
	assert_string_equal(cb_peertext_domain("www.evil\\.example.com"), "evil\\.example.com");
	assert_string_equal(cb_peertext_domain("a.b\\\\.example.com"), "example.com");
	assert_string_equal(cb_peertext_domain("a\\"), "a\\");
	assert_string_equal(cb_peertext_domain("10.1.2.3"), "1.2.3");
	assert_string_equal(cb_peertext_domain("10.1.2345.3"), "2345.3");
	assert_string_equal(cb_peertext_domain("::1"), "::1");
	assert_string_equal(cb_peertext_domain(""), "");
	assert_string_equal(cb_peertext_domain("."), ".");
	assert_string_equal(cb_peertext_domain("....."), "..");
}

static void test_steady(void **state)
{
	assert_int_equal(cb_peertext_steady(0), 0);
	assert_int_equal(cb_peertext_steady(1), 1);
	assert_int_equal(cb_peertext_steady(443), 443);
	assert_int_equal(cb_peertext_steady(32767), 32767);
	assert_int_equal(cb_peertext_steady(32768), 0); /* handed out */
	assert_int_equal(cb_peertext_steady(60999), 0);
	assert_int_equal(cb_peertext_steady(65535), 0);
}

static void expect_peer(const char *other, const char *text)
{
	memset(&row, 0, sizeof(row));
	cb_peertext_flow(&flow, &row, true);
	cb_peertext_peer(&flow, &row, other);
	assert_string_equal(row.peer, text);
}

static void test_peer(void **state)
{
	START(FLOW_OUT, FLOW_TCP, "");
	cb_addr_parse("10.0.0.2", flow.key.addr);
	flow.key.port = 443;
	expect_peer("db", "outbound tcp db:443");
	expect_peer("", "outbound tcp 10.0.0.0/24:443");
	flow.key.port = 32768;
	expect_peer("db", "outbound tcp db:high");
	flow.key.port = 0;
	expect_peer("db", "outbound tcp db:0");
	flow.key.dir = FLOW_IN;
	flow.key.proto = FLOW_UDP;
	flow.key.port = 53;
	expect_peer("web", "inbound udp web to :53");
	flow.key.flags = FLOW_F_OTHER;
	expect_peer("web", "");

	START(FLOW_OUT, FLOW_UNIX_DGRAM, "/dev/log");
	expect_peer("", "outbound unix /dev/log");
	expect_peer("web", "outbound unix /dev/log web");
	START(FLOW_LISTEN, FLOW_UNIX, "\0x\0y");
	expect_peer("", "listening unix @x@y");
	START(FLOW_QUERY, FLOW_UDP, "\1a\1b\2co\2uk" END);
	expect_peer("dns", "query A b.co.uk");
	START(FLOW_QUERY, FLOW_UDP, "\3www");
	expect_peer("dns", "query  ");
}

/* All of it as long as can be: every text ends within its own room. */
static void test_longest(void **state)
{
	char name[FLOW_NAME], other[300];

	memset(name, 'n', sizeof(name));
	memset(other, 'o', sizeof(other));
	other[sizeof(other) - 1] = '\0';
	start(FLOW_LISTEN, FLOW_UNIX, name, sizeof(name));
	cb_peertext_flow(&flow, &row, true);
	cb_peertext_peer(&flow, &row, other);
	assert_int_equal(strlen(row.destination_address), PEER_ADDRESS - 1);
	assert_int_equal(strlen(row.peer), strlen("listening unix ") + PEER_ADDRESS - 1 + 1 + 100);
	assert_int_equal(row.destination_container[0], 0);

	start(FLOW_QUERY, FLOW_UDP, name, sizeof(name)); /* labels of 110 bytes */
	cb_peertext_flow(&flow, &row, true);
	cb_peertext_peer(&flow, &row, other);
	assert_int_equal(strlen(row.dns_name), 254);
	assert_string_equal(row.dns_type, "");
	assert_int_equal(strlen(row.peer), strlen("query  ") + 120);
	assert_int_equal(row.failures_by[0], 0);
}

static void expect_ends(const char *direction, const char *from, uint16_t from_port, const char *to, uint16_t to_port)
{
	assert_string_equal(row.direction, direction);
	assert_string_equal(row.source_address, from);
	assert_int_equal(row.source_port, from_port);
	assert_string_equal(row.destination_address, to);
	assert_int_equal(row.destination_port, to_port);
}

static void ends_of(uint8_t dir, bool first)
{
	memset(&row, 0, sizeof(row));
	flow.key.dir = dir;
	cb_peertext_flow(&flow, &row, first);
}

static void test_ends(void **state)
{
	START(FLOW_OUT, FLOW_TCP, "");
	cb_addr_parse("10.0.0.2", flow.key.addr);
	cb_addr_parse("10.0.0.3", flow.laddr);
	cb_addr_parse("10.0.0.4", flow.raddr);
	flow.key.port = 80;
	flow.lport = 40000;
	flow.rport = 50000;
	ends_of(FLOW_OUT, true);
	assert_string_equal(row.transport, "tcp");
	expect_ends("outbound", "10.0.0.3", 40000, "10.0.0.2", 80);
	ends_of(FLOW_OUT, false);
	expect_ends("outbound", "10.0.0.3", 0, "10.0.0.2", 80);
	ends_of(FLOW_IN, true);
	expect_ends("inbound", "10.0.0.2", 50000, "10.0.0.3", 80);
	ends_of(FLOW_IN, false);
	expect_ends("inbound", "10.0.0.2", 0, "10.0.0.3", 80);
	ends_of(FLOW_LISTEN, true);
	expect_ends("listening", "", 0, "10.0.0.2", 80);
	flow.key.proto = FLOW_UDP;
	ends_of(FLOW_QUERY, true);
	assert_string_equal(row.transport, "udp");
	expect_ends("outbound", "10.0.0.3", 0, "10.0.0.4", 80);
	flow.key.flags = FLOW_F_OTHER;
	ends_of(FLOW_IN, true);
	expect_ends("inbound", "other", 0, "", 0);
	ends_of(FLOW_OUT, true);
	expect_ends("outbound", "", 0, "other", 0);

	/* neither end known */
	START(FLOW_OUT, FLOW_TCP, "");
	ends_of(FLOW_OUT, true);
	expect_ends("outbound", "", 0, "::", 0);
	ends_of(FLOW_IN, true);
	expect_ends("inbound", "", 0, "::", 0);

	START(FLOW_OUT, FLOW_UNIX_DGRAM, "/dev/log");
	flow.key.port = 80;
	ends_of(FLOW_OUT, true);
	assert_string_equal(row.transport, "unix");
	expect_ends("outbound", "", 0, "/dev/log", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),      cmocka_unit_test(test_question_cut),
		cmocka_unit_test(test_question_bytes), cmocka_unit_test(test_question_long),
		cmocka_unit_test(test_unix),	      cmocka_unit_test(test_domain),
		cmocka_unit_test(test_steady),	      cmocka_unit_test(test_peer),
		cmocka_unit_test(test_longest),	      cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
