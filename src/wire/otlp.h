/* Private to wire: the parts of the protobuf decoder. A known field with another
 * wire type than its own is an error and not skipped: it means that the sender
 * speaks a layout that we took for another. */
#pragma once

#include "wire/any.h"
#include "wire/decode.h"
#include "wire/proto.h"
#include "wire/roles.h"

/* One ProfilesDictionary, all occurrences of the request's field 2 taken together. */
MUST_USE int otlp_dict_decode(struct decoder *dec, struct str request, struct err *err);
/* The request's field 1. roles NULL: a layout up to 1.7. */
MUST_USE int otlp_resources_decode(struct decoder *dec, struct str request,
				   const struct roles *roles, struct err *err);

/* The tables of a layout up to 1.7 where the request has them. */
MUST_USE int otlp_old_tables(struct decoder *dec, struct str request, struct err *err);
MUST_USE int otlp_old_profile(struct decoder *dec, struct str bytes, struct profile_scope *scope,
			      struct err *err);

/* Adds what one occurrence of a repeated int32 field holds, packed or not. */
MUST_USE int otlp_indices(struct decoder *dec, const struct pb_field *field, const char *what,
			  struct index_list *list, struct err *err);
/* How often a field occurs in a message. */
uint32_t otlp_count_fields(struct str message, uint32_t number);
int otlp_wrong_type(const struct pb_field *field, const char *what, struct err *err);
int otlp_malformed(const char *what, struct err *err);
