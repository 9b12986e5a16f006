#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

enum { BACKLOG = 1024, HOST_MAX = 256, PORT_MAX = 8 };

struct str addr_unix_path(struct str text)
{
	if (!str_starts_with(text, STR("unix:")))
		return (struct str){NULL, 0};
	text = str_sub(text, 5, text.len);
	return str_starts_with(text, STR("//")) ? str_sub(text, 2, text.len) : text;
}

int addr_split(struct str text, struct str *ret_host, struct str *ret_port, struct err *err)
{
	ptrdiff_t colon = str_rfind_char(text, ':');
	uint64_t port;

	if (colon < 0 || !str_to_u64(str_sub(text, (size_t)colon + 1, text.len), &port) ||
	    port > 65535)
		return err_set(err, ERR_INVALID,
			       "address \"%.*s\": write it as HOST:PORT with a port of 0 to 65535",
			       STR_ARG(text));
	struct str host = str_sub(text, 0, (size_t)colon);
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = str_sub(host, 1, host.len - 2);
	else if (str_find_char(host, ':') >= 0)
		return err_set(err, ERR_INVALID,
			       "address \"%.*s\": write an IPv6 address in brackets, [::1]:4040",
			       STR_ARG(text));
	*ret_host = host;
	*ret_port = str_sub(text, (size_t)colon + 1, text.len);
	return 0;
}

static int resolve(struct str text, struct addrinfo **ret, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct str host, port;
	char host_text[HOST_MAX], port_text[PORT_MAX];
	int code = addr_split(text, &host, &port, err);

	if (code)
		return code;
	str_copy(host_text, sizeof(host_text), host);
	str_copy(port_text, sizeof(port_text), port);
	/* Every address: one IPv6 socket takes IPv4 too; without IPv6 the second try is IPv4. */
	hints.ai_family = host.len ? AF_UNSPEC : AF_INET6;
	int failure = getaddrinfo(host.len ? host_text : NULL, port_text, &hints, ret);
	if (failure && host.len == 0) {
		hints.ai_family = AF_INET;
		failure = getaddrinfo(NULL, port_text, &hints, ret);
	}
	if (failure)
		return err_set(err, ERR_INVALID, "address \"%.*s\": %s", STR_ARG(text),
			       gai_strerror(failure));
	return 0;
}

static int bind_error(struct err *err, int errno_value, const char *listen)
{
	if (errno_value == EADDRINUSE)
		return err_set(err, ERR_EXISTS,
			       "listening on %s: the address is taken by another program; stop it "
			       "or choose another port",
			       listen);
	if (errno_value == EADDRNOTAVAIL)
		return err_set(err, ERR_INVALID, "listening on %s: this host has no such address",
			       listen);
	return err_set_errno(err, errno_value, "listening on %s", listen);
}

static int open_tcp(const struct addrinfo *info)
{
	int one = 1, zero = 0;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* ":4040" where the kernel has no IPv6. */
static int open_any(const struct addrinfo *info)
{
	int fd = open_tcp(info);

	if (fd >= 0 || errno != EAFNOSUPPORT || info->ai_family != AF_INET6)
		return fd;
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	v4.sin_port = ((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_port;
	struct addrinfo again = {.ai_family = AF_INET,
				 .ai_addr = (struct sockaddr *)&v4,
				 .ai_addrlen = sizeof(v4)};
	return open_tcp(&again);
}

static void describe(struct addr_listener *listener)
{
	struct sockaddr_storage bound = {0};
	socklen_t len = sizeof(bound);
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

	getsockname(listener->fd, (struct sockaddr *)&bound, &len);
	getnameinfo((struct sockaddr *)&bound, len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	bool v6 = bound.ss_family == AF_INET6;
	snprintf(listener->text, sizeof(listener->text), "%s%.150s%s:%.8s", v6 ? "[" : "", host,
		 v6 ? "]" : "", port);
}

static int listen_tcp(const char *listen, struct addr_listener *ret, struct err *err)
{
	struct addrinfo *info;
	int code = resolve(str_of(listen), &info, err);

	if (code)
		return code;
	int fd = listen[0] == ':' ? open_any(info) : open_tcp(info);
	int saved = errno;
	freeaddrinfo(info);
	if (fd < 0)
		return bind_error(err, saved, listen);
	ret->fd = fd;
	describe(ret);
	return 0;
}

/* Nobody answers at a socket file that a killed server left behind. */
static bool is_stale(const struct sockaddr_un *addr)
{
	FD_AUTO int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0 || lstat(addr->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	return connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0 &&
	       errno == ECONNREFUSED;
}

static int bind_unix(int fd, const struct sockaddr_un *addr)
{
	const struct sockaddr *any = (const struct sockaddr *)addr;

	if (bind(fd, any, sizeof(*addr)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -1;
	if (!is_stale(addr)) {
		errno = EADDRINUSE;
		return -1;
	}
	unlink(addr->sun_path);
	return bind(fd, any, sizeof(*addr));
}

static int listen_unix(struct str path, struct addr_listener *ret, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	FD_AUTO int fd = -1;

	if (path.len == 0 || path.len >= sizeof(addr.sun_path))
		return err_set(err, ERR_INVALID,
			       "address \"unix:%.*s\": the path must have 1 to %zu bytes",
			       STR_ARG(path), sizeof(addr.sun_path) - 1);
	str_copy(addr.sun_path, sizeof(addr.sun_path), path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* On Linux the file gets the mode that the socket has when it is bound, less the umask:
	 * never more open than wanted, not even for a moment. */
	if (fd < 0 || fchmod(fd, 0660) != 0 || bind_unix(fd, &addr) != 0 ||
	    chmod(addr.sun_path, 0660) != 0 || listen(fd, BACKLOG) != 0)
		return bind_error(err, errno, addr.sun_path);
	snprintf(ret->text, sizeof(ret->text), "unix:%s", addr.sun_path);
	ret->fd = fd;
	fd = -1;
	return 0;
}

int addr_listen(const char *listen, struct addr_listener *ret, struct err *err)
{
	struct addr_listener listener = {.fd = -1};
	struct str path = addr_unix_path(str_of(listen));
	int code;

	listener.is_unix = path.ptr != NULL;
	if (listener.is_unix)
		code = listen_unix(path, &listener, err);
	else
		code = listen_tcp(listen, &listener, err);
	if (!code)
		*ret = listener;
	return code;
}
