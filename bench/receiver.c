/* Takes OTLP profiles in over gRPC and keeps each request as it came: the recorder behind bench/record.sh.
 *
 *	bench-receiver FILE      prints its address, ends with SIGTERM or SIGINT
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/net.h"
#include "server/ingest.h"

enum { MESSAGE_MAX = 64 * 1024 * 1024 };

struct receiver {
	pthread_mutex_t lock;
	int fd;
	unsigned requests;
};

static int keep(struct receiver *receiver, struct str message, struct err *err)
{
	const unsigned char head[4] = {
		(unsigned char)message.len,
		(unsigned char)(message.len >> 8),
		(unsigned char)(message.len >> 16),
		(unsigned char)(message.len >> 24),
	};
	pthread_mutex_lock(&receiver->lock);
	int rc = fd_write_all(receiver->fd, head, sizeof(head), err);
	rc = rc ? rc : fd_write_all(receiver->fd, message.ptr, message.len, err);
	receiver->requests += !rc;
	pthread_mutex_unlock(&receiver->lock);
	return rc;
}

static void take(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct str message;
	struct err err;
	int rc = net_grpc_message(request, MESSAGE_MAX, &message, &err);
	rc = rc ? rc : keep(user, message, &err);
	if (rc)
		net_grpc_error(answer, &err, -1);
	else
		net_grpc_answer(answer, STR(""));
}

static int serve(struct receiver *receiver, struct err *err)
{
	const struct net_route route = {.method = "POST",
					.path = INGEST_GRPC_PATH,
					.handler = take,
					.user = receiver};
	struct net_server_config config = {.listen = "127.0.0.1:0",
					   .routes = &route,
					   .route_count = 1};
	struct net_server *server;
	sigset_t signals;
	int caught;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	net_limits_default(&config.limits);
	int rc = net_server_start(&config, &server, err);
	if (rc)
		return rc;
	printf("%s\n", net_server_address(server));
	fflush(stdout);
	sigwait(&signals, &caught);
	net_server_stop(server);
	return 0;
}

int main(int argc, char **argv)
{
	struct receiver receiver = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct err err;
	if (argc != 2) {
		fprintf(stderr, "usage: bench-receiver FILE\n");
		return 2;
	}
	receiver.fd = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	if (receiver.fd < 0) {
		perror(argv[1]);
		return 1;
	}
	if (serve(&receiver, &err)) {
		fprintf(stderr, "bench-receiver: %s\n", err.text);
		return 1;
	}
	fprintf(stderr, "%u requests\n", receiver.requests);
	close(receiver.fd);
	return receiver.requests == 0;
}
