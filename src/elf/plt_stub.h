/* Private to elf/: what the instructions of a PLT stub use. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct plt_stub {
	size_t size;   /* also of what is no stub; at least 1 */
	bool by_index; /* a relocation of .rela.plt; else a slot of the GOT */
	uint32_t index;
	uint64_t slot;
};

/* The stub at the start of bytes (not empty), which lie at addr. entry_size is the section's. False: no
 * stub, or one that uses neither. */
bool plt_stub_decode(uint16_t machine, uint64_t entry_size, struct str bytes, uint64_t addr,
		     struct plt_stub *ret);
