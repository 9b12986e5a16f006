#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/fd.h"

enum { KERNEL_MAJOR_MIN = 5, KERNEL_MINOR_MIN = 10, KERNEL_MINOR_FREE_MEMLOCK = 11 };

struct checklist {
	struct agent_requirement *rows;
	size_t count, cap;
	bool all_ok;
};

__attribute__((format(printf, 5, 6))) static void add_row(struct checklist *list, const char *name,
							  bool required, bool ok, const char *fmt,
							  ...)
{
	va_list args;
	if (required && !ok)
		list->all_ok = false;
	if (list->count == list->cap)
		return;
	struct agent_requirement *row = &list->rows[list->count++];
	*row = (struct agent_requirement){.name = name, .ok = ok, .required = required};
	va_start(args, fmt);
	vsnprintf(row->text, sizeof(row->text), fmt, args);
	va_end(args);
}

static bool parse_release(const char *release, unsigned *ret_major, unsigned *ret_minor)
{
	char *end;
	*ret_major = (unsigned)strtoul(release, &end, 10);
	if (end == release || *end != '.')
		return false;
	const char *minor = end + 1;
	*ret_minor = (unsigned)strtoul(minor, &end, 10);
	return end != minor;
}

static bool release_at_least(const char *release, unsigned major_min, unsigned minor_min)
{
	unsigned major, minor;
	if (!parse_release(release, &major, &minor))
		return false;
	return major > major_min || (major == major_min && minor >= minor_min);
}

int agent_kernel_check(const char *release, struct err *err)
{
	if (release_at_least(release, KERNEL_MAJOR_MIN, KERNEL_MINOR_MIN))
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "host Agent requires kernel version %d.%d or newer but got %s "
		       "(no_kernel_version_check: true tries nevertheless)",
		       KERNEL_MAJOR_MIN, KERNEL_MINOR_MIN, release);
}

static void check_kernel_row(struct checklist *list, const char *release)
{
	bool ok = agent_kernel_check(release, NULL) == 0;
	add_row(list, "kernel version", true, ok, ok ? "%s" : "%s; 5.10 or newer is needed",
		release);
}

/* ---- capabilities (capabilities(7)) ---- */

struct capability {
	const char *name;
	unsigned number;
	bool by_sys_admin; /* CAP_SYS_ADMIN includes it */
	bool required;
	const char *without;
};

static const struct capability capabilities[] = {
	{"capability BPF", CAP_BPF, true, true, "the sampler cannot be loaded"},
	{"capability PERFMON", CAP_PERFMON, true, true, "no sampling of other processes"},
	{"capability SYS_PTRACE", CAP_SYS_PTRACE, false, false,
	 "mappings of other users' processes stay unknown"},
	{"capability CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE, true, false,
	 "deleted files and those of containers may stay without names"},
	{"capability DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, false, false,
	 "files that only other users may read stay without names"},
	{"capability SYSLOG", CAP_SYSLOG, true, false, "kernel frames stay without names"},
};

static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	if (syscall(SYS_capget, &header, data))
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static void check_capabilities(struct checklist *list)
{
	uint64_t have = effective_capabilities();
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++) {
		const struct capability *c = &capabilities[i];
		bool ok =
			(have >> c->number & 1) || (c->by_sys_admin && (have >> CAP_SYS_ADMIN & 1));
		if (ok)
			add_row(list, c->name, c->required, true, "granted");
		else
			add_row(list, c->name, c->required, false,
				"%s; run as root, or grant it (systemd AmbientCapabilities=, "
				"Kubernetes securityContext.capabilities.add)",
				c->without);
	}
}

/* ---- the kernel's offers ---- */

static void check_btf(struct checklist *list)
{
	bool ok = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	add_row(list, "BTF", true, ok, "%s",
		ok ? "/sys/kernel/btf/vmlinux"
		   : "/sys/kernel/btf/vmlinux is missing: use a kernel built with "
		     "CONFIG_DEBUG_INFO_BTF=y (all current distributions), and mount /sys");
}

static void check_bpf(struct checklist *list)
{
	(void)libbpf_set_print(NULL);
	bool ok = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_PERF_EVENT, NULL) == 1;
	if (ok)
		add_row(list, "BPF", true, true, "perf_event programs load");
	else
		add_row(list, "BPF", true, false,
			"loading a perf_event program failed (%s): needs the bpf() system call "
			"(CONFIG_BPF_SYSCALL=y, allowed by seccomp) and capability BPF",
			strerror(errno));
}

static void check_perf(struct checklist *list)
{
	struct perf_event_attr attr = {.size = sizeof(attr),
				       .type = PERF_TYPE_SOFTWARE,
				       .config = PERF_COUNT_SW_CPU_CLOCK,
				       .sample_period = 1000000000,
				       .disabled = 1};
	FD_AUTO int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0)
		add_row(list, "perf events", true, true, "cpu-clock on all processes");
	else
		add_row(list, "perf events", true, false,
			"perf_event_open failed (%s): needs CONFIG_PERF_EVENTS=y, a seccomp "
			"profile "
			"that allows it, and capability PERFMON or kernel.perf_event_paranoid <= 0",
			strerror(errno));
}

/* Addresses read as zero for those who may not see them; those of per-CPU variables, which come first
 * on many x86-64 kernels, do so for everyone. */
static bool kallsyms_readable(void)
{
	char line[512];
	bool found = false;
	FILE *file = fopen("/proc/kallsyms", "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strtoull(line, NULL, 16) != 0;
	if (file)
		fclose(file);
	return found;
}

static void check_kallsyms(struct checklist *list)
{
	bool ok = kallsyms_readable();
	add_row(list, "kernel symbols", false, ok, "%s",
		ok ? "/proc/kallsyms"
		   : "/proc/kallsyms shows no addresses, so kernel frames have no names: needs "
		     "capability SYSLOG, and kernel.kptr_restrict < 2");
}

static void check_memlock(struct checklist *list, const char *release)
{
	struct rlimit limit;
	bool counted = !release_at_least(release, KERNEL_MAJOR_MIN, KERNEL_MINOR_FREE_MEMLOCK);
	bool ok = !counted ||
		  (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max == RLIM_INFINITY) ||
		  (effective_capabilities() >> CAP_SYS_RESOURCE & 1);
	add_row(list, "locked memory", true, ok, "%s",
		ok ? "not limited"
		   : "BPF memory counts as locked before Linux 5.11: raise `ulimit -l` to "
		     "unlimited, "
		     "or grant capability SYS_RESOURCE");
}

/* Samples name processes by the numbers of the first pid namespace, whose inode number is fixed
 * (PROC_PID_INIT_INO, include/linux/proc_ns.h). */
static void check_pid_namespace(struct checklist *list)
{
	enum { PROC_PID_INIT_INO = 0xEFFFFFFCU };
	struct stat info;
	bool ok = stat("/proc/self/ns/pid", &info) == 0 && info.st_ino == PROC_PID_INIT_INO;
	add_row(list, "pid namespace", true, ok, "%s",
		ok ? "the host's"
		   : "this is a container with its own process numbers: run with --pid=host "
		     "(Kubernetes: hostPID: true)");
}

size_t agent_check(const struct agent_config *config, struct agent_requirement *rows, size_t cap,
		   bool *ret_ok)
{
	struct checklist list = {.rows = rows, .cap = cap, .all_ok = true};
	struct utsname name;
	if (uname(&name))
		str_copy(name.release, sizeof(name.release), STR("unknown"));
	if (!config || !config->no_kernel_version_check)
		check_kernel_row(&list, name.release);
	check_capabilities(&list);
	check_btf(&list);
	check_bpf(&list);
	check_perf(&list);
	check_kallsyms(&list);
	check_memlock(&list, name.release);
	check_pid_namespace(&list);
	if (ret_ok)
		*ret_ok = list.all_ok;
	return list.count;
}
