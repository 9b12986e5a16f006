/* Which answers still hold: every hour of a tenant has a slot with the number
 * of the last commit that put a block there, and an answer remembers the number
 * of the last commit before its snapshot was taken. Two hours may share a slot;
 * then an answer is thought to be old that is not. A commit takes its number
 * when its data can be read already, and before it is acknowledged: so an answer
 * without it never counts as one with it. */
#include "store/embedded/answers.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/embedded/gauges.h"
#include "store/embedded/times.h"

enum {
	SLOTS = 4096, /* of hours: 170 days of one tenant without two in one */
	PARTS = 4,    /* an answer takes at most so many-th of the cache */
};

/* What comes in is a few seconds old; an answer about the last minutes would soon be thrown away. */
#define OPEN_NS (300ull * NS_PER_S)

struct entry {
	uint64_t hash;
	struct str question;
	uint32_t tenant, first_hour, last_hour;
	uint64_t commit;
	struct arena arena; /* all of it, but this struct */
	void *answer;
	unsigned refs;
	struct entry *newer, *older;
};

struct answers {
	pthread_mutex_t lock;
	struct map by_hash;
	struct entry *newest, *oldest;
	struct budget *budget;
	size_t limit_bytes;
	_Atomic uint64_t generation;
	_Atomic uint64_t commits; /* the number of the last */
	_Atomic uint64_t touched[SLOTS];
};

int answers_create(size_t size_bytes, struct budget *budget, struct answers **ret, struct err *err)
{
	struct answers *answers = mem_zalloc(1, sizeof(*answers));
	if (!answers)
		return err_set(err, ERR_NOMEM, "cache of answers: no memory");
	pthread_mutex_init(&answers->lock, NULL);
	answers->budget = budget;
	answers->limit_bytes = size_bytes;
	*ret = answers;
	return 0;
}

/* ---- entries, with the lock held ---- */

static void unref(struct entry *entry)
{
	if (--entry->refs)
		return;
	arena_deinit(&entry->arena);
	mem_free(entry);
}

static void unlink_entry(struct answers *answers, struct entry *entry)
{
	*(entry->newer ? &entry->newer->older : &answers->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &answers->oldest) = entry->newer;
	entry->newer = entry->older = NULL;
}

static void link_newest(struct answers *answers, struct entry *entry)
{
	entry->older = answers->newest;
	*(answers->newest ? &answers->newest->newer : &answers->oldest) = entry;
	answers->newest = entry;
}

static void drop(struct answers *answers, struct entry *entry)
{
	unlink_entry(answers, entry);
	map_remove(&answers->by_hash, entry->hash, NULL);
	unref(entry);
}

static struct entry *look_up(const struct answers *answers, uint64_t hash)
{
	uint64_t *found = map_get(&answers->by_hash, hash);
	return found ? (struct entry *)(uintptr_t)*found : NULL;
}

static void drop_all(struct answers *answers)
{
	pthread_mutex_lock(&answers->lock);
	atomic_fetch_add(&answers->generation, 1);
	while (answers->oldest)
		drop(answers, answers->oldest);
	pthread_mutex_unlock(&answers->lock);
}

void answers_forget(struct store *store)
{
	drop_all(store->answers);
}

void answers_destroy(struct answers *answers)
{
	if (!answers)
		return;
	drop_all(answers);
	map_deinit(&answers->by_hash);
	pthread_mutex_destroy(&answers->lock);
	mem_free(answers);
}

/* ---- what was committed since ---- */

static _Atomic uint64_t *slot_of(struct answers *answers, uint32_t tenant, uint32_t hour)
{
	return &answers->touched[(hour + tenant * 2654435761u) % SLOTS];
}

void answers_touch(struct answers *answers, uint32_t tenant, uint32_t hour)
{
	uint64_t number = atomic_fetch_add(&answers->commits, 1) + 1;
	atomic_store(slot_of(answers, tenant, hour), number);
}

static bool holds(struct answers *answers, const struct entry *entry)
{
	if (entry->last_hour - entry->first_hour >= SLOTS)
		return atomic_load(&answers->commits) <= entry->commit;
	for (uint32_t hour = entry->first_hour; hour <= entry->last_hour; hour++)
		if (atomic_load(slot_of(answers, entry->tenant, hour)) > entry->commit)
			return false;
	return true;
}

/* ---- questions ---- */

void question_put_u64(struct question *question, uint64_t value)
{
	buf_append(&question->bytes, &value, sizeof(value));
}

void question_put_texts(struct question *question, const struct str *texts, size_t count)
{
	question_put_u64(question, count);
	for (size_t i = 0; i < count; i++) {
		question_put_u64(question, texts[i].len);
		buf_str(&question->bytes, texts[i]);
	}
}

void question_init(struct question *question, struct answers *answers, enum question_kind kind,
		   const struct store_selection *selection)
{
	uint64_t now_ns = clock_real_ns();
	*question = (struct question){
		.start_ns = selection->start_ns,
		.end_ns = selection->end_ns,
		.generation = atomic_load(&answers->generation),
		.commit = atomic_load(&answers->commits),
	};
	question->closed = now_ns > OPEN_NS && selection->end_ns < now_ns - OPEN_NS &&
			   selection->start_ns < selection->end_ns;
	if (!question->closed)
		return;
	question_put_u64(question, kind);
	question_put_texts(question, &selection->tenant, 1);
	question_put_u64(question, selection->start_ns);
	question_put_u64(question, selection->end_ns);
	question_put_u64(question, selection->matcher_count);
	for (size_t i = 0; i < selection->matcher_count; i++) {
		const struct store_matcher *matcher = &selection->matchers[i];
		question_put_u64(question, matcher->op);
		question_put_texts(question, &matcher->name, 1);
		question_put_texts(question, &matcher->value, 1);
	}
	const struct str profiles =
		str_make(selection->profiles,
			 selection->profile_count * sizeof(*selection->profiles));
	question_put_texts(question, &profiles, 1);
	question_put_texts(question, selection->call_sites, selection->call_site_count);
}

void question_reach_back(struct question *question, uint64_t step_ns)
{
	question->start_ns -= question->start_ns < step_ns ? question->start_ns : step_ns;
}

void question_deinit(struct question *question)
{
	buf_deinit(&question->bytes);
}

static bool may_be_kept(const struct question *question)
{
	return question->closed && !question->bytes.failed;
}

/* ---- finding ---- */

static struct entry *find(struct answers *answers, const struct question *question)
{
	struct str bytes = buf_text(&question->bytes);
	pthread_mutex_lock(&answers->lock);
	struct entry *entry = look_up(answers, str_hash(bytes));
	if (entry && !str_equal(entry->question, bytes))
		entry = NULL;
	if (entry && !holds(answers, entry)) {
		drop(answers, entry);
		entry = NULL;
	}
	if (entry) {
		entry->refs++;
		unlink_entry(answers, entry);
		link_newest(answers, entry);
	}
	pthread_mutex_unlock(&answers->lock);
	return entry;
}

bool answers_find(struct answers *answers, const struct question *question, copy_answer *copy,
		  struct arena *arena, void *ret, int *ret_rc, struct err *err)
{
	if (!may_be_kept(question))
		return false;
	struct entry *entry = find(answers, question);
	metric_add(entry ? &store_answer_hits_total : &store_answer_misses_total, 1);
	if (!entry)
		return false;
	*ret_rc = copy(arena, entry->answer, ret, err);
	pthread_mutex_lock(&answers->lock);
	unref(entry);
	pthread_mutex_unlock(&answers->lock);
	return true;
}

/* ---- keeping ---- */

static int fill(struct entry *entry, const struct question *question, copy_answer *copy,
		const void *answer, size_t size_bytes)
{
	entry->question = arena_str(&entry->arena, buf_text(&question->bytes));
	entry->answer = arena_zalloc(&entry->arena, 1, size_bytes);
	if (!entry->question.ptr || !entry->answer)
		return ERR_LIMIT;
	return copy(&entry->arena, answer, entry->answer, NULL);
}

static void make_room(struct answers *answers)
{
	size_t part = answers->limit_bytes / PARTS;
	pthread_mutex_lock(&answers->lock);
	while (answers->oldest && budget_full(answers->budget, part))
		drop(answers, answers->oldest);
	pthread_mutex_unlock(&answers->lock);
}

static void insert(struct answers *answers, const struct question *question, struct entry *entry)
{
	pthread_mutex_lock(&answers->lock);
	struct entry *old = look_up(answers, entry->hash);
	if (old)
		drop(answers, old);
	if (question->generation == atomic_load(&answers->generation) &&
	    !map_put(&answers->by_hash, entry->hash, (uintptr_t)entry, NULL)) {
		entry->refs++;
		link_newest(answers, entry);
	}
	unref(entry);
	pthread_mutex_unlock(&answers->lock);
}

void answers_keep(struct answers *answers, const struct question *question, uint32_t tenant,
		  copy_answer *copy, const void *answer, size_t size_bytes)
{
	if (!may_be_kept(question) || !tenant)
		return;
	struct entry *entry = mem_zalloc(1, sizeof(*entry));
	if (!entry)
		return;
	*entry = (struct entry){
		.hash = str_hash(buf_text(&question->bytes)),
		.tenant = tenant,
		.first_hour = hour_of(question->start_ns),
		.last_hour = hour_of(question->end_ns),
		.commit = question->commit,
		.refs = 1,
	};
	arena_init_within(&entry->arena, answers->limit_bytes / PARTS, answers->budget);
	int rc = fill(entry, question, copy, answer, size_bytes);
	if (rc && budget_full(answers->budget, answers->limit_bytes / PARTS)) {
		arena_deinit(&entry->arena);
		make_room(answers);
		rc = fill(entry, question, copy, answer, size_bytes);
	}
	if (rc) {
		arena_deinit(&entry->arena);
		mem_free(entry);
		return;
	}
	insert(answers, question, entry);
}
