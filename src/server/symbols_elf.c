#include "server/symbols_elf.h"

#include "base/zip.h"

int symbols_unpack(struct str bytes, struct buf *space, struct str *ret, struct err *err)
{
	int rc = 0;
	*ret = bytes;
	if (str_starts_with(bytes, STR("\x1f\x8b")))
		rc = zip_gunzip(bytes, SYMBOLS_FILE_MAX, space, err);
	else if (str_starts_with(bytes, STR("\x28\xb5\x2f\xfd")))
		rc = zip_unzstd(bytes, SYMBOLS_FILE_MAX, space, err);
	else
		return 0;
	*ret = buf_text(space);
	return rc;
}

/* ---- build id ---- */

static int choose_build_id(struct str own, struct str given, struct str *ret, struct err *err)
{
	*ret = own.len ? own : given;
	if (own.len == 0 && given.len == 0)
		return err_set(err, ERR_INVALID,
			       "the file has no GNU build id; say with build_id=ID which one the "
			       "frames have (the list of symbols shows those that are missing)");
	if (own.len && given.len && !str_equal(own, given))
		return err_set(err, ERR_INVALID, "the file's build id is %.*s, not %.*s",
			       STR_ARG(own), STR_ARG(str_sub(given, 0, STORE_BUILD_ID_MAX)));
	return 0;
}

/* ---- functions ---- */

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "symbols: no memory within the limit of a request");
}

static int take_function(const struct elf_symbol *from, struct arena *arena, struct buf *scratch,
			 struct store_symbol *ret, struct err *err)
{
	struct str name = symbol_display_name(from->name, scratch);
	*ret = (struct store_symbol){.start = from->start, .size = from->size};
	ret->name = arena_str(arena, name);
	ret->system_name = str_equal(name, from->name) ? STR("") : arena_str(arena, from->name);
	return ret->name.ptr && ret->system_name.ptr ? 0 : no_memory(err);
}

/* What elf/ reads from the code of a stripped file, and no symbol table says. The agent knows it already; and
 * taken for the file's symbols it would keep better ones from being fetched. */
static bool is_read_from_code(struct str name)
{
	static const char *const entries[] = {"_start", "main", "_init", "_fini"};
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (str_equal(name, str_of(entries[i])))
			return true;
	return str_ends_with(name, STR("@plt")) || str_starts_with(name, STR(".plt"));
}

static bool is_stripped(const struct elf_file *file, const struct symbols_file *read)
{
	if (elf_info(file)->has_symtab)
		return false;
	for (size_t i = 0; i < read->count; i++)
		if (!is_read_from_code(read->symbols[i].name))
			return false;
	return true;
}

static int take_functions(const struct elf_symbols *symbols, struct arena *arena,
			  struct symbols_file *ret, struct err *err)
{
	struct buf scratch = {0};
	uint32_t count = elf_symbols_count(symbols);
	int rc = 0;
	ret->count = 0;
	ret->symbols = arena_zalloc(arena, count + 1, sizeof(*ret->symbols));
	if (!ret->symbols)
		return no_memory(err);
	for (uint32_t i = 0; !rc && i < count; i++) {
		struct elf_symbol symbol = elf_symbols_at(symbols, i);
		if (symbol.name.len > 0)
			rc = take_function(&symbol, arena, &scratch, &ret->symbols[ret->count++],
					   err);
	}
	buf_deinit(&scratch);
	return rc;
}

static int read_functions(const struct elf_file *file, struct arena *arena,
			  struct symbols_file *ret, struct err *err)
{
	struct elf_symbols *symbols = NULL;
	int rc = elf_symbols_load(file, 0, &symbols, err);
	rc = rc ? rc : take_functions(symbols, arena, ret, err);
	elf_symbols_free(symbols);
	if (rc == ERR_NOT_FOUND || (!rc && is_stripped(file, ret)))
		return err_set(err, ERR_INVALID,
			       "build id %.*s: the file has no symbols of functions (is it "
			       "stripped? send its debug file)",
			       STR_ARG(ret->build_id));
	return rc;
}

/* Whatever is wrong with the bytes is the sender's, and not ours to be sorry for. */
static int blame_sender(int rc, struct err *err)
{
	if (rc != ERR_UNSUPPORTED && rc != ERR_CORRUPT && rc != ERR_NOT_FOUND && rc != ERR_IO)
		return rc;
	if (err)
		err->code = ERR_INVALID;
	return ERR_INVALID;
}

int symbols_read(struct str bytes, struct str build_id, struct arena *arena,
		 struct symbols_file *ret, struct err *err)
{
	struct elf_file *file = NULL;
	struct symbols_file read = {0};
	struct str own;
	int rc = elf_open_memory(bytes.ptr, bytes.len, &file, err);
	if (!rc) {
		own = arena_str(arena, str_of(elf_info(file)->build_id));
		rc = own.ptr ? choose_build_id(own, build_id, &read.build_id, err) : no_memory(err);
		rc = rc ? rc : read_functions(file, arena, &read, err);
		elf_close(file);
	}
	if (rc)
		return blame_sender(rc, err);
	*ret = read;
	return 0;
}
