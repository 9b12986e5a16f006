/* jitdump files, written here record by record. */
#include "samples.h"

#include "elf/perfmap.h"

struct file {
	int fd;
	off_t end;
	struct code_map *map;
	struct jitdump_state at;
};

static void put(struct file *f, const void *bytes, size_t len)
{
	assert_int_equal(pwrite(f->fd, bytes, len, f->end), (ssize_t)len);
	f->end += (off_t)len;
}

static struct file create(uint32_t magic)
{
	struct file f = {.fd = temp_file("", 0)};
	uint32_t header[10] = {magic, 1, 40, 62};

	assert_int_equal(code_map_create(1 << 20, &f.map, NULL), 0);
	put(&f, header, sizeof(header));
	return f;
}

static void finish(struct file *f)
{
	close(f->fd);
	code_map_destroy(f->map);
}

static void put_record(struct file *f, uint32_t id, const void *body, size_t len)
{
	struct {
		uint32_t id, size;
		uint64_t time;
	} head = {id, (uint32_t)(sizeof(head) + len), 1};

	put(f, &head, sizeof(head));
	put(f, body, len);
}

static void put_load(struct file *f, uint64_t address, uint64_t size, const char *name)
{
	uint8_t body[4096] = {0};
	uint64_t numbers[5] = {0, address, address, size, 9};

	memcpy(body, numbers, sizeof(numbers));
	memcpy(body + sizeof(numbers), name, strlen(name));
	put_record(f, 0, body, sizeof(numbers) + strlen(name) + 1 + (size_t)size);
}

static void put_move(struct file *f, uint64_t from, uint64_t to, uint64_t size)
{
	uint64_t body[6] = {0, to, from, to, size, 9};

	put_record(f, 1, body, sizeof(body));
}

static void assert_name(const struct file *f, uint64_t address, const char *expected)
{
	struct elf_symbol s;

	assert_int_equal(code_map_find(f->map, address, &s), expected != NULL);
	if (expected)
		assert_text(s.name, expected);
}

static void code_is_found_where_it_was_loaded_and_moved(void **state)
{
	struct file f = create(0x4a695444);

	(void)state;
	put_load(&f, 0x1000, 64, "one");
	put_record(&f, 2, "debug information", 17);
	put_load(&f, 0x2000, 32, "two");
	put_move(&f, 0x1000, 0x3000, 64);
	put_move(&f, 0x9000, 0x4000, 64);
	assert_int_equal(jitdump_read(f.fd, &f.at, f.map, NULL), 0);
	assert_name(&f, 0x1000, "one");
	assert_name(&f, 0x303f, "one");
	assert_name(&f, 0x201f, "two");
	assert_name(&f, 0x2020, NULL);
	assert_name(&f, 0x4000, NULL);
	assert_int_equal(f.at.offset, f.end);
	put_load(&f, 0x1000, 16, "three");
	put_move(&f, 0x3000, 0x5000, 64);
	assert_int_equal(jitdump_read(f.fd, &f.at, f.map, NULL), 0);
	assert_name(&f, 0x1000, "three");
	assert_name(&f, 0x1010, "one");
	assert_name(&f, 0x5000, "one");
	finish(&f);
}

/* The writer is a running program. */
static void a_record_is_taken_when_it_is_there_in_whole(void **state)
{
	struct file whole = create(0x4a695444);
	uint8_t bytes[4096];

	(void)state;
	put_load(&whole, 0x1000, 64, "one");
	ssize_t len = pread(whole.fd, bytes, sizeof(bytes), 0);
	assert_int_equal(len, whole.end);
	for (ssize_t cut = 0; cut < len; cut++) {
		struct file f = {.fd = temp_file(bytes, (size_t)cut), .end = cut};
		assert_int_equal(code_map_create(1 << 20, &f.map, NULL), 0);
		assert_int_equal(jitdump_read(f.fd, &f.at, f.map, NULL), 0);
		assert_int_equal(code_map_count(f.map), 0);
		put(&f, bytes + cut, (size_t)(len - cut));
		assert_int_equal(jitdump_read(f.fd, &f.at, f.map, NULL), 0);
		assert_name(&f, 0x1000, "one");
		finish(&f);
	}
	finish(&whole);
}

static void what_is_no_jitdump_is_refused(void **state)
{
	struct file f = create(0x4454694a); /* the other byte order */
	static const uint32_t endless[4] = {3, 0, 0, 0};

	(void)state;
	assert_int_equal(jitdump_read(f.fd, &f.at, f.map, NULL), ERR_CORRUPT);
	finish(&f);
	f = create(0x4a695444);
	put_load(&f, 0x1000, 64, "one");
	put(&f, endless, sizeof(endless));
	assert_int_equal(jitdump_read(f.fd, &f.at, f.map, NULL), ERR_CORRUPT);
	assert_name(&f, 0x1000, "one");
	finish(&f);
}

static void names_without_an_end_stop_at_the_record(void **state)
{
	struct file f = create(0x4a695444);
	uint8_t body[44] = {0};
	uint64_t numbers[5] = {0, 0x1000, 0x1000, 16, 1};

	(void)state;
	memcpy(body, numbers, sizeof(numbers));
	memcpy(body + 40, "name", 4);
	put_record(&f, 0, body, sizeof(body));
	put_record(&f, 0, body, 20);
	put_record(&f, 1, body, 20);
	assert_int_equal(jitdump_read(f.fd, &f.at, f.map, NULL), 0);
	assert_name(&f, 0x1000, "name");
	assert_int_equal(code_map_count(f.map), 1);
	finish(&f);
}

static void reading_runs_short_of_memory_anywhere_without_harm(void **state)
{
	int rc = ERR_NOMEM;
	unsigned failed = 0;

	(void)state;
	for (uint64_t nth = 1; rc; nth++) {
		struct file f = create(0x4a695444);
		put_load(&f, 0x1000, 64, "one");
		put_move(&f, 0x1000, 0x1020, 64);
		mem_fail_nth(nth);
		rc = jitdump_read(f.fd, &f.at, f.map, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failed += rc != 0;
		finish(&f);
	}
	assert_true(failed >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_is_found_where_it_was_loaded_and_moved),
		cmocka_unit_test(a_record_is_taken_when_it_is_there_in_whole),
		cmocka_unit_test(what_is_no_jitdump_is_refused),
		cmocka_unit_test(names_without_an_end_stop_at_the_record),
		cmocka_unit_test(reading_runs_short_of_memory_anywhere_without_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
