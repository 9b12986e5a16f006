#include "samples.h"

#include "elf/elf_file.h"

#define NOTE_GNU(id, len) "\4\0\0\0" len "\0\0\0\3\0\0\0GNU\0" id

static void a_build_id_is_found_behind_other_notes(void **state)
{
	static const char notes[] =
		"\5\0\0\0\2\0\0\0\1\0\0\0Xen_\0\0\0\0ab\0\0" NOTE_GNU("\xde\xad\xbe\xef", "\4");
	char id[2 * ELF_BUILD_ID_MAX + 1];

	(void)state;
	assert_int_equal(elf_notes_build_id(str_make(notes, sizeof(notes) - 1), id, NULL), 0);
	assert_string_equal(id, "deadbeef");
}

static void the_padding_of_the_last_note_may_be_missing(void **state)
{
	static const char notes[] = NOTE_GNU("\1\2\3", "\3");
	char id[2 * ELF_BUILD_ID_MAX + 1];

	(void)state;
	assert_int_equal(elf_notes_build_id(str_make(notes, sizeof(notes) - 1), id, NULL), 0);
	assert_string_equal(id, "010203");
}

static void notes_aligned_to_eight_are_padded_to_eight(void **state)
{
	/* owner "GNU\0" ends at 16; a content of 4 is padded to 24. */
	static const char notes[] =
		"\4\0\0\0\4\0\0\0\5\0\0\0GNU\0abcd\0\0\0\0" NOTE_GNU("\x77", "\1");
	struct elf_info info = {0};

	(void)state;
	notes_fill_info(str_make(notes, sizeof(notes) - 1), 8, &info);
	assert_string_equal(info.build_id, "77");
}

static void go_build_ids_are_text(void **state)
{
	static const char good[] = "\4\0\0\0\7\0\0\0\4\0\0\0Go\0\0ab/cd-e\0";
	static const char bad[] = "\4\0\0\0\3\0\0\0\4\0\0\0Go\0\0a\nb\0";
	struct elf_info info = {0};

	(void)state;
	notes_fill_info(str_make(bad, sizeof(bad) - 1), 4, &info);
	assert_string_equal(info.go_build_id, "");
	notes_fill_info(str_make(good, sizeof(good) - 1), 4, &info);
	assert_string_equal(info.go_build_id, "ab/cd-e");
}

static void broken_notes_have_no_build_id(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int code;
	} cases[] = {
		{"", 0, ERR_NOT_FOUND},
		{"\4\0\0", 3, ERR_NOT_FOUND},
		{"\4\0\0\0\xff\xff\xff\xff\3\0\0\0GNU\0ab", 18, ERR_NOT_FOUND},
		{"\xff\xff\xff\xff\4\0\0\0\3\0\0\0GNU\0", 16, ERR_NOT_FOUND},
		{"\4\0\0\0\0\0\0\0\3\0\0\0GNU\0", 16, ERR_CORRUPT}, /* an id of nothing */
	};
	char id[2 * ELF_BUILD_ID_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(elf_notes_build_id(str_make(cases[i].bytes, cases[i].len), id,
						    NULL),
				 cases[i].code);
}

static void an_id_longer_than_any_hash_is_refused(void **state)
{
	char notes[16 + ELF_BUILD_ID_MAX + 4] = "\4\0\0\0\x44\0\0\0\3\0\0\0GNU";
	char id[2 * ELF_BUILD_ID_MAX + 1];

	(void)state;
	assert_int_equal(elf_notes_build_id(str_make(notes, sizeof(notes)), id, NULL), ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_build_id_is_found_behind_other_notes),
		cmocka_unit_test(the_padding_of_the_last_note_may_be_missing),
		cmocka_unit_test(notes_aligned_to_eight_are_padded_to_eight),
		cmocka_unit_test(go_build_ids_are_text),
		cmocka_unit_test(broken_notes_have_no_build_id),
		cmocka_unit_test(an_id_longer_than_any_hash_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
