/* Private to wire: JSON of the layouts up to 1.7. */
#pragma once

#include "wire/json_read.h"
#include "wire/old.h"

/* Which layout's names does a request use? E1 where 1.8 is to be told from later ones, else F. */
enum wire_layout json_layout(const json_t *root);

/* The tables of a layout up to 1.7 where the request has them. */
void json_old_tables(struct json_reader *r, const json_t *root);
void json_old_profile(struct json_reader *r, const json_t *json, struct profile_scope *scope);
