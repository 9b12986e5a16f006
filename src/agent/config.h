/* Private to agent: the parts of the configuration that need taking apart. */
#pragma once

#include "agent/agent.h"
#include "agent/cpus.h"
#include "agent/processes.h"
#include "base/str.h"

/* "A, B" -> views into the list. ERR_INVALID. */
MUST_USE int agent_env_names(const char *list, struct str *ret, uint32_t cap, uint32_t *ret_count,
			     struct err *err);
/* 0 when uname's release is at least 5.10. ERR_UNSUPPORTED says what it is. */
MUST_USE int agent_kernel_check(const char *release, struct err *err);
