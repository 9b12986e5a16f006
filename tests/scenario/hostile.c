/* SPDX-License-Identifier: Apache-2.0
 *
 * hostile CRESSET DATA_DIR LOG: a client that means ill, against a real `cresset
 * server`. It sends what no client should, to every endpoint, and holds the
 * server to what somebody honest would notice: it lives, it answers 4xx within
 * 5 s, its memory stays bounded, and who sends and asks properly meanwhile gets
 * exact totals. The seed is fixed; HOSTILE_SEED and HOSTILE_ROUNDS change what
 * is tried and how much. One "ok"/"not ok" line a group. */
#include "hostile.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Of the server, not under a sanitizer. What bombs unpack to is bounded by the message limit, 100 MiB,
 * for each of 4 workers. */
enum { RSS_PEAK_MAX_MIB = 1024, BAD_SHOWN = 5, BYTES_SHOWN = 96 };

static struct {
	pid_t pid;
	const char *log;
	char address[128];
} server;

unsigned failures;

/* ---- chance ---- */

static uint64_t rng_state;

uint64_t rng(void) /* xorshift64* */
{
	rng_state ^= rng_state >> 12;
	rng_state ^= rng_state << 25;
	rng_state ^= rng_state >> 27;
	return rng_state * 2685821657736338717ULL;
}

size_t below(size_t n)
{
	return (size_t)(rng() >> 16) % n;
}

unsigned rounds(unsigned count)
{
	const char *text = getenv("HOSTILE_ROUNDS");
	return text ? count * (unsigned)atoi(text) : count;
}

/* ---- verdicts ---- */

static void say(bool good, const char *sentence)
{
	printf("%s - %s\n", good ? "ok" : "not ok", sentence);
	failures += !good;
	fflush(stdout);
}

struct verdict verdict_begin(const char *sentence)
{
	return (struct verdict){.sentence = sentence};
}

static void show(struct str bytes)
{
	printf("    %zu bytes: ", bytes.len);
	for (size_t i = 0; i < bytes.len && i < BYTES_SHOWN; i++) {
		unsigned char c = (unsigned char)bytes.ptr[i];
		if (c >= ' ' && c < 127)
			putchar(c);
		else
			printf("\\x%02x", c);
	}
	putchar('\n');
}

void verdict_bad(struct verdict *verdict, const char *what, struct str bytes, const char *why)
{
	if (verdict->bad++ >= BAD_SHOWN)
		return;
	printf("    %s: %s\n", what, why);
	show(bytes);
}

static bool is_json(struct str text)
{
	json_t *json = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	json_decref(json);
	return json != NULL;
}

/* What bad input may not be answered with, or NULL. 501 and 505 say "not here", which is no failure. */
static const char *fault_of(const struct ask *ask, const struct reply *reply, bool may_close)
{
	static char text[160];
	struct str body = buf_text(&reply->body);
	bool json = ask->type && strstr(ask->type, "json");

	if (reply->hung || reply->took_ns > (uint64_t)HANG_MS * NS_PER_MS)
		return "no answer within 5 s";
	if (reply->status == 0)
		return may_close ? NULL : "closed without an answer";
	snprintf(text, sizeof(text), "status %d, gRPC status %d: %.100s", reply->status,
		 reply->grpc_status, body.len ? body.ptr : "");
	if (reply->status >= 500 && reply->status != 501 && reply->status != 505)
		return text;
	/* UNKNOWN, INTERNAL, UNAVAILABLE, DATA_LOSS (gRPC, statuscodes.md) */
	if (reply->grpc_status == 2 || (reply->grpc_status >= 13 && reply->grpc_status <= 15))
		return text;
	if (json && body.len > 0 && body.ptr[0] == '{' && !is_json(body))
		return "the answer's JSON is broken";
	return NULL;
}

void verdict_reply(struct verdict *verdict, const char *what, const struct ask *ask,
		   const struct reply *reply, bool may_close)
{
	const char *fault = fault_of(ask, reply, may_close);

	verdict->count++;
	verdict->closed += reply->status == 0;
	if (reply->took_ns > verdict->longest_ns)
		verdict->longest_ns = reply->took_ns;
	if (fault)
		verdict_bad(verdict, what, ask->body, fault);
}

/* "VmRSS:" or "VmHWM:", in MiB; 0 when it is gone. */
static unsigned memory_mib(const char *field)
{
	char path[64], line[256];
	unsigned kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", server.pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, field, strlen(field)) == 0)
			kib = (unsigned)atoi(line + strlen(field));
	if (file)
		fclose(file);
	return kib / 1024;
}

void verdict_end(const struct verdict *verdict)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "%s: %zu tried, %zu wrong, %zu without an answer, longest %llu ms, peak %u MiB",
		 verdict->sentence, verdict->count, verdict->bad, verdict->closed,
		 (unsigned long long)(verdict->longest_ns / NS_PER_MS), memory_mib("VmHWM:"));
	say(verdict->bad == 0 && verdict->count > 0, text);
}

/* ---- the server ---- */

static struct str read_log(struct arena *arena)
{
	struct buf text = {0};
	char piece[4096];
	size_t n;
	FILE *file = fopen(server.log, "re");

	while (file && (n = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_append(&text, piece, n);
	if (file)
		fclose(file);
	struct str kept = arena_str(arena, buf_text(&text));
	buf_deinit(&text);
	return kept;
}

static bool find_address(void)
{
	struct arena arena;

	arena_init(&arena, 0);
	struct str log = read_log(&arena);
	ptrdiff_t at = str_find(log, STR("address="));
	struct str rest = str_sub(log, at < 0 ? log.len : (size_t)at + 8, SIZE_MAX);
	size_t len = 0;
	while (len < rest.len && rest.ptr[len] != ' ' && rest.ptr[len] != '\n')
		len++;
	bool whole = len < rest.len;
	str_copy(server.address, sizeof(server.address), str_sub(rest, 0, len));
	arena_deinit(&arena);
	return whole;
}

static void server_start(const char *binary, const char *data_dir)
{
	char data[4096];

	snprintf(data, sizeof(data), "-pyroscopedb.data-path=%s", data_dir);
	unlink(server.log);
	server.pid = fork();
	if (server.pid == 0) {
		dup2(open(server.log, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600), 2);
		execl(binary, binary, "server", "-server.http-listen-address=127.0.0.1",
		      "-server.http-listen-port=0", data, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 300 && !find_address(); i++)
		usleep(100 * 1000);
	if (!server.address[0])
		die("the server did not start");
	target_address = server.address;
}

static bool has_sanitizer(void)
{
	char path[64], line[4096];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/maps", server.pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		found |= strstr(line, "libasan") != NULL;
	if (file)
		fclose(file);
	return found;
}

static void check_memory(unsigned before_mib, bool sanitized)
{
	unsigned now_mib = memory_mib("VmRSS:"), peak_mib = memory_mib("VmHWM:");
	char text[256];

	snprintf(text, sizeof(text),
		 "the server's memory is bounded: %u MiB before, %u MiB after, peak %u MiB%s",
		 before_mib, now_mib, peak_mib,
		 sanitized ? " (under a sanitizer: not judged)" : "");
	say(sanitized || peak_mib <= RSS_PEAK_MAX_MIB, text);
}

static void check_log(void)
{
	static const char *const reports[] = {"Sanitizer", "runtime error", "Assertion",
					      "corrupted", "stack smashing"};
	struct arena arena;
	bool clean = true;

	arena_init(&arena, 0);
	struct str log = read_log(&arena);
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		ptrdiff_t at = str_find(log, str_of(reports[i]));
		if (at >= 0 && clean)
			printf("%.*s\n",
			       STR_ARG(str_sub(log, at > 200 ? (size_t)at - 200 : 0, 4000)));
		clean &= at < 0;
	}
	say(clean, "the server's log has no sanitizer's report and no assertion");
	arena_deinit(&arena);
}

static void check_end(void)
{
	int status = 0;

	say(waitpid(server.pid, &status, WNOHANG) == 0, "the server is the process it was");
	kill(server.pid, SIGTERM);
	waitpid(server.pid, &status, 0);
	say(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "SIGTERM ends it with status 0, nothing leaked");
}

/* ---- the story ---- */

int main(int argc, char **argv)
{
	static void (*const attacks[])(void) = {attack_mutations, attack_http, attack_queries,
						attack_exports, attack_connections};
	const char *seed = getenv("HOSTILE_SEED");

	if (argc != 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	setvbuf(stdout, NULL, _IOLBF, 0);
	rng_state = seed ? strtoull(seed, NULL, 0) | 1 : 0x9e3779b97f4a7c15;
	server.log = argv[3];
	server_start(argv[1], argv[2]);
	bool sanitized = has_sanitizer();
	honest_start();
	unsigned before_mib = memory_mib("VmRSS:");
	attack_slow_begin();
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		attacks[i]();
		honest_check("meanwhile");
	}
	attack_slow_end();
	honest_stop();
	check_memory(before_mib, sanitized);
	check_end();
	check_log();
	return failures != 0;
}
