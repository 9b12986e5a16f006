#include <stdint.h>

#include "intake_check.h"
#include "wire/speedscope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct intake_check check;
	struct speedscope_profile *list;
	size_t count;

	intake_check_start(&check);
	intake_check_end(&check, wire_speedscope(str_make(data, size), &check.sink, &check.scope,
						 &list, &count, NULL));
	return 0;
}
