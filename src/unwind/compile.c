/* From a file to its rows: .eh_frame, or .debug_frame, or Go's tables, and where
 * more than one is there, each fills the gaps of those before. Last come the
 * instructions of functions that no table knows. */
#include "base/mem.h"
#include "elf/elf.h"
#include "unwind/builder.h"
#include "unwind/cfi_index.h"
#include "unwind/gaps.h"
#include "unwind/roots.h"
#include "unwind/rows.h"
#include "unwind/sections.h"

enum { BYTES_DEFAULT_MAX = 64 << 20 /* the largest .eh_frame seen has 7 MB */ };

/* ---- functions into rows ----------------------------------------------- */

static int add_state(struct unwind_builder *builder, const struct cfi_run *run, uint64_t end,
		     struct err *err)
{
	struct unwind_rule rule = cfi_rule(run->machine, run->cie, &run->state);

	if (rule.cfa == UNWIND_CFA_UNKNOWN)
		unwind_builder_count_odd(builder);
	return unwind_builder_add(builder, run->vaddr, end, &rule, err);
}

static int add_unknown(struct unwind_builder *builder, uint64_t start, uint64_t end,
		       struct err *err)
{
	const struct unwind_rule unknown = {.cfa = UNWIND_CFA_UNKNOWN};

	unwind_builder_count_odd(builder);
	return unwind_builder_add(builder, start, end, &unknown, err);
}

/* A function returns to its first byte when it did not call what returns: looked up at - 1. */
static int add_root(struct unwind_builder *builder, const struct cfi_fde *fde, struct err *err)
{
	const struct unwind_rule end = {.cfa = UNWIND_CFA_END};

	return unwind_builder_add(builder, fde->start - 1, fde->start + fde->size, &end, err);
}

static int add_program(struct unwind_builder *builder, struct cfi_run *run, uint64_t end,
		       struct err *err)
{
	int rc = 0;

	while (!rc && run->vaddr < end) {
		uint64_t next = end;
		enum cfi_step step = cfi_run_next(run, &next);
		if (step == CFI_BAD)
			return add_unknown(builder, run->vaddr, end, err);
		if (step == CFI_END || next > end)
			next = end;
		rc = add_state(builder, run, next, err);
		run->vaddr = next;
	}
	return rc;
}

static int add_function(struct unwind_builder *builder, const struct cfi_index *index,
			const struct cfi_function *function, struct roots *roots, struct err *err)
{
	struct cfi_fde fde = {.start = function->start,
			      .size = function->size,
			      .program = str_make(index->section->bytes + function->program,
						  function->program_len)};
	struct cfi_run run;

	unwind_builder_count_function(builder);
	if (roots_have(roots, function, fde.program))
		return add_root(builder, &fde, err);
	cfi_run_start(&run, index->section, index->machine, &index->cies[function->cie], &fde);
	return add_program(builder, &run, fde.start + fde.size, err);
}

static int add_index(struct unwind_builder *builder, const struct cfi_index *index,
		     struct roots roots, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < index->skipped; i++)
		unwind_builder_count_skipped(builder);
	for (size_t i = 0; !rc && i < index->count; i++)
		rc = add_function(builder, index, &index->functions[i], &roots, err);
	return rc;
}

/* ---- sources ----------------------------------------------------------- */

struct job {
	const struct elf_file *file;
	const struct unwind_limits *limits;
	size_t bytes_max;
	struct unwind_rows *rows; /* so far; NULL: none */
};

/* Takes more over, to fill the gaps of what is there, or (above) to replace it. */
static int take_rows(struct job *job, struct unwind_rows *more, bool above, struct err *err)
{
	struct unwind_rows *old = job->rows, *both = NULL;

	if (!old) {
		job->rows = more;
		return 0;
	}
	int rc = unwind_rows_merge(above ? more : old, above ? old : more, job->limits, &both, err);
	unwind_rows_free(more);
	if (rc)
		return rc;
	unwind_rows_free(old);
	job->rows = both;
	return 0;
}

static int finish_source(struct job *job, struct unwind_builder *builder, int rc, struct err *err)
{
	struct unwind_rows *rows;

	if (!rc)
		rc = unwind_builder_finish(builder, &rows, err);
	unwind_builder_destroy(builder);
	return rc ? rc : take_rows(job, rows, false, err);
}

static int compile_section(struct job *job, const struct cfi_section *section, struct err *err)
{
	struct cfi_machine machine = cfi_machine_of(elf_info(job->file)->machine);
	struct text_ranges text = text_ranges_of(job->file);
	struct unwind_builder *builder;
	struct cfi_index index;

	int rc = unwind_builder_create(job->limits, &builder, err);
	if (rc)
		return rc;
	rc = cfi_index_init(&index, section, &machine, &text, err);
	if (!rc)
		rc = add_index(builder, &index, roots_of(job->file), err);
	cfi_index_deinit(&index);
	return finish_source(job, builder, rc, err);
}

static int compile_eh_frame(struct job *job, struct err *err)
{
	struct cfi_section section;

	int rc = cfi_read_eh_frame(job->file, job->bytes_max, &section, err);
	if (rc)
		return rc;
	rc = compile_section(job, &section, err);
	cfi_section_free(&section);
	return rc;
}

static int compile_debug_frame(struct job *job, const struct elf_file *file, struct err *err)
{
	struct cfi_section section;

	int rc = cfi_read_debug_frame(file, job->bytes_max, &section, err);
	if (rc)
		return rc;
	rc = compile_section(job, &section, err);
	cfi_section_free(&section);
	return rc;
}

/* Before the others, for Go's own part: .debug_frame knows nothing of stacks that change. */
static int compile_go(struct job *job, struct err *err)
{
	struct unwind_builder *builder;

	int rc = unwind_builder_create(job->limits, &builder, err);
	if (rc)
		return rc;
	rc = finish_source(job, builder, unwind_go_compile(job->file, builder, err), err);
	if (!rc)
		job->rows->info.from_go = true;
	return rc;
}

static int compile_gaps(struct job *job, struct err *err)
{
	struct unwind_builder *builder;
	struct unwind_rows *rows;

	int rc = unwind_builder_create(job->limits, &builder, err);
	if (rc)
		return rc;
	rc = unwind_gaps_compile(job->file, job->rows, builder, err);
	if (!rc)
		rc = unwind_builder_finish(builder, &rows, err);
	unwind_builder_destroy(builder);
	return rc ? rc : take_rows(job, rows, true, err);
}

/* Last of all, what code without any information does by itself. */
static int compile_code(struct job *job, struct err *err)
{
	struct unwind_builder *builder;
	struct unwind_rows *rows;

	int rc = unwind_builder_create(job->limits, &builder, err);
	if (rc)
		return rc;
	rc = unwind_gaps_read(job->file, job->rows, builder, err);
	if (!rc)
		rc = unwind_builder_finish(builder, &rows, err);
	unwind_builder_destroy(builder);
	return rc ? rc : take_rows(job, rows, false, err);
}

/* Nothing there, or nothing usable: the next source may have more. */
static bool goes_on(int rc)
{
	return rc == 0 || rc == ERR_NOT_FOUND || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED;
}

static int compile_all(struct job *job, const struct elf_file *debug, struct err *err)
{
	struct err later = {0};
	int rc = compile_go(job, err);

	if (!goes_on(rc))
		return rc;
	rc = compile_eh_frame(job, err);
	int first = rc;

	if (goes_on(rc) && !(job->rows && job->rows->info.from_go))
		rc = compile_debug_frame(job, job->file, &later);
	if (goes_on(rc) && debug)
		rc = compile_debug_frame(job, debug, &later);
	if (goes_on(rc) && job->rows)
		rc = compile_gaps(job, &later);
	if (goes_on(rc) && job->rows && !job->rows->info.from_go &&
	    !(job->limits && job->limits->tables_only))
		rc = compile_code(job, &later);
	if (goes_on(rc))
		return job->rows ? 0 : first;
	if (rc != first)
		return err_set(err, rc, "%s", later.text);
	return rc;
}

int unwind_compile(const struct elf_file *file, const struct elf_file *debug,
		   const struct unwind_limits *limits, struct unwind_rows **ret, struct err *err)
{
	struct job job = {.file = file, .limits = limits, .bytes_max = BYTES_DEFAULT_MAX};
	struct err own;

	if (limits && limits->bytes)
		job.bytes_max = limits->bytes < UINT32_MAX ? limits->bytes : UINT32_MAX;
	int rc = compile_all(&job, debug, err ? err : &own);
	if (rc) {
		unwind_rows_free(job.rows);
		return rc;
	}
	*ret = job.rows;
	return 0;
}
