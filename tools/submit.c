/* Both ends go by the directory's descriptor: sun_path holds 108 octets, and the
 * path may be longer. */
#include "tools/submit.h"
#include "base/listen.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define INSTALLED     "/etc/officemail/office.ini"
#define INSTALLED_RUN "/run/officemail"

static bool is_installed(const char *office_ini)
{
	char *whole = office_ini ? realpath(office_ini, NULL) : NULL;
	bool installed = !office_ini || strcmp(whole ? whole : office_ini, INSTALLED) == 0;
	free(whole);
	return installed;
}

const char *submit_directory(const char *office_ini, char path[CONFIG_PATH_MAX])
{
	const char *slash = office_ini ? strrchr(office_ini, '/') : NULL;
	int length = slash ? (int)(slash - office_ini) + 1 : 0;
	if (is_installed(office_ini))
		snprintf(path, CONFIG_PATH_MAX, INSTALLED_RUN);
	else
		snprintf(path, CONFIG_PATH_MAX, "%.*srun", length, office_ini);
	return path;
}

/* As it is asked for, whatever the umask. */
static int make_directory(const char *path)
{
	mode_t before = umask(022);
	int done = mkdir(path, 0755);
	umask(before);
	return done < 0 && errno != EEXIST ? -1 : 0;
}

int submit_listen(const char *office_ini, struct err *e)
{
	char path[CONFIG_PATH_MAX];
	struct stat there;
	submit_directory(office_ini, path);
	if (make_directory(path) < 0)
		return err_set_errno(e,
			"programs of this box cannot send: cannot make %s, which belongs to who "
			"starts "
			"the server (as root: install -d -m 755 -o ACCOUNT %s)",
			path, path);
	int directory = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0 || fstat(directory, &there) < 0) {
		err_set_errno(e, "%s", path);
		if (directory >= 0)
			close(directory);
		return -1;
	}
	int fd = -1;
	if (there.st_mode & (S_IWGRP | S_IWOTH))
		err_set(e, ERR_DENIED, "others may write in %s: chmod 755 %s", path, path);
	else
		fd = listen_unix(directory, SUBMIT_SOCKET, 0666, 0, 0, e);
	close(directory);
	return fd;
}

int submit_connect(const char *office_ini, struct err *e)
{
	char path[CONFIG_PATH_MAX];
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	submit_directory(office_ini, path);
	int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/" SUBMIT_SOCKET, directory);
	bool connected = directory >= 0 && fd >= 0 &&
			 connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
	int why = errno;
	if (directory >= 0)
		close(directory);
	if (connected)
		return fd;
	if (fd >= 0)
		close(fd);
	return err_set(e, ERR_GONE,
		"no server listens at %s/" SUBMIT_SOCKET " (%s): start it, and try again", path,
		strerror(why));
}
