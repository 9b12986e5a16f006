#include "server/frame_filter.h"

#include "server/range.h"
#include "server/relabel_regex.h"

enum { EXPRESSIONS_MAX = 32 };

struct names {
	char *const *texts;
	size_t text_count;
	struct regex **expressions;
	size_t expression_count;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "frame_filter: no memory");
}

static int compile(struct arena *arena, char *const *patterns, size_t count, struct names *names,
		   struct err *err)
{
	int rc = api_check_count(count, EXPRESSIONS_MAX, "expressions of frame_filter", err);
	if (rc)
		return rc;
	names->expressions = arena_zalloc(arena, count + 1, sizeof(struct regex *));
	if (!names->expressions)
		return no_memory(err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		/* Ours are anchored. */
		struct str pattern = arena_printf(arena, ".*(?:%s).*", patterns[i]);
		rc = pattern.ptr ? regex_create(pattern, &names->expressions[i], err)
				 : no_memory(err);
		names->expression_count += rc == 0;
	}
	return rc ? err_wrap(err, "frame_filter") : 0;
}

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->expression_count; i++)
		regex_destroy(names->expressions[i]);
}

static int has(const struct names *names, struct str name, bool *ret, struct err *err)
{
	*ret = false;
	for (size_t i = 0; i < names->text_count && !*ret; i++)
		*ret = str_equal(name, str_of(names->texts[i]));
	for (size_t i = 0; i < names->expression_count && !*ret; i++) {
		struct regex_match match;
		int rc = regex_match(names->expressions[i], name, &match, err);
		if (rc)
			return err_wrap(err, "frame_filter");
		*ret = match.matched;
		regex_match_deinit(&match);
	}
	return 0;
}

static int decide(struct arena *arena, const struct names *include, const struct names *exclude,
		  const struct store_tree *stacks, bool *keep, struct err *err)
{
	bool all = include->text_count + include->expression_count == 0;
	for (uint32_t i = 0; i < stacks->frame_count; i++) {
		bool included = all, excluded = false;
		struct str name = query_frame_name(arena, &stacks->frames[i]);
		int rc = name.ptr ? 0 : no_memory(err);
		if (rc == 0 && !all)
			rc = has(include, name, &included, err);
		rc = rc ? rc : has(exclude, name, &excluded, err);
		if (rc)
			return rc;
		keep[i] = included && !excluded;
	}
	return 0;
}

int frame_filter_apply(struct arena *arena, const Types__V1__FrameFilter *filter,
		       struct store_tree *stacks, struct err *err)
{
	struct names include = {.texts = filter->include_function_names,
				.text_count = filter->n_include_function_names};
	struct names exclude = {.texts = filter->exclude_function_names,
				.text_count = filter->n_exclude_function_names};
	bool *keep = arena_zalloc(arena, stacks->frame_count + (size_t)1, sizeof(*keep));
	if (!keep)
		return no_memory(err);
	int rc = api_check_count(include.text_count + exclude.text_count, API_NAMES_MAX,
				 "names of frame_filter", err);
	rc = rc ? rc
		: compile(arena, filter->include_regexes, filter->n_include_regexes, &include, err);
	rc = rc ? rc
		: compile(arena, filter->exclude_regexes, filter->n_exclude_regexes, &exclude, err);
	rc = rc ? rc : decide(arena, &include, &exclude, stacks, keep, err);
	names_free(&include);
	names_free(&exclude);
	return rc ? rc : query_stacks_keep(arena, stacks, keep, stacks, err);
}
