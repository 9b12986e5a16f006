/* The harness's server as a program: "serve clear" or "serve tls" prints its address, its Unix
 * socket's path and the CA file, and serves until it is killed or a minute is over. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

int main(int argc, char **argv)
{
	struct harness harness;
	char listen[128];
	sigset_t ending;
	struct timespec minute = {.tv_sec = 60};

	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	harness_start(&harness, NULL, argc > 1 && strcmp(argv[1], "tls") == 0);
	snprintf(listen, sizeof(listen), "unix:%s", harness.unix_path);
	if (net_server_listen(harness.server, listen, NULL))
		return 1;
	printf("localhost:%d %s %s\n", harness.port, harness.unix_path,
	       harness.cert_file[0] ? harness.cert_file : "-");
	fflush(stdout);
	sigtimedwait(&ending, NULL, &minute);
	harness_stop(&harness);
	return 0;
}
