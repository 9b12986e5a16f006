#include "agent/identity.h"

#include <string.h>

#include "base/mem.h"

enum { ENVIRON_BYTES_MAX = 2 << 20, CGROUP_BYTES_MAX = 64 << 10 };

struct identity *identity_create(void)
{
	struct identity *identity = mem_zalloc(1, sizeof(*identity));
	if (identity)
		identity->refs = 1;
	return identity;
}

struct identity *identity_ref(struct identity *identity)
{
	identity->refs++;
	return identity;
}

void identity_unref(struct identity *identity)
{
	if (!identity || --identity->refs > 0)
		return;
	mem_free(identity->exe_path);
	mem_free(identity->service_name);
	for (uint32_t i = 0; i < PROCESS_ENV_MAX; i++)
		mem_free(identity->env[i]);
	mem_free(identity);
}

static void set_text(char **text, struct str value)
{
	if (!value.ptr)
		return;
	if (value.len > PROCESS_TEXT_MAX)
		value.len = PROCESS_TEXT_MAX;
	char *copy = mem_strndup(value.ptr, value.len);
	if (!copy)
		return;
	mem_free(*text);
	*text = copy;
}

struct identity *identity_inherit(const struct identity *parent)
{
	struct identity *identity = identity_create();
	if (!identity)
		return NULL;
	set_text(&identity->service_name, str_of(parent->service_name));
	for (uint32_t i = 0; i < PROCESS_ENV_MAX; i++)
		set_text(&identity->env[i], str_of(parent->env[i]));
	memcpy(identity->container_id, parent->container_id, sizeof(identity->container_id));
	return identity;
}

void identity_set_exe(struct identity *identity, struct str path)
{
	if (str_ends_with(path, STR(" (deleted)")))
		path.len -= 10;
	set_text(&identity->exe_path, path);
}

static void read_environment(const struct processes_options *options, struct str environment,
			     struct identity *identity)
{
	char name[256];
	proc_service_name(environment, name, sizeof(name));
	set_text(&identity->service_name, str_of(name));
	for (uint32_t i = 0; i < options->env_count; i++) {
		struct str value = proc_environ_get(environment, options->env_names[i]);
		if (value.ptr && str_is_utf8(value))
			set_text(&identity->env[i], value);
		else {
			mem_free(identity->env[i]);
			identity->env[i] = NULL;
		}
	}
}

struct identity *identity_read(const struct processes_options *options, uint32_t pid,
			       const struct identity *known, struct buf *scratch)
{
	char exe[PROCESS_TEXT_MAX];
	if (proc_read_exe(options->proc, pid, exe, sizeof(exe), NULL))
		return NULL;
	struct identity *identity = identity_inherit(known);
	if (!identity)
		return NULL;
	set_text(&identity->exe_path, str_of(exe));
	buf_clear(scratch);
	if (proc_read(options->proc, pid, "cgroup", CGROUP_BYTES_MAX, scratch, NULL) == 0)
		str_copy(identity->container_id, sizeof(identity->container_id),
			 proc_container_id(buf_text(scratch)));
	buf_clear(scratch);
	if (proc_read(options->proc, pid, "environ", ENVIRON_BYTES_MAX, scratch, NULL) == 0)
		read_environment(options, buf_text(scratch), identity);
	return identity;
}
