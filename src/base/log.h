/* key=value log lines on stderr, one write(2) a line, any thread:
 *
 *	ts=2026-11-22T17:40:01.123Z level=warn room=agent msg="ring buffer full" lost=12
 *
 * Levels: error (someone must act), warn (degraded, goes on), info (life cycle),
 * debug. Rooms below the programs return errors and never log above debug; the
 * edge logs once. Per-sample paths count, they do not log. */
#pragma once

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level); /* default LOG_INFO */
/* "debug", "info", "warn", "error" -> true; anything else leaves it and returns false. */
int log_parse_level(const char *name, enum log_level *ret);
void log_set_json(int on); /* -log.format=json */

/* fmt continues the line after msg= and is key=value text made by the caller, or "" (values with
 * blanks are the caller's to quote, LOG_Q helps). */
void log_line(enum log_level level, const char *room, const char *msg, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* For a value with blanks: log_warn("agent", "gave up", "path=" LOG_Q, path). */
#define LOG_Q "\"%s\""

enum { LOG_TEXT_MAX = 1536 };

struct log_text {
	char text[LOG_TEXT_MAX];
};

/* Text of outside origin as the value of LOG_Q: quotes and backslashes escaped, cut to what fits. */
const char *log_escape(struct log_text *out, const char *text);
/* log_warn("agent", "gave up", "why=" LOG_Q, LOG_TEXT(err->text)); valid to the end of the block. */
#define LOG_TEXT(text_) log_escape(&(struct log_text){.text = ""}, (text_))

#define log_debug(room, msg, ...) log_line(LOG_DEBUG, room, msg, __VA_ARGS__)
#define log_info(room, msg, ...)  log_line(LOG_INFO, room, msg, __VA_ARGS__)
#define log_warn(room, msg, ...)  log_line(LOG_WARN, room, msg, __VA_ARGS__)
#define log_error(room, msg, ...) log_line(LOG_ERROR, room, msg, __VA_ARGS__)
