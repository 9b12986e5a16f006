#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/procfs.h"
#include "base/buf.h"

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID32 "0123456789abcdef0123456789abcdef"

static void a_line_of_maps_is_taken_apart(void **state)
{
	struct proc_map m;
	(void)state;
	assert_true(proc_parse_map(STR("7f1c2a000000-7f1c2a021000 r-xp 00001000 fe:1a 1836078     "
				       "               /usr/lib/x y.so (deleted)"),
				   &m));
	assert_int_equal(m.start, 0x7f1c2a000000);
	assert_int_equal(m.end, 0x7f1c2a021000);
	assert_int_equal(m.offset, 0x1000);
	assert_int_equal(m.major, 0xfe);
	assert_int_equal(m.minor, 0x1a);
	assert_int_equal(m.inode, 1836078);
	assert_true(m.executable);
	assert_true(str_equal(m.path, STR("/usr/lib/x y.so (deleted)")));
}

static void anonymous_memory_has_no_path(void **state)
{
	struct proc_map m;
	(void)state;
	assert_true(proc_parse_map(STR("1000-2000 rw-p 00000000 00:00 0 "), &m));
	assert_false(m.executable);
	assert_int_equal(m.path.len, 0);
	assert_true(proc_parse_map(STR("1000-2000 rwxp 00000000 00:00 0"), &m));
	assert_true(m.executable);
}

static void what_is_no_line_of_maps_is_refused(void **state)
{
	const char *bad[] = {"",
			     "1000",
			     "1000-2000",
			     "1000-2000 r-x",
			     "2000-1000 r-xp 0 fe:01 1",
			     "1000-1000 r-xp 0 fe:01 1",
			     "zz-2000 r-xp 0 fe:01 1",
			     "1000-2000 r-xp 0 fe01 1",
			     "1000-2000 r-xp 0 fe:01 x",
			     "11112222333344445-2000 r-xp 0 fe:01 1"};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct proc_map m;
		assert_false(proc_parse_map(str_of(bad[i]), &m));
	}
}

static void stat_survives_any_name(void **state)
{
	struct proc_stat s;
	(void)state;
	assert_true(proc_parse_stat(STR("7 (a) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
					"4242 1 2"),
				    &s));
	assert_true(str_equal(s.comm, STR("a) b (c")));
	assert_int_equal(s.parent_pid, 3);
	assert_int_equal(s.start_ticks, 4242);
	assert_false(s.kernel_thread);
	assert_true(
		proc_parse_stat(STR("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 "
				    "5 0"),
				&s));
	assert_true(s.kernel_thread);
	assert_false(proc_parse_stat(STR(""), &s));
	assert_false(proc_parse_stat(STR("7 (a"), &s));
	assert_false(proc_parse_stat(STR("7 (a)"), &s));
	assert_false(proc_parse_stat(STR("7 (a) S 3 7"), &s));
	assert_false(proc_parse_stat(STR("7 )a( S 3 7"), &s));
}

static void a_container_is_known_by_its_cgroup(void **state)
{
	static const struct {
		const char *cgroup, *id;
	} cases[] = {
		{"0::/\n", ""},
		{"", ""},
		{"0::/system.slice/docker-" ID64 ".scope\n", ID64},
		{"0::/docker/" ID64 "\n", ID64},
		{"0::/kubepods/burstable/pod1/" ID64 "\n", ID64},
		{"0::/kubepods.slice/x.slice/cri-containerd-" ID64 ".scope", ID64},
		{"0::/kubepods.slice/crio-" ID64 ".scope/container\n", ID64},
		{"0::/../cri-containerd-" ID64 ".scope\n", ID64},
		{"0::/k.slice:cri-containerd:" ID64 "\n", ID64},
		{"12:cpu,cpuacct:/user.slice\n11:memory:/docker/" ID64 "\n0::/\n", ID64},
		{"1:name=systemd:/ecs/task/" ID32 "-1234567890\n", ID32 "-1234567890"},
		{"0::/user.slice/user-0.slice/session-1.scope\n", ""},
		{"0::/docker/0123456789abcdef\n", ""},
		{"0::/docker/" ID64 "/deeper/still\n", ""},
		{"0::/docker/123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
		 ""},
		{"0::/docker/0123456789ABCDEF" ID64 "x\n", ""},
		{"x::/docker/" ID64 "\n", ""},
		{"/docker/" ID64 "\n", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct str id = proc_container_id(str_of(cases[i].cgroup));
		if (!str_equal(id, str_of(cases[i].id)))
			fail_msg("%s gives %.*s", cases[i].cgroup, STR_ARG(id));
	}
}

static void a_variable_is_found_by_its_whole_name(void **state)
{
	struct str env = STR("AB=1\0A=2=3\0EMPTY=\0A=4\0");
	(void)state;
	assert_true(str_equal(proc_environ_get(env, STR("A")), STR("2=3")));
	assert_true(str_equal(proc_environ_get(env, STR("AB")), STR("1")));
	struct str empty = proc_environ_get(env, STR("EMPTY"));
	assert_non_null(empty.ptr);
	assert_int_equal(empty.len, 0);
	assert_null(proc_environ_get(env, STR("B")).ptr);
	assert_null(proc_environ_get((struct str){0}, STR("B")).ptr);
}

static void a_process_may_name_its_service(void **state)
{
	static const struct {
		const char *env, *name;
	} cases[] = {
		{"OTEL_SERVICE_NAME=shop", "shop"},
		{"OTEL_RESOURCE_ATTRIBUTES=service.name=cart", "cart"},
		{"OTEL_RESOURCE_ATTRIBUTES=a=b , service.name = web%20shop%2C1 ,c=d", "web shop,1"},
		{"OTEL_RESOURCE_ATTRIBUTES=service.name=cart,broken", ""},
		{"OTEL_RESOURCE_ATTRIBUTES=service.name=100%", ""},
		{"OTEL_RESOURCE_ATTRIBUTES=service.name=%zz", ""},
		{"OTEL_RESOURCE_ATTRIBUTES=service.name=%ff", ""},
		{"OTEL_RESOURCE_ATTRIBUTES=service.name=a,", "a"},
		{"OTEL_RESOURCE_ATTRIBUTES=", ""},
		{"PATH=/bin", ""},
		{"", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char name[64];
		proc_service_name(str_of(cases[i].env), name, sizeof(name));
		if (strcmp(name, cases[i].name))
			fail_msg("%s gives %s", cases[i].env, name);
	}
	char name[64];
	proc_service_name(STR("OTEL_RESOURCE_ATTRIBUTES=service.name=cart\0OTEL_SERVICE_NAME="
			      "shop\0"),
			  name, sizeof(name));
	assert_string_equal(name, "shop");
}

static void a_long_service_name_is_cut(void **state)
{
	char name[5];
	(void)state;
	proc_service_name(STR("OTEL_SERVICE_NAME=abcdefgh"), name, sizeof(name));
	assert_string_equal(name, "abcd");
}

static void kernel_threads_of_one_kind_share_a_name(void **state)
{
	char name[32];
	(void)state;
	kernel_thread_name(STR("kworker/0:1H-kblockd"), name, sizeof(name));
	assert_string_equal(name, "[kworker]");
	kernel_thread_name(STR("ksoftirqd/1"), name, sizeof(name));
	assert_string_equal(name, "[ksoftirqd]");
	kernel_thread_name(STR("rcu_preempt"), name, sizeof(name));
	assert_string_equal(name, "[rcu_preempt]");
	kernel_thread_name(STR("/odd"), name, sizeof(name));
	assert_string_equal(name, "[/odd]");
}

static void our_own_files_can_be_read(void **state)
{
	char exe[4096];
	struct buf text;
	struct err err = {0};
	(void)state;
	assert_int_equal(proc_read_exe("/proc", (uint32_t)getpid(), exe, sizeof(exe), NULL), 0);
	assert_true(str_find(str_of(exe), STR("procfs")) > 0);
	buf_init(&text, 0);
	assert_int_equal(proc_read("/proc", (uint32_t)getpid(), "stat", 4096, &text, NULL), 0);
	struct proc_stat s;
	assert_true(proc_parse_stat(buf_text(&text), &s));
	assert_int_equal(s.parent_pid, getppid());
	assert_int_equal(proc_read_exe("/proc", 0, exe, sizeof(exe), &err), ERR_NOT_FOUND);
	assert_int_equal(proc_read("/nowhere", 1, "stat", 4096, &text, &err), ERR_NOT_FOUND);
	buf_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_maps_is_taken_apart),
		cmocka_unit_test(anonymous_memory_has_no_path),
		cmocka_unit_test(what_is_no_line_of_maps_is_refused),
		cmocka_unit_test(stat_survives_any_name),
		cmocka_unit_test(a_container_is_known_by_its_cgroup),
		cmocka_unit_test(a_variable_is_found_by_its_whole_name),
		cmocka_unit_test(a_process_may_name_its_service),
		cmocka_unit_test(a_long_service_name_is_cut),
		cmocka_unit_test(kernel_threads_of_one_kind_share_a_name),
		cmocka_unit_test(our_own_files_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
