/* Private to wire: the dictionary of one request being written. It grows by what
 * samples refer to, and can be taken back to an earlier state. */
#pragma once

#include "profile/profile.h"
#include "wire/proto.h"

/* Field numbers in ProfilesDictionary, layouts D to F. */
enum dict_table {
	TABLE_MAPPING = 1,
	TABLE_LOCATION,
	TABLE_FUNCTION,
	TABLE_LINK,
	TABLE_STRING,
	TABLE_ATTRIBUTE,
	TABLE_STACK,
	TABLES,
};

struct dict_column {
	struct buf rows;   /* encoded, tags included */
	uint32_t *sent_as; /* index in the batch → index in the request, 0: not in it yet */
	uint32_t *added;   /* which ones are in it, in order; the first is index 1 */
	uint32_t count;	   /* of added */
};

struct dict_writer {
	const struct profile_dict *dict;
	struct dict_column tables[TABLES];
};

struct dict_mark {
	size_t len[TABLES];
	uint32_t count[TABLES];
};

/* Tables in the arena, rows in buffers: dict_writer_deinit frees those. */
MUST_USE int dict_writer_init(struct dict_writer *writer, const struct profile_dict *dict,
			      struct arena *arena, struct err *err);
void dict_writer_deinit(struct dict_writer *writer);
/* Back to the zero rows alone. */
void dict_writer_reset(struct dict_writer *writer);

void dict_writer_mark(const struct dict_writer *writer, struct dict_mark *ret);
void dict_writer_rewind(struct dict_writer *writer, const struct dict_mark *mark);

/* The index in the request; the row and all below it are added if need be. */
uint32_t dict_put_string(struct dict_writer *writer, uint32_t index);
uint32_t dict_put_attribute(struct dict_writer *writer, uint32_t index);
uint32_t dict_put_link(struct dict_writer *writer, uint32_t index);
uint32_t dict_put_stack(struct dict_writer *writer, uint32_t index);
/* A packed field of attribute indices. */
void dict_put_attributes(struct dict_writer *writer, struct buf *buf, uint32_t number,
			 const uint32_t *attrs, uint32_t count);

/* The size of the dictionary message's content. */
size_t dict_writer_bytes(const struct dict_writer *writer);
void dict_writer_finish(const struct dict_writer *writer, struct buf *out);
MUST_USE int dict_writer_check(const struct dict_writer *writer, struct err *err);
