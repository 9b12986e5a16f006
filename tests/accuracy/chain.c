#include "chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOT_FRAMES_MAX = 8, START_BYTES_MAX = 64 };

struct matcher {
	const struct chain_judge *judge;
	const struct chain *chain;
	const struct stacks_frame *frames;
	uint32_t count;
};

/* ---- frames ---- */

static struct str name_of(const struct matcher *m, uint32_t i)
{
	return stacks_string(m->judge->stacks, m->frames[i].name);
}

static bool in_program(const struct matcher *m, uint32_t i)
{
	return str_equal(stacks_string(m->judge->stacks, m->frames[i].file),
			 str_of(m->judge->program));
}

static bool is_frame(const struct matcher *m, uint32_t i)
{
	return i < m->count && !stacks_is_excuse(name_of(m, i));
}

static bool name_is_one_of(struct str name, struct str list)
{
	struct str each;
	while (str_next(&list, '|', &each)) {
		if (str_equal(name, each))
			return true;
	}
	return false;
}

static bool frame_is(const struct matcher *m, uint32_t i, struct str wanted)
{
	if (!is_frame(m, i))
		return false;
	struct str name = name_of(m, i);
	if (name.len == 0 && m->judge->stripped && in_program(m, i))
		return true;
	if (wanted.ptr[0] == '~')
		return str_starts_with(name, str_sub(wanted, 1, wanted.len));
	return name_is_one_of(name, wanted);
}

/* ---- roots ---- */

/* Of the C library's start code only the exported functions have names in a stripped libc. */
static bool is_start_code(const struct matcher *m, uint32_t i, struct str part)
{
	return is_frame(m, i) && (name_of(m, i).len == 0 || str_find(name_of(m, i), part) >= 0);
}

static bool is_process_root(const struct matcher *m, uint32_t i)
{
	struct str name = name_of(m, i);
	uint64_t address = m->frames[i].address, entry = m->judge->entry;
	if (name.len == 0 && m->judge->stripped)
		return in_program(m, i) && address >= entry && address < entry + START_BYTES_MAX;
	/* musl's start code has no unwind information: the end that it marks by a frame pointer of 0 is seen in the
	 * function that calls main. */
	return name_is_one_of(name, STR("_start|_start_c|libc_start_main_stage2"));
}

static bool is_thread_root(const struct matcher *m, uint32_t i)
{
	struct str name = name_of(m, i);
	if (name.len == 0)
		return m->frames[i].address == m->judge->thread_root;
	/* musl: start, as above. */
	return name_is_one_of(name, STR("clone3|__clone3|clone|__clone|start"));
}

static bool rest_is_process_root(const struct matcher *m, uint32_t i)
{
	if (i >= m->count || m->count - i > ROOT_FRAMES_MAX)
		return false;
	for (; i + 1 < m->count; i++) {
		if (!is_start_code(m, i, STR("start")))
			return false;
	}
	return is_process_root(m, i);
}

static bool rest_is_thread_root(const struct matcher *m, uint32_t i)
{
	if (i >= m->count || m->count - i > ROOT_FRAMES_MAX)
		return false;
	for (; i + 1 < m->count; i++) {
		if (!is_start_code(m, i, STR("start")))
			return false;
	}
	return is_thread_root(m, i);
}

static bool rest_is_context_root(const struct matcher *m, uint32_t i)
{
	return i + 1 == m->count && is_start_code(m, i, STR("__start_context"));
}

static bool is_signal_return(const struct matcher *m, uint32_t i)
{
	return is_start_code(m, i, STR("restore")) || is_start_code(m, i, STR("sigreturn"));
}

/* ---- matching ---- */

static bool matches(const struct matcher *m, size_t token, uint32_t i);

/* "NAME*N" -> NAME and N; false when it is none. */
static bool repeated(struct str token, struct str *ret_name, uint64_t *ret_times)
{
	ptrdiff_t star = str_rfind_char(token, '*');
	if (star <= 0 || !str_to_u64(str_sub(token, (size_t)star + 1, token.len), ret_times))
		return false;
	*ret_name = str_sub(token, 0, (size_t)star);
	return true;
}

static bool matches_repeated(const struct matcher *m, size_t token, uint32_t i, struct str name,
			     uint64_t times)
{
	for (uint64_t n = 0; n < times; n++, i++) {
		if (!frame_is(m, i, name))
			return false;
	}
	return matches(m, token + 1, i);
}

static bool matches_any_number(const struct matcher *m, size_t token, uint32_t i)
{
	for (;; i++) {
		if (matches(m, token + 1, i))
			return true;
		if (!is_frame(m, i))
			return false;
	}
}

/* The frames from i on against the tokens from `token` on. Recurses on tokens, of which there are few. */
static bool matches(const struct matcher *m, size_t token, uint32_t i)
{
	struct str name;
	uint64_t times;
	if (token == m->chain->count)
		return i == m->count;
	struct str wanted = m->chain->tokens[token];
	if (str_equal(wanted, STR("*")))
		return matches_any_number(m, token, i);
	if (str_equal(wanted, STR("@process")))
		return rest_is_process_root(m, i);
	if (str_equal(wanted, STR("@thread")))
		return rest_is_thread_root(m, i);
	if (str_equal(wanted, STR("@context")))
		return rest_is_context_root(m, i);
	if (repeated(wanted, &name, &times))
		return matches_repeated(m, token, i, name, times);
	bool right = str_equal(wanted, STR("?"))	 ? is_frame(m, i)
		     : str_equal(wanted, STR("@signal")) ? is_signal_return(m, i)
							 : frame_is(m, i, wanted);
	return right && matches(m, token + 1, i + 1);
}

bool chain_matches(const struct chain_judge *judge, const struct chain *chain,
		   const struct stacks_frame *frames, uint32_t count)
{
	struct matcher m = {judge, chain, frames, count};
	return matches(&m, 0, 0);
}

bool chain_is_whole(const struct chain_judge *judge, const struct chain *chain,
		    const struct stacks_frame *frames, uint32_t count)
{
	struct matcher m = {judge, chain, frames, count};
	if (count == 0)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!is_frame(&m, i))
			return false;
	}
	struct str root = chain->tokens[chain->count - 1];
	if (str_equal(root, STR("@process")))
		return is_process_root(&m, count - 1);
	if (str_equal(root, STR("@thread")))
		return is_thread_root(&m, count - 1);
	if (str_equal(root, STR("@context")))
		return is_start_code(&m, count - 1, STR("__start_context"));
	return frame_is(&m, count - 1, root);
}

/* ---- reading ---- */

static bool parse_chain(struct str line, struct chain *ret)
{
	struct str part;
	*ret = (struct chain){0};
	if (!str_next(&line, ';', &part))
		return false;
	str_copy(ret->id, sizeof(ret->id), part);
	while (str_next(&line, ';', &part)) {
		if (ret->count == CHAIN_TOKENS_MAX || part.len == 0)
			return false;
		ret->tokens[ret->count++] = part;
	}
	return ret->count > 0;
}

static bool parse_window(struct str line, struct chain_window *ret)
{
	struct str pid, tid, id, begin, end;
	*ret = (struct chain_window){0};
	if (!str_next(&line, ' ', &pid) || !str_next(&line, ' ', &tid) ||
	    !str_next(&line, ' ', &id) || !str_next(&line, ' ', &begin) ||
	    !str_next(&line, ' ', &end))
		return false;
	str_copy(ret->id, sizeof(ret->id), id);
	return str_to_i64(pid, &ret->pid) && str_to_i64(tid, &ret->tid) &&
	       str_to_u64(begin, &ret->begin_ns) && str_to_u64(end, &ret->end_ns);
}

/* The storm's children say the same chain again and again. */
static bool is_known(const struct chain_story *story, const struct chain *chain)
{
	for (size_t i = 0; i < story->chain_count; i++) {
		const struct chain *other = &story->chains[i];
		bool same = !strcmp(other->id, chain->id) && other->count == chain->count;
		for (size_t t = 0; same && t < chain->count; t++)
			same = str_equal(other->tokens[t], chain->tokens[t]);
		if (same)
			return true;
	}
	return false;
}

static void *grown(void *rows, size_t count, size_t row_bytes)
{
	if (count & (count - 1))
		return rows;
	void *more = realloc(rows, (count ? 2 * count : 1) * row_bytes);
	if (!more)
		abort();
	return more;
}

static bool parse_line(struct chain_story *story, struct str line)
{
	if (str_starts_with(line, STR("chain "))) {
		struct chain chain;
		if (!parse_chain(str_sub(line, 6, line.len), &chain))
			return false;
		if (is_known(story, &chain))
			return true;
		story->chains = grown(story->chains, story->chain_count, sizeof(chain));
		story->chains[story->chain_count++] = chain;
		return true;
	}
	if (str_starts_with(line, STR("window "))) {
		struct chain_window window;
		if (!parse_window(str_sub(line, 7, line.len), &window))
			return false;
		story->windows = grown(story->windows, story->window_count, sizeof(window));
		story->windows[story->window_count++] = window;
		return true;
	}
	return line.len == 0;
}

bool chain_story_parse(char *text, struct chain_story *ret, struct str *ret_line)
{
	struct str rest = str_of(text);
	*ret = (struct chain_story){.text = text};
	while (str_next(&rest, '\n', ret_line)) {
		if (!parse_line(ret, *ret_line))
			return false;
	}
	return true;
}

void chain_story_free(struct chain_story *story)
{
	free(story->text);
	free(story->chains);
	free(story->windows);
	*story = (struct chain_story){0};
}
