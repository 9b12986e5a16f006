#include "base/metrics_process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"

enum { PROC_FILE_MAX_BYTES = 4 * 1024 * 1024 };

/* proc(5), /proc/PID/stat: fields counted from 1; the second, the name, may hold anything. */
enum { STAT_AFTER_NAME = 3, STAT_START_TICKS = 22, STAT_VSIZE = 23, STAT_RSS_PAGES = 24 };

static void put_metric(struct buf *out, const char *name, const char *type, const char *help,
		       double value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name,
		   value);
}

static void put_cpu(struct buf *out)
{
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use) < 0)
		return;
	double seconds = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
			 (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
	put_metric(out, "process_cpu_seconds_total", "counter",
		   "Total user and system CPU time spent in seconds.", seconds);
}

static void put_fds(struct buf *out)
{
	DIR *dir = opendir("/proc/self/fd");
	struct rlimit limit;
	int count = 0;

	if (dir) {
		for (struct dirent *entry; (entry = readdir(dir));)
			count += entry->d_name[0] != '.';
		closedir(dir);
		/* The directory's own descriptor is not one of ours. */
		put_metric(out, "process_open_fds", "gauge", "Number of open file descriptors.",
			   count - 1);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		put_metric(out, "process_max_fds", "gauge",
			   "Maximum number of open file descriptors.", (double)limit.rlim_cur);
}

/* Field of /proc/self/stat; the text starts after the name's closing bracket. */
static uint64_t stat_field(struct str after_name, int field)
{
	struct str rest = str_trim(after_name);
	struct str part;
	uint64_t value = 0;

	for (int i = STAT_AFTER_NAME; str_next(&rest, ' ', &part); i++)
		if (i == field && str_to_u64(part, &value))
			return value;
	return 0;
}

static uint64_t boot_time_s(void)
{
	struct buf text = {0};
	uint64_t seconds = 0;

	if (fd_read_file("/proc/stat", PROC_FILE_MAX_BYTES, &text, NULL) == 0) {
		struct str rest = buf_text(&text);
		struct str line;
		while (str_next(&rest, '\n', &line))
			if (str_starts_with(line, STR("btime ")))
				str_to_u64(str_sub(line, 6, line.len), &seconds);
	}
	buf_deinit(&text);
	return seconds;
}

static void put_stat(struct buf *out, struct str stat)
{
	ptrdiff_t bracket = str_rfind_char(stat, ')');
	struct str fields = str_sub(stat, (size_t)(bracket + 1), stat.len);
	double ticks = (double)stat_field(fields, STAT_START_TICKS);
	uint64_t boot_s = boot_time_s();

	put_metric(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
		   (double)stat_field(fields, STAT_RSS_PAGES) * (double)sysconf(_SC_PAGESIZE));
	put_metric(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
		   (double)stat_field(fields, STAT_VSIZE));
	if (boot_s > 0)
		put_metric(out, "process_start_time_seconds", "gauge",
			   "Start time of the process since unix epoch in seconds.",
			   (double)boot_s + ticks / (double)sysconf(_SC_CLK_TCK));
}

void metrics_render_process(struct buf *out)
{
	struct buf stat = {0};

	put_cpu(out);
	put_fds(out);
	if (fd_read_file("/proc/self/stat", PROC_FILE_MAX_BYTES, &stat, NULL) == 0)
		put_stat(out, buf_text(&stat));
	buf_deinit(&stat);
}
