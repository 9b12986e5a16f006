/* Sums against samples, sample for sample: for every stack and bucket of time
 * that a level holds, the samples must give the same sum, and there must be
 * none more and none fewer.
 *
 * The sums of an hour (or day) go into a table by (node, time); then every
 * sample takes its value off the entry that stands for it; in the end all
 * entries are 0 and were met. When the table would be too large the keys are
 * shared out by their hash over several rounds, each with another part of them. */
#include <stdint.h>
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"
#include "store/embedded/verify.h"

struct cell {
	uint64_t time_ns; /* 0 and not taken: free */
	uint64_t value;
	uint32_t node;
	bool taken, met;
};

struct sums {
	struct verify_tenant *tenant;
	enum level level;
	uint32_t day, series;
	struct key sums_from, sums_to, from, to;
	struct cell *cells;
	size_t cap, taken; /* cap: a power of two */
	uint64_t rows;	   /* of sums in all, so at least as many as there are keys */
	uint64_t rounds, round;
	bool differs, cut;
};

/* ---- table ---- */

static uint64_t hash_of(uint32_t node, uint64_t time_ns)
{
	const uint64_t both[2] = {node, time_ns};
	return XXH3_64bits(both, sizeof(both));
}

/* Less than half of the cells are ever taken. */
static struct cell *find_cell(const struct sums *sums, uint32_t node, uint64_t time_ns)
{
	size_t at = (size_t)(hash_of(node, time_ns) >> 16) & (sums->cap - 1);
	while (sums->cells[at].taken &&
	       (sums->cells[at].node != node || sums->cells[at].time_ns != time_ns))
		at = (at + 1) & (sums->cap - 1);
	return &sums->cells[at];
}

static bool in_round(const struct sums *sums, uint32_t node, uint64_t time_ns)
{
	return sums->rounds == 1 || hash_of(node, time_ns) % sums->rounds == sums->round;
}

static void differ(struct sums *sums, const char *why, uint32_t node, uint64_t time_ns,
		   uint64_t difference)
{
	static const char *const names[] = {"", "minute", "hour", "day"};
	if (!sums->differs)
		verify_tenant_found(sums->tenant,
				    "series %u on day %u: the sums by %s are not those of the "
				    "samples: "
				    "stack %u at %llu ns %s (difference %lld)",
				    sums->series, sums->day, names[sums->level], node,
				    (unsigned long long)time_ns, why, (long long)difference);
	sums->differs = true; /* one sentence is enough for one set of sums */
}

static void add_sum(struct sums *sums, uint32_t node, uint64_t time_ns, int64_t value)
{
	struct cell *cell = find_cell(sums, node, time_ns);
	if (!cell->taken && ++sums->taken > sums->cap / 4 * 3) {
		sums->cut = true; /* its hashes are no hashes */
		return;
	}
	*cell = (struct cell){time_ns, cell->taken ? cell->value : 0, node, true, false};
	cell->value += (uint64_t)value;
}

static void take_sample(struct sums *sums, uint32_t node, uint64_t time_ns, int64_t value)
{
	struct cell *cell = find_cell(sums, node, time_ns);
	if (!cell->taken) {
		differ(sums, "is not in the sums", node, time_ns, (uint64_t)value);
		return;
	}
	cell->met = true;
	cell->value -= (uint64_t)value;
}

static void check_cells(struct sums *sums)
{
	for (size_t i = 0; i < sums->cap; i++) {
		const struct cell *cell = &sums->cells[i];
		if (cell->taken && !cell->met)
			differ(sums, "is in no sample", cell->node, cell->time_ns, cell->value);
		else if (cell->taken && cell->value)
			differ(sums, "has another sum", cell->node, cell->time_ns, cell->value);
	}
}

/* ---- rows ---- */

/* False: the block is not sound, which was found where it was checked. */
static bool read_rows(struct sums *sums, struct str value, uint64_t time_ns, struct block *ret)
{
	struct verify *verify = sums->tenant->verify;
	return !block_open(value, time_ns, ret, NULL) &&
	       !block_column(ret, BLOCK_TIME, verify->columns[0], NULL) &&
	       !block_column(ret, BLOCK_NODE, verify->columns[1], NULL) &&
	       !block_column(ret, BLOCK_VALUE, verify->columns[2], NULL);
}

static void each_row(struct sums *sums, const struct block *block, bool of_samples)
{
	const struct verify *verify = sums->tenant->verify;
	for (size_t i = 0; i < block->count && !sums->differs && !sums->cut; i++) {
		uint64_t time_ns = block->min_time_ns + (uint64_t)verify->columns[0][i];
		uint32_t node = (uint32_t)verify->columns[1][i];
		if (of_samples)
			time_ns = level_time(sums->level, time_ns);
		if (!in_round(sums, node, time_ns))
			continue;
		if (of_samples)
			take_sample(sums, node, time_ns, verify->columns[2][i]);
		else
			add_sum(sums, node, time_ns, verify->columns[2][i]);
	}
}

static int see_sums(void *context, struct str key, struct str value, struct err *err)
{
	struct sums *sums = context;
	struct sample_key at;
	struct block block;
	uint8_t level;
	(void)err;
	if (key_parse_sums(key, &level, &at) && read_rows(sums, value, at.time_ns, &block))
		each_row(sums, &block, false);
	else
		sums->cut = true;
	return 0;
}

static int see_samples(void *context, struct str key, struct str value, struct err *err)
{
	struct sums *sums = context;
	struct sample_key at;
	struct block block;
	(void)err;
	if (key_parse_samples(key, &at) && read_rows(sums, value, at.time_ns, &block))
		each_row(sums, &block, true);
	else
		sums->cut = true;
	return 0;
}

static int count_rows(void *context, struct str key, struct str value, struct err *err)
{
	struct sums *sums = context;
	struct sample_key at;
	struct block block;
	uint8_t level;
	(void)err;
	if (key_parse_sums(key, &level, &at) && !block_open(value, at.time_ns, &block, NULL))
		sums->rows += block.count;
	else
		sums->cut = true;
	return 0;
}

/* ---- one level of one hour or day ---- */

static int make_table(struct sums *sums, struct err *err)
{
	size_t most = sums->tenant->verify->table_bytes / sizeof(struct cell);
	sums->cap = 16;
	while (sums->cap < sums->rows * 3 && sums->cap * 2 <= most)
		sums->cap *= 2;
	/* A third of the cells on average, since a hash does not share out evenly. */
	sums->rounds = sums->rows * 3 / sums->cap + 1;
	sums->cells = mem_alloc(sums->cap * sizeof(*sums->cells));
	return sums->cells ? 0 : err_set(err, ERR_NOMEM, "table of sums: no memory");
}

static int play_round(struct sums *sums, struct err *err)
{
	struct verify *verify = sums->tenant->verify;
	memset(sums->cells, 0, sums->cap * sizeof(*sums->cells));
	sums->taken = 0;
	int rc = verify_each(verify, FAMILY_ROLLUPS, &sums->sums_from, &sums->sums_to, see_sums,
			     sums, &sums->cut, err);
	rc = rc ? rc
		: verify_each(verify, FAMILY_SAMPLES, &sums->from, &sums->to, see_samples, sums,
			      &sums->cut, err);
	if (!rc && !sums->cut)
		check_cells(sums);
	return rc;
}

static int verify_level(struct sums *sums, struct err *err)
{
	struct verify *verify = sums->tenant->verify;
	int rc = verify_each(verify, FAMILY_ROLLUPS, &sums->sums_from, &sums->sums_to, count_rows,
			     sums, &sums->cut, err);
	if (rc || sums->cut)
		return rc;
	rc = make_table(sums, err);
	for (; !rc && !sums->cut && !sums->differs && sums->round < sums->rounds; sums->round++)
		rc = play_round(sums, err);
	mem_free(sums->cells);
	verify->done.sums++;
	return rc;
}

static int verify_range(struct verify_tenant *tenant, enum level level, uint32_t day,
			uint32_t series, uint64_t from_ns, uint64_t to_ns, struct err *err)
{
	struct sums sums = {
		.tenant = tenant,
		.level = level,
		.day = day,
		.series = series,
		.sums_from = key_sums_series(tenant->id, (uint8_t)level, day, series, from_ns),
		.sums_to = key_sums_series(tenant->id, (uint8_t)level, day, series, to_ns),
		.from = key_samples_series(tenant->id, day, series, from_ns),
		.to = key_samples_series(tenant->id, day, series, to_ns),
	};
	uint64_t bytes = tenant->verify->done.bytes;
	int rc = verify_level(&sums, err);
	tenant->verify->done.bytes = bytes; /* they are counted where each is read once */
	return rc;
}

int verify_sums(struct verify_tenant *tenant, uint32_t day, uint32_t series,
		const struct mark *mark, struct err *err)
{
	uint64_t start_ns = (uint64_t)day * NS_PER_DAY;
	int rc = 0;
	for (unsigned hour = 0; !rc && hour < 24; hour++)
		for (enum level level = LEVEL_MINUTE; !rc && level <= LEVEL_HOUR; level++)
			if (mark_covers(mark, level, hour))
				rc = verify_range(tenant, level, day, series,
						  start_ns + hour * NS_PER_HOUR,
						  start_ns + (hour + 1) * NS_PER_HOUR, err);
	if (!rc && mark_covers(mark, LEVEL_DAY, 0))
		rc = verify_range(tenant, LEVEL_DAY, day, series, start_ns, start_ns + NS_PER_DAY,
				  err);
	return rc;
}
