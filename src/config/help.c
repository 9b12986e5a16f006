#include <stdio.h>

#include "config/scalar.h"
#include "config/values.h"

/* ---- did you mean ---- */

enum { NAME_MAX_BYTES = 64 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static bool same_letter(char a, char b)
{
	return str_equal_nocase(str_make(&a, 1), str_make(&b, 1)) ||
	       ((a == '-' || a == '_') && (b == '-' || b == '_'));
}

/* Insertions, deletions, substitutions and swaps of neighbours ("optimal string alignment"). */
static unsigned edit_distance(struct str a, struct str b)
{
	unsigned rows[3][NAME_MAX_BYTES + 1];

	if (a.len > NAME_MAX_BYTES || b.len > NAME_MAX_BYTES)
		return UINT32_MAX;
	for (unsigned j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			bool same = same_letter(a.ptr[i - 1], b.ptr[j - 1]);
			row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + !same);
			if (i > 1 && j > 1 && same_letter(a.ptr[i - 1], b.ptr[j - 2]) &&
			    same_letter(a.ptr[i - 2], b.ptr[j - 1]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return rows[a.len % 3][b.len];
}

const char *config_suggest(struct str text, const char *const *names, size_t count)
{
	/* One slip in a short name, a third of the letters in a long one. */
	unsigned best = text.len < 5 ? 2 : (unsigned)(text.len > 60 ? 20 : (text.len + 2) / 3) + 1;
	const char *meant = NULL;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = edit_distance(text, str_of(names[i]));
		if (distance >= best || distance >= strlen(names[i]))
			continue;
		best = distance;
		meant = names[i];
	}
	return meant;
}

/* ---- text of the rows ---- */

static const char *const type_names[] = {
	[CONFIG_BOOL] = "bool",
	[CONFIG_INT] = "int",
	[CONFIG_UINT] = "uint",
	[CONFIG_FLOAT] = "float",
	[CONFIG_STRING] = "string",
	[CONFIG_DURATION] = "duration",
	[CONFIG_SIZE] = "size",
	[CONFIG_ENUM] = "choice",
	[CONFIG_STRINGS] = "list",
	[CONFIG_STRING_MAP] = "map",
	[CONFIG_SECTION] = "section",
	[CONFIG_SECTIONS] = "list of sections",
	[CONFIG_NAMED] = "named sections",
	[CONFIG_TREE] = "any",
	[CONFIG_CUSTOM] = "value",
	[CONFIG_IGNORED] = "ignored",
};

/* The sentence, the choices or range, the default: the parts that there are. */
struct parts {
	struct buf *out;
	bool any;
};

static void put_part(struct parts *parts, struct str text)
{
	if (text.len == 0)
		return;
	if (parts->any)
		buf_cstr(parts->out, "; ");
	buf_str(parts->out, text);
	parts->any = true;
}

static void put_sentence(const struct config_row *row, struct parts *parts)
{
	struct buf limits = {0};

	config_put_limits(row, &limits);
	put_part(parts, str_of(row->help ? row->help : ""));
	put_part(parts, str_trim(buf_text(&limits)));
	buf_deinit(&limits);
}

static void put_flag(const struct config_row *row, struct str prefix, const char *dashes,
		     struct buf *out)
{
	buf_cstr(out, "  ");
	if (row->flag_alias)
		buf_printf(out, "%s%s, ", strlen(row->flag_alias) == 1 ? "-" : dashes,
			   row->flag_alias);
	buf_printf(out, "%s%.*s%s", dashes, STR_ARG(prefix), row->flag);
	if (row->type != CONFIG_BOOL)
		buf_printf(out, "=%s", row->type == CONFIG_ENUM ? "CHOICE" : type_names[row->type]);
	buf_cstr(out, "\n        ");
	put_sentence(row, &(struct parts){out, false});
	if (row->fallback && row->fallback[0] && !row->secret)
		buf_printf(out, " (default %s)", row->fallback);
	buf_char(out, '\n');
}

static void put_flags(const struct config_schema *schema, struct str prefix, const char *dashes,
		      struct buf *out)
{
	for (size_t i = 0; i < schema->row_count; i++) {
		const struct config_row *row = &schema->rows[i];
		char longer[256];
		if (row->type == CONFIG_SECTION) {
			snprintf(longer, sizeof(longer), "%.*s%s", STR_ARG(prefix),
				 row->flag ? row->flag : "");
			put_flags(row->section, str_of(longer), dashes, out);
		} else if (row->flag) {
			put_flag(row, prefix, dashes, out);
		}
	}
}

void config_help_flags(const struct config_schema *schema, const char *dashes, struct buf *out)
{
	put_flags(schema, STR(""), dashes, out);
}

static void put_key_row(const struct config_row *row, struct str prefix, struct buf *out)
{
	buf_printf(out, "| `%.*s%s` | %s | ", STR_ARG(prefix), row->key, type_names[row->type]);
	if (row->fallback && !row->secret)
		buf_printf(out, "`%s`", row->fallback[0] ? row->fallback : "\"\"");
	buf_cstr(out, " | ");
	struct parts parts = {out, false};
	put_sentence(row, &parts);
	if (row->required)
		put_part(&parts, STR("required"));
	if (row->flag) {
		put_part(&parts, STR("flag "));
		buf_printf(out, "`-%s`", row->flag);
	}
	buf_cstr(out, " |\n");
}

static void put_keys(const struct config_schema *schema, struct str prefix, struct buf *out)
{
	for (size_t i = 0; i < schema->row_count; i++) {
		const struct config_row *row = &schema->rows[i];
		const char *tail = row->type == CONFIG_SECTIONS ? "[]."
				   : row->type == CONFIG_NAMED	? ".NAME."
								: ".";
		char longer[256];
		if (row->flag_only || row->type == CONFIG_IGNORED)
			continue;
		if (!row->section) {
			put_key_row(row, prefix, out);
			continue;
		}
		snprintf(longer, sizeof(longer), "%.*s%s%s", STR_ARG(prefix), row->key, tail);
		put_keys(row->section, str_of(longer), out);
	}
}

void config_help_keys(const struct config_schema *schema, struct buf *out)
{
	buf_cstr(out, "| key | type | default | what it is |\n|---|---|---|---|\n");
	put_keys(schema, STR(""), out);
}
