/* Private to config: numbers as YAML and Go's flags write them. */
#pragma once

#include "config/config.h"

/* 42, -7, 0x2a, 0o17, 017, 0b11, 1_000. */
bool config_to_int(struct str text, int64_t *ret);
bool config_to_uint(struct str text, uint64_t *ret);
/* Adds what YAML 1.1 and Go's strconv.ParseBool take: yes no on off y n t f 1 0. */
bool config_to_loose_bool(struct str text, bool *ret);
/* 4 KiB rather than 4096 where that is exact. */
void config_put_size(struct buf *out, uint64_t bytes);
