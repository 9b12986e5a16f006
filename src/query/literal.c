/* Go's interpreted and raw string literals (The Go Programming Language
 * Specification, "String literals" and "Rune literals"). The decoded text is
 * never longer than its source, so one copy of the source's size is enough. */
#include "query/literal.h"

struct literal {
	struct str text;
	size_t at;
	char quote;
	char *out;
	size_t len;
	struct err *err;
};

static int bad_escape(struct literal *l, size_t at)
{
	return err_set(l->err, ERR_INVALID,
		       "selector, character %zu: not an escape that a string may have", at + 1);
}

/* Exactly count digits of the base. */
static bool take_number(struct literal *l, int count, int base, uint32_t *ret)
{
	uint32_t value = 0;
	for (int i = 0; i < count; i++) {
		if (l->at >= l->text.len)
			return false;
		int digit = str_hex_digit(l->text.ptr[l->at]);
		if (digit < 0 || digit >= base)
			return false;
		value = value * (uint32_t)base + (uint32_t)digit;
		l->at++;
	}
	*ret = value;
	return true;
}

static void put(struct literal *l, uint32_t byte)
{
	l->out[l->len++] = (char)byte;
}

static bool put_rune(struct literal *l, uint32_t rune)
{
	if (rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff))
		return false;
	if (rune < 0x80) {
		put(l, rune);
	} else if (rune < 0x800) {
		put(l, 0xc0 | rune >> 6);
		put(l, 0x80 | (rune & 0x3f));
	} else if (rune < 0x10000) {
		put(l, 0xe0 | rune >> 12);
		put(l, 0x80 | (rune >> 6 & 0x3f));
		put(l, 0x80 | (rune & 0x3f));
	} else {
		put(l, 0xf0 | rune >> 18);
		put(l, 0x80 | (rune >> 12 & 0x3f));
		put(l, 0x80 | (rune >> 6 & 0x3f));
		put(l, 0x80 | (rune & 0x3f));
	}
	return true;
}

static bool put_simple(struct literal *l, char c)
{
	static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";

	if (c == l->quote) {
		put(l, (uint8_t)c);
		return true;
	}
	const char *found = c ? strchr(from, c) : NULL;
	if (found)
		put(l, (uint8_t)to[found - from]);
	return found != NULL;
}

static bool put_byte(struct literal *l, int digits, int base)
{
	uint32_t value;
	if (!take_number(l, digits, base, &value) || value > 255)
		return false;
	put(l, value);
	return true;
}

/* l->at is behind the backslash. */
static int take_escape(struct literal *l)
{
	size_t start = l->at - 1;
	uint32_t rune;
	bool ok = false;

	if (l->at >= l->text.len)
		return bad_escape(l, start);
	char c = l->text.ptr[l->at];
	if (c >= '0' && c <= '7') {
		ok = put_byte(l, 3, 8);
	} else {
		l->at++;
		if (c == 'x')
			ok = put_byte(l, 2, 16);
		else if (c == 'u' || c == 'U')
			ok = take_number(l, c == 'u' ? 4 : 8, 16, &rune) && put_rune(l, rune);
		else
			ok = put_simple(l, c);
	}
	return ok ? 0 : bad_escape(l, start);
}

static int take_literal(struct literal *l, size_t start)
{
	while (l->at < l->text.len) {
		char c = l->text.ptr[l->at++];
		if (c == l->quote)
			return 0;
		int rc = 0;
		if (c == '\\' && l->quote != '`')
			rc = take_escape(l);
		else if (c == '\n' && l->quote != '`')
			break;
		else
			put(l, (uint8_t)c);
		if (rc)
			return rc;
	}
	return err_set(l->err, ERR_INVALID, "selector, character %zu: a string that is not closed",
		       start + 1);
}

/* How long the source is, up to the closing quote or the end. */
static size_t source_len(struct str text, size_t start)
{
	char quote = text.ptr[start];
	size_t at = start + 1;
	while (at < text.len && text.ptr[at] != quote)
		at += text.ptr[at] == '\\' && quote != '`' ? 2 : 1;
	return at - start;
}

int query_literal(struct arena *arena, struct str text, size_t *at, struct str *ret,
		  struct err *err)
{
	size_t start = *at;
	char *out = arena_alloc(arena, source_len(text, start));
	if (!out)
		return err_set(err, ERR_NOMEM, "selector: no memory for a string");
	struct literal l = {.text = text,
			    .at = start + 1,
			    .quote = text.ptr[start],
			    .out = out,
			    .err = err};
	int rc = take_literal(&l, start);
	if (rc)
		return rc;
	*at = l.at;
	*ret = str_make(out, l.len);
	return 0;
}
