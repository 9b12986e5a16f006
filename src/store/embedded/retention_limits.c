#include <string.h>

#include "base/mem.h"
#include "store/embedded/retention.h"

void retention_init(struct retention *retention)
{
	memset(retention, 0, sizeof(*retention));
	pthread_mutex_init(&retention->lock, NULL);
}

static void free_limits(struct store_retention *limits)
{
	for (size_t i = 0; i < limits->override_count; i++)
		mem_free((char *)(uintptr_t)limits->overrides[i].tenant.ptr);
	mem_free((struct store_override *)(uintptr_t)limits->overrides);
	memset(limits, 0, sizeof(*limits));
}

void retention_deinit(struct retention *retention)
{
	free_limits(&retention->limits);
	pthread_mutex_destroy(&retention->lock);
}

static int copy_limits(const struct store_retention *from, struct store_retention *ret)
{
	*ret = *from;
	ret->override_count = 0;
	struct store_override *copies = mem_zalloc(from->override_count + 1, sizeof(*copies));
	ret->overrides = copies;
	for (size_t i = 0; copies && i < from->override_count; i++) {
		struct str name = from->overrides[i].tenant;
		copies[i] = from->overrides[i];
		copies[i].tenant.ptr = mem_strndup(name.ptr, name.len);
		if (!copies[i].tenant.ptr)
			break;
		ret->override_count++;
	}
	return copies && ret->override_count == from->override_count ? 0 : ERR_NOMEM;
}

int retention_set(struct retention *retention, const struct store_retention *limits,
		  struct err *err)
{
	struct store_retention copy, old;
	if (copy_limits(limits, &copy)) {
		free_limits(&copy);
		return err_set(err, ERR_NOMEM, "limits of retention: no memory");
	}
	pthread_mutex_lock(&retention->lock);
	old = retention->limits;
	retention->limits = copy;
	pthread_mutex_unlock(&retention->lock);
	free_limits(&old);
	return 0;
}

struct store_override retention_of(struct retention *retention, struct str tenant)
{
	pthread_mutex_lock(&retention->lock);
	const struct store_retention *limits = &retention->limits;
	struct store_override found = {.tenant = tenant, .age_ns = limits->age_ns};
	for (size_t i = 0; i < limits->override_count; i++)
		if (str_equal(limits->overrides[i].tenant, tenant)) {
			found = limits->overrides[i];
			found.tenant = tenant;
		}
	pthread_mutex_unlock(&retention->lock);
	return found;
}

struct store_retention retention_whole(struct retention *retention)
{
	pthread_mutex_lock(&retention->lock);
	struct store_retention whole = retention->limits;
	pthread_mutex_unlock(&retention->lock);
	whole.overrides = NULL;
	whole.override_count = 0;
	return whole;
}
