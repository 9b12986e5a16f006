/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/agent.md says what the schemas say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "collect/component.h"
#include "collect/service.h"

static char page[256 * 1024];

static int read_page(void **state)
{
	(void)state;
	FILE *file = fopen(DOCS_DIR "/agent.md", "r");
	if (!file)
		return -1;
	page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
	fclose(file);
	return 0;
}

static void has_table(const struct config_schema *schema)
{
	struct buf table;
	buf_init(&table, 0);
	config_help_keys(schema, &table);
	buf_char(&table, '\0');
	if (!strstr(page, table.ptr))
		fail_msg("docs/agent.md: the table of %s should be:\n%s",
			 schema->name ? schema->name : "the file", table.ptr);
	buf_deinit(&table);
}

/* Those that the table leaves out: each is named in a sentence. */
static void has_ignored_keys(const struct config_schema *schema)
{
	for (size_t i = 0; i < schema->row_count; i++) {
		char quoted[128];
		if (schema->rows[i].type != CONFIG_IGNORED)
			continue;
		snprintf(quoted, sizeof(quoted), "`%s`", schema->rows[i].key);
		if (!strstr(page, quoted))
			fail_msg("docs/agent.md: %s: nothing about the ignored key %s",
				 schema->name, quoted);
	}
}

static void every_key_of_a_component_is_there(void **state)
{
	(void)state;
	static const struct {
		enum component_kind kind;
		const char *type;
	} all[] = {{COMPONENT_RECEIVER, "profiling"}, {COMPONENT_EXPORTER, "otlp_grpc"}};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct component *component =
			component_find(all[i].kind, str_of(all[i].type));
		assert_non_null(component);
		has_table(component->schema);
		has_ignored_keys(component->schema);
	}
}

/* A new component needs a chapter. */
static void every_component_is_named(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	for (int kind = COMPONENT_RECEIVER; kind <= COMPONENT_EXTENSION; kind++) {
		struct str types = component_types((enum component_kind)kind, &arena), type;
		while (!str_equal(types, STR("none")) && str_next(&types, ',', &type))
			assert_non_null(
				strstr(page, arena_printf(&arena, "`%.*s`", STR_ARG(str_trim(type)))
						     .ptr));
	}
	arena_deinit(&arena);
}

static void every_key_of_the_file_is_there(void **state)
{
	(void)state;
	has_table(&service_top_schema);
	has_table(&service_pipeline_schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_a_component_is_there),
		cmocka_unit_test(every_component_is_named),
		cmocka_unit_test(every_key_of_the_file_is_there),
	};
	return cmocka_run_group_tests_name("collect/docs", tests, read_page, NULL);
}
