/* The running kernel's functions, from /proc/kallsyms: "address type name" and
 * for a module a tab and "[module]" (proc(5), nm(1) for the types).
 *
 * The file gives no sizes. A function reaches to the next symbol of any type,
 * at most to its module's end and at most SIZE_MAX_BYTES; so the first symbol
 * of another type that follows a function in the file is kept as a boundary, a
 * row without a name. Rows are 16 bytes, sorted by address.
 *
 * BPF programs come and go without a word in /proc/modules. An address of the
 * kernel that nothing is known of makes the next refresh read all anew; when that
 * did not help, the one after has to wait for twice as long. */
#include "elf/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "elf/kernel_modules.h"
#include "elf/symtab.h"

enum {
	ROWS_MAX = 4 << 20,
	TEXT_MAX_BYTES = 128 << 20,
	PIECE_BYTES = 64 << 10,
	SIZE_MAX_BYTES = 256 << 10,
	REREAD_SECONDS = 10,
	REREAD_DOUBLINGS = 9, /* of that: an hour and a half */
};

/* Above all addresses of processes (x86-64 and aarch64). */
#define KERNEL_HALF (UINT64_C(1) << 63)

#define BOUNDARY UINT32_MAX

struct row {
	uint64_t address;
	uint32_t name; /* offset in text, or BOUNDARY */
	uint16_t module;
	uint8_t type;
};

struct table {
	struct row *rows;
	size_t count, cap;
	char *text;
	size_t text_len, text_cap;
	struct module_list modules;
	uint64_t stext, etext;
	bool any_address;
};

struct kallsyms {
	struct table table;
	uint64_t fingerprint;
	char *kallsyms_path, *modules_path, *sys_path;
	uint64_t missed;	     /* an address that nothing is known of; 0: none */
	uint64_t read_ns, reread_ns; /* when all was read, and the least time between */
	unsigned doublings;
};

static void table_deinit(struct table *t)
{
	mem_free(t->rows);
	mem_free(t->text);
	module_list_deinit(&t->modules);
}

static int add_row(struct table *t, struct row row, struct err *err)
{
	if (t->count == ROWS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d kernel symbols", ROWS_MAX);
	struct row *grown = mem_grow(t->rows, &t->cap, t->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for kernel symbols");
	t->rows = grown;
	t->rows[t->count++] = row;
	return 0;
}

static int add_text(struct table *t, struct str name, uint32_t *ret, struct err *err)
{
	if (t->text_len + name.len + 1 > TEXT_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "more than %d bytes of kernel symbol names",
			       TEXT_MAX_BYTES);
	char *grown = mem_grow(t->text, &t->text_cap, t->text_len + name.len + 1, 1);
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for names of kernel symbols");
	t->text = grown;
	*ret = (uint32_t)t->text_len;
	name_copy_clean(t->text + t->text_len, name);
	t->text[t->text_len + name.len] = '\0';
	t->text_len += name.len + 1;
	return 0;
}

/* One line taken apart; module is "" for the kernel itself. */
struct line {
	uint64_t address;
	char type;
	struct str name, module;
};

static bool parse_hex(struct str digits, uint64_t *ret)
{
	char text[17], *end;

	if (digits.len == 0 || digits.len > 16)
		return false;
	str_copy(text, sizeof(text), digits);
	*ret = strtoull(text, &end, 16);
	return *end == '\0';
}

static bool parse_line(struct str text, struct line *ret)
{
	struct str address, type, name;

	if (!str_next(&text, ' ', &address) || !str_next(&text, ' ', &type) || !text.ptr ||
	    type.len != 1 || !parse_hex(address, &ret->address))
		return false;
	struct str rest = text;
	if (!str_next(&rest, '\t', &name) || name.len == 0)
		return false;
	ret->type = type.ptr[0];
	ret->name = name_cut(name);
	ret->module = STR("");
	if (rest.ptr && rest.len > 2 && rest.ptr[0] == '[' && rest.ptr[rest.len - 1] == ']')
		ret->module = str_sub(rest, 1, rest.len - 2);
	return true;
}

static int take_boundary(struct table *t, const struct line *line, struct err *err)
{
	if (t->count == 0 || t->rows[t->count - 1].name == BOUNDARY)
		return 0;
	return add_row(t, (struct row){.address = line->address, .name = BOUNDARY}, err);
}

static int take_function(struct table *t, const struct line *line, struct err *err)
{
	struct row row = {.address = line->address, .type = (uint8_t)line->type};
	uint32_t module = 0;
	int rc = 0;

	if (line->module.len > 0)
		rc = module_list_get(&t->modules, line->module, &module, err);
	if (!rc)
		rc = add_text(t, line->name, &row.name, err);
	row.module = (uint16_t)module;
	return rc ? rc : add_row(t, row, err);
}

static int take_line(struct table *t, struct str text, struct err *err)
{
	struct line line;

	if (!parse_line(text, &line))
		return 0;
	t->any_address |= line.address != 0;
	if (str_equal(line.name, STR("_stext")))
		t->stext = line.address;
	if (str_equal(line.name, STR("_etext"))) {
		t->etext = line.address;
		return take_boundary(t, &line, err);
	}
	if (memchr("tTwW", line.type, 4))
		return take_function(t, &line, err);
	return take_boundary(t, &line, err);
}

/* Takes the whole lines of a piece; returns through *ret_used how much that was. */
static int take_lines(struct table *t, struct str piece, size_t *ret_used, struct err *err)
{
	size_t used = 0;

	for (;;) {
		struct str rest = str_sub(piece, used, piece.len);
		ptrdiff_t end = str_find_char(rest, '\n');
		if (end < 0)
			break;
		int rc = take_line(t, str_sub(rest, 0, (size_t)end), err);
		if (rc)
			return rc;
		used += (size_t)end + 1;
	}
	*ret_used = used;
	return 0;
}

static int read_pieces(struct table *t, int fd, char *piece, struct err *err)
{
	size_t len = 0, used;

	for (;;) {
		ssize_t n = read(fd, piece + len, PIECE_BYTES - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "reading kernel symbols");
		if (n == 0)
			return 0;
		len += (size_t)n;
		int rc = take_lines(t, str_make(piece, len), &used, err);
		if (rc)
			return rc;
		if (used == 0 && len == PIECE_BYTES)
			return err_set(err, ERR_CORRUPT, "a line of more than %d bytes",
				       PIECE_BYTES);
		memmove(piece, piece + used, len - used);
		len -= used;
	}
}

static int read_symbols(struct table *t, const char *path, struct err *err)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set_errno(err, errno, "opening %s", path);
	char *piece = mem_alloc(PIECE_BYTES);
	if (!piece)
		return err_set(err, ERR_NOMEM, "no memory to read %s", path);
	int rc = read_pieces(t, fd, piece, err);
	mem_free(piece);
	if (rc)
		(void)err_wrap(err, "%s", path);
	return rc;
}

static size_t underscores(const char *name)
{
	return strspn(name, "_");
}

/* By address; names of one address with the best known first: real names before boundaries,
 * exported before local, fewer underscores, strong before weak, shorter. */
static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct row *x = a, *y = b;
	const char *text = arg;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->name == BOUNDARY || y->name == BOUNDARY)
		return (x->name == BOUNDARY) - (y->name == BOUNDARY);
	if ((x->type == 't') != (y->type == 't'))
		return x->type == 't' ? 1 : -1;
	const char *m = text + x->name, *n = text + y->name;
	if (underscores(m) != underscores(n))
		return underscores(m) < underscores(n) ? -1 : 1;
	if ((x->type == 'T') != (y->type == 'T'))
		return x->type == 'T' ? -1 : 1;
	if (strlen(m) != strlen(n))
		return strlen(m) < strlen(n) ? -1 : 1;
	return strcmp(m, n);
}

/* Sorts, keeps the first row of each address, gives spare memory back. */
static void finish_rows(struct table *t)
{
	size_t kept = 0;

	qsort_r(t->rows, t->count, sizeof(*t->rows), compare_rows, t->text);
	for (size_t i = 0; i < t->count; i++)
		if (kept == 0 || t->rows[kept - 1].address != t->rows[i].address)
			t->rows[kept++] = t->rows[i];
	t->count = kept;
	struct row *rows = mem_realloc(t->rows, kept * sizeof(*rows));
	if (rows) {
		t->rows = rows;
		t->cap = kept;
	}
	char *text = mem_realloc(t->text, t->text_len);
	if (text) {
		t->text = text;
		t->text_cap = t->text_len;
	}
}

/* Where modules start whose address /proc/modules did not give. */
static void finish_modules(struct table *t)
{
	struct kernel_module *kernel = &t->modules.list[0];

	kernel->start = t->stext;
	kernel->size = t->etext > t->stext ? t->etext - t->stext : 0;
	for (size_t i = 0; i < t->count; i++) {
		struct kernel_module *m = &t->modules.list[t->rows[i].module];
		if (m->start == 0 && t->rows[i].name != BOUNDARY)
			m->start = t->rows[i].address;
	}
}

static int check_table(const struct table *t, const char *path, struct err *err)
{
	if (t->count == 0)
		return err_set(err, ERR_NOT_FOUND, "%s names no function of the kernel", path);
	if (!t->any_address)
		return err_set(err, ERR_DENIED,
			       "%s hides all addresses from this process: give it CAP_SYSLOG (or "
			       "root) and set kernel.kptr_restrict to 0 or 1",
			       path);
	return 0;
}

static int table_load(struct table *t, const struct kallsyms *k, struct err *err)
{
	int rc = module_list_init(&t->modules, err);

	if (!rc && k->modules_path)
		rc = module_list_read(&t->modules, k->modules_path, err);
	if (!rc)
		rc = read_symbols(t, k->kallsyms_path, err);
	if (!rc)
		rc = check_table(t, k->kallsyms_path, err);
	if (rc)
		return rc;
	finish_rows(t);
	finish_modules(t);
	return k->sys_path ? module_list_read_build_ids(&t->modules, k->sys_path, err) : 0;
}

static int reload(struct kallsyms *k, struct err *err)
{
	/* Before the symbols: a module that comes in between is seen by the next refresh. */
	uint64_t fingerprint;
	struct table fresh = {0};

	int rc = modules_fingerprint(k->modules_path, &fingerprint, err);
	if (!rc)
		rc = table_load(&fresh, k, err);
	if (rc) {
		table_deinit(&fresh);
		return rc;
	}
	table_deinit(&k->table);
	k->table = fresh;
	k->fingerprint = fingerprint;
	k->read_ns = clock_mono_ns();
	return 0;
}

static int copy_path(const char *path, char **ret, struct err *err)
{
	if (!path)
		return 0;
	*ret = mem_strndup(path, strlen(path));
	return *ret ? 0 : err_set(err, ERR_NOMEM, "no memory for a path");
}

int kallsyms_load_from(const char *kallsyms_path, const char *modules_path, const char *sys_path,
		       struct kallsyms **ret, struct err *err)
{
	struct kallsyms *k = mem_zalloc(1, sizeof(*k));

	if (!k)
		return err_set(err, ERR_NOMEM, "no memory for kernel symbols");
	k->reread_ns = (uint64_t)REREAD_SECONDS * NS_PER_S;
	int rc = copy_path(kallsyms_path, &k->kallsyms_path, err);
	if (!rc)
		rc = copy_path(modules_path, &k->modules_path, err);
	if (!rc)
		rc = copy_path(sys_path, &k->sys_path, err);
	if (!rc)
		rc = reload(k, err);
	if (rc) {
		kallsyms_free(k);
		return rc;
	}
	*ret = k;
	return 0;
}

int kallsyms_load(struct kallsyms **ret, struct err *err)
{
	return kallsyms_load_from("/proc/kallsyms", "/proc/modules", "/sys", ret, err);
}

void kallsyms_free(struct kallsyms *kernel)
{
	if (!kernel)
		return;
	table_deinit(&kernel->table);
	mem_free(kernel->kallsyms_path);
	mem_free(kernel->modules_path);
	mem_free(kernel->sys_path);
	mem_free(kernel);
}

void kallsyms_set_reread(struct kallsyms *kernel, uint64_t reread_ns)
{
	kernel->reread_ns = reread_ns;
}

/* Is it time to read anew for the sake of an unknown address? */
static bool is_reread_due(const struct kallsyms *k)
{
	return k->missed && clock_mono_ns() - k->read_ns >= k->reread_ns << k->doublings;
}

static int reread(struct kallsyms *k, struct err *err)
{
	struct kernel_symbol found;
	uint64_t missed = k->missed;

	k->missed = 0;
	int rc = reload(k, err);
	if (!missed)
		return rc;
	bool helped = rc == 0 && kallsyms_find(k, missed, &found);
	k->missed = 0;
	if (helped)
		k->doublings = 0;
	else if (k->doublings < REREAD_DOUBLINGS)
		k->doublings++;
	return rc;
}

int kallsyms_refresh(struct kallsyms *kernel, bool *ret_changed, struct err *err)
{
	uint64_t now;

	*ret_changed = false;
	int rc = modules_fingerprint(kernel->modules_path, &now, err);
	if (rc || (now == kernel->fingerprint && !is_reread_due(kernel)))
		return rc;
	rc = reread(kernel, err);
	*ret_changed = rc == 0;
	return rc;
}

/* Rows that start at or before address. */
static size_t rows_until(const struct table *t, uint64_t address)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (t->rows[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static uint64_t row_end(const struct table *t, size_t i)
{
	const struct kernel_module *m = &t->modules.list[t->rows[i].module];
	uint64_t start = t->rows[i].address;
	uint64_t end = start > UINT64_MAX - SIZE_MAX_BYTES ? UINT64_MAX : start + SIZE_MAX_BYTES;

	if (i + 1 < t->count && t->rows[i + 1].address < end)
		end = t->rows[i + 1].address;
	/* The kernel's own size ends at _etext, and init code comes later. */
	if (t->rows[i].module != 0 && m->size > 0 && start - m->start < m->size &&
	    m->start + m->size < end)
		end = m->start + m->size;
	return end;
}

bool kallsyms_find(struct kallsyms *kernel, uint64_t address, struct kernel_symbol *ret)
{
	const struct table *t = &kernel->table;
	size_t n = rows_until(t, address);

	if (n == 0 || t->rows[n - 1].name == BOUNDARY || address >= row_end(t, n - 1)) {
		if (address >= KERNEL_HALF)
			kernel->missed = address;
		return false;
	}
	const struct row *row = &t->rows[n - 1];
	*ret = (struct kernel_symbol){
		.name = str_of(t->text + row->name),
		.start = row->address,
		.size = row_end(t, n - 1) - row->address,
		.module = &t->modules.list[row->module],
	};
	return true;
}

uint32_t kallsyms_count(const struct kallsyms *kernel)
{
	uint32_t count = 0;

	for (size_t i = 0; i < kernel->table.count; i++)
		count += kernel->table.rows[i].name != BOUNDARY;
	return count;
}

uint32_t kallsyms_module_count(const struct kallsyms *kernel)
{
	return (uint32_t)kernel->table.modules.count;
}

const struct kernel_module *kallsyms_module_at(const struct kallsyms *kernel, uint32_t i)
{
	return i < kernel->table.modules.count ? &kernel->table.modules.list[i] : NULL;
}

size_t kallsyms_bytes(const struct kallsyms *kernel)
{
	const struct table *t = &kernel->table;

	return sizeof(*kernel) + t->cap * sizeof(struct row) + t->text_cap +
	       t->modules.cap * sizeof(struct kernel_module) + t->modules.texts.used_bytes;
}
