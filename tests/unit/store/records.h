/* For tests that change the records of a closed store by hand and look at what
 * the verification says of it. Every function fails the test on its own. */
#pragma once

#include "store/embedded/rocks.h"
#include "store/engine.h"

#define HOUR_NS (3600ull * 1000000000)
#define NOW_NS	(20410ull * 24 * HOUR_NS + 5 * HOUR_NS)

enum { DAY = 20410, TENANT = 1, HOURS = 4 };

/* One tenant; in each of 4 hours a series of its own, {batch="N", service_name="s"}, with one block of 4
 * samples on nodes 1 (main) and 2 (main;work). */
void make_store(const char *path);

/* Opens the database alone, without the engine around it. */
struct rocks *records_open(const char *store_path);
/* A copy, to be freed; {NULL, 0}: not there. */
struct str record_get(struct rocks *rocks, enum rocks_family family, const struct key *key);
void record_put(struct rocks *rocks, enum rocks_family family, const struct key *key,
		struct str value);
void record_delete(struct rocks *rocks, enum rocks_family family, const struct key *key);
/* The first key of the range, and its value, to be freed. */
struct key record_first(struct rocks *rocks, enum rocks_family family, const struct key *from,
			struct str *ret_value);

/* A value of ulebs, behind a version byte 1 or not. */
void put_numbers(struct rocks *rocks, enum rocks_family family, const struct key *key,
		 bool versioned, const uint64_t *numbers, size_t count);
/* An entry of the family ids. */
void put_id(struct rocks *rocks, enum key_kind kind, uint64_t content, uint32_t id);
void put_u32(struct rocks *rocks, const struct key *key, uint32_t number);

/* What the verification said, a line a finding. */
struct findings {
	char text[65536];
	size_t len;
	struct store_verified verified;
};
void findings_of(const char *store_path, struct findings *ret);
/* Exactly count findings (0: any number above 0), of which one holds the text. */
void expect_finding(const char *store_path, unsigned count, const char *text);
void expect_no_finding(const char *store_path);

struct damage {
	void (*make)(struct rocks *rocks);
	unsigned count; /* of findings; 0: one or more */
	const char *sentence;
};
/* Each in a store of its own, made by make_store(). */
void play_damages(const struct damage *list, size_t count);
