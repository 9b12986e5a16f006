/* Display names. The mangling grammars are libiberty's business; ours is that
 * no name, however made, costs much. A few hundred bytes can mangle a text of
 * gigabytes (Itanium substitutions and Rust backrefs may double at each step),
 * so the demanglers write through a callback that counts, and that leaves by
 * longjmp once SYMBOL_DISPLAY_MAX is passed. That is sound because both print
 * from memory on their own stack. The one exception is a Punycode identifier of
 * Rust, decoded on the heap and printed in one piece before it is freed: it is
 * known by its non-ASCII bytes, and the leap waits for the next piece.
 * Recursion is bounded by libiberty's own limits, which DMGL_NO_RECURSE_LIMIT
 * would switch off and we do not.
 *
 * D is demangled into memory of the heap without any limit. Each back reference
 * can double what there is, so a name may have a few only, and only so many bytes. */
#include "elf/symtab.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>

#include "elf/demangle_short.h"

enum {
	SHORT_FORM = DMGL_ANSI,
	FULL_FORM = DMGL_ANSI | DMGL_PARAMS | DMGL_VERBOSE,
	D_NAME_MAX_BYTES = 1024,
	D_BACK_REFERENCES_MAX = 8,
};

struct output {
	char text[SYMBOL_DISPLAY_MAX];
	size_t len;
	bool cut;
	bool rust; /* who is writing */
	jmp_buf full;
};

static const struct str ellipsis = {"\xe2\x80\xa6", 3};

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

static void take_output(const char *text, size_t len, void *arg)
{
	struct output *out = arg;
	size_t room = sizeof(out->text) - out->len;

	if (len == 0) /* text may be NULL then */
		return;
	memcpy(out->text + out->len, text, len < room ? len : room);
	out->len += len < room ? len : room;
	if (len <= room)
		return;
	out->cut = true;
	if (!out->rust || is_ascii(text, len))
		longjmp(out->full, 1);
}

static bool is_d_name(const char *mangled)
{
	unsigned references = 0;

	if (strncmp(mangled, "_D", 2) != 0 || strlen(mangled) > D_NAME_MAX_BYTES)
		return false;
	for (const char *c = mangled; *c; c++)
		references += *c == 'Q';
	return references <= D_BACK_REFERENCES_MAX;
}

static bool demangle_d(const char *mangled, int form, struct output *out)
{
	char *text = dlang_demangle(mangled, form);

	if (!text)
		return false;
	size_t len = form == SHORT_FORM ? d_name_shorten(text) : strlen(text);
	out->cut = len > sizeof(out->text);
	out->len = out->cut ? sizeof(out->text) : len;
	memcpy(out->text, text, out->len);
	free(text);
	return out->len > 0;
}

/* mangled ends with NUL. */
static bool demangle(const char *mangled, int form, struct output *out)
{
	out->len = 0;
	out->cut = false;
	out->rust = true;
	if (mangled[1] == 'D')
		return is_d_name(mangled) && demangle_d(mangled, form, out);
	if (setjmp(out->full))
		return true;
	/* Rust's legacy mangling is also a valid Itanium name, so Rust goes first. */
	if (rust_demangle_callback(mangled, form, take_output, out))
		return true;
	out->len = 0;
	out->cut = false;
	out->rust = false;
	return mangled[1] != 'R' && cplus_demangle_v3_callback(mangled, form, take_output, out) &&
	       out->len > 0;
}

static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isdigit((unsigned char)s.ptr[i]))
			return false;
	return s.len > 0;
}

/* Words that compilers put behind the name of a part or copy of a function: GCC (ipa passes, LTO),
 * Clang (ThinLTO's .llvm, -funique-internal-linkage-names' .__uniq). */
static bool is_clone_word(struct str word)
{
	static const char *const words[] = {
		"constprop",  "isra",  "part", "cold",	   "llvm",   "lto_priv",
		"localalias", "clone", "hot",  "unlikely", "__uniq",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_equal(word, str_of(words[i])))
			return true;
	return false;
}

/* What of ".part.0.avx2" is to be shown: ".avx2". suffix starts with a dot or is empty. */
static void append_kept_suffix(struct buf *scratch, struct str suffix)
{
	struct str rest = str_sub(suffix, 1, suffix.len), word;
	bool dropping = false;

	if (suffix.len == 0)
		return;
	while (str_next(&rest, '.', &word)) {
		dropping = is_clone_word(word) || (dropping && is_number(word));
		if (dropping)
			continue;
		buf_char(scratch, '.');
		buf_str(scratch, word);
	}
}

static void append_display(struct buf *scratch, const struct output *out)
{
	struct str text = str_make(out->text, out->len);

	/* A cut may be in the middle of a character. */
	while (out->cut && text.len > 0 && !str_is_utf8(text) && out->len - text.len < 4)
		text.len--;
	if (!buf_reserve(scratch, text.len + ellipsis.len))
		return;
	name_copy_clean(scratch->ptr + scratch->len, text);
	scratch->len += text.len;
	if (out->cut)
		buf_str(scratch, ellipsis);
}

static bool looks_mangled(struct str name)
{
	return name.len > 3 && name.len <= NAME_MAX_BYTES &&
	       (str_starts_with(name, STR("_Z")) || str_starts_with(name, STR("_R")) ||
		str_starts_with(name, STR("_D")) || str_starts_with(name, STR("_GLOBAL__")));
}

/* The first `len` bytes of name (or all, when it is shorter), demangled into scratch. */
static bool demangle_head(struct str name, size_t len, int form, struct buf *scratch)
{
	char mangled[NAME_MAX_BYTES + 1];
	struct output out;

	str_copy(mangled, sizeof(mangled), str_sub(name, 0, len));
	if (!demangle(mangled, form, &out))
		return false;
	append_display(scratch, &out);
	return true;
}

static bool display_mangled(struct str name, struct buf *scratch)
{
	ptrdiff_t dot = str_find_char(name, '.');
	size_t head = dot < 0 ? name.len : (size_t)dot;

	if (demangle_head(name, head, SHORT_FORM, scratch)) {
		append_kept_suffix(scratch, str_sub(name, head, name.len));
		return true;
	}
	/* Some languages put dots into identifiers. */
	return head < name.len && demangle_head(name, name.len, SHORT_FORM, scratch);
}

static bool display_short(struct str name, struct buf *scratch)
{
	if (looks_mangled(name))
		return display_mangled(name, scratch);
	return go_name_shorten(name, scratch);
}

/* The linker's suffixes and all. */
static bool display_full(struct str name, struct buf *scratch)
{
	return looks_mangled(name) && demangle_head(name, name.len, FULL_FORM, scratch);
}

static struct str display(struct str system_name, struct buf *scratch,
			  bool (*form)(struct str name, struct buf *scratch))
{
	static const struct str plt = {"@plt", 4};
	struct str name = system_name;
	bool stub = str_ends_with(name, plt);

	buf_clear(scratch);
	if (stub)
		name.len -= plt.len;
	if (!form(name, scratch))
		return system_name;
	if (stub)
		buf_str(scratch, plt);
	return scratch->failed ? system_name : buf_text(scratch);
}

struct str symbol_display_name(struct str system_name, struct buf *scratch)
{
	return display(system_name, scratch, display_short);
}

struct str symbol_full_name(struct str system_name, struct buf *scratch)
{
	return display(system_name, scratch, display_full);
}
