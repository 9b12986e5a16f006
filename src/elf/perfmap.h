/* Names of code that a runtime compiled into memory, as the runtime wrote them
 * down for perf: perf maps (/tmp/perf-PID.map, "tools/perf/Documentation/
 * jit-interface.txt" of Linux) and jitdump files ("jitdump-specification.txt"
 * there). Both only grow; they are read on from where the last reading ended.
 *
 *	struct code_map	functions by address; of two that overlap the later wins
 *
 * What is in the files is whatever the program likes, so all is bounded. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "elf/elf.h"

enum { CODE_NAME_MAX = 1024 /* bytes */ };

struct code_map;

/* limit_bytes bounds all memory of the map. ERR_NOMEM. */
MUST_USE int code_map_create(size_t limit_bytes, struct code_map **ret, struct err *err);
void code_map_destroy(struct code_map *map); /* NULL is fine */
/* Over whatever was there; found after code_map_settle(). The name is cut and cleaned as those of ELF
 * files are. A size of 0 or above 4 GiB, or past the end of the address space: nothing is added.
 * ERR_LIMIT: the map is full; ERR_NOMEM. */
MUST_USE int code_map_add(struct code_map *map, uint64_t start, uint64_t size, struct str name,
			  struct err *err);
MUST_USE int code_map_settle(struct code_map *map, struct err *err);
/* The function around the address; start and size are of the part of it that no later one covers. The
 * name lives until the next add. */
bool code_map_find(const struct code_map *map, uint64_t address, struct elf_symbol *ret);
/* The same among the last thousand that were added, and then those that are settled. */
bool code_map_find_new(const struct code_map *map, uint64_t address, struct elf_symbol *ret);
uint32_t code_map_count(const struct code_map *map); /* parts, as settled */
size_t code_map_bytes(const struct code_map *map);

/* Where reading goes on. Zeroed: from the start. */
struct perfmap_state {
	uint64_t offset;
	bool skipping; /* a line too long to be one */
};

/* Takes the whole lines ("START SIZE name", hex) from offset on, at most 16 MiB in one go; lines that
 * are none are passed over. Then settles. The errors of code_map_add; ERR_IO. */
MUST_USE int perfmap_read(int fd, struct perfmap_state *state, struct code_map *map,
			  struct err *err);

struct jitdump_state {
	uint64_t offset; /* 0: the header comes next */
};

/* Takes the whole records from the offset on, at most 65536 in one go: code that was loaded or moved.
 * ERR_CORRUPT: no jitdump file of this machine's byte order, or a record that cannot be; what came
 * before is in the map. Otherwise as perfmap_read. */
MUST_USE int jitdump_read(int fd, struct jitdump_state *state, struct code_map *map,
			  struct err *err);
