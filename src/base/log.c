/* A line is put together on the stack and leaves in one write(2), so lines of
 * several threads do not mix and logging needs no memory and no lock. What does
 * not fit is cut. Control characters never reach the terminal: a name that some
 * process chose must not forge a line. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

enum { LINE_MAX_BYTES = 4096, FIELDS_MAX_BYTES = 3072 };

static _Atomic int min_level = LOG_INFO;
static _Atomic int as_json;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

void log_set_level(enum log_level level)
{
	min_level = (int)level;
}

int log_parse_level(const char *name, enum log_level *ret)
{
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		if (!str_equal_nocase(str_of(name), str_of(level_names[i])))
			continue;
		*ret = (enum log_level)i;
		return true;
	}
	return false;
}

void log_set_json(int on)
{
	as_json = on;
}

/* The last byte is kept for the newline. */
static void put(struct line *line, const char *text, size_t len)
{
	size_t room = LINE_MAX_BYTES - 1 - line->len;

	if (len > room)
		len = room;
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void put_cstr(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

/* Text inside quotes: what would end or break them is escaped (JSON's rules). */
static void put_escaped(struct line *line, struct str text, bool quotes)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		char code[8];
		if (quotes && (c == '"' || c == '\\'))
			put(line, "\\", 1);
		if (c >= 0x20 && c != 0x7f) {
			put(line, text.ptr + i, 1);
			continue;
		}
		snprintf(code, sizeof(code), c == '\n' ? "\\n" : "\\u%04x", c);
		put_cstr(line, code);
	}
}

const char *log_escape(struct log_text *out, const char *text)
{
	size_t len = 0;

	for (; *text && len + 3 <= sizeof(out->text); text++) {
		if (*text == '"' || *text == '\\')
			out->text[len++] = '\\';
		out->text[len++] = *text;
	}
	out->text[len] = '\0';
	return out->text;
}

static void put_time(struct line *line)
{
	uint64_t now_ns = clock_real_ns();
	time_t seconds = (time_t)(now_ns / NS_PER_S);
	char text[48];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	put(line, text, len);
	snprintf(text, sizeof(text), ".%03uZ", (unsigned)(now_ns % NS_PER_S / NS_PER_MS));
	put_cstr(line, text);
}

/* Takes key=value or key="quoted value" off *rest. */
static bool next_field(struct str *rest, struct str *ret_key, struct str *ret_value)
{
	*rest = str_trim(*rest);
	ptrdiff_t eq = str_find_char(*rest, '=');
	if (eq <= 0)
		return false;
	*ret_key = str_sub(*rest, 0, (size_t)eq);
	struct str value = str_sub(*rest, (size_t)eq + 1, rest->len);
	bool quoted = value.len > 0 && value.ptr[0] == '"';
	size_t from = quoted ? 1 : 0;
	size_t end = from;
	while (end < value.len && value.ptr[end] != (quoted ? '"' : ' '))
		end += quoted && value.ptr[end] == '\\' && end + 1 < value.len ? 2 : 1;
	*ret_value = str_sub(value, from, end - from);
	*rest = str_sub(value, end + from, value.len);
	return true;
}

static void put_json_field(struct line *line, struct str key, struct str value, bool raw_escapes)
{
	put_cstr(line, ",\"");
	put_escaped(line, key, true);
	put_cstr(line, "\":\"");
	put_escaped(line, value, !raw_escapes);
	put_cstr(line, "\"");
}

static void put_json(struct line *line, enum log_level level, const char *room, const char *msg,
		     struct str fields)
{
	struct str key, value;

	put_cstr(line, "{\"ts\":\"");
	put_time(line);
	put_cstr(line, "\"");
	put_json_field(line, STR("level"), str_of(level_names[level]), false);
	put_json_field(line, STR("room"), str_of(room), false);
	put_json_field(line, STR("msg"), str_of(msg), false);
	while (next_field(&fields, &key, &value))
		put_json_field(line, key, value,
			       value.ptr > key.ptr + key.len + 1 && value.ptr[-1] == '"');
	put_cstr(line, "}");
}

static void put_logfmt(struct line *line, enum log_level level, const char *room, const char *msg,
		       struct str fields)
{
	put_cstr(line, "ts=");
	put_time(line);
	put_cstr(line, " level=");
	put_cstr(line, level_names[level]);
	put_cstr(line, " room=");
	put_cstr(line, room);
	put_cstr(line, " msg=\"");
	put_escaped(line, str_of(msg), true);
	put_cstr(line, "\"");
	if (fields.len > 0)
		put_cstr(line, " ");
	put_escaped(line, fields, false);
}

void log_line(enum log_level level, const char *room, const char *msg, const char *fmt, ...)
{
	struct line line = {.len = 0};
	char fields[FIELDS_MAX_BYTES];
	va_list args;

	if ((int)level < min_level)
		return;
	va_start(args, fmt);
	if (vsnprintf(fields, sizeof(fields), fmt, args) < 0)
		fields[0] = '\0';
	va_end(args);
	if (as_json)
		put_json(&line, level, room, msg, str_of(fields));
	else
		put_logfmt(&line, level, room, msg, str_of(fields));
	line.text[line.len++] = '\n';
	/* There is nowhere to report that stderr is gone. */
	ssize_t ignored = write(STDERR_FILENO, line.text, line.len);
	(void)ignored;
}
