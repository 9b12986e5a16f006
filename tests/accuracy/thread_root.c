#include "thread_root.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <stddef.h>

enum { FRAMES_MAX = 16 };

static void *find_root(void *ret)
{
	void *frames[FRAMES_MAX];
	Dl_info info;
	int count = backtrace(frames, FRAMES_MAX);
	if (count > 0 && dladdr(frames[count - 1], &info))
		*(uint64_t *)ret =
			(uint64_t)((char *)frames[count - 1] - (char *)info.dli_fbase) - 1;
	return NULL;
}

uint64_t thread_root_vaddr(void)
{
	pthread_t thread;
	uint64_t vaddr = 0;
	if (pthread_create(&thread, NULL, find_root, &vaddr))
		return 0;
	pthread_join(thread, NULL);
	return vaddr;
}
