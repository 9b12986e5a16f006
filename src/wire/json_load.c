#include "wire/json_load.h"

#include <malloc.h>

#include "base/json_bytes.h"
#include "wire/decode.h"

/* The trees of larger texts leave hundreds of MiB in glibc's heaps, one for each worker, which it
 * does not give back by itself. */
enum { TRIM_MIN_BYTES = 1024 * 1024 };

int json_tree_load(struct str text, json_t **ret, struct err *err)
{
	json_error_t why;

	if (json_tree_bytes(text) > JSON_TREE_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "JSON: its values need more than %d MiB of memory",
			       JSON_TREE_MAX_BYTES >> 20);
	*ret = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, &why);
	if (*ret)
		return 0;
	if (json_error_code(&why) == json_error_out_of_memory)
		return decoder_no_memory(err);
	return err_set(err, ERR_INVALID, "JSON, line %d column %d: %s", why.line, why.column,
		       why.text);
}

void json_tree_free(json_t *root, struct str text)
{
	json_decref(root);
	if (text.len > TRIM_MIN_BYTES)
		malloc_trim(0);
}
