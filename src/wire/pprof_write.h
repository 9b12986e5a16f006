/* Writing pprof's profile (github.com/google/pprof, proto/profile.proto), not
 * packed: with gzip around it it is what `go tool pprof` reads from a file.
 *
 * Begin, then frames and samples in any order, then end. Frames of the same
 * content are one location; functions, mappings and texts are written once.
 * A frame without a name is its mapping and address alone, so that pprof can
 * look it up in the file itself. One thread; memory is the arena's. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct pprof_head {
	struct str sample_type, sample_unit; /* "cpu", "nanoseconds" */
	struct str period_type, period_unit; /* may be empty */
	int64_t period;			     /* 0: left out */
	int64_t time_ns, duration_ns;
};

struct pprof_frame {
	struct str name; /* "": not known */
	struct str system_name, filename;
	struct str mapping, build_id; /* both "": no mapping */
	uint64_t address;	      /* in the ELF file; 0: unknown */
	int64_t line, start_line;
};

struct pprof_writer;

/* out is sticky, and checked at the end. ERR_NOMEM. */
MUST_USE int pprof_write_begin(struct arena *arena, const struct pprof_head *head, struct buf *out,
			       struct pprof_writer **ret, struct err *err);
/* *ret_location is what samples name it by. ERR_NOMEM, ERR_LIMIT (2^31 distinct ones). */
MUST_USE int pprof_write_frame(struct pprof_writer *writer, const struct pprof_frame *frame,
			       uint32_t *ret_location, struct err *err);
/* The leaf is first. */
void pprof_write_sample(struct pprof_writer *writer, const uint32_t *locations, size_t count,
			int64_t value);
/* Nothing may follow. ERR_NOMEM, ERR_LIMIT (out's). */
MUST_USE int pprof_write_end(struct pprof_writer *writer, struct err *err);
