/* Shared by the tests of the collection: a service with functions of its own
 * below one that all services have, and a naive reading of the dictionary. */
#pragma once

#include "help.h"
#include "store/embedded/times.h"

#define DAY_NS	 NS_PER_DAY
#define FIRST_NS (20000 * DAY_NS)

enum { MIB = 1024 * 1024, IDS_MAX = 200000 };

struct fixture {
	char path[64];
	struct store *store;
};

enum { LEAVES = 40 };

struct service {
	struct store_batch batch;
	struct store_label label;
	struct store_frame frames[LEAVES + 2];
	struct store_node nodes[LEAVES + 3];
	struct store_sample samples[LEAVES];
	struct store_series series;
	struct str strings[2];
	char name[16], thread[16], texts[LEAVES + 2][32];
};

struct store *open_manual(const char *path);
int set_up(void **state);
int tear_down(void **state);
void make_service(struct service *s, unsigned number, uint64_t time_ns);
void write_service(struct store *store, unsigned number, uint64_t time_ns);
void maintain(struct store *store, unsigned day);
struct store_stats stats_of(struct store *store);
int64_t total_of_service(struct store *store, unsigned number);
size_t count_values(struct store *store, struct str label);
void check_dictionary(struct store *store);
