/* A message that comes is a stream of chunks (google/snappy,
 * framing_format.txt), as Go's writer makes it and with it what gRPC calls
 * "snappy"; or a bare block (format_description.txt), as Prometheus has it. A
 * stream is known by its first chunk. What we write is a bare block. */
#include <snappy-c.h>

#include <pthread.h>

#include "base/cursor.h"
#include "base/zip.h"

enum {
	CHUNK_PACKED = 0x00,
	CHUNK_PLAIN = 0x01,
	CHUNK_SKIPPABLE = 0x80, /* and above; 0xff once more begins a stream */
	CHUNK_PLAIN_MAX = 65536,
	/* Three bytes of a block stand for 64 at most. */
	RATIO_MAX = 22,
	CRC_BYTES = 4,
};

static const struct str stream_start = {"\xff\x06\x00\x00sNaPpY", 10};

/* ---- CRC-32C (RFC 3720, appendix B.4) ---- */

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void fill_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
		crc_table[i] = crc;
	}
}

/* As a chunk has it: turned and shifted, so that a CRC over CRCs is none of zeros. */
static uint32_t masked_crc(struct str bytes)
{
	uint32_t crc = UINT32_MAX;

	pthread_once(&crc_once, fill_crc_table);
	for (size_t i = 0; i < bytes.len; i++)
		crc = crc >> 8 ^ crc_table[(crc ^ (uint8_t)bytes.ptr[i]) & 0xff];
	crc = ~crc;
	return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

/* ---- blocks ---- */

static int broken(struct err *err)
{
	return err_set(err, ERR_INVALID, "snappy: broken or cut-off data");
}

static int too_large(size_t limit_bytes, struct err *err)
{
	return err_set(err, ERR_LIMIT, "snappy: unpacks to more than %zu bytes", limit_bytes);
}

/* What the block promises is believed only as far as its bytes could hold it. */
static int unpack_block(struct str packed, size_t limit_bytes, struct buf *out, struct err *err)
{
	size_t plain;

	if (snappy_uncompressed_length(packed.ptr, packed.len, &plain) != SNAPPY_OK ||
	    plain / RATIO_MAX > packed.len)
		return broken(err);
	if (plain > limit_bytes)
		return too_large(limit_bytes, err);
	if (!buf_reserve(out, plain + 1))
		return buf_check(out, "snappy", err);
	if (snappy_uncompress(packed.ptr, packed.len, out->ptr + out->len, &plain) != SNAPPY_OK)
		return broken(err);
	out->len += plain;
	return 0;
}

/* ---- chunks ---- */

static int unpack_chunk(uint8_t type, struct str chunk, size_t limit_bytes, struct buf *out,
			struct err *err)
{
	struct cur c = cur_make(chunk.ptr, chunk.len);
	uint32_t crc = cur_u32le(&c);
	struct str data = str_sub(chunk, CRC_BYTES, chunk.len);
	size_t start = out->len;
	size_t limit = limit_bytes < CHUNK_PLAIN_MAX ? limit_bytes : CHUNK_PLAIN_MAX;
	int rc = 0;

	if (!cur_ok(&c))
		return broken(err);
	if (type == CHUNK_PACKED)
		rc = unpack_block(data, limit, out, err);
	else if (data.len > limit)
		rc = too_large(limit, err);
	else
		buf_str(out, data);
	rc = rc ? rc : buf_check(out, "snappy", err);
	if (rc == ERR_LIMIT && limit == CHUNK_PLAIN_MAX)
		return broken(err); /* no chunk may hold so much */
	if (!rc && masked_crc(str_make(out->ptr + start, out->len - start)) != crc)
		return err_set(err, ERR_INVALID, "snappy: the checksum of a chunk is wrong");
	return rc;
}

static int unpack_stream(struct str packed, size_t limit_bytes, struct buf *out, struct err *err)
{
	struct cur c = cur_make(packed.ptr, packed.len);
	size_t start = out->len;
	int rc = 0;

	while (!rc && cur_left(&c) > 0) {
		uint8_t type = cur_u8(&c);
		uint32_t size = cur_u16le(&c);
		size |= (uint32_t)cur_u8(&c) << 16;
		struct str chunk = cur_bytes(&c, size);
		if (!cur_ok(&c))
			return broken(err);
		if (type == CHUNK_PACKED || type == CHUNK_PLAIN)
			rc = unpack_chunk(type, chunk, limit_bytes - (out->len - start), out, err);
		else if (type < CHUNK_SKIPPABLE)
			rc = err_set(err, ERR_INVALID, "snappy: a chunk of unknown type %u", type);
	}
	return rc == ERR_LIMIT ? too_large(limit_bytes, err) : rc;
}

int zip_unsnappy(struct str packed, size_t limit_bytes, struct buf *out, struct err *err)
{
	size_t start = out->len;
	int rc = str_starts_with(packed, stream_start)
			 ? unpack_stream(packed, limit_bytes, out, err)
			 : unpack_block(packed, limit_bytes, out, err);

	if (rc)
		out->len = start;
	return rc;
}

/* ---- the way there ---- */

int zip_snappy(struct str plain, struct buf *out, struct err *err)
{
	size_t packed = snappy_max_compressed_length(plain.len);

	if (plain.len > UINT32_MAX)
		return err_set(err, ERR_LIMIT, "snappy: a block holds at most 4 GiB");
	if (!buf_reserve(out, packed))
		return buf_check(out, "snappy", err);
	if (snappy_compress(plain.ptr, plain.len, out->ptr + out->len, &packed) != SNAPPY_OK)
		return err_set(err, ERR_INTERNAL, "snappy: the block could not be made");
	out->len += packed;
	return 0;
}
