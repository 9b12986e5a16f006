/* The door of elf/: what an executable file says about itself, and which
 * function an address belongs to.
 *
 *	struct elf_file     one file (or memory image): headers, ids, sections
 *	struct elf_symbols  its functions, looked up by ELF virtual address
 *	struct symbol_cache tables of many files under a byte budget, loaded when asked
 *	struct kallsyms     the running kernel's functions and modules
 *	symbol_display_name mangled name -> what people read
 *
 * Every byte of a file is taken as hostile: all is read with pread into memory
 * of ours (never mmap: a file that shrinks under us gives an error, not a
 * SIGBUS), each count and size has a limit, and nothing recurses on input.
 * ELF64 little-endian ET_EXEC and ET_DYN for x86-64 and aarch64 are served; a
 * well-formed other file is ERR_UNSUPPORTED, broken bytes are ERR_CORRUPT.
 *
 * "ELF virtual address" (vaddr) is the address that the file itself speaks of:
 * pc - bias of the mapping, see elf_bias(). Format: System V gABI, chapters 4
 * and 5, and <elf.h>. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* ---- one file ---------------------------------------------------------- */

enum {
	ELF_BUILD_ID_MAX = 64,	   /* bytes; GNU's are 16 or 20 */
	ELF_GO_BUILD_ID_MAX = 128, /* characters; Go's are 83 */
	ELF_HTLHASH_CHARS = 32,
};

struct elf_file; /* small: some KiB; not for two threads at once */

/* One PT_LOAD. */
struct elf_segment {
	uint64_t offset, vaddr, file_size, mem_size;
	bool exec;
};

struct elf_section {
	struct str name; /* lives as long as the file handle */
	uint64_t addr, offset, size, flags, entry_size;
	uint32_t type, link, info; /* SHT_* */
};

struct elf_info {
	uint16_t machine;      /* EM_X86_64, EM_AARCH64 */
	uint16_t type;	       /* ET_EXEC, ET_DYN */
	uint64_t entry;	       /* vaddr */
	uint64_t eh_frame_hdr; /* vaddr of PT_GNU_EH_FRAME, which leads to .eh_frame; 0: none */
	bool has_interp;       /* PT_INTERP: a dynamically linked program */
	bool has_symtab;       /* not stripped */
	bool has_eh_frame;     /* can be unwound by table */
	bool is_go;	       /* has .gopclntab or .go.buildinfo */
	/* NUL-terminated, "" when there is none. */
	char build_id[2 * ELF_BUILD_ID_MAX + 1];   /* GNU build id, lower-case hex */
	char go_build_id[ELF_GO_BUILD_ID_MAX + 1]; /* as `go tool buildid` prints it */
};

/* Reads headers, section names and notes (a few preads). The fd is borrowed: it must stay open
 * while a call below reads from it (elf_read, elf_symbols_load), and elf_close leaves it open; after
 * the last such call it may be closed while the handle lives on. A damaged section table is no
 * error: the file then has no sections. ERR_UNSUPPORTED (32-bit, big-endian, other machine, object
 * or core file), ERR_CORRUPT, ERR_INVALID (not an ELF file), ERR_IO, ERR_NOMEM. */
MUST_USE int elf_open(int fd, struct elf_file **ret, struct err *err);
/* The same over bytes that the caller keeps alive and unchanged. */
MUST_USE int elf_open_memory(const void *image, size_t len, struct elf_file **ret, struct err *err);
/* The vDSO, copied out of our own process: every 64-bit process of this kernel has the same one.
 * ERR_UNSUPPORTED when there is none. */
MUST_USE int elf_open_vdso(struct elf_file **ret, struct err *err);
void elf_close(struct elf_file *file); /* NULL is fine */
/* Gives the section table back (3 to 6 KiB of a handle's memory), for handles kept for long only to
 * map addresses: info and segments stay, sections are none, elf_symbols_load is too late. */
void elf_forget_sections(struct elf_file *file);

const struct elf_info *elf_info(const struct elf_file *file);
uint64_t elf_size_bytes(const struct elf_file *file);
uint32_t elf_segment_count(const struct elf_file *file);
const struct elf_segment *elf_segment_at(const struct elf_file *file, uint32_t i);
uint32_t elf_section_count(const struct elf_file *file);
const struct elf_section *elf_section_at(const struct elf_file *file, uint32_t i);
/* First section of that name, or NULL. */
const struct elf_section *elf_section_named(const struct elf_file *file, const char *name);
/* Exactly len bytes at offset, else ERR_CORRUPT (the file ends before) or ERR_IO. */
MUST_USE int elf_read(const struct elf_file *file, uint64_t offset, void *dst, size_t len,
		      struct err *err);

/* For an executable mapping that starts at map_start and shows the file from map_offset (the pgoff
 * in bytes): vaddr = pc - bias, modulo 2^64. False when no PT_LOAD covers that part of the file. */
bool elf_bias(const struct elf_file *file, uint64_t map_start, uint64_t map_offset,
	      uint64_t *ret_bias);
/* The vaddr of a byte of the file; executable segments are asked first. */
bool elf_vaddr_of_offset(const struct elf_file *file, uint64_t offset, uint64_t *ret_vaddr);

/* ---- ids of any file --------------------------------------------------- */

/* First 16 bytes of SHA-256(first 4 KiB ‖ last 4 KiB ‖ big-endian u64 size), as hex: the
 * process.executable.build_id.htlhash of OpenTelemetry's profiler. Regular files, ELF or not. */
MUST_USE int elf_htlhash(int fd, char ret[ELF_HTLHASH_CHARS + 1], struct err *err);
/* The GNU build id in a block of ELF notes (4-byte aligned), as hex; ERR_NOT_FOUND. */
MUST_USE int elf_notes_build_id(struct str notes, char ret[2 * ELF_BUILD_ID_MAX + 1],
				struct err *err);

/* ---- functions of a file ----------------------------------------------- */

/* A function. The name is valid UTF-8 without control characters (bad bytes became '?'), cut at
 * 4 KiB, without a symbol version (memcpy@@GLIBC_2.14 is memcpy). */
struct elf_symbol {
	struct str name; /* as in the file, mangled; points into the table */
	uint64_t start;	 /* vaddr */
	uint64_t size;
};

struct elf_symbols; /* read-only once loaded, so any number of threads */

/* Which symbols count: .symtab (else the debug file's, else that of .gnu_debugdata) and .dynsym
 * together; STT_FUNC and STT_GNU_IFUNC; STT_NOTYPE when
 * named like a function of an assembler file (not "", not $x/$d mapping symbols, not .L/.annobin);
 * all only inside executable sections. A symbol without a size reaches to the next one or to its
 * section's end, and is only a label (dropped) inside one that has a size. PLT stubs, read from
 * their instructions and relocations, are `name@plt`. Of several names of one address the first
 * by: exported before local, fewer leading underscores, global before weak, shorter, bytewise
 * smaller. So libc's is `read` and not `__read` or `__GI___libc_read`.
 *
 * Takes at most limit_bytes (0: 256 MiB), more is ERR_LIMIT. ERR_NOT_FOUND: no function at all. */
MUST_USE int elf_symbols_load(const struct elf_file *file, size_t limit_bytes,
			      struct elf_symbols **ret, struct err *err);
/* The same with the file's debug file (NULL: none), checked by the caller to be that. */
MUST_USE int elf_symbols_load_with(const struct elf_file *file, const struct elf_file *debug,
				   size_t limit_bytes, struct elf_symbols **ret, struct err *err);
void elf_symbols_free(struct elf_symbols *symbols); /* NULL is fine */
/* True and *ret when vaddr is inside a function. Never a neighbour. */
bool elf_symbols_find(const struct elf_symbols *symbols, uint64_t vaddr, struct elf_symbol *ret);
uint32_t elf_symbols_count(const struct elf_symbols *symbols);
/* By address; i < count. */
struct elf_symbol elf_symbols_at(const struct elf_symbols *symbols, uint32_t i);
size_t elf_symbols_bytes(const struct elf_symbols *symbols); /* memory taken */

/* ---- what people read -------------------------------------------------- */

enum { SYMBOL_DISPLAY_MAX = 2048 /* bytes, then "…" */ };

/* The display form of a function's name: system_name itself, or text in scratch (which is cleared
 * first and owned by the caller).
 *
 *   C++ (Itanium)   qualified name with template arguments, without parameters and return type:
 *                   _ZNSt6vectorIiSaIiEE9push_backERKi -> std::vector<int, std::allocator<int> >::push_back
 *   Rust v0, legacy path without crate hashes: core::fmt::write
 *   D               qualified name with template arguments: std.stdio.writeln!(string).writeln
 *   Go              generic functions by what they were shaped for: slices.Sort[int]
 *   clone suffixes  dropped after a demangled name (.constprop.0 .isra.0 .part.0 .cold .llvm.123
 *                   .lto_priv.0 .localalias …): one function in the source, one in the graph. Suffixes
 *                   we do not know (.avx2) stay. Names of C functions stay as they are, suffix and all.
 *   name@plt        the name demangled, then @plt
 *   anything else   as it is
 *
 * Names above 1 KiB (C++, a limit of libiberty, and D) or 4 KiB (Rust) are not demangled; work and output
 * are bounded, whatever the name; the worst found takes 260 KiB of stack. Valid UTF-8 in, valid
 * UTF-8 out. No memory: system_name. */
struct str symbol_display_name(struct str system_name, struct buf *scratch);
/* The full form: with parameters, return types of templates, crate hashes and suffixes, as c++filt and
 * rustfilt print it. The same limits. */
struct str symbol_full_name(struct str system_name, struct buf *scratch);

/* ---- the cache --------------------------------------------------------- */

/* Identity of a file's content, from fstat of an open descriptor (/proc/PID/maps of overlayfs and
 * btrfs shows other device and inode numbers than stat does: always make it from the fd). */
struct elf_key {
	uint64_t device, inode, size_bytes;
	int64_t mtime_ns;
};

MUST_USE int elf_key_of_fd(int fd, struct elf_key *ret, struct err *err);
bool elf_key_equal(const struct elf_key *a, const struct elf_key *b);

/* Gives a descriptor of the file, which the cache closes; or a negative err code. Called only when
 * the table is not there. A good one opens /proc/PID/map_files/START-END (deleted files, other
 * mount namespaces; CAP_CHECKPOINT_RESTORE) and else PATH below /proc/PID/root. When the file is
 * stripped it may put a descriptor of the file's debug file into *ret_debug_fd (-1 before), which
 * the cache closes, too; see debugfile.h. */
typedef int (*symbol_open_fn)(void *arg, int *ret_debug_fd, struct err *err);

struct symbol_found {
	struct str name;	/* display form */
	struct str system_name; /* as in the file */
	uint64_t start, size;	/* vaddr of the function */
};

enum { SYMBOL_CACHE_DEFAULT_BYTES = 24 << 20 };

struct symbol_cache; /* one thread */

/* budget_bytes 0: SYMBOL_CACHE_DEFAULT_BYTES. Least recently used tables go first. A table that
 * alone is larger than the budget is refused (ERR_LIMIT, counted). ERR_NOMEM. */
MUST_USE int symbol_cache_create(size_t budget_bytes, struct symbol_cache **ret, struct err *err);
void symbol_cache_destroy(struct symbol_cache *cache); /* NULL is fine */

/* The function at vaddr of the file. The texts in *ret live until the next call with this cache, so
 * intern or copy them at once. Ask address by address in any order; sorted by file is fastest.
 * ERR_NOT_FOUND: the file is known and has no function there (or none at all). Others: why there is
 * no table; remembered, and a failure of open, which another process may not have, for 5 s only. */
MUST_USE int symbol_cache_find(struct symbol_cache *cache, const struct elf_key *key,
			       uint64_t vaddr, symbol_open_fn open, void *arg,
			       struct symbol_found *ret, struct err *err);
/* The same for an image that is no file (the vDSO): loaded once, kept until the cache goes. */
MUST_USE int symbol_cache_find_vdso(struct symbol_cache *cache, uint64_t vaddr,
				    struct symbol_found *ret, struct err *err);
/* Display form through the cache's memory of demangled names, for names from elsewhere
 * (kallsyms of kernels with Rust). Lives until the next call. */
struct str symbol_cache_display(struct symbol_cache *cache, struct str system_name);
size_t symbol_cache_bytes(const struct symbol_cache *cache);

/* ---- the kernel -------------------------------------------------------- */

struct kallsyms; /* one thread */

struct kernel_module {
	struct str name;      /* "vmlinux", or the module's, or "bpf" and the like */
	uint64_t start;	      /* address of its text; vmlinux: _stext (or the lowest function) */
	uint64_t size;	      /* 0: unknown */
	const char *build_id; /* hex or "" */
};

struct kernel_symbol {
	struct str name;
	uint64_t start;
	uint64_t size; /* to the next function, or to the end of what is known to be text */
	const struct kernel_module *module;
};

/* Loads /proc/kallsyms (functions: types t T w W), /proc/modules, and build ids from
 * /sys/kernel/notes and /sys/module. ERR_DENIED when all addresses read as zero: the sentence says
 * what to do (CAP_SYSLOG, kernel.kptr_restrict). ERR_NOT_FOUND: no /proc/kallsyms. ERR_NOMEM. */
MUST_USE int kallsyms_load(struct kallsyms **ret, struct err *err);
/* The same from other files (tests, images); modules_path and sys_path may be NULL. */
MUST_USE int kallsyms_load_from(const char *kallsyms_path, const char *modules_path,
				const char *sys_path, struct kallsyms **ret, struct err *err);
void kallsyms_free(struct kallsyms *kernel); /* NULL is fine */
/* Loads anew when /proc/modules changed since, or when kallsyms_find() met a kernel address that nothing
 * is known of (a BPF program that came later) and the last loading is 10 s ago; longer when loading
 * for such an address did not help. *ret_changed says so. All earlier texts and modules end then. On
 * an error the old tables stay. Cheap enough for every batch. */
MUST_USE int kallsyms_refresh(struct kallsyms *kernel, bool *ret_changed, struct err *err);
void kallsyms_set_reread(struct kallsyms *kernel, uint64_t reread_ns); /* in place of the 10 s */
/* True and *ret (which lives until refresh or free) when the address is inside kernel text. */
bool kallsyms_find(struct kallsyms *kernel, uint64_t address, struct kernel_symbol *ret);
uint32_t kallsyms_count(const struct kallsyms *kernel);
uint32_t kallsyms_module_count(const struct kallsyms *kernel);
const struct kernel_module *kallsyms_module_at(const struct kallsyms *kernel, uint32_t i);
size_t kallsyms_bytes(const struct kallsyms *kernel);
