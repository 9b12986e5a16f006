/* What a program says about its own stacks (see chains/chains.h), and whether a
 * stack is as it says. A chain is a list of frames, leaf first, separated by
 * semicolons:
 *
 *	NAME, A|B	a frame of that name, of one of those names
 *	~TEXT		a frame whose name begins so
 *	NAME*N		N frames of that name
 *	?		any frame
 *	*		any number of any frames
 *	@signal		the frame to which a signal handler returns
 *	@process	the C library's part of the root of a process: ..., _start
 *	@thread		the same of a thread: ..., clone3
 *	@context	the same of a coroutine made by makecontext
 *
 * What the agent says in place of missing frames ("[broken: ...]") is no frame. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stacks.h"

enum { CHAIN_TOKENS_MAX = 64, CHAIN_ID_MAX = 32 };

struct chain {
	char id[CHAIN_ID_MAX];
	struct str tokens[CHAIN_TOKENS_MAX]; /* views into the text */
	size_t count;
};

struct chain_window {
	int64_t pid, tid;
	char id[CHAIN_ID_MAX];
	uint64_t begin_ns, end_ns;
};

/* All that one program said. */
struct chain_story {
	char *text; /* its output; owned */
	struct chain *chains;
	struct chain_window *windows;
	size_t chain_count, window_count;
};

/* Takes over text (from malloc). False: a line that is none of ours, in *ret_line. */
bool chain_story_parse(char *text, struct chain_story *ret, struct str *ret_line);
void chain_story_free(struct chain_story *story);

/* Who ran it: `program` is the file's name. Functions of a stripped one may be unnamed, and so its first
 * one is known by the file's entry address. Threads that a stripped C library starts are known by the
 * address that our own threads return to. */
struct chain_judge {
	const struct stacks *stacks;
	const char *program;
	bool stripped;
	uint64_t entry;	      /* ELF virtual address of _start */
	uint64_t thread_root; /* the same of the call in clone3 of our C library */
};

bool chain_matches(const struct chain_judge *judge, const struct chain *chain,
		   const struct stacks_frame *frames, uint32_t count);
/* Ends where threads and processes begin, with no excuse on the way. */
bool chain_is_whole(const struct chain_judge *judge, const struct chain *chain,
		    const struct stacks_frame *frames, uint32_t count);
