/* The executable files that programs had mapped, by name, and what of them can
 * be known: is there a function at an address, whoever asks? One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

enum { IMAGES_MAX = 512, IMAGE_NAME_MAX = 128 };

struct image;

struct images {
	struct image *rows[IMAGES_MAX];
	size_t count;
};

enum image_says {
	IMAGE_HAS_FUNCTION,
	IMAGE_HAS_NONE_THERE, /* the file, its debug file, or any other source */
	IMAGE_IS_NO_FILE,     /* anonymous memory: JIT code */
};

/* Takes note of what a process has mapped now. */
void images_look_at(struct images *images, pid_t pid);
void images_deinit(struct images *images);
/* What is at an address of the file of that name (as mappings in profiles are named). name gets the
 * function, in its display form not. */
enum image_says images_find(struct images *images, struct str file, uint64_t vaddr,
			    struct str *ret_name);
/* Is that where the file's execution begins? */
bool images_is_entry(struct images *images, struct str file, uint64_t vaddr);
