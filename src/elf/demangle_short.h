/* Private to elf/: short forms of names that libiberty has only in full. */
#pragma once

#include "base/buf.h"
#include "base/str.h"

/* "a.b!(int).c(int, char).d() const" becomes "a.b!(int).c.d", in place; returns the new length. */
size_t d_name_shorten(char *name);
/* "pkg.Map[go.shape.int,go.shape.string_1]" as "pkg.Map[int,string]". False: not such a name. */
bool go_name_shorten(struct str name, struct buf *ret);
/* Could go_name_shorten() have something to do? For those who look at every name. */
bool go_name_has_shapes(struct str name);
