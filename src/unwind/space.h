/* Private to unwind/: the space from inside, for who reads it. */
#pragma once

#include "unwind/unwind.h"

/* The bytes of an object, or NULL when [place, place + len) is not inside one chunk of the space: a
 * reader checks what it follows, so that a wrong number costs a stack and not the process. */
const void *unwind_space_at(const struct unwind_space *space, uint32_t place, size_t len_bytes);
