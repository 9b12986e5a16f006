/* Writing Prometheus' WriteRequest (Prometheus Remote-Write 1.0 Specification, "Protocol";
 * prompb/remote.proto and types.proto): series one after the other, each with one sample. What is
 * appended is a whole message at any time; on the wire it is one snappy block (base/zip.h) with
 * Content-Type application/x-protobuf. Any thread. */
#pragma once

#include "base/buf.h"
#include "base/str.h"

/* UTF-8, both. */
struct remote_write_label {
	struct str name, value;
};

/* Appends (sticky, as buf is). Sorts the labels by name, as receivers want them; those without a value
 * are left out, which means the same. Names are distinct, one of them __name__. */
void remote_write_series(struct buf *out, struct remote_write_label *labels, size_t count,
			 double value, int64_t time_ms);
