#include <stdint.h>

#include "intake_check.h"
#include "wire/pprof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct intake_check check;
	struct wire_pprof_about about;

	intake_check_start(&check);
	intake_check_end(&check, wire_pprof_decode(str_make(data, size), &check.sink, &check.scope,
						   &about, NULL));
	return 0;
}
