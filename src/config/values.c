#include "config/values.h"

#include <math.h>

#include "base/clock.h"

bool config_to_bool(struct str text, bool *ret)
{
	if (str_equal_nocase(text, STR("true")))
		*ret = true;
	else if (str_equal_nocase(text, STR("false")))
		*ret = false;
	else
		return false;
	return true;
}

bool config_to_loose_bool(struct str text, bool *ret)
{
	static const char *const yes[] = {"true", "yes", "on", "y", "t", "1"};
	static const char *const no[] = {"false", "no", "off", "n", "f", "0"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		bool is_yes = str_equal_nocase(text, str_of(yes[i]));
		if (!is_yes && !str_equal_nocase(text, str_of(no[i])))
			continue;
		*ret = is_yes;
		return true;
	}
	return false;
}

/* ---- whole numbers ---- */

/* Takes a base's prefix off *text. */
static unsigned take_base(struct str *text)
{
	static const struct {
		struct str prefix;
		unsigned base;
	} bases[] = {{STR("0x"), 16}, {STR("0X"), 16}, {STR("0o"), 8}, {STR("0O"), 8},
		     {STR("0b"), 2},  {STR("0B"), 2},  {STR("0"), 8}};

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		size_t len = bases[i].prefix.len;
		if (text->len <= len || !str_starts_with(*text, bases[i].prefix))
			continue;
		*text = str_sub(*text, len, text->len);
		return bases[i].base;
	}
	return 10;
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return UINT32_MAX;
}

bool config_to_uint(struct str text, uint64_t *ret)
{
	uint64_t value = 0;
	unsigned digits = 0;

	if (text.len > 1 && text.ptr[0] == '+')
		text = str_sub(text, 1, text.len);
	unsigned base = take_base(&text);
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = digit_value(text.ptr[i]);
		if (text.ptr[i] == '_' && digits > 0)
			continue;
		if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
		digits++;
	}
	if (digits > 0)
		*ret = value;
	return digits > 0;
}

bool config_to_int(struct str text, int64_t *ret)
{
	bool negative = text.len > 1 && text.ptr[0] == '-';
	uint64_t size;

	if (negative)
		text = str_sub(text, 1, text.len);
	if ((negative && text.ptr[0] == '+') || !config_to_uint(text, &size))
		return false;
	if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*ret = negative ? (int64_t)(0 - size) : (int64_t)size;
	return true;
}

/* ---- numbers with units ---- */

struct unit {
	struct str name;
	double factor;
};

/* The number at the start of *text, which it is taken off. */
static bool take_number(struct str *text, double *ret)
{
	size_t len = 0;

	while (len < text->len &&
	       ((text->ptr[len] >= '0' && text->ptr[len] <= '9') || text->ptr[len] == '.'))
		len++;
	if (!str_to_double(str_sub(*text, 0, len), ret))
		return false;
	*text = str_sub(*text, len, text->len);
	return true;
}

/* The unit at the start of *text, up to the next digit. */
static bool take_unit(struct str *text, const struct unit *units, size_t count, double *ret)
{
	size_t len = 0;

	while (len < text->len && !(text->ptr[len] >= '0' && text->ptr[len] <= '9') &&
	       text->ptr[len] != '.')
		len++;
	struct str name = str_sub(*text, 0, len);
	for (size_t i = 0; i < count; i++) {
		if (!str_equal(units[i].name, name))
			continue;
		*text = str_sub(*text, len, text->len);
		*ret = units[i].factor;
		return true;
	}
	return false;
}

/* Go, time.ParseDuration; d w y as in Prometheus' model.ParseDuration (1y = 365d). */
static const struct unit duration_units[] = {
	{STR("ns"), 1},		 {STR("us"), 1e3},
	{STR("µs"), 1e3}, /* U+00B5 */
	{STR("μs"), 1e3},	 /* U+03BC */ {STR("ms"), 1e6},
	{STR("s"), 1e9},	 {STR("m"), 60e9},
	{STR("h"), 3600e9},	 {STR("d"), 86400e9},
	{STR("w"), 7 * 86400e9}, {STR("y"), 365 * 86400e9},
};

/* Whole parts are added as integers, so that 9007199254740993ns stays exact. */
static bool add_duration_part(struct str *text, uint64_t *total_ns)
{
	enum { UNITS = sizeof(duration_units) / sizeof(duration_units[0]) };
	struct str start = *text;
	double number, factor;
	uint64_t whole, part_ns;

	if (!take_number(text, &number))
		return false;
	struct str digits = str_sub(start, 0, start.len - text->len);
	if (!take_unit(text, duration_units, UNITS, &factor))
		return false;
	if (str_to_u64(digits, &whole)) {
		if (__builtin_mul_overflow(whole, (uint64_t)factor, &part_ns))
			return false;
	} else {
		if (number * factor >= 9.2e18)
			return false;
		part_ns = (uint64_t)llround(number * factor);
	}
	return !__builtin_add_overflow(*total_ns, part_ns, total_ns);
}

bool config_to_duration(struct str text, int64_t *ret_ns)
{
	bool negative = text.len > 1 && text.ptr[0] == '-';
	bool sign = negative || (text.len > 1 && text.ptr[0] == '+');
	uint64_t total_ns = 0;

	if (sign)
		text = str_sub(text, 1, text.len);
	if (text.len == 0)
		return false;
	if (!str_equal(text, STR("0")))
		while (text.len > 0)
			if (!add_duration_part(&text, &total_ns))
				return false;
	if (total_ns > INT64_MAX)
		return false;
	*ret_ns = negative ? -(int64_t)total_ns : (int64_t)total_ns;
	return true;
}

/* Below a second Go prints one number with the largest fitting unit; above it, h, m and s. */
void config_put_duration(struct buf *out, int64_t ns)
{
	uint64_t left_ns = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	uint64_t seconds = left_ns / NS_PER_S;

	if (ns == 0) {
		buf_cstr(out, "0s");
		return;
	}
	if (ns < 0)
		buf_char(out, '-');
	if (left_ns < NS_PER_US)
		buf_printf(out, "%uns", (unsigned)left_ns);
	else if (left_ns < NS_PER_MS)
		buf_printf(out, "%.12gµs", (double)left_ns / NS_PER_US);
	else if (left_ns < NS_PER_S)
		buf_printf(out, "%.12gms", (double)left_ns / NS_PER_MS);
	if (left_ns < NS_PER_S)
		return;
	if (seconds >= 3600)
		buf_printf(out, "%lluh", (unsigned long long)(seconds / 3600));
	if (seconds >= 60)
		buf_printf(out, "%um", (unsigned)(seconds / 60 % 60));
	buf_printf(out, "%.12gs",
		   (double)(seconds % 60) + (double)(left_ns % NS_PER_S) / (double)NS_PER_S);
}

static const struct unit size_units[] = {
	{STR(""), 1},
	{STR("B"), 1},
	{STR("k"), 1e3},
	{STR("K"), 1e3},
	{STR("kB"), 1e3},
	{STR("KB"), 1e3},
	{STR("M"), 1e6},
	{STR("MB"), 1e6},
	{STR("G"), 1e9},
	{STR("GB"), 1e9},
	{STR("T"), 1e12},
	{STR("TB"), 1e12},
	{STR("Ki"), 1024},
	{STR("KiB"), 1024},
	{STR("Mi"), 1048576},
	{STR("MiB"), 1048576},
	{STR("Gi"), 1073741824},
	{STR("GiB"), 1073741824},
	{STR("Ti"), 1099511627776},
	{STR("TiB"), 1099511627776},
};

bool config_to_size(struct str text, uint64_t *ret_bytes)
{
	enum { UNITS = sizeof(size_units) / sizeof(size_units[0]) };
	struct str rest = text;
	double number, factor;
	uint64_t whole;

	if (!take_number(&rest, &number))
		return false;
	struct str digits = str_sub(text, 0, text.len - rest.len);
	rest = str_trim(rest);
	if (!take_unit(&rest, size_units, UNITS, &factor) || rest.len > 0)
		return false;
	if (str_to_u64(digits, &whole)) {
		if (__builtin_mul_overflow(whole, (uint64_t)factor, &whole))
			return false;
	} else {
		if (number * factor >= 1.8e19)
			return false;
		whole = (uint64_t)(number * factor);
	}
	*ret_bytes = whole;
	return true;
}

void config_put_size(struct buf *out, uint64_t bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t i = 0;

	while (i < 4 && bytes > 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	buf_printf(out, "%llu%s", (unsigned long long)bytes, names[i]);
}
