/* A /proc of our own in a temporary directory. */
#pragma once

#include <stdint.h>

/* The path of an empty directory; removed with everything in it by fixture_remove(). */
const char *fixture_make(void);
void fixture_remove(void);
/* PROC/PID/NAME with this text (len < 0: up to its NUL). */
void fixture_file(uint32_t pid, const char *name, const char *text, int len);
/* A whole process: stat, exe, maps, cgroup, environ (env may be NULL). */
void fixture_process(uint32_t pid, uint32_t parent, const char *comm, const char *exe,
		     const char *maps, const char *env, int env_len);
void fixture_kernel_thread(uint32_t pid, const char *comm);
void fixture_gone(uint32_t pid);
