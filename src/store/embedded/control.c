#include "store/embedded/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	CLIENTS_MAX = 8,
	HELD_MAX = 4, /* checkpoints of one connection */
	LINE_MAX_BYTES = 256,
	SOCKET_MODE = 0600,
};

struct client {
	int fd; /* -1: free */
	char line[LINE_MAX_BYTES];
	size_t len;
	char held[HELD_MAX][CHECKPOINT_NAME_MAX + 1]; /* "": free */
};

struct control {
	struct store *store;
	pthread_t thread;
	int listen_fd, wake_fd;
	struct client clients[CLIENTS_MAX];
};

/* ---- the socket ---- */

/* A socket's address has room for 107 bytes of path; a longer one is reached through an open
 * directory. */
static int make_address(const char *directory, struct sockaddr_un *ret, int *ret_directory,
			struct err *err)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	*ret_directory = -1;
	int need = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/control", directory);
	if (need > 0 && (size_t)need < sizeof(ret->sun_path))
		return 0;
	*ret_directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_directory < 0)
		return err_set_errno(err, errno, "opening %s", directory);
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/control", *ret_directory);
	return 0;
}

int control_connect(const char *directory, int *ret_fd, struct err *err)
{
	struct sockaddr_un address;
	FD_AUTO int at = -1;
	FD_AUTO int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "making a socket");
	int rc = make_address(directory, &address, &at, err);
	if (rc)
		return rc;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return err_set_errno(err, errno == ECONNREFUSED ? ENOENT : errno,
				     "connecting to %s/control", directory);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* The store's lock is ours, so a socket that is there belongs to nobody. Linux makes the socket's file
 * with the mode of the unbound socket, so it is at no moment open to others. */
int control_listen(const char *directory, int *ret_fd, struct err *err)
{
	struct sockaddr_un address;
	FD_AUTO int at = -1;
	FD_AUTO int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "making a socket");
	int rc = make_address(directory, &address, &at, err);
	if (rc)
		return rc;
	(void)unlink(address.sun_path);
	if (fchmod(fd, SOCKET_MODE) || bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return err_set_errno(err, errno, "binding %s/control", directory);
	if (listen(fd, CLIENTS_MAX))
		return err_set_errno(err, errno, "listening on %s/control", directory);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* ---- requests ---- */

static void answer(const struct client *client, int rc, const char *note, const struct err *err)
{
	char text[ERR_TEXT_MAX + 16];
	int len = rc ? snprintf(text, sizeof(text), "error %s", err->text)
		     : snprintf(text, sizeof(text), "ok%s%s", *note ? " " : "", note);
	for (int i = 0; i < len; i++)
		if (text[i] == '\n')
			text[i] = ' ';
	text[len] = '\n';
	/* It may have gone; then there is nobody to tell. */
	(void)send(client->fd, text, (size_t)len + 1, MSG_NOSIGNAL);
}

static char *find_held(struct client *client, const char *name)
{
	for (size_t i = 0; i < HELD_MAX; i++)
		if (strcmp(client->held[i], name) == 0)
			return client->held[i];
	return NULL;
}

static int do_checkpoint(struct control *control, struct client *client, const char *name,
			 struct err *err)
{
	char *held = find_held(client, "");
	if (!held)
		return err_set(err, ERR_LIMIT, "a connection may hold %d checkpoints", HELD_MAX);
	int rc = checkpoint_take(control->store, name, err);
	if (!rc)
		snprintf(held, CHECKPOINT_NAME_MAX + 1, "%s", name);
	return rc;
}

static int do_release(struct control *control, struct client *client, const char *name,
		      struct err *err)
{
	char *held = *name ? find_held(client, name) : NULL;
	if (!held)
		return err_set(err, ERR_NOT_FOUND, "this connection holds no checkpoint \"%.80s\"",
			       name);
	*held = 0;
	return checkpoint_drop(control->store->path, name, err);
}

static const struct command {
	const char *word;
	int (*run)(struct control *control, struct client *client, const char *name,
		   struct err *err);
	const char *note; /* in front of the name in the answer, or NULL */
} commands[] = {
	{"checkpoint", do_checkpoint, "checkpoints/"},
	{"release", do_release, NULL},
};

static void obey(struct control *control, struct client *client, char *line)
{
	struct err err;
	char *name = strchr(line, ' '), note[LINE_MAX_BYTES + 16] = "";
	if (name)
		*name++ = 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].word, line) != 0)
			continue;
		int rc = commands[i].run(control, client, name ? name : "", &err);
		if (!rc && commands[i].note)
			snprintf(note, sizeof(note), "%s%s", commands[i].note, name);
		answer(client, rc, note, &err);
		return;
	}
	err_set(&err, ERR_INVALID, "there is no request \"%.80s\"; checkpoint NAME, release NAME",
		line);
	answer(client, ERR_INVALID, "", &err);
}

/* ---- connections ---- */

static void drop_held(struct control *control, const char *name)
{
	struct err err;
	if (checkpoint_drop(control->store->path, name, &err))
		log_warn("store", "a checkpoint that nobody needs stays until the next start",
			 "path=" LOG_Q " why=" LOG_Q, control->store->path, LOG_TEXT(err.text));
}

static void hang_up(struct control *control, struct client *client)
{
	for (size_t i = 0; i < HELD_MAX; i++)
		if (client->held[i][0])
			drop_held(control, client->held[i]);
	fd_close(&client->fd);
	*client = (struct client){.fd = -1};
}

static void welcome(struct control *control)
{
	int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++)
		if (control->clients[i].fd < 0) {
			control->clients[i].fd = fd;
			return;
		}
	fd_close(&fd); /* too many */
}

static void hear(struct control *control, struct client *client)
{
	ssize_t got =
		read(client->fd, client->line + client->len, sizeof(client->line) - client->len);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		hang_up(control, client);
		return;
	}
	client->len += (size_t)got;
	for (char *end; (end = memchr(client->line, '\n', client->len)) != NULL;) {
		size_t used = (size_t)(end - client->line) + 1;
		*end = 0;
		obey(control, client, client->line);
		memmove(client->line, client->line + used, client->len - used);
		client->len -= used;
	}
	if (client->len == sizeof(client->line))
		hang_up(control, client);
}

static void serve(struct control *control)
{
	struct pollfd fds[CLIENTS_MAX + 2] = {{.fd = control->wake_fd, .events = POLLIN},
					      {.fd = control->listen_fd, .events = POLLIN}};
	for (;;) {
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			fds[i + 2] =
				(struct pollfd){.fd = control->clients[i].fd, .events = POLLIN};
		if (poll(fds, CLIENTS_MAX + 2, -1) < 0)
			continue;
		if (fds[0].revents)
			return;
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			if (fds[i + 2].revents)
				hear(control, &control->clients[i]);
		if (fds[1].revents)
			welcome(control);
	}
}

static void *run(void *arg)
{
	struct control *control = arg;
	serve(control);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		hang_up(control, &control->clients[i]);
	return NULL;
}

/* ---- life ---- */

static void destroy(struct control *control)
{
	fd_close(&control->listen_fd);
	fd_close(&control->wake_fd);
	mem_free(control);
}

static int start(struct control *control, struct err *err)
{
	control->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (control->wake_fd < 0)
		return err_set_errno(err, errno, "making an eventfd");
	int rc = control_listen(control->store->path, &control->listen_fd, err);
	if (rc)
		return rc;
	int failed = pthread_create(&control->thread, NULL, run, control);
	return failed ? err_set_errno(err, failed, "starting the control thread") : 0;
}

int control_start(struct store *store, struct control **ret, struct err *err)
{
	struct err why;
	struct control *control = mem_zalloc(1, sizeof(*control));
	*ret = NULL;
	if (!control)
		return err_set(err, ERR_NOMEM, "control socket: no memory");
	control->store = store;
	control->listen_fd = control->wake_fd = -1;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		control->clients[i].fd = -1;
	checkpoint_drop_all(store->path);
	if (start(control, &why)) {
		log_warn("store",
			 "no control socket: `cresset store backup` works only while stopped",
			 "path=" LOG_Q " why=" LOG_Q, store->path, LOG_TEXT(why.text));
		destroy(control);
		return 0;
	}
	*ret = control;
	return 0;
}

void control_stop(struct control *control)
{
	char path[PLACE_MAX];
	const uint64_t one = 1;
	if (!control)
		return;
	while (write(control->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(control->thread, NULL);
	snprintf(path, sizeof(path), "%s/control", control->store->path);
	(void)unlink(path);
	destroy(control);
}
