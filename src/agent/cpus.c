#include "agent/cpus.h"

#include "base/fd.h"

uint32_t cpu_set_count(const struct cpu_set *set)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < CPUS_MAX / 64; i++)
		count += (uint32_t)__builtin_popcountll(set->words[i]);
	return count;
}

uint32_t cpu_set_end(const struct cpu_set *set)
{
	for (uint32_t i = CPUS_MAX; i > 0; i--) {
		if (cpu_set_has(set, i - 1))
			return i;
	}
	return 0;
}

static bool parse_range(struct str part, uint64_t *ret_first, uint64_t *ret_last)
{
	ptrdiff_t dash = str_find_char(part, '-');
	if (dash < 0) {
		if (!str_to_u64(part, ret_first))
			return false;
		*ret_last = *ret_first;
	} else {
		struct str last = str_sub(part, (size_t)dash + 1, part.len);
		if (!str_to_u64(str_sub(part, 0, (size_t)dash), ret_first) ||
		    !str_to_u64(last, ret_last))
			return false;
	}
	return *ret_first <= *ret_last && *ret_last < CPUS_MAX;
}

int cpu_set_parse(struct str text, struct cpu_set *ret, struct err *err)
{
	struct cpu_set set = {0};
	struct str rest = str_trim(text), part;
	while (rest.len > 0 && str_next(&rest, ',', &part)) {
		uint64_t first, last;
		if (!parse_range(str_trim(part), &first, &last))
			return err_set(err, ERR_INVALID,
				       "\"%.*s\" is no CPU or range of CPUs (as in 0-15,20; below "
				       "%d)",
				       STR_ARG(part), CPUS_MAX);
		for (uint64_t cpu = first; cpu <= last; cpu++)
			set.words[cpu / 64] |= 1ULL << (cpu % 64);
	}
	*ret = set;
	return 0;
}

int cpu_set_online(struct cpu_set *ret, struct err *err)
{
	struct buf text;
	buf_init(&text, 0);
	int rc = fd_read_file("/sys/devices/system/cpu/online", 64 << 10, &text, err);
	if (rc == 0)
		rc = cpu_set_parse(buf_text(&text), ret, err);
	buf_deinit(&text);
	return rc;
}
