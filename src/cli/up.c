/* SPDX-License-Identifier: Apache-2.0
 *
 * `cresset up`: a server and an agent for this host, as two processes that
 * speak OTLP gRPC over a Unix socket. The one that serves HTTP holds no
 * capability; the one that reads every process's memory serves nothing. */
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/privileges.h"
#include "collect/collect.h"
#include "server/server.h"

static const char up_usage[] =
	"Usage: cresset up [OPTIONS]\n\n"
	"Samples every process of this host, keeps the profiles on disk, and shows them as flame\n"
	"graphs in the browser. Needs root. Ctrl-C stops it; the data stays.\n";

#ifndef CAP_PERFMON /* linux/capability.h before 5.8 */
#define CAP_PERFMON 38
#define CAP_BPF	    39
#endif
#ifndef CAP_CHECKPOINT_RESTORE /* before 5.9 */
#define CAP_CHECKPOINT_RESTORE 40
#endif

/* What sampling every process takes: BPF programs and perf events; the other processes' /proc files, mapped
 * files and kernel addresses. */
static const int agent_capabilities[] = {CAP_BPF,	 CAP_PERFMON,
					 CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
					 CAP_SYSLOG,	 CAP_CHECKPOINT_RESTORE};

struct up {
	const char *listen, *data_dir, *rate, *log_level;
	uint64_t rate_hz;
	enum log_level level;
	char socket_dir[64], socket[128]; /* "unix:/run/cresset-XXXXXX/agent.sock" */
	struct child server, agent;
};

/* ---- the server's process ---- */

static int split_listen(const char *listen, struct server_http *http, struct err *err)
{
	struct str text = str_of(listen);
	ptrdiff_t colon = str_rfind_char(text, ':');
	uint64_t port = 0;
	if (colon < 0 || !str_to_u64(str_sub(text, (size_t)colon + 1, text.len), &port) ||
	    port > 65535)
		return err_set(err, ERR_INVALID,
			       "--listen=%s: give HOST:PORT, as in 127.0.0.1:4040 or :4040",
			       listen);
	struct str host = str_sub(text, 0, (size_t)colon);
	if (host.len > 1 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = str_sub(host, 1, host.len - 2);
	http->address = host;
	http->port = (uint16_t)port;
	return 0;
}

static int fill_server_config(const struct up *up, struct arena *arena,
			      struct server_config *config, struct err *err)
{
	int rc = server_config_default(arena, config, err);
	if (rc)
		return rc;
	config->data_path = str_of(up->data_dir);
	config->unix_socket = up->socket;
	config->service_from_executable = true;
	rc = split_listen(up->listen, &config->http, err);
	if (!rc && config->http.address.len) {
		config->http.address = arena_str(arena, config->http.address);
		if (!config->http.address.ptr)
			rc = err_set(err, ERR_NOMEM, "no memory");
	}
	return rc;
}

static void remove_places(const struct up *up)
{
	if (!up->socket_dir[0])
		return;
	(void)unlink(up->socket + strlen("unix:"));
	(void)rmdir(up->socket_dir);
}

static int run_server(void *user, int ready_fd, struct err *err)
{
	const struct up *up = user;
	struct arena arena;
	struct server_config config;
	struct server *server = NULL;
	arena_init(&arena, 0);
	prctl(PR_SET_NAME, "cresset-server");
	int rc = privileges_keep(NULL, 0, err);
	if (!rc)
		rc = fill_server_config(up, &arena, &config, err);
	if (!rc)
		rc = server_start(&config, &server, err);
	if (!rc) {
		child_ready(ready_fd, server_address(server));
		child_wait_stop();
	}
	server_stop(server);
	arena_deinit(&arena);
	remove_places(up); /* our parent does too, unless it was killed */
	return rc ? CLI_FAILED : CLI_OK;
}

/* ---- the agent's process ---- */

static const char agent_yaml[] = "yaml:{receivers: {profiling: {samples_per_second: %llu}}, "
				 "exporters: {otlp_grpc: {endpoint: 'unix://%s', "
				 "retry_on_failure: {initial_interval: 1s}, "
				 "tls: {insecure: true}}}, "
				 "service: {telemetry: {logs: {level: %s}}, pipelines: {profiles: "
				 "{receivers: [profiling], exporters: [otlp_grpc]}}}}";

static int run_agent(void *user, int ready_fd, struct err *err)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	const struct up *up = user;
	char config[1024];
	const char *configs[] = {config};
	const char *gates[] = {"service.profilesSupport"};
	const struct collect_options options = {.configs = configs,
						.config_count = 1,
						.feature_gates = gates,
						.feature_gate_count = 1};
	struct collect *collect = NULL;
	/* Kernels before 5.11 charge BPF maps against this limit; raising it takes a right given up below. */
	(void)setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
	/* Nor could its thread wake early on a busy host. */
	(void)setpriority(PRIO_PROCESS, 0, -10);
	prctl(PR_SET_NAME, "cresset-agent");
	snprintf(config, sizeof(config), agent_yaml, (unsigned long long)up->rate_hz,
		 up->socket + strlen("unix:"), levels[up->level]);
	int rc = privileges_keep(agent_capabilities,
				 sizeof(agent_capabilities) / sizeof(agent_capabilities[0]), err);
	if (!rc)
		rc = collect_load(&options, &collect, err);
	if (!rc)
		rc = collect_start(collect, err);
	if (!rc) {
		child_ready(ready_fd, "");
		child_wait_stop();
	}
	collect_stop(collect);
	return rc ? CLI_FAILED : CLI_OK;
}

/* ---- the parent ---- */

static int make_places(struct up *up, struct err *err)
{
	int rc = fd_make_dirs(up->data_dir, 0700, err);
	if (rc)
		return rc;
	const char *places[] = {"/run", "/tmp"};
	for (size_t i = 0; i < 2; i++) {
		snprintf(up->socket_dir, sizeof(up->socket_dir), "%s/cresset-XXXXXX", places[i]);
		if (!mkdtemp(up->socket_dir))
			continue;
		snprintf(up->socket, sizeof(up->socket), "unix:%s/agent.sock", up->socket_dir);
		return 0;
	}
	up->socket_dir[0] = '\0';
	return err_set(err, ERR_IO,
		       "no directory for the agent's socket: /run and /tmp are not writable");
}

static int check_host(struct err *err)
{
	struct agent_requirement rows[AGENT_REQUIREMENT_MAX];
	struct agent_config config;
	bool all = false;
	agent_config_init(&config);
	size_t count = agent_check(&config, rows, AGENT_REQUIREMENT_MAX, &all);
	for (size_t i = 0; !all && i < count; i++)
		if (rows[i].required && !rows[i].ok)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: %s; `cresset doctor` lists all that is needed",
				       rows[i].name, rows[i].text);
	return 0;
}

static int start_both(struct up *up, struct err *err)
{
	log_set_level(up->level);
	const struct child_role server = {"server", run_server, up};
	const struct child_role agent = {"agent", run_agent, up};
	int rc = child_start(&server, &up->server, err);
	if (!rc)
		rc = child_start(&agent, &up->agent, err);
	return rc;
}

static void say_ready(const struct up *up)
{
	struct str host = str_of(up->server.note);
	ptrdiff_t port = str_rfind_char(host, ':');
	bool every = str_starts_with(host, STR("[::]:")) || str_starts_with(host, STR("0.0.0.0:"));
	/* "Every address" is none that a browser can open. */
	printf("Cresset is watching every process of this host.\n\n"
	       "  Flame graphs  http://%s%s\n"
	       "  Data          %s\n"
	       "  Stop          Ctrl-C\n\n",
	       every ? "127.0.0.1" : "", every ? up->server.note + port : up->server.note,
	       up->data_dir);
	fflush(stdout);
	if (!str_starts_with(host, STR("127.")) && !str_starts_with(host, STR("[::1]")))
		log_warn("up", "anybody who reaches this address can see all profiles",
			 "address=%s hint=\"--listen=127.0.0.1:4040 keeps it on this host\"",
			 up->server.note);
}

/* Which of the two has ended, if one has. */
static struct child *ended(struct up *up, int *ret_status)
{
	for (;;) {
		pid_t pid = waitpid(-1, ret_status, WNOHANG);
		if (pid <= 0)
			return NULL;
		if (pid == up->server.pid)
			return &up->server;
		if (pid == up->agent.pid)
			return &up->agent;
	}
}

/* Until somebody wants us to stop, or one of the two ends by itself. */
static int watch(struct up *up, struct err *err)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		int sig = 0, status = 0;
		if (sigwait(&set, &sig) != 0)
			continue;
		if (sig != SIGCHLD)
			return 0;
		struct child *child = ended(up, &status);
		if (!child)
			continue;
		child->pid = 0;
		if (WIFSIGNALED(status))
			return err_set(err, ERR_INTERNAL, "the %s was ended by signal %d (%s)",
				       child->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
		return err_set(err, ERR_INTERNAL, "the %s ended by itself with status %d",
			       child->name, WEXITSTATUS(status));
	}
}

static int read_options(struct up *up, struct err *err)
{
	struct server_http http;
	if (!log_parse_level(up->log_level, &up->level))
		return err_set(err, ERR_INVALID,
			       "--log-level=%s: there are debug, info, warn, error", up->log_level);
	if (!str_to_u64(str_of(up->rate), &up->rate_hz) || up->rate_hz < 1 ||
	    up->rate_hz > AGENT_SAMPLES_PER_SECOND_MAX)
		return err_set(err, ERR_INVALID, "--samples-per-second=%s: give 1 to %d", up->rate,
			       AGENT_SAMPLES_PER_SECOND_MAX);
	return split_listen(up->listen, &http, err);
}

static int run_up(struct up *up, struct err *err)
{
	int rc = read_options(up, err);
	if (!rc)
		rc = check_host(err);
	if (!rc)
		rc = make_places(up, err);
	if (!rc)
		rc = start_both(up, err);
	if (!rc) {
		say_ready(up);
		rc = watch(up, err);
	}
	child_stop(&up->agent); /* its last window still goes to the server */
	child_stop(&up->server);
	remove_places(up);
	return rc == ERR_CANCELLED ? 0 : rc;
}

int cmd_up(int argc, char **argv)
{
	struct up up = {.listen = "127.0.0.1:4040",
			.data_dir = "/var/lib/cresset",
			.rate = "97",
			.log_level = "warn"};
	const struct option_row rows[] = {
		{"listen", "HOST:PORT", up.listen, "where the page and the API are", &up.listen,
		 NULL, NULL},
		{"data-dir", "DIR", up.data_dir, "where profiles are kept", &up.data_dir, NULL,
		 NULL},
		{"samples-per-second", "N", up.rate, "samples of each CPU per second", &up.rate,
		 NULL, NULL},
		{"log-level", "LEVEL", up.log_level, "debug, info, warn or error", &up.log_level,
		 NULL, NULL},
	};
	struct err err = {0};
	int rc = cli_options("up", up_usage, rows, sizeof(rows) / sizeof(rows[0]), argc, argv);
	if (rc)
		return rc < 0 ? CLI_OK : rc;
	cli_block_signals();
	return run_up(&up, &err) ? cli_fail("up", &err) : CLI_OK;
}
