/* Private to elf/: the kernel's image and its modules, by index. */
#pragma once

#include "base/arena.h"
#include "elf/elf.h"

enum { MODULES_MAX = 8192 };

struct module_list {
	struct kernel_module *list; /* [0] is vmlinux */
	size_t count, cap;
	struct arena texts;
	uint32_t last; /* found last: symbols come module by module */
};

MUST_USE int module_list_init(struct module_list *modules, struct err *err);
void module_list_deinit(struct module_list *modules); /* a zeroed one is fine */
/* The index of a module, added when it is new. ERR_LIMIT, ERR_NOMEM. */
MUST_USE int module_list_get(struct module_list *modules, struct str name, uint32_t *ret,
			     struct err *err);
/* Adds what /proc/modules says: name, size, address. A file that is not there adds none (a kernel
 * without modules). */
MUST_USE int module_list_read(struct module_list *modules, const char *path, struct err *err);
/* Fills in build ids from below sys_path ("/sys"); what cannot be read stays "". */
MUST_USE int module_list_read_build_ids(struct module_list *modules, const char *sys_path,
					struct err *err);
/* Changes when a module comes, goes or moves; 0 when path is NULL or not there. */
MUST_USE int modules_fingerprint(const char *path, uint64_t *ret, struct err *err);
