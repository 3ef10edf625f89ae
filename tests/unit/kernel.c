/* SPDX-License-Identifier: GPL-2.0 */
/* What is asked of the running kernel. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>
#include "run.h"

static void test_function(void **state)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		skip(); /* a kernel without type information */
	for (int i = 0; i < 2; i++) {
		assert_true(cb_kernel_has_function("do_exit"));
		assert_false(cb_kernel_has_function("do_exi"));
		assert_false(cb_kernel_has_function("o_exit"));
		assert_false(cb_kernel_has_function("there_is_no_such_function"));
		cb_kernel_forget(); /* and is read again */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
