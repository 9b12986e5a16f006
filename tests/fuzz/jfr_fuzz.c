/* The recording; its last bytes, behind a marker, are the labels. */
#include <stdint.h>

#include "intake_check.h"
#include "wire/jfr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_make(data, size), labels = STR("");
	ptrdiff_t marker = str_find(bytes, STR("LABELS"));
	struct intake_check check;
	struct wire_jfr jfr;

	if (marker >= 0) {
		labels = str_sub(bytes, (size_t)marker + 6, size);
		bytes = str_sub(bytes, 0, (size_t)marker);
	}
	intake_check_start(&check);
	intake_check_end(&check, wire_jfr_decode(bytes, labels, 100, &check.sink, &check.scope,
						 &jfr, NULL));
	return 0;
}
