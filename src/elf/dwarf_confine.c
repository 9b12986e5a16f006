/* What a file can make of libdw at worst is a program of its choice in this
 * process. That one finds: a socket to the agent, whose messages the agent takes
 * for hostile; the files it was given, read only; memory to a limit; and a dozen
 * system calls. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "elf/dwarf.h"
#include "elf/dwarf_worker.h"

enum {
	SOCKET_FD = 3,
	FILES_MAX = 80,	  /* two for each slot, and some to spare */
	CPU_SECONDS = 60, /* the worker ends by itself before */
	MAPS_BYTES = 1 << 20,
};

/* Files are mapped; that is address space, but no memory that only this process has. */
static const uint64_t mapped_bytes = 8ULL << 30;

static size_t read_proc(const char *path, char *text, size_t cap)
{
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return 0;
	while (len < cap && (got = read(fd, text + len, cap - len)) > 0)
		len += (size_t)got;
	close(fd);
	return len;
}

/* ---- memory ---- */

/* "START-END rw-s ..." */
static void unmap_line(struct str line)
{
	char *end;
	struct str range;

	if (!str_next(&line, ' ', &range) || line.len < 4 || line.ptr[3] != 's')
		return;
	uintptr_t from = strtoul(range.ptr, &end, 16);
	uintptr_t to = *end == '-' ? strtoul(end + 1, NULL, 16) : 0;
	if (to > from)
		munmap((void *)from, to - from);
}

/* The rings and tables that the agent shares with the kernel are none of ours. */
static void unmap_shared(void)
{
	static char text[MAPS_BYTES];
	struct str rest = str_make(text, read_proc("/proc/self/maps", text, sizeof(text) - 1));
	struct str line;

	while (str_next(&rest, '\n', &line))
		unmap_line(line);
}

/* Bytes that count for RLIMIT_DATA and RLIMIT_AS by now: a fork begins with what its parent had. */
static void memory_now(uint64_t *ret_all, uint64_t *ret_data)
{
	uint64_t pages[7] = {0}; /* proc(5), statm: size resident shared text lib data dt */
	char text[256];
	struct str rest = str_make(text, read_proc("/proc/self/statm", text, sizeof(text))), word;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < 7 && str_next(&rest, ' ', &word); i++)
		(void)str_to_u64(word, &pages[i]);
	*ret_all = pages[0] * page;
	*ret_data = pages[5] * page;
}

static bool limit(int resource, uint64_t value)
{
	struct rlimit now, wanted = {value, value};

	if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max < value)
		wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &wanted) == 0;
}

static bool limit_resources(int64_t memory_bytes)
{
	uint64_t all, data;
	bool ok = limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, FILES_MAX) &&
		  limit(RLIMIT_CPU, CPU_SECONDS);

	if (!ok || memory_bytes == DWARF_NO_LIMIT)
		return ok;
	memory_now(&all, &data);
	return limit(RLIMIT_DATA, data + (uint64_t)memory_bytes) &&
	       limit(RLIMIT_AS, all + (uint64_t)memory_bytes + mapped_bytes);
}

/* ---- rights ---- */

static bool drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) == 0;
}

#if defined(__x86_64__)
enum { ARCH = AUDIT_ARCH_X86_64 };
#elif defined(__aarch64__)
enum { ARCH = AUDIT_ARCH_AARCH64 };
#endif

#define ALLOW(name)                                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* All else fails with EPERM: libdw goes on without the file it would have liked to open. */
static bool filter_calls(void)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(pread64),
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(madvise),
		ALLOW(brk),
		ALLOW(read),
		ALLOW(lseek),
		ALLOW(close),
		ALLOW(fcntl), /* libelf asks whether a descriptor is open */
		ALLOW(fstat),
		ALLOW(newfstatat),
		ALLOW(recvmsg),
		ALLOW(sendmsg),
		ALLOW(ppoll),
#ifdef __NR_poll
		ALLOW(poll),
#endif
		ALLOW(futex),
		ALLOW(clock_gettime),
		ALLOW(getrandom),
		ALLOW(rt_sigreturn),
		ALLOW(exit),
		ALLOW(exit_group),
		/* Memory, and its growing in malloc's arenas of threads; but none to run code in. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mprotect, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* ---- descriptors ---- */

static int keep_socket(int sock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < SOCKET_FD; fd++)
		if (sock != fd)
			(void)dup2(null, fd);
	if (sock != SOCKET_FD && dup2(sock, SOCKET_FD) < 0)
		return -1;
	/* Not in kernels before 5.9, where RLIMIT_NOFILE says how far to go. */
	if (syscall(SYS_close_range, SOCKET_FD + 1, ~0U, 0) == 0)
		return SOCKET_FD;
	long max = sysconf(_SC_OPEN_MAX);
	for (int fd = SOCKET_FD + 1; fd < max; fd++)
		close(fd);
	return SOCKET_FD;
}

int dwarf_confine(int sock, const struct dwarf_worker_limits *limits)
{
	sock = keep_socket(sock);
	unmap_shared();
	bool ok = sock >= 0 && limit_resources(limits->memory_bytes) &&
		  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && drop_capabilities() &&
		  filter_calls();
	return ok ? sock : -1;
}
