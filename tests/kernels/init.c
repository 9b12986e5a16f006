/* The first process of the machine that tools/test-kernels boots: mounts what the agent needs, runs the
 * test, says how it ended on the console, and switches off. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void mount_at(const char *type, const char *path)
{
	(void)mkdir(path, 0755);
	if (mount(type, path, type, 0, NULL))
		printf("# mounting %s: %s\n", path, strerror(errno));
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);
	for (int i = 0; fd >= 0 && i <= 2; i++)
		(void)dup2(fd, i);
}

static int run_test(char **argv)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		execv(argv[0], argv);
		printf("# %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

int main(void)
{
	char *argv[] = {"/kernel_test", "/", NULL};
	mount_at("devtmpfs", "/dev");
	open_console();
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("tmpfs", "/tmp");
	int status = run_test(argv);
	printf("ended %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	fflush(stdout);
	(void)tcdrain(1);
	sync();
	(void)reboot(RB_POWER_OFF);
	return 1;
}
