/* HTTP/1 bytes into a connection without a socket. The first byte says in which pieces they come
 * and whether handlers answer late. */
#include "pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pipe pipe;

	if (size < 1)
		return 0;
	size_t piece = (size_t)(data[0] & 0x7f) * 8 + 1;
	pipe_init(&pipe);
	pipe.workers = data[0] & 0x80;
	conn_use_http1(&pipe.conn);
	for (size_t at = 1; at < size; at += piece) {
		size_t left = size - at;
		if (!pipe_feed(&pipe, data + at, left < piece ? left : piece))
			break;
		if (at / piece % 3 == 0)
			pipe_work(&pipe);
	}
	conn_input_end(&pipe.conn);
	pipe_pull(&pipe);
	conn_tick(&pipe.conn, UINT64_MAX / 2);
	pipe_pull(&pipe);
	pipe_deinit(&pipe);
	if (pipe.host.budget.used_bytes != 0)
		__builtin_trap();
	return 0;
}
