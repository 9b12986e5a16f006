/* Go's package flag, by the rows of a schema: -x=v, -x v, --x, bools without a
 * value. The field of a flag is found by walking the schema, so that the same
 * row serves YAML and command line. */
#include <stdio.h>

#include "config/scalar.h"

struct flag {
	const struct config_row *row;
	char *field;
};

struct flags {
	const struct config_schema *schema;
	struct arena *arena;
	char *target;
	int argc;
	char *const *argv;
	int next;	      /* index of the next argument */
	const void **touched; /* list fields that this command line has set */
	size_t touched_count;
	size_t touched_cap;
	struct err *err;
};

static bool names_flag(const struct config_row *row, struct str prefix, struct str name)
{
	if (row->flag_alias && str_equal(name, str_of(row->flag_alias)))
		return true;
	return row->flag && str_starts_with(name, prefix) &&
	       str_equal(str_sub(name, prefix.len, name.len), str_of(row->flag));
}

static bool find_flag(const struct config_schema *schema, char *target, struct str prefix,
		      struct str name, struct flag *ret)
{
	for (size_t i = 0; i < schema->row_count; i++) {
		const struct config_row *row = &schema->rows[i];
		char longer[256];
		if (row->type == CONFIG_SECTION) {
			snprintf(longer, sizeof(longer), "%.*s%s", STR_ARG(prefix),
				 row->flag ? row->flag : "");
			if (find_flag(row->section, target + row->offset, str_of(longer), name,
				      ret))
				return true;
		} else if (names_flag(row, prefix, name)) {
			*ret = (struct flag){row, target + row->offset};
			return true;
		}
	}
	return false;
}

struct names {
	struct arena *arena;
	const char **items;
	size_t count;
	size_t cap;
};

static void gather_names(const struct config_schema *schema, struct str prefix, struct names *names)
{
	for (size_t i = 0; i < schema->row_count; i++) {
		const struct config_row *row = &schema->rows[i];
		struct str name = arena_printf(names->arena, "%.*s%s", STR_ARG(prefix),
					       row->flag ? row->flag : "");
		if (!name.ptr)
			return;
		if (row->type == CONFIG_SECTION) {
			gather_names(row->section, name, names);
		} else if (row->flag) {
			const char **items = arena_grow(names->arena, names->items, &names->cap,
							names->count + 1, sizeof(char *));
			if (!items)
				return;
			names->items = items;
			items[names->count++] = name.ptr;
		}
	}
}

/* A likely name: one that is spelled alike, or that only lacks its front ("insecure"). */
static const char *suggest_flag(const struct flags *f, struct str name)
{
	struct names names = {.arena = f->arena};

	gather_names(f->schema, STR(""), &names);
	const char *meant = config_suggest(name, names.items, names.count);
	for (size_t i = 0; i < names.count && !meant; i++) {
		size_t len = strlen(names.items[i]);
		if (len > name.len && names.items[i][len - name.len - 1] == '.' &&
		    str_ends_with(str_of(names.items[i]), name))
			meant = names.items[i];
	}
	return meant;
}

static int unknown_flag(const struct flags *f, struct str name, struct str dashes)
{
	const char *meant = suggest_flag(f, name);

	if (meant)
		return err_set(f->err, ERR_INVALID,
			       "flag provided but not defined: %.*s%.*s (did you mean %.*s%s?)",
			       STR_ARG(dashes), STR_ARG(name), STR_ARG(dashes), meant);
	return err_set(f->err, ERR_INVALID, "flag provided but not defined: %.*s%.*s",
		       STR_ARG(dashes), STR_ARG(name));
}

/* True the first time: what came from the default or the file is then replaced. */
static int touch(struct flags *f, const void *field, bool *ret_first)
{
	*ret_first = true;
	for (size_t i = 0; i < f->touched_count; i++)
		if (f->touched[i] == field)
			*ret_first = false;
	if (!*ret_first)
		return 0;
	const void **touched = arena_grow(f->arena, f->touched, &f->touched_cap,
					  f->touched_count + 1, sizeof(void *));
	if (!touched)
		return err_set(f->err, ERR_NOMEM, "no memory for the flags");
	f->touched = touched;
	touched[f->touched_count++] = field;
	return 0;
}

static int add_strings(struct flags *f, const struct flag *flag, struct config_strings old)
{
	struct config_strings *list = (struct config_strings *)(void *)flag->field;
	struct config_strings more = *list;
	int code = 0;

	*list = old;
	for (size_t i = 0; i < more.count && !code; i++)
		code = config_strings_add(f->arena, list, more.items[i], f->err);
	return code ? code : config_count_check(flag->row, list->count, f->err);
}

static int add_pairs(struct flags *f, const struct flag *flag, struct config_pairs old)
{
	struct config_pairs *pairs = (struct config_pairs *)(void *)flag->field;
	struct config_pairs more = *pairs;
	int code = 0;

	*pairs = old;
	for (size_t i = 0; i < more.count && !code; i++)
		code = config_pairs_add(f->arena, pairs, more.items[i].key, more.items[i].value,
					f->err);
	return code ? code : config_count_check(flag->row, pairs->count, f->err);
}

static int set_flag(struct flags *f, const struct flag *flag, struct str value)
{
	struct config_strings old_strings = {NULL, 0};
	struct config_pairs old_pairs = {NULL, 0};
	bool first = true;
	int code = 0;

	if (!config_is_scalar(flag->row->type))
		return err_set(f->err, ERR_INVALID, "can only be set in the configuration file");
	if (flag->row->type == CONFIG_STRINGS || flag->row->type == CONFIG_STRING_MAP)
		code = touch(f, flag->field, &first);
	if (code)
		return code;
	if (!first && flag->row->type == CONFIG_STRINGS)
		old_strings = *(struct config_strings *)(void *)flag->field;
	if (!first && flag->row->type == CONFIG_STRING_MAP)
		old_pairs = *(struct config_pairs *)(void *)flag->field;
	code = config_scalar_set(flag->row, f->arena, value, CONFIG_FROM_FLAG, flag->field, f->err);
	if (code || first)
		return code;
	return flag->row->type == CONFIG_STRINGS ? add_strings(f, flag, old_strings)
						 : add_pairs(f, flag, old_pairs);
}

/* arg is without its dashes. */
static int take_flag(struct flags *f, struct str arg, struct str dashes)
{
	ptrdiff_t eq = str_find_char(arg, '=');
	struct str name = eq < 0 ? arg : str_sub(arg, 0, (size_t)eq);
	struct str value = eq < 0 ? STR("true") : str_sub(arg, (size_t)eq + 1, arg.len);
	struct flag flag;

	if (name.len == 0)
		return err_set(f->err, ERR_INVALID, "bad flag syntax: %.*s%.*s", STR_ARG(dashes),
			       STR_ARG(arg));
	if (!find_flag(f->schema, f->target, STR(""), name, &flag))
		return unknown_flag(f, name, dashes);
	if (eq < 0 && flag.row->type != CONFIG_BOOL) {
		if (f->next == f->argc)
			return err_set(f->err, ERR_INVALID, "flag needs an argument: %.*s%.*s",
				       STR_ARG(dashes), STR_ARG(name));
		value = str_of(f->argv[f->next++]);
	}
	int code = set_flag(f, &flag, value);
	if (code)
		err_wrap(f->err, "flag %.*s%.*s", STR_ARG(dashes), STR_ARG(name));
	return code;
}

static int take_rest(struct flags *f, const char *arg, struct config_strings *ret_rest)
{
	if (!ret_rest)
		return err_set(f->err, ERR_INVALID, "unexpected argument \"%s\"", arg);
	return config_strings_add(f->arena, ret_rest, str_of(arg), f->err);
}

int config_flags(const struct config_schema *schema, struct arena *arena, void *target, int argc,
		 char *const *argv, struct config_strings *ret_rest, struct err *err)
{
	struct flags f = {.schema = schema,
			  .arena = arena,
			  .target = target,
			  .argc = argc,
			  .argv = argv,
			  .err = err};
	bool flags_ended = false;
	int code = 0;

	if (ret_rest)
		*ret_rest = (struct config_strings){NULL, 0};
	while (f.next < argc && !code) {
		struct str arg = str_of(argv[f.next++]);
		size_t dashes = str_starts_with(arg, STR("--")) ? 2 : 1;
		if (flags_ended || arg.len < 2 || arg.ptr[0] != '-')
			code = take_rest(&f, arg.ptr, ret_rest);
		else if (arg.len == 2 && dashes == 2)
			flags_ended = true;
		else
			code = take_flag(&f, str_sub(arg, dashes, arg.len),
					 str_sub(arg, 0, dashes));
	}
	return code;
}
