/* The sampler's walk over what user space has of a process: tables in a space,
 * a copy of the top of a stack, and perhaps its code. One source with the BPF
 * program, bpf/unwind_step.h; only what it reads is another. */
#include <elf.h>
#include <string.h>

#include "unwind/space.h"

enum { STACK_SPAN_BYTES = 1 << 30 }; /* further above the copy is no stack */

struct unwind_memory {
	const struct unwind_target *target;
	bool cut; /* the word asked for last is above the copy */
};

/* An optimiser here cannot harm: nobody checks masks but the machine. */
#define UNWIND_HIDE(x) ((void)(x))

static inline bool unwind_is_arm64(const struct unwind_memory *m)
{
	return m->target->machine == EM_AARCH64;
}

/* Bits 48 and up: Linux gives processes 48 bits of address unless they ask for 52. */
static inline uint64_t unwind_pac_mask(const struct unwind_memory *m)
{
	if (!unwind_is_arm64(m))
		return 0;
	return m->target->pac_mask ? m->target->pac_mask : 0xffffULL << 48;
}

static inline bool unwind_read(struct unwind_memory *m, uint64_t address, __u64 *ret)
{
	const struct unwind_target *t = m->target;
	const uint64_t offset = address - t->stack_start;
	m->cut = false;
	if (address % sizeof(*ret) || address < t->stack_start)
		return false;
	if (t->stack_len < sizeof(*ret) || offset > t->stack_len - sizeof(*ret)) {
		m->cut = offset < STACK_SPAN_BYTES;
		return false;
	}
	memcpy(ret, (const char *)t->stack + offset, sizeof(*ret));
	return true;
}

static inline bool unwind_code(struct unwind_memory *m, uint64_t address, __u64 *ret)
{
	const struct unwind_target *t = m->target;
	return t->read_code && t->read_code(t->ctx, address, ret, sizeof(*ret)) == sizeof(*ret);
}

static inline const void *unwind_chunk(struct unwind_memory *m, uint32_t place)
{
	const uint32_t first = place % UNWIND_CHUNK_UNITS;
	const char *at = unwind_space_at(m->target->space, place, UNWIND_UNIT_BYTES);
	return at ? at - (size_t)first * UNWIND_UNIT_BYTES : NULL;
}

struct unwind_walker;
static inline __u32 unwind_find_mapping(struct unwind_walker *w, struct unwind_memory *m);
static inline __u32 unwind_find_caller(struct unwind_walker *w, struct unwind_memory *m,
				       __u32 word);
static inline void unwind_find_handler(struct unwind_walker *w, struct unwind_memory *m);
static inline __u32 unwind_find_copied(struct unwind_walker *w, struct unwind_memory *m);

#include "bpf/unwind_step.h"

static inline __u32 unwind_find_mapping(struct unwind_walker *w, struct unwind_memory *m)
{
	return unwind_search_mapping(w, m);
}

static inline __u32 unwind_find_caller(struct unwind_walker *w, struct unwind_memory *m, __u32 word)
{
	return unwind_caller_at(w, m, word);
}

static inline void unwind_find_handler(struct unwind_walker *w, struct unwind_memory *m)
{
	unwind_handler_frame(w, m);
}

static inline __u32 unwind_find_copied(struct unwind_walker *w, struct unwind_memory *m)
{
	return unwind_copied_from(w, m);
}

static struct unwind_walker walker_at(const struct unwind_target *target,
				      const struct unwind_state *state)
{
	return (struct unwind_walker){
		.pc = state->pc,
		.sp = state->sp,
		.fp = state->fp,
		.lr = state->lr,
		.exact = state->exact,
		.no_fp = state->no_fp,
		.no_registers = true,
		.mappings = target->mappings,
		.mapping_count = target->mapping_count,
	};
}

static void keep(const struct unwind_walker *w, struct unwind_state *state)
{
	*state = (struct unwind_state){
		.pc = w->pc,
		.sp = w->sp,
		.fp = w->fp,
		.lr = w->lr,
		.exact = w->exact,
		.no_fp = w->no_fp,
	};
}

enum unwind_end unwind_walk(const struct unwind_target *target, struct unwind_state *state,
			    uint64_t *frames, size_t cap, size_t *ret_count)
{
	struct unwind_memory memory = {.target = target};
	struct unwind_walker walker = walker_at(target, state);
	size_t count = 0;
	__u32 end = unwind_step(&walker, &memory);
	while (end == UNWIND_MORE && count < cap) {
		keep(&walker, state);
		frames[count++] =
			(walker.pc & ~UNWIND_FRAME_EXACT) | (walker.exact ? UNWIND_FRAME_EXACT : 0);
		end = unwind_step(&walker, &memory);
	}
	*ret_count = count;
	if (end == UNWIND_MORE)
		return UNWIND_END_TRUNCATED;
	if (memory.cut && (end == UNWIND_END_UNREADABLE || end == UNWIND_END_NO_ROW))
		return UNWIND_END_CUT;
	return (enum unwind_end)end;
}
