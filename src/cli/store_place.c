/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/store_place.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

_Atomic int store_cancelled;

/* ---- signals ---- */

static void cancel(int sig)
{
	(void)sig;
	store_cancelled = 1;
}

void store_catch_signals(void)
{
	struct sigaction action = {.sa_handler = cancel};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- places ---- */

static bool is_store(const char *directory)
{
	char path[PLACE_MAX];
	struct stat st;
	int need = snprintf(path, sizeof(path), "%s/db", directory);
	return (size_t)need < sizeof(path) && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int store_find(const char *directory, char path[PLACE_MAX], struct err *err)
{
	int need = snprintf(path, PLACE_MAX, "%s/store", directory);
	if (need >= PLACE_MAX)
		return err_set(err, ERR_INVALID, "%.64s...: the path is too long", directory);
	if (is_store(path))
		return 0;
	if (is_store(directory)) {
		snprintf(path, PLACE_MAX, "%s", directory);
		return 0;
	}
	if (access(directory, R_OK | X_OK))
		return err_set_errno(err, errno, "looking for a store in %s", directory);
	return err_set(err, ERR_NOT_FOUND, "there is no store in %s, nor in %s/store", directory,
		       directory);
}

/* Nor what mkfs makes at the top of a fresh file system. */
static bool counts(const char *name)
{
	static const char *const ignored[] = {".", "..", "lost+found", "store.partial"};
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (strcmp(name, ignored[i]) == 0)
			return false;
	return true;
}

int store_need_empty(const char *directory, struct err *err)
{
	DIR *dir = opendir(directory);
	int rc = 0;
	if (!dir)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "opening %s", directory);
	for (struct dirent *e = readdir(dir); e && !rc; e = readdir(dir))
		if (counts(e->d_name))
			rc = err_set(err, ERR_EXISTS,
				     "%s is not empty (there is %.64s); give a new directory, or "
				     "move "
				     "what is in it away",
				     directory, e->d_name);
	closedir(dir);
	return rc;
}

/* ---- text ---- */

const char *store_size(struct size_text *out, uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;
	for (; value >= 1024 && unit < 4; unit++)
		value /= 1024;
	snprintf(out->text, sizeof(out->text), unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return out->text;
}

static uint64_t first_ns;
static bool shown;

void store_progress(const char *fmt, ...)
{
	va_list args;
	if (!isatty(STDERR_FILENO))
		return;
	if (!first_ns)
		first_ns = clock_mono_ns();
	if (clock_mono_ns() - first_ns < NS_PER_S)
		return;
	fprintf(stderr, "\r\033[K");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fflush(stderr);
	shown = true;
}

void store_progress_end(void)
{
	if (shown)
		fprintf(stderr, "\r\033[K");
	shown = false;
}
