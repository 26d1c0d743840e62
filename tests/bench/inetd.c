/* inetd ADDRESS PORT COMMAND...: runs the command for each connection, which is its stdin and
 * stdout. popa3d standing alone takes no more than 500 sessions in 10 seconds. */
#include "tests/bench/wire.h"
#include <arpa/inet.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int listen_at(const char *address, const char *port)
{
	struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (inet_pton(AF_INET, address, &place.sin_addr) != 1 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
		bind(fd, (struct sockaddr *)&place, sizeof(place)) < 0 || listen(fd, 1024) < 0)
		give_up("%s:%s: %s", address, port, strerror(errno));
	return fd;
}

static void serve(int fd, char **command)
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	int failed = posix_spawn(&(pid_t){0}, command[0], &actions, NULL, command, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failed)
		give_up("%s: %s", command[0], strerror(failed));
}

int main(int argc, char **argv)
{
	if (argc < 4)
		give_up("usage: inetd ADDRESS PORT COMMAND...");
	int listener = listen_at(argv[1], argv[2]);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			give_up("accept: %s", strerror(errno));
		serve(fd, argv + 3);
		close(fd);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
