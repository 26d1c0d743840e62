/* /proc/net/tcp tells the socket's inode, and a link in /proc/PID/fd whose it is. */
#include "tools/owner.h"
#include "base/syntax.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENS 0x0A

/* The address as it stands there: words of the machine's order, in hex. */
static void as_listed(char text[33], int family, const unsigned char *address)
{
	for (size_t i = 0; i < (family == AF_INET ? 1 : 4); i++) {
		uint32_t word;
		memcpy(&word, address + 4 * i, 4);
		snprintf(text + 8 * i, 9, "%08X", word);
	}
}

/* `wanted`: an address, "" for any. */
static bool is_in_the_way(const char *listed, const char *wanted)
{
	return !*wanted || strspn(listed, "0") == strlen(listed) || strcmp(listed, wanted) == 0;
}

static unsigned long find_inode(const char *table, uint16_t port, const char *wanted)
{
	char line[256], address[33];
	unsigned listed_port, state;
	unsigned long inode, found = 0;
	FILE *in = fopen(table, "re");
	while (in && found == 0 && fgets(line, sizeof(line), in))
		if (sscanf(line,
			    " %*[0-9]: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*s %*s %lu",
			    address, &listed_port, &state, &inode) == 4 &&
			state == LISTENS && listed_port == port && is_in_the_way(address, wanted))
			found = inode;
	if (in)
		fclose(in);
	return found;
}

static bool holds(const char *pid, const char *socket_name)
{
	char path[300], link[64];
	bool found = false;
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	DIR *fds = opendir(path);
	if (!fds)
		return false;
	for (struct dirent *entry; !found && (entry = readdir(fds));) {
		ssize_t len = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);
		link[len < 0 ? 0 : len] = '\0';
		found = strcmp(link, socket_name) == 0;
	}
	closedir(fds);
	return found;
}

static void read_name(struct owner *owner, const char *pid)
{
	char path[300];
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, owner->name, sizeof(owner->name) - 1) : -1;
	owner->name[len < 0 ? 0 : len] = '\0';
	owner->name[strcspn(owner->name, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
	if (!*owner->name)
		snprintf(owner->name, sizeof(owner->name), "another program");
	owner->pid = strtol(pid, NULL, 10);
}

static bool find_holder(struct owner *owner, unsigned long inode)
{
	char name[64];
	bool found = false;
	DIR *proc = opendir("/proc");
	snprintf(name, sizeof(name), "socket:[%lu]", inode);
	if (!proc)
		return false;
	for (struct dirent *entry; !found && (entry = readdir(proc));) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !holds(entry->d_name, name))
			continue;
		read_name(owner, entry->d_name);
		found = true;
	}
	closedir(proc);
	return found;
}

bool owner_find(struct owner *owner, struct slice listener)
{
	struct slice host;
	uint16_t port;
	char text[INET6_ADDRSTRLEN] = "", four[33] = "", six[33] = "";
	unsigned char address[16];
	if (!syntax_split_listener(listener, &host, &port))
		return false;
	if (host.len < sizeof(text) && host.len > 0)
		memcpy(text, host.at, host.len);
	if (inet_pton(AF_INET, text, address) == 1)
		as_listed(four, AF_INET, address);
	else if (inet_pton(AF_INET6, text, address) == 1)
		as_listed(six, AF_INET6, address);
	unsigned long inode = *six ? 0 : find_inode("/proc/net/tcp", port, four);
	if (inode == 0)
		inode = find_inode("/proc/net/tcp6", port, six);
	return inode != 0 && find_holder(owner, inode);
}
