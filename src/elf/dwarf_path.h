/* Private to elf/: paths of source files. */
#pragma once

#include "base/arena.h"
#include "base/str.h"

/* The path, below dir (may be NULL) when it is relative, without its "." and "name/.." parts: compilers
 * that run in a directory of their own name every file differently otherwise. No path, or no memory: "".
 * Links are not followed: nothing of it need exist here. */
struct str dwarf_path_clean(struct arena *arena, const char *dir, const char *path);
