#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "help.h"
#include "store/embedded/idmap.h"
#include "store/embedded/keys.h"

static int order_of(const struct sample_key *a, const struct sample_key *b)
{
	const uint64_t x[] = {a->tenant, a->day, a->series, a->time_ns, a->sequence};
	const uint64_t y[] = {b->tenant, b->day, b->series, b->time_ns, b->sequence};
	for (unsigned i = 0; i < 5; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

static struct sample_key random_key(struct random *random)
{
	/* Few values per part, on both sides of the byte borders. */
	static const uint64_t values[] = {0, 1, 255, 256, 65535, 65536, UINT32_MAX - 1, UINT32_MAX};
	return (struct sample_key){(uint32_t)values[random_below(random, 8)],
				   (uint32_t)values[random_below(random, 8)],
				   (uint32_t)values[random_below(random, 8)],
				   values[random_below(random, 8)] << 20,
				   values[random_below(random, 8)]};
}

static void bytes_sort_as_tenant_day_series_time_sequence(void **state)
{
	(void)state;
	struct random random = {1};
	for (unsigned i = 0; i < 20000; i++) {
		struct sample_key a = random_key(&random), b = random_key(&random), back;
		struct key x = key_samples(&a), y = key_samples(&b);
		int order = str_compare(key_str(&x), key_str(&y));
		assert_int_equal(order < 0 ? -1 : order > 0, order_of(&a, &b));
		assert_true(key_parse_samples(key_str(&x), &back));
		assert_int_equal(order_of(&a, &back), 0);
	}
}

static void a_key_of_another_length_is_refused(void **state)
{
	(void)state;
	struct sample_key sample = {1, 2, 3, 4, 5};
	struct key key = key_samples(&sample);
	key.len--;
	assert_false(key_parse_samples(key_str(&key), &sample));
	assert_int_equal(key_part(STR("short"), 0), 0);
}

static void the_key_after_a_prefix_ends_its_range(void **state)
{
	(void)state;
	struct key all = key_kind_u32(UINT32_MAX, KEY_DAY, UINT32_MAX), end = key_after(&all);
	struct key in = key_kind_u32x2(UINT32_MAX, KEY_DAY, UINT32_MAX, UINT32_MAX);
	assert_true(str_compare(key_str(&in), key_str(&end)) < 0);
	struct key plain = key_samples_day(1, 0xff), next = key_samples_day(1, 0x100);
	struct key after = key_after(&plain);
	struct sample_key last = {1, 0xff, UINT32_MAX, UINT64_MAX, UINT64_MAX};
	struct key inside = key_samples(&last);
	assert_true(str_compare(key_str(&inside), key_str(&after)) < 0);
	assert_true(str_compare(key_str(&after), key_str(&next)) <= 0);
	struct key ones = {.len = 0};
	key_u32(&ones, UINT32_MAX);
	struct key beyond = key_after(&ones), longest = key_samples_day(UINT32_MAX, UINT32_MAX);
	assert_true(str_compare(key_str(&longest), key_str(&beyond)) < 0);
}

static void the_cache_keeps_what_fits_and_never_lies(void **state)
{
	(void)state;
	struct idcache cache;
	struct err err;
	unsigned kept = 0;
	must(idcache_init(&cache, 64 * 1024, &err), &err);
	assert_true(idcache_bytes(&cache) <= 64 * 1024);
	for (uint32_t i = 1; i < 100000; i++)
		idcache_put(&cache, id_key_pair(1, KEY_NODE, i, i * 7), i);
	for (uint32_t i = 1; i < 100000; i++) {
		uint32_t id = idcache_get(&cache, id_key_pair(1, KEY_NODE, i, i * 7));
		assert_true(id == 0 || id == i);
		kept += id != 0;
		assert_int_equal(idcache_get(&cache, id_key_pair(2, KEY_NODE, i, i * 7)), 0);
	}
	assert_true(kept > 3000 && kept <= 4096);
	idcache_put(&cache, id_key_pair(1, KEY_NODE, 1, 2), 5);
	idcache_put(&cache, id_key_pair(1, KEY_NODE, 1, 2), 6);
	assert_int_equal(idcache_get(&cache, id_key_pair(1, KEY_NODE, 1, 2)), 6);
	idcache_clear(&cache);
	assert_int_equal(idcache_get(&cache, id_key_pair(1, KEY_NODE, 1, 2)), 0);
	idcache_deinit(&cache);
}

static void the_cache_takes_its_memory_as_it_fills(void **state)
{
	enum { BUDGET = 1 << 20 };
	(void)state;
	struct idcache cache;
	struct err err;
	must(idcache_init(&cache, BUDGET, &err), &err);
	assert_true(idcache_bytes(&cache) <= BUDGET / 8);
	for (uint32_t i = 1; i <= 3000; i++)
		idcache_put(&cache, id_key_pair(1, KEY_NODE, i, 5), i);
	size_t small_bytes = idcache_bytes(&cache);
	mem_fail_nth(1); /* no memory: it stays, and still works */
	for (uint32_t i = 3001; i <= 3200; i++)
		idcache_put(&cache, id_key_pair(1, KEY_NODE, i, 5), i);
	mem_fail_nth(0);
	assert_int_equal(idcache_get(&cache, id_key_pair(1, KEY_NODE, 3200, 5)), 3200);
	for (uint32_t i = 3201; i <= 40000; i++)
		idcache_put(&cache, id_key_pair(1, KEY_NODE, i, 5), i);
	assert_true(idcache_bytes(&cache) > small_bytes);
	assert_true(idcache_bytes(&cache) <= BUDGET);
	unsigned kept = 0;
	for (uint32_t i = 1; i <= 40000; i++)
		kept += idcache_get(&cache, id_key_pair(1, KEY_NODE, i, 5)) == i;
	assert_true(kept > 34000);
	idcache_deinit(&cache);
}

static void the_map_of_a_commit_keeps_everything(void **state)
{
	(void)state;
	struct idmap map = {0};
	struct err err;
	for (uint32_t i = 1; i < 100000; i++)
		must(idmap_put(&map, id_key_pair(1, KEY_NODE, i, 3), i, &err), &err);
	for (uint32_t i = 1; i < 100000; i++)
		assert_int_equal(idmap_get(&map, id_key_pair(1, KEY_NODE, i, 3)), i);
	idmap_clear(&map);
	assert_int_equal(idmap_get(&map, id_key_pair(1, KEY_NODE, 5, 3)), 0);
	idmap_deinit(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_sort_as_tenant_day_series_time_sequence),
		cmocka_unit_test(a_key_of_another_length_is_refused),
		cmocka_unit_test(the_key_after_a_prefix_ends_its_range),
		cmocka_unit_test(the_cache_keeps_what_fits_and_never_lies),
		cmocka_unit_test(the_cache_takes_its_memory_as_it_fills),
		cmocka_unit_test(the_map_of_a_commit_keeps_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
