#include "wire/remote_write.h"

#include <stdlib.h>
#include <string.h>

#include "wire/proto.h"

/* Field numbers of prompb. */
enum { REQUEST_TIMESERIES = 1 };
enum { SERIES_LABELS = 1, SERIES_SAMPLES = 2 };
enum { LABEL_NAME = 1, LABEL_VALUE = 2 };
enum { SAMPLE_VALUE = 1, SAMPLE_TIMESTAMP = 2 };

static int by_name(const void *a, const void *b)
{
	const struct remote_write_label *x = a, *y = b;
	return str_compare(x->name, y->name);
}

static void put_label(struct buf *out, const struct remote_write_label *label)
{
	size_t begin = pb_begin(out, SERIES_LABELS);
	pb_put_text(out, LABEL_NAME, label->name);
	pb_put_text(out, LABEL_VALUE, label->value);
	pb_end(out, begin);
}

static void put_sample(struct buf *out, double value, int64_t time_ms)
{
	size_t begin = pb_begin(out, SERIES_SAMPLES);
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	pb_put_fixed64(out, SAMPLE_VALUE, bits);
	pb_put_int(out, SAMPLE_TIMESTAMP, time_ms);
	pb_end(out, begin);
}

void remote_write_series(struct buf *out, struct remote_write_label *labels, size_t count,
			 double value, int64_t time_ms)
{
	size_t begin = pb_begin(out, REQUEST_TIMESERIES);

	qsort(labels, count, sizeof(*labels), by_name);
	for (size_t i = 0; i < count; i++)
		if (labels[i].value.len > 0)
			put_label(out, &labels[i]);
	put_sample(out, value, time_ms);
	pb_end(out, begin);
}
