/* Shared by the tests of store/: a directory that goes away, and a seeded
 * stream of random numbers. */
#pragma once

#include <stdint.h>

#include "store/engine.h"

struct random {
	uint64_t state;
};

uint32_t random_below(struct random *random, uint32_t limit);
uint64_t random_u64(struct random *random);

/* A fresh directory, and its removal with everything in it. */
void temp_directory(char path[64]);
void remove_directory(const char *path);

/* Fails the test with the sentence of err. */
/* With nothing in the background, or hours would be settled under a test: see store_maintain(). */
struct store *open_store(const char *path);
void must(int rc, const struct err *err);
/* Every byte and rule of the store at path: fails the test with what is found. */
void verify_clean(const char *path);
/* From an environment variable, or the default. */
unsigned env_number(const char *name, unsigned otherwise);

/* One series {service_name="s"} with samples of one stack "main;work", times_ns 1 ms apart. */
struct tiny_batch {
	struct store_batch batch;
	struct store_label labels[2];
	struct store_frame frames[2];
	struct store_node nodes[3];
	struct store_sample samples[4];
	struct store_series series;
	struct str strings[1];
	char value[32];
};
/* number makes its content (a label, the values, the times) differ from other numbers'. */
void tiny_batch(struct tiny_batch *tiny, unsigned number, uint64_t time_ns);
/* Sum of all self values of tenant "t" for all time. */
int64_t total_of(struct store *store);
