/* Listeners that cannot be bound, and who is in their place. */
#include "base/listen.h"
#include "base/syntax.h"
#include "tools/check.h"
#include "tools/owner.h"
#include "tools/submit.h"
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Servers of mail that Debian may have installed and started. */
static const struct {
	const char *process, *unit;
} others[] = {{"exim4", "exim4"}, {"master", "postfix"}, {"sendmail-mta", "sendmail"},
	{"smtpd", "opensmtpd"}, {"dovecot", "dovecot"}, {"pop3-login", "dovecot"},
	{"couriertcpd", "courier-pop"}, {"systemd", NULL}};

static const char *unit_of(const char *process)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(others[i].process, process) == 0)
			return others[i].unit;
	return NULL;
}

static void tell_owner(const struct config *config, const char *section, const char *key,
	struct slice listener, const struct err *e, struct findings *findings)
{
	struct owner owner;
	if (e->kind != ERR_IN_USE || !owner_find(&owner, listener)) {
		finding_in(findings, config, section, key, "%s", e->text);
		return;
	}
	const char *unit = unit_of(owner.name);
	if (unit)
		finding_in(findings, config, section, key,
			"%.*s is in use by %s (process %ld): `systemctl disable --now %s`, or give "
			"another port",
			(int)listener.len, listener.at, owner.name, owner.pid, unit);
	else
		finding_in(findings, config, section, key,
			"%.*s is in use by %s (process %ld): stop it (`systemctl status %ld` tells "
			"what has started it), or give another port",
			(int)listener.len, listener.at, owner.name, owner.pid, owner.pid);
}

static void check_list(const struct config *config, const char *section, const char *key,
	const char *list, bool served, struct findings *findings)
{
	struct slice word;
	for (size_t n = 0; config_word(list, n, &word); n++) {
		char one[CONFIG_LIST_MAX];
		int fds[LISTENERS_MAX];
		size_t count = 0;
		struct err e;
		snprintf(one, sizeof(one), "%.*s", (int)word.len, word.at);
		/* Denied, too, is what the server has long opened as root. */
		if (listen_open(one, 0, 0, fds, &count, &e) < 0 &&
			!(served && (e.kind == ERR_IN_USE || e.kind == ERR_DENIED)))
			tell_owner(config, section, key, word, &e, findings);
		while (count > 0)
			close(fds[--count]);
	}
}

/* Not bound for a try: that would put another socket in the place of one in use. */
static void check_lmtp(const struct config *config, struct findings *findings)
{
	const char *path = config->smtpd_lmtp;
	char above[CONFIG_LIST_MAX];
	struct stat what;
	snprintf(above, sizeof(above), "%s", path);
	dirname(above);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		finding_in(findings, config, "smtpd", "lmtp",
			"%s is too long for a socket, which takes %zu octets: name a shorter path",
			path, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	else if (stat(above, &what) < 0 || !S_ISDIR(what.st_mode))
		finding_in(findings, config, "smtpd", "lmtp",
			"the directory %s is not there: `mkdir %s`, or name another path", above,
			above);
	else if (lstat(path, &what) == 0 && !S_ISSOCK(what.st_mode))
		finding_in(findings, config, "smtpd", "lmtp",
			"%s is there and no socket: take it away, or name another path", path);
	else if (access(above, W_OK) < 0)
		finding_in(findings, config, "smtpd", "lmtp",
			"no socket can be made in %s (%s): let the account that starts the server "
			"write there, or name another path",
			above, strerror(errno));
}

/* Why it is not there the server says when it starts, in its log alone. */
static void check_submit(const struct config *config, struct findings *findings)
{
	struct err e;
	int fd = submit_connect(config->file, &e);
	if (fd >= 0)
		close(fd);
	else
		finding(findings,
			"%s: programs of this box cannot send; why the server's log says "
			"(no-sendmail)",
			e.text);
}

/* Where it is to be made, as the server will look at it. */
static void check_submit_directory(const struct config *config, struct findings *findings)
{
	char path[CONFIG_PATH_MAX];
	struct stat there;
	submit_directory(config->file, path);
	if (lstat(path, &there) != 0)
		return;
	if (!S_ISDIR(there.st_mode))
		finding(findings,
			"%s is no directory, and the socket by which programs of this box send "
			"belongs there: take it away",
			path);
	else if (there.st_mode & (S_IWGRP | S_IWOTH))
		finding(findings,
			"others may write in %s, so programs of this box cannot send: `chmod 755 "
			"%s`",
			path, path);
}

void check_ports(const struct config *config, int64_t server, struct findings *findings)
{
	bool served = server != 0;
	check_list(config, "smtpd", "listen", config->smtpd_listen, served, findings);
	if (config->smtpd_lmtp[0] == '/')
		check_lmtp(config, findings);
	else
		check_list(config, "smtpd", "lmtp", config->smtpd_lmtp, served, findings);
	check_list(config, "submission", "listen", config->submission_listen, served, findings);
	check_list(config, "submission", "listen_tls", config->submission_listen_tls, served,
		findings);
	check_list(config, "pop3d", "listen", config->pop3d_listen, served, findings);
	check_list(config, "pop3d", "listen_tls", config->pop3d_listen_tls, served, findings);
	if (served)
		check_submit(config, findings);
	else
		check_submit_directory(config, findings);
}
