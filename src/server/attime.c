/* Graphite's render API has these forms (graphite.readthedocs.io, "The Render
 * URL API", from / until). */
#include "server/attime.h"

#include <time.h>

#include "base/clock.h"

enum { DATE_DIGITS = 8, SECOND_MS = 1000 };

static const int64_t SPAN_MAX_S = (int64_t)1 << 40;

static bool all_digits(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return text.len > 0;
}

static bool read_date(struct str text, int64_t *ret_ms)
{
	uint64_t number;
	if (text.len != DATE_DIGITS || !str_to_u64(text, &number))
		return false;
	struct tm date = {.tm_year = (int)(number / 10000) - 1900,
			  .tm_mon = (int)(number / 100 % 100) - 1,
			  .tm_mday = (int)(number % 100)};
	if (date.tm_year < 70 || date.tm_mon < 0 || date.tm_mon > 11 || date.tm_mday < 1 ||
	    date.tm_mday > 31)
		return false;
	*ret_ms = (int64_t)timegm(&date) * SECOND_MS;
	return true;
}

/* 10 digits of seconds last until 2286. */
static bool read_epoch(struct str text, int64_t *ret_ms)
{
	int64_t number;
	if (!str_to_i64(text, &number))
		return false;
	if (text.len <= 11)
		*ret_ms = number * SECOND_MS;
	else if (text.len <= 14)
		*ret_ms = number;
	else if (text.len <= 17)
		*ret_ms = number / 1000;
	else
		*ret_ms = number / 1000000;
	return true;
}

static int64_t unit_s(struct str unit)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {
		{"s", 1},	  {"sec", 1},	      {"second", 1},
		{"seconds", 1},	  {"m", 60},	      {"min", 60},
		{"minute", 60},	  {"minutes", 60},    {"h", 3600},
		{"hour", 3600},	  {"hours", 3600},    {"d", 86400},
		{"day", 86400},	  {"days", 86400},    {"w", 604800},
		{"week", 604800}, {"weeks", 604800},  {"M", 2592000},
		{"mon", 2592000}, {"month", 2592000}, {"months", 2592000},
		{"y", 31536000},  {"year", 31536000}, {"years", 31536000},
	};
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_equal(unit, str_of(units[i].name)))
			return units[i].seconds;
	return 0;
}

/* One "1h" of "1h30min". */
static bool take_span(struct str *rest, int64_t *ret_s)
{
	size_t digits = 0, letters;
	uint64_t number;
	while (digits < rest->len && rest->ptr[digits] >= '0' && rest->ptr[digits] <= '9')
		digits++;
	for (letters = digits; letters < rest->len; letters++)
		if (rest->ptr[letters] >= '0' && rest->ptr[letters] <= '9')
			break;
	int64_t unit = unit_s(str_sub(*rest, digits, letters - digits));
	if (unit == 0 || digits > 9 || !str_to_u64(str_sub(*rest, 0, digits), &number))
		return false;
	*ret_s = (int64_t)number * unit;
	*rest = str_sub(*rest, letters, SIZE_MAX);
	return true;
}

static bool read_relative(struct str text, int64_t now_ms, int64_t *ret_ms)
{
	struct str rest = str_starts_with(text, STR("now")) ? str_sub(text, 3, SIZE_MAX) : text;
	int64_t sum_s = 0, span_s;
	*ret_ms = now_ms;
	if (rest.len == 0)
		return text.len > 0;
	char sign = rest.ptr[0];
	if (sign != '-' && sign != '+')
		return false;
	rest = str_sub(rest, 1, SIZE_MAX);
	if (rest.len == 0)
		return false;
	while (rest.len > 0) {
		/* A span has at most nine digits, so the sum is far from overflowing. */
		if (!take_span(&rest, &span_s) || (sum_s += span_s) > SPAN_MAX_S)
			return false;
	}
	*ret_ms = now_ms + (sign == '-' ? -sum_s : sum_s) * SECOND_MS;
	return true;
}

int attime_parse(struct str text, int64_t now_ms, int64_t *ret_ms, struct err *err)
{
	bool good = all_digits(text) ? read_date(text, ret_ms) || read_epoch(text, ret_ms)
				     : read_relative(text, now_ms, ret_ms);
	if (good && *ret_ms >= 0)
		return 0;
	return err_set(err, ERR_INVALID,
		       "\"%.*s\" is no time; send now-1h, or seconds or milliseconds since 1970",
		       STR_ARG(str_sub(text, 0, 64)));
}

static int too_late(struct str text, struct err *err)
{
	return err_set(err, ERR_INVALID, "\"%.*s\" is no time: it is after 2262",
		       STR_ARG(str_sub(text, 0, 64)));
}

int attime_parse_ns(struct str text, uint64_t now_ns, uint64_t *ret_ns, struct err *err)
{
	enum { US_DIGITS = 15, NS_DIGITS = 18 };
	uint64_t number, scale = NS_PER_MS;
	int64_t ms = 0;
	int rc = 0;

	if (text.len >= US_DIGITS && str_to_u64(text, &number)) {
		scale = text.len >= NS_DIGITS ? 1 : NS_PER_US;
	} else {
		rc = attime_parse(text, (int64_t)(now_ns / NS_PER_MS), &ms, err);
		number = (uint64_t)ms;
	}
	if (rc)
		return rc;
	if (number > INT64_MAX / scale)
		return too_late(text, err);
	*ret_ns = number * scale;
	return 0;
}
