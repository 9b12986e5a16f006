/* Leaves in the kernel and in the vDSO; libraries that come and go. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#ifdef CHAINS_LIBRARIES
#include <dlfcn.h>
#endif

#include "cases.h"

static volatile uint64_t sink;

/* ---- clock: the vDSO, or the system call that it falls back to ---- */

KEEP void clock_work(void);
KEEP void clock_work(void)
{
	struct timespec t;
	window_begin("clock");
	for (int i = 0; i < 100000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		sink += (uint64_t)t.tv_nsec;
	}
	window_end();
}

KEEP void case_clock(void)
{
	chain_expect("clock", "clock_work;case_clock" ROOT);
	chain_expect("clock", "?;clock_work;case_clock" ROOT);
	chain_expect("clock", "?;?;clock_work;case_clock" ROOT);
	chain_expect("clock", "?;?;?;clock_work;case_clock" ROOT);
	while (chain_goes_on())
		clock_work();
}

/* ---- kernel: in a system call ---- */

KEEP void kernel_work(int fd, char *buffer, size_t size);
KEEP void kernel_work(int fd, char *buffer, size_t size)
{
	window_begin("kernel");
	for (int i = 0; i < 50; i++) {
		if (read(fd, buffer, size) != (ssize_t)size)
			abort();
	}
	window_end();
}

KEEP void case_kernel(void)
{
	enum { SIZE = 1 << 20 };
	int fd = open("/dev/zero", O_RDONLY);
	char *buffer = (char *)malloc(SIZE);
	if (fd < 0 || !buffer)
		abort();
	chain_expect("kernel", "kernel_work;case_kernel" ROOT);
	chain_expect("kernel", "?;kernel_work;case_kernel" ROOT);
	chain_expect(
		"kernel",
		"?;?;kernel_work;case_kernel" ROOT); /* musl: read, then its cancellation point */
	chain_expect("kernel", "?;?;?;kernel_work;case_kernel" ROOT);
	while (chain_goes_on())
		kernel_work(fd, buffer, SIZE);
}

/* ---- faults: in the kernel since memory was touched ---- */

KEEP void touch(volatile char *memory, size_t size);
KEEP void touch(volatile char *memory, size_t size)
{
	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
}

KEEP void case_faults(void)
{
	enum { SIZE = 8 << 20 };
	char *memory = (char *)mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				    -1, 0);
	if (memory == MAP_FAILED)
		abort();
	chain_expect("faults", "touch;case_faults" ROOT);
	chain_expect("faults", "case_faults" ROOT);
	while (chain_goes_on()) {
		window_begin("faults");
		touch(memory, SIZE);
		window_end();
		madvise(memory, SIZE, MADV_DONTNEED);
	}
}

/* ---- dlopen: two libraries take turns, at the same address as likely as not ---- */

#ifdef CHAINS_LIBRARIES
/* Each stays for about a second. In the first few milliseconds, until it is known that the one before is gone, a stack
 * cannot be followed. */
enum { STAY = 150, ROUNDS = 2 };

KEEP void dlopen_work(const char *path);
KEEP void dlopen_work(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *symbol = library ? dlsym(library, "library_entry") : NULL;
	void (*entry)(void (*)(void));
	if (!symbol)
		abort();
	memcpy(&entry, &symbol, sizeof(entry));
	window_begin(strstr(path, "-one.so") ? "one" : "two");
	for (int i = 0; i < STAY; i++)
		entry(burn);
	window_end();
	dlclose(library);
}

/* Both are beside the program. */
static char *beside(const char *name)
{
	const char *slash = strrchr(chain_argv[0], '/');
	size_t length = slash ? (size_t)(slash - chain_argv[0]) + 1 : 0;
	char *path = (char *)calloc(1, length + strlen(name) + 3);
	if (!path)
		abort();
	memcpy(path, slash ? chain_argv[0] : "./", slash ? length : 2);
	return strcat(path, name);
}

KEEP void case_dlopen(void)
{
	char *one = beside("chains-one.so"), *two = beside("chains-two.so");
	chain_expect("one", "burn;inner_one;middle_one;library_entry;dlopen_work;case_dlopen" ROOT);
	chain_expect("one", "dlopen_work;case_dlopen" ROOT);
	chain_expect("two", "burn;inner_two;library_entry;dlopen_work;case_dlopen" ROOT);
	chain_expect("two", "dlopen_work;case_dlopen" ROOT);
	for (int i = 0; i < ROUNDS; i++) {
		dlopen_work(one);
		dlopen_work(two);
		NO_TAIL_CALL();
	}
}
#endif
