#include <stdint.h>

#include "intake_check.h"
#include "wire/folded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct intake_check check;
	struct profile *profile;

	intake_check_start(&check);
	intake_check_end(&check, wire_folded_tree(str_make(data, size), &check.sink, &check.scope,
						  &profile, NULL));
	return 0;
}
