/* HTTP/2 frames into a connection without a socket, behind a good preface and SETTINGS. The first
 * byte says in which pieces they come and whether handlers answer late. */
#include "pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	struct pipe pipe;

	if (size < 1)
		return 0;
	size_t piece = (size_t)(data[0] & 0x7f) * 8 + 1;
	pipe_init(&pipe);
	pipe.workers = data[0] & 0x80;
	pipe_feed(&pipe, start, sizeof(start) - 1);
	for (size_t at = 1; at < size; at += piece) {
		size_t left = size - at;
		if (!pipe_feed(&pipe, data + at, left < piece ? left : piece))
			break;
		if (at / piece % 3 == 0)
			pipe_work(&pipe);
	}
	conn_drain(&pipe.conn);
	pipe_pull(&pipe);
	conn_input_end(&pipe.conn);
	conn_tick(&pipe.conn, UINT64_MAX / 2);
	pipe_pull(&pipe);
	pipe_deinit(&pipe);
	if (pipe.host.budget.used_bytes != 0)
		__builtin_trap();
	return 0;
}
