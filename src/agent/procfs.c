#include "agent/procfs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Takes a lower-case hex number and the character behind it. */
static bool take_hex(struct str *rest, char end, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;
	for (; i < rest->len && i < 16 && hex_digit(rest->ptr[i]) >= 0; i++)
		value = value << 4 | (uint64_t)hex_digit(rest->ptr[i]);
	if (i == 0 || i == rest->len || rest->ptr[i] != end)
		return false;
	*rest = str_sub(*rest, i + 1, rest->len);
	*ret = value;
	return true;
}

static bool take_decimal(struct str *rest, char end, uint64_t *ret)
{
	size_t i = 0;
	while (i < rest->len && rest->ptr[i] >= '0' && rest->ptr[i] <= '9')
		i++;
	if (!str_to_u64(str_sub(*rest, 0, i), ret) || (i < rest->len && rest->ptr[i] != end))
		return false;
	*rest = str_sub(*rest, i + 1, rest->len);
	return true;
}

bool proc_parse_map(struct str line, struct proc_map *ret)
{
	struct proc_map map = {0};
	uint64_t major, minor;
	if (!take_hex(&line, '-', &map.start) || !take_hex(&line, ' ', &map.end) || line.len < 5)
		return false;
	map.executable = line.ptr[2] == 'x';
	line = str_sub(line, 5, line.len);
	if (!take_hex(&line, ' ', &map.offset) || !take_hex(&line, ':', &major) ||
	    !take_hex(&line, ' ', &minor) || !take_decimal(&line, ' ', &map.inode) ||
	    map.start >= map.end)
		return false;
	map.major = (uint32_t)major;
	map.minor = (uint32_t)minor;
	while (line.len > 0 && line.ptr[0] == ' ')
		line = str_sub(line, 1, line.len);
	map.path = line;
	*ret = map;
	return true;
}

/* proc_pid_stat(5): pid (comm) state ppid ... flags is field 9, starttime field 22. The comm may hold
 * anything, so it ends at the last ')'. */
bool proc_parse_stat(struct str text, struct proc_stat *ret)
{
	enum { PF_KTHREAD = 0x00200000, FIELD_PPID = 4, FIELD_FLAGS = 9, FIELD_START = 22 };
	struct proc_stat stat = {0};
	ptrdiff_t open = str_find_char(text, '('), close = str_rfind_char(text, ')');
	if (open < 0 || close < open)
		return false;
	stat.comm = str_sub(text, (size_t)open + 1, (size_t)(close - open - 1));
	struct str rest = str_sub(text, (size_t)close + 2, text.len), part;
	int field = 3;
	for (; field <= FIELD_START && str_next(&rest, ' ', &part); field++) {
		uint64_t value = 0;
		bool wanted = field == FIELD_PPID || field == FIELD_FLAGS || field == FIELD_START;
		if (wanted && !str_to_u64(part, &value))
			return false;
		if (field == FIELD_PPID)
			stat.parent_pid = (uint32_t)value;
		else if (field == FIELD_FLAGS)
			stat.kernel_thread = value & PF_KTHREAD;
		else if (field == FIELD_START)
			stat.start_ticks = value;
	}
	if (field <= FIELD_START)
		return false;
	*ret = stat;
	return true;
}

static size_t trailing_hex(struct str s)
{
	size_t n = 0;
	while (n < s.len && hex_digit(s.ptr[s.len - 1 - n]) >= 0)
		n++;
	return n;
}

/* The id that ends s: 64 hex digits, or 32 hex digits, '-' and decimal digits. */
static struct str id_at_end(struct str s)
{
	if (str_ends_with(s, STR(".scope")))
		s.len -= 6;
	if (trailing_hex(s) >= 64)
		return str_sub(s, s.len - 64, 64);
	size_t digits = 0;
	while (digits < s.len && s.ptr[s.len - 1 - digits] >= '0' &&
	       s.ptr[s.len - 1 - digits] <= '9')
		digits++;
	if (digits == 0 || digits + 1 > s.len || s.ptr[s.len - 1 - digits] != '-')
		return (struct str){0};
	struct str head = str_sub(s, 0, s.len - 1 - digits);
	size_t len = 32 + 1 + digits;
	if (trailing_hex(head) < 32 || len > CONTAINER_ID_MAX)
		return (struct str){0};
	return str_sub(s, s.len - len, len);
}

/* Without a last "/name" of lower-case letters; the path itself when it has none. */
static struct str without_subdirectory(struct str path)
{
	size_t n = 0;
	while (n < path.len && path.ptr[path.len - 1 - n] >= 'a' &&
	       path.ptr[path.len - 1 - n] <= 'z')
		n++;
	if (n == 0 || n == path.len || path.ptr[path.len - 1 - n] != '/')
		return path;
	return str_sub(path, 0, path.len - 1 - n);
}

struct str proc_container_id(struct str cgroup)
{
	struct str line;
	while (str_next(&cgroup, '\n', &line)) {
		struct str hierarchy, controllers;
		uint64_t number;
		if (!str_next(&line, ':', &hierarchy) || !str_to_u64(hierarchy, &number) ||
		    !str_next(&line, ':', &controllers) || line.len < 2)
			continue;
		struct str id = id_at_end(line);
		if (id.len == 0)
			id = id_at_end(without_subdirectory(line));
		if (id.len > 0)
			return id;
	}
	return STR("");
}

struct str proc_environ_get(struct str environment, struct str name)
{
	struct str pair;
	while (str_next(&environment, '\0', &pair)) {
		if (pair.len > name.len && pair.ptr[name.len] == '=' && str_starts_with(pair, name))
			return str_sub(pair, name.len + 1, pair.len);
	}
	return (struct str){0};
}

static int any_hex_digit(char c)
{
	return hex_digit(c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c);
}

/* RFC 3986, 2.1. False when a % is not followed by two hex digits. Cut to cap. */
static bool percent_decode(struct str text, char *ret, size_t cap)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '%') {
			int high = i + 1 < text.len ? any_hex_digit(text.ptr[i + 1]) : -1;
			int low = i + 2 < text.len ? any_hex_digit(text.ptr[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (n + 1 < cap)
			ret[n++] = c;
	}
	ret[n] = '\0';
	return true;
}

static bool name_in_attributes(struct str attributes, char *ret, size_t cap)
{
	char value[256], found[256] = "";
	struct str pair;
	while (str_next(&attributes, ',', &pair)) {
		ptrdiff_t equals = str_find_char(pair, '=');
		struct str key = str_trim(str_sub(pair, 0, equals < 0 ? 0 : (size_t)equals));
		if (str_trim(pair).len == 0)
			continue;
		if (equals < 0 || key.len == 0)
			return false;
		struct str text = str_trim(str_sub(pair, (size_t)equals + 1, pair.len));
		if (!percent_decode(text, value, sizeof(value)))
			return false;
		if (str_equal(key, STR("service.name")))
			str_copy(found, sizeof(found), str_of(value));
	}
	str_copy(ret, cap, str_of(found));
	return true;
}

void proc_service_name(struct str environment, char *ret, size_t cap)
{
	struct str name = str_trim(proc_environ_get(environment, STR("OTEL_SERVICE_NAME")));
	str_copy(ret, cap, name);
	if (name.len == 0) {
		struct str list = proc_environ_get(environment, STR("OTEL_RESOURCE_ATTRIBUTES"));
		if (!name_in_attributes(list, ret, cap))
			ret[0] = '\0';
	}
	if (!str_is_utf8(str_of(ret)))
		ret[0] = '\0';
}

void kernel_thread_name(struct str comm, char *ret, size_t cap)
{
	ptrdiff_t slash = str_find_char(comm, '/');
	if (slash > 0)
		comm.len = (size_t)slash;
	snprintf(ret, cap, "[%.*s]", STR_ARG(comm));
}

int proc_read_exe(const char *proc, uint32_t pid, char *ret, size_t cap, struct err *err)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%u/exe", proc, pid);
	ssize_t len = readlink(path, ret, cap - 1);
	if (len < 0)
		return err_set_errno(err, errno, "reading %s", path);
	struct str target = str_make(ret, (size_t)len);
	if (str_ends_with(target, STR(" (deleted)")))
		target.len -= 10;
	ret[target.len] = '\0';
	return 0;
}

int proc_read(const char *proc, uint32_t pid, const char *name, size_t limit_bytes, struct buf *ret,
	      struct err *err)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%u/%s", proc, pid, name);
	return fd_read_file(path, limit_bytes, ret, err);
}
