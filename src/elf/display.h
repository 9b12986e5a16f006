/* Private to elf/: display names remembered, since demangling one costs a
 * microsecond or more and hot functions come back in every batch. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "elf/elf.h"

struct display_memo {
	struct map known;   /* hash of the system name -> struct memo_name */
	struct arena texts; /* bounded; when full, all is forgotten */
	struct buf scratch;
};

void display_memo_init(struct display_memo *memo);
void display_memo_deinit(struct display_memo *memo);
/* The display form, valid until the next call; system_name must live as long. */
struct str display_memo_get(struct display_memo *memo, struct str system_name);
