#include "agent/publish.h"

#include "base/log.h"
#include "base/mem.h"

struct publisher {
	struct publish_ops ops;
	uint32_t max;
	uint32_t count;			   /* entries */
	struct published *newest, *oldest; /* all entries */
	struct publisher_stats stats;
};

int publisher_create(const struct publish_ops *ops, uint32_t max, struct publisher **ret,
		     struct err *err)
{
	struct publisher *publisher = mem_zalloc(1, sizeof(*publisher));
	if (!publisher)
		return err_set(err, ERR_NOMEM, "publishing processes: no memory");
	publisher->ops = *ops;
	publisher->max = max;
	*ret = publisher;
	return 0;
}

void publisher_destroy(struct publisher *publisher)
{
	if (!publisher)
		return;
	while (publisher->oldest)
		publisher_withdraw(publisher, publisher->oldest->process);
	mem_free(publisher);
}

/* ---- the list, by time of the last sample ---- */

static void unlink_entry(struct publisher *publisher, struct published *entry)
{
	*(entry->newer ? &entry->newer->older : &publisher->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &publisher->oldest) = entry->newer;
	entry->newer = entry->older = NULL;
}

static void link_newest(struct publisher *publisher, struct published *entry)
{
	entry->older = publisher->newest;
	*(publisher->newest ? &publisher->newest->newer : &publisher->oldest) = entry;
	publisher->newest = entry;
}

static struct published *add(struct publisher *publisher, struct process *process)
{
	if (publisher->count >= publisher->max) {
		publisher->stats.full++;
		publisher_withdraw(publisher, publisher->oldest->process);
	}
	struct published *entry = mem_zalloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->process = process;
	process->published = entry;
	publisher->count++;
	link_newest(publisher, entry);
	return entry;
}

/* ---- what is wanted ---- */

static void let_go(struct rowset **rows)
{
	if (*rows)
		(*rows)->users--;
	*rows = NULL;
}

static void hold(struct rowset **to, struct rowset *rows)
{
	rows->users++;
	let_go(to);
	*to = rows;
}

void publisher_touch(struct publisher *publisher, struct process *process, uint64_t now_ns)
{
	struct published *entry = process->published;
	if (!entry)
		return;
	entry->sampled_ns = now_ns;
	if (entry->told)
		entry->told->used_ns = now_ns;
	if (publisher->newest == entry)
		return;
	unlink_entry(publisher, entry);
	link_newest(publisher, entry);
}

void publisher_unknown(struct publisher *publisher, struct process *process, uint64_t sample_ns)
{
	struct published *entry = process->published;
	(void)publisher;
	if (entry && entry->told_ns < sample_ns)
		let_go(&entry->told);
}

void publisher_want(struct publisher *publisher, struct process *process, struct rowset *rows,
		    uint64_t now_ns)
{
	struct published *entry = process->published;
	if (entry && entry->told == rows) {
		let_go(&entry->wanted);
		return;
	}
	if (!entry)
		entry = add(publisher, process);
	if (!entry)
		return;
	hold(&entry->wanted, rows);
	entry->sampled_ns = now_ns;
}

/* ---- telling ---- */

static void tell(struct publisher *publisher, struct published *entry, uint64_t now_ns)
{
	struct err err;
	struct rowset *rows = entry->wanted;
	rows->told = true;
	if (publisher->ops.publish(publisher->ops.ctx, entry->process->pid, rows->place,
				   rows->count, &err)) {
		log_debug("agent", "a process is unwound in user space only", "pid=%u why=" LOG_Q,
			  entry->process->pid, LOG_TEXT(err.text));
		publisher_withdraw(publisher, entry->process);
		return;
	}
	publisher->stats.told++;
	entry->ever_told = true;
	entry->told_ns = now_ns;
	hold(&entry->told, rows);
	let_go(&entry->wanted);
}

void publisher_flush(struct publisher *publisher, uint64_t now_ns)
{
	struct published *entry = publisher->newest;
	while (entry) {
		struct published *next = entry->older;
		if (entry->wanted)
			tell(publisher, entry, now_ns);
		entry = next;
	}
}

void publisher_withdraw(struct publisher *publisher, struct process *process)
{
	struct published *entry = process->published;
	if (!entry)
		return;
	if (entry->ever_told) {
		publisher->ops.unpublish(publisher->ops.ctx, process->pid);
		publisher->stats.taken++;
	}
	let_go(&entry->told);
	let_go(&entry->wanted);
	unlink_entry(publisher, entry);
	process->published = NULL;
	publisher->count--;
	mem_free(entry);
}

static bool speaks_of(const struct rowset *rows, const struct table *table)
{
	return rows && rowset_names(rows, table);
}

void publisher_withdraw_table(struct publisher *publisher, const struct table *table)
{
	struct published *entry = publisher->newest;
	while (entry) {
		struct published *next = entry->older;
		if (speaks_of(entry->told, table) || speaks_of(entry->wanted, table))
			publisher_withdraw(publisher, entry->process);
		entry = next;
	}
}

bool publisher_withdraw_oldest(struct publisher *publisher, uint64_t before_ns)
{
	const struct published *entry = publisher->oldest;
	if (!entry || entry->sampled_ns >= before_ns)
		return false;
	publisher_withdraw(publisher, entry->process);
	return true;
}

void publisher_get_stats(const struct publisher *publisher, struct publisher_stats *ret)
{
	*ret = publisher->stats;
	ret->count = publisher->count;
}
