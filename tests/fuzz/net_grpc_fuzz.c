/* What a gRPC server may say to our client: status details, percent-encoded messages; and the texts
 * of addresses. */
#include <string.h>

#include "base/base64.h"
#include "net/addr.h"
#include "net/grpc_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size);
	struct str host, port;
	struct buf decoded = {0};
	char small[64], large[2048], again[2048];

	(void)grpc_status_retry_ms(text);
	if (buf_reserve(&decoded, base64_decoded_max(size)) &&
	    base64_get(text, decoded.ptr, &decoded.len))
		(void)grpc_status_retry_ms(buf_text(&decoded));
	buf_deinit(&decoded);
	grpc_message_decode(text, small, sizeof(small));
	if (size < 600) {
		size_t len = grpc_message_encode(text, large, sizeof(large));
		grpc_message_decode(str_make(large, len), again, sizeof(again));
		if (memcmp(again, data, size) != 0)
			__builtin_trap();
	}
	if (addr_split(text, &host, &port, NULL) == 0 && host.len + port.len > size)
		__builtin_trap();
	return 0;
}
