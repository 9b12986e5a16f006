#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "server/relabel.h"

enum { LABELS_MAX = 8, SOURCES_MAX = 3 };

struct pair {
	const char *name, *value;
};

/* One rule, the labels before, and those after; keep false: the series is dropped. */
struct rule_case {
	const char *action, *regex, *separator, *target, *replacement;
	uint64_t modulus;
	const char *sources[SOURCES_MAX];
	struct pair before[LABELS_MAX], after[LABELS_MAX];
	bool dropped;
};

static struct relabel_rule_spec spec_of(const struct rule_case *row, struct str *sources)
{
	struct relabel_rule_spec spec;

	relabel_rule_default(&spec);
	if (row->action)
		spec.action = str_of(row->action);
	if (row->regex)
		spec.regex = str_of(row->regex);
	if (row->separator)
		spec.separator = str_of(row->separator);
	if (row->replacement)
		spec.replacement = str_of(row->replacement);
	spec.target_label = str_of(row->target ? row->target : "");
	spec.modulus = row->modulus;
	spec.source_labels = sources;
	for (size_t i = 0; i < SOURCES_MAX && row->sources[i]; i++)
		sources[spec.source_count++] = str_of(row->sources[i]);
	return spec;
}

static void fill(struct relabel_labels *labels, const struct pair *pairs)
{
	for (size_t i = 0; i < LABELS_MAX && pairs[i].name; i++)
		assert_int_equal(relabel_set(labels, str_of(pairs[i].name), str_of(pairs[i].value),
					     NULL),
				 0);
}

static void assert_labels(size_t at, const struct relabel_labels *labels, const struct pair *pairs)
{
	size_t count = 0;

	for (; count < LABELS_MAX && pairs[count].name; count++) {
		struct str value = relabel_get(labels, str_of(pairs[count].name));
		if (!str_equal(value, str_of(pairs[count].value)))
			fail_msg("case %zu: %s is '%.*s', expected '%s'", at, pairs[count].name,
				 STR_ARG(value), pairs[count].value);
	}
	if (labels->count != count)
		fail_msg("case %zu: %zu labels, expected %zu", at, labels->count, count);
}

static void run_case(size_t at, const struct rule_case *row)
{
	struct str sources[SOURCES_MAX];
	struct relabel_rule_spec spec = spec_of(row, sources);
	struct arena arena;
	struct relabel *relabel = NULL;
	struct err err = {0};
	bool keep = false;

	arena_init(&arena, 0);
	struct relabel_labels labels = {.arena = &arena};
	fill(&labels, row->before);
	if (relabel_create(&spec, 1, &relabel, &err))
		fail_msg("case %zu: %s", at, err.text);
	assert_int_equal(relabel_apply(relabel, &labels, &keep, &err), 0);
	if (keep == row->dropped)
		fail_msg("case %zu: keep is %d", at, keep);
	if (keep)
		assert_labels(at, &labels, row->after);
	relabel_destroy(relabel);
	arena_deinit(&arena);
}

static const struct rule_case cases[] = {
	/* replace */
	{.target = "b",
	 .sources = {"a"},
	 .before = {{"a", "x"}},
	 .after = {{"a", "x"}, {"b", "x"}}},
	{.target = "b",
	 .sources = {"a"},
	 .regex = "(\\w+)-(\\w+)",
	 .replacement = "$2/${1}z",
	 .before = {{"a", "one-two"}},
	 .after = {{"a", "one-two"}, {"b", "two/onez"}}},
	{.target = "b",
	 .sources = {"a"},
	 .regex = "(\\w+)-(\\w+)",
	 .replacement = "$1x",
	 .before = {{"a", "one-two"}, {"b", "gone"}},
	 .after = {{"a", "one-two"}}},
	{.target = "b",
	 .sources = {"a"},
	 .regex = "one",
	 .before = {{"a", "one-two"}},
	 .after = {{"a", "one-two"}}},
	{.target = "b",
	 .sources = {"a", "c"},
	 .before = {{"a", "x"}, {"c", "y"}},
	 .after = {{"a", "x"}, {"c", "y"}, {"b", "x;y"}}},
	{.target = "b",
	 .sources = {"a", "none", "c"},
	 .separator = "--",
	 .before = {{"a", "x"}, {"c", "y"}},
	 .after = {{"a", "x"}, {"c", "y"}, {"b", "x----y"}}},
	{.target = "${1}.name",
	 .sources = {"a"},
	 .regex = "k8s\\.(.*)",
	 .replacement = "$$1 $0 $",
	 .before = {{"a", "k8s.pod"}},
	 .after = {{"a", "k8s.pod"}, {"pod.name", "$1 k8s.pod $"}}},
	{.target = "b",
	 .sources = {"a"},
	 .regex = "(?P<env>[a-z]+)\\d+",
	 .replacement = "${env}",
	 .before = {{"a", "prod7"}},
	 .after = {{"a", "prod7"}, {"b", "prod"}}},
	{.target = "b", .replacement = "constant", .after = {{"b", "constant"}}},
	{.target = "b",
	 .replacement = "",
	 .before = {{"b", "x"}, {"c", "y"}},
	 .after = {{"c", "y"}}},
	{.target = "b",
	 .sources = {"a"},
	 .regex = ".*",
	 .replacement = "all",
	 .before = {{"a", "line\nbreak\n"}},
	 .after = {{"a", "line\nbreak\n"}, {"b", "all"}}},
	/* keep, drop */
	{.action = "keep",
	 .sources = {"a"},
	 .regex = "x|y",
	 .before = {{"a", "y"}},
	 .after = {{"a", "y"}}},
	{.action = "keep",
	 .sources = {"a"},
	 .regex = "x|y",
	 .before = {{"a", "yy"}},
	 .dropped = true},
	{.action = "Drop",
	 .sources = {"a"},
	 .regex = "x.*",
	 .before = {{"a", "xyz"}},
	 .dropped = true},
	{.action = "drop",
	 .sources = {"a"},
	 .regex = "x",
	 .before = {{"a", "xyz"}},
	 .after = {{"a", "xyz"}}},
	/* keepequal, dropequal */
	{.action = "keepequal",
	 .sources = {"a"},
	 .target = "b",
	 .before = {{"a", "1"}, {"b", "1"}},
	 .after = {{"a", "1"}, {"b", "1"}}},
	{.action = "keepequal",
	 .sources = {"a"},
	 .target = "b",
	 .before = {{"a", "1"}},
	 .dropped = true},
	{.action = "dropequal",
	 .sources = {"a"},
	 .target = "b",
	 .before = {{"a", "1"}, {"b", "1"}},
	 .dropped = true},
	{.action = "dropequal",
	 .sources = {"a"},
	 .target = "b",
	 .before = {{"a", "1"}, {"b", "2"}},
	 .after = {{"a", "1"}, {"b", "2"}}},
	/* hashmod: the low 8 bytes of md5("foo") are 0xedef654fccc4a4d8, mod 1000 = 696 */
	{.action = "hashmod",
	 .sources = {"c"},
	 .target = "d",
	 .modulus = 1000,
	 .before = {{"c", "foo"}},
	 .after = {{"c", "foo"}, {"d", "696"}}},
	/* labelmap, labeldrop, labelkeep */
	{.action = "labelmap",
	 .regex = "^process.executable.name$",
	 .replacement = "service_name",
	 .before = {{"process.executable.name", "nginx"},
		    {"service_name", "unknown_service:nginx"}},
	 .after = {{"process.executable.name", "nginx"}, {"service_name", "nginx"}}},
	{.action = "labelmap",
	 .regex = "k8s\\.(.+)",
	 .before = {{"k8s.pod", "p"}, {"k8s.ns", "n"}, {"x", "y"}},
	 .after = {{"k8s.pod", "p"}, {"k8s.ns", "n"}, {"x", "y"}, {"pod", "p"}, {"ns", "n"}}},
	{.action = "labeldrop",
	 .regex = "a.*",
	 .before = {{"a1", "1"}, {"b", "2"}, {"a2", "3"}},
	 .after = {{"b", "2"}}},
	{.action = "labelkeep",
	 .regex = "a.*",
	 .before = {{"a1", "1"}, {"b", "2"}, {"a2", "3"}},
	 .after = {{"a1", "1"}, {"a2", "3"}}},
	/* lowercase, uppercase */
	{.action = "lowercase",
	 .sources = {"a"},
	 .target = "a",
	 .before = {{"a", "AbC-Z"}},
	 .after = {{"a", "abc-z"}}},
	{.action = "uppercase",
	 .sources = {"a"},
	 .target = "b",
	 .before = {{"a", "abc1z"}},
	 .after = {{"a", "abc1z"}, {"b", "ABC1Z"}}},
};

static void every_action_does_what_prometheus_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(i, &cases[i]);
}

static void rules_run_in_order_until_one_drops(void **state)
{
	const struct str a = STR("a"), b = STR("b");
	struct relabel_rule_spec specs[3];
	struct relabel *relabel;
	struct arena arena;
	bool keep = true;

	(void)state;
	for (int i = 0; i < 3; i++)
		relabel_rule_default(&specs[i]);
	specs[0].source_labels = &a;
	specs[0].source_count = 1;
	specs[0].target_label = b;
	specs[1] = (struct relabel_rule_spec){.action = STR("drop"),
					      .regex = STR("x"),
					      .source_labels = &b,
					      .source_count = 1};
	specs[2].target_label = STR("c");
	specs[2].replacement = STR("never");
	arena_init(&arena, 0);
	struct relabel_labels labels = {.arena = &arena};
	assert_int_equal(relabel_set(&labels, a, STR("x"), NULL), 0);
	assert_int_equal(relabel_create(specs, 3, &relabel, NULL), 0);
	assert_int_equal(relabel_apply(relabel, &labels, &keep, NULL), 0);
	assert_false(keep);
	assert_int_equal(relabel_get(&labels, STR("c")).len, 0);
	relabel_destroy(relabel);
	arena_deinit(&arena);
}

static void a_wrong_rule_is_refused_with_its_number_and_reason(void **state)
{
	static const struct {
		struct rule_case rule;
		const char *why;
	} rows[] = {
		{{.action = "rename", .target = "x"}, "unknown action \"rename\""},
		{{.action = "replace"}, "needs target_label"},
		{{.action = "hashmod", .target = "x"}, "modulus"},
		{{.action = "lowercase"}, "needs target_label"},
		{{.action = "keep", .regex = "a(b"}, "regex \"a(b\""},
		{{.action = "keep", .regex = "\\C"}, "regex"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct relabel_rule_spec specs[2];
		struct str sources[SOURCES_MAX];
		struct relabel *relabel = NULL;
		struct err err;
		specs[0] = spec_of(&cases[0], sources);
		specs[1] = spec_of(&rows[i].rule, sources);
		assert_int_equal(relabel_create(specs, 2, &relabel, &err), ERR_INVALID);
		assert_null(relabel);
		if (str_find(str_of(err.text), STR("relabelling rule 2")) < 0 ||
		    str_find(str_of(err.text), str_of(rows[i].why)) < 0)
			fail_msg("%s", err.text);
	}
}

static void a_regex_that_takes_too_long_is_an_error(void **state)
{
	const struct str source = STR("a");
	struct relabel_rule_spec spec = {.action = STR("keep"),
					 .regex = STR("(x+x+)+[yz]"),
					 .source_labels = &source,
					 .source_count = 1};
	struct relabel *relabel;
	struct arena arena;
	struct err err;
	bool keep;

	(void)state;
	arena_init(&arena, 0);
	struct relabel_labels labels = {.arena = &arena};
	assert_int_equal(relabel_set(&labels, source,
				     STR("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), NULL),
			 0);
	assert_int_equal(relabel_create(&spec, 1, &relabel, NULL), 0);
	assert_int_equal(relabel_apply(relabel, &labels, &keep, &err), ERR_LIMIT);
	relabel_destroy(relabel);
	arena_deinit(&arena);
}

static void no_rules_keep_everything(void **state)
{
	struct arena arena;
	struct relabel *relabel;
	bool keep = false;

	(void)state;
	arena_init(&arena, 0);
	struct relabel_labels labels = {.arena = &arena};
	assert_int_equal(relabel_create(NULL, 0, &relabel, NULL), 0);
	assert_int_equal(relabel_apply(relabel, &labels, &keep, NULL), 0);
	assert_true(keep);
	relabel_destroy(relabel);
	relabel_destroy(NULL);
	arena_deinit(&arena);
}

static int create_and_apply(struct arena *arena, struct err *err)
{
	struct str sources[SOURCES_MAX];
	struct relabel_rule_spec specs[3] = {spec_of(&cases[1], sources)};
	struct relabel_labels labels = {.arena = arena};
	struct relabel *relabel = NULL;
	bool keep;
	int rc;

	specs[1] = (struct relabel_rule_spec){.action = STR("labelmap"),
					      .regex = STR("(.+)"),
					      .replacement = STR("x_$1")};
	specs[2] = (struct relabel_rule_spec){.action = STR("uppercase"),
					      .target_label = STR("b"),
					      .source_labels = sources,
					      .source_count = 1};
	rc = relabel_create(specs, 3, &relabel, err);
	rc = rc ? rc : relabel_set(&labels, STR("a"), STR("one-two"), err);
	rc = rc ? rc : relabel_apply(relabel, &labels, &keep, err);
	relabel_destroy(relabel);
	return rc;
}

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	struct arena arena;
	struct err err = {0};
	int rc = -1;

	(void)state;
	for (uint64_t nth = 1; rc && nth < 1000; nth++) {
		arena_init(&arena, 0);
		mem_fail_nth(nth);
		rc = create_and_apply(&arena, &err);
		mem_fail_nth(0);
		if (rc && rc != ERR_NOMEM)
			fail_msg("allocation %d: %s", (int)nth, err.text);
		arena_deinit(&arena);
	}
	assert_int_equal(rc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_action_does_what_prometheus_says),
		cmocka_unit_test(rules_run_in_order_until_one_drops),
		cmocka_unit_test(a_wrong_rule_is_refused_with_its_number_and_reason),
		cmocka_unit_test(a_regex_that_takes_too_long_is_an_error),
		cmocka_unit_test(no_rules_keep_everything),
		cmocka_unit_test(running_out_of_memory_is_an_error_at_every_point),
	};
	return cmocka_run_group_tests_name("server/relabel", tests, NULL, NULL);
}
