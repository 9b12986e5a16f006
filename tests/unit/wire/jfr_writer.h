/* Writes small JFR files for tests: the classes that async-profiler uses, constants
 * and events, in one chunk. */
#pragma once

#include "base/buf.h"

enum {
	W_LONG = 10,
	W_INT,
	W_TEXT,
	W_BOOLEAN,
	W_SYMBOL = 20,
	W_CLASS,
	W_METHOD,
	W_FRAME,
	W_STACK,
	W_STATE,
	W_THREAD,
	W_EXECUTION = 30,
	W_WALL,
	W_LIVE,
	W_SETTING,
	W_LOCK,
	W_EMPTY,  /* a class without fields */
	W_MALLOC, /* not async-profiler's: an array of W_EMPTY and a W_NEST */
	W_NEST,	  /* a class of itself */
};

struct jfr_writer {
	struct buf strings, elements, events;
	uint64_t string_count;
	const char *seen[256];
};

static inline void w_varint(struct buf *out, uint64_t value)
{
	for (int i = 0; i < 8 && value >= 0x80; i++, value >>= 7)
		buf_char(out, (char)(value | 0x80));
	buf_char(out, (char)value);
}

static inline void w_text(struct buf *out, const char *text)
{
	buf_char(out, 3);
	w_varint(out, strlen(text));
	buf_cstr(out, text);
}

/* An index into the strings of the metadata. */
static inline void w_string(struct jfr_writer *w, const char *text)
{
	uint64_t i = 0;

	while (i < w->string_count && strcmp(w->seen[i], text) != 0)
		i++;
	if (i == w->string_count) {
		w->seen[w->string_count++] = text;
		w_text(&w->strings, text);
	}
	w_varint(&w->elements, i);
}

static inline void w_class(struct jfr_writer *w, const char *name, const char *id, int fields)
{
	w_string(w, "class");
	w_varint(&w->elements, 2);
	w_string(w, "id");
	w_string(w, id);
	w_string(w, "name");
	w_string(w, name);
	w_varint(&w->elements, (uint64_t)fields);
}

enum { W_PLAIN, W_CONSTANT, W_ARRAY };

static inline void w_field(struct jfr_writer *w, const char *name, const char *class, int how)
{
	w_string(w, "field");
	w_varint(&w->elements, how == W_PLAIN ? 2 : 3);
	w_string(w, "name");
	w_string(w, name);
	w_string(w, "class");
	w_string(w, class);
	if (how != W_PLAIN) {
		w_string(w, how == W_ARRAY ? "dimension" : "constantPool");
		w_string(w, how == W_ARRAY ? "1" : "true");
	}
	w_varint(&w->elements, 0);
}

static inline void w_classes(struct jfr_writer *w)
{
	static const struct {
		const char *name, *id;
		struct {
			const char *name, *class;
			int how;
		} fields[7];
	} rows[] = {
		{"long", "10", {{0}}},
		{"int", "11", {{0}}},
		{"java.lang.String", "12", {{0}}},
		{"boolean", "13", {{0}}},
		{"jdk.types.Symbol", "20", {{"string", "12", W_PLAIN}}},
		{"java.lang.Class", "21", {{"name", "20", W_CONSTANT}}},
		{"jdk.types.Method",
		 "22",
		 {{"type", "21", W_CONSTANT}, {"name", "20", W_CONSTANT}}},
		{"jdk.types.StackFrame",
		 "23",
		 {{"method", "22", W_CONSTANT}, {"lineNumber", "11", W_PLAIN}}},
		{"jdk.types.StackTrace",
		 "24",
		 {{"truncated", "13", W_PLAIN}, {"frames", "23", W_ARRAY}}},
		{"jdk.types.ThreadState", "25", {{"name", "12", W_PLAIN}}},
		{"java.lang.Thread",
		 "26",
		 {{"javaName", "12", W_PLAIN}, {"osThreadId", "10", W_PLAIN}}},
		{"jdk.ExecutionSample",
		 "30",
		 {{"startTime", "10", W_PLAIN},
		  {"sampledThread", "26", W_CONSTANT},
		  {"stackTrace", "24", W_CONSTANT},
		  {"state", "25", W_CONSTANT},
		  {"contextId", "10", W_PLAIN},
		  {"spanId", "10", W_PLAIN},
		  {"spanName", "10", W_PLAIN}}},
		{"profiler.WallClockSample",
		 "31",
		 {{"stackTrace", "24", W_CONSTANT}, {"samples", "11", W_PLAIN}}},
		{"profiler.LiveObject", "32", {{"stackTrace", "24", W_CONSTANT}}},
		{"jdk.ActiveSetting", "33", {{"name", "12", W_PLAIN}, {"value", "12", W_PLAIN}}},
		{"jdk.JavaMonitorEnter",
		 "34",
		 {{"duration", "10", W_PLAIN}, {"stackTrace", "24", W_CONSTANT}}},
		{"Empty", "35", {{0}}},
		{"profiler.Malloc", "36", {{"size", "35", W_ARRAY}, {"stackTrace", "37", W_PLAIN}}},
		{"Nest", "37", {{"a", "37", W_PLAIN}}},
	};

	w_string(w, "root");
	w_varint(&w->elements, 0);
	w_varint(&w->elements, 1);
	w_string(w, "metadata");
	w_varint(&w->elements, 0);
	w_varint(&w->elements, sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int count = 0;
		while (count < 7 && rows[i].fields[count].name)
			count++;
		w_class(w, rows[i].name, rows[i].id, count);
		for (int k = 0; k < count; k++)
			w_field(w, rows[i].fields[k].name, rows[i].fields[k].class,
				rows[i].fields[k].how);
	}
}

static inline void w_event(struct buf *out, uint64_t type, struct str content)
{
	struct buf head = {0};

	w_varint(&head, type);
	/* Its own size is one or two bytes of the sum. */
	size_t size = head.len + content.len + 1;
	w_varint(out, size < 0x80 ? size : size + 1);
	buf_str(out, buf_text(&head));
	buf_str(out, content);
	buf_deinit(&head);
}

static inline void w_u64(struct buf *out, uint64_t value)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		buf_char(out, (char)(value >> shift));
}

/* The whole chunk, appended; ticks of a second. */
static inline void w_chunk(struct jfr_writer *w, uint64_t ticks, struct buf *out)
{
	struct buf metadata = {0}, event = {0};

	for (int i = 0; i < 3; i++)
		w_varint(&metadata, 0);
	w_varint(&metadata, w->string_count);
	buf_str(&metadata, buf_text(&w->strings));
	buf_str(&metadata, buf_text(&w->elements));
	w_event(&event, 0, buf_text(&metadata));
	buf_append(out, "FLR\0\0\2\0\1", 8);
	w_u64(out, 68 + w->events.len + event.len);
	w_u64(out, 0);
	w_u64(out, 68 + w->events.len);
	for (int i = 0; i < 3; i++)
		w_u64(out, 0);
	w_u64(out, ticks);
	buf_append(out, "\0\0\0\1", 4);
	buf_str(out, buf_text(&w->events));
	buf_str(out, buf_text(&event));
	buf_deinit(&metadata);
	buf_deinit(&event);
}

static inline void w_deinit(struct jfr_writer *w)
{
	buf_deinit(&w->strings);
	buf_deinit(&w->elements);
	buf_deinit(&w->events);
}
