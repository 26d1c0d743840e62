/* A server that is told a password, or all of the office's mail, must be the one it
 * should be; one that only a domain's DNS names may be anybody. */
#include "smtpd/terms.h"
#include "base/syntax.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUTHORITIES "/etc/ssl/certs/ca-certificates.crt" /* Debian's ca-certificates */

static uint16_t port_of(const char *smarthost)
{
	struct slice host;
	uint16_t port;
	return syntax_split_listener(slice_of(smarthost), &host, &port) ? port : 0;
}

int terms_read_authorities(struct tls_trust **trust, struct err *e)
{
	int fd = open(AUTHORITIES, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(e, AUTHORITIES " (apt-get install ca-certificates)");
	int done = tls_trust_read(trust, fd, AUTHORITIES, e);
	close(fd);
	return done;
}

static int read_password(
	struct terms *terms, const struct config *config, int password_fd, struct err *e)
{
	const char *path = config->relay_password_file;
	struct stat what;
	ssize_t len = -1;
	if (password_fd >= 0 && fstat(password_fd, &what) == 0 &&
		what.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, ERR_DENIED,
			"%s can be read by other accounts, and is not used: `chmod 600 %s`", path,
			path);
	if (password_fd >= 0)
		len = pread(password_fd, terms->password, sizeof(terms->password) - 1, 0);
	terms->password[len < 0 ? 0 : len] = '\0';
	terms->password[strcspn(terms->password, "\r\n")] = '\0';
	if (terms->password[0])
		return 0;
	if (!path[0])
		return err_set(e, ERR_INPUT,
			"[relay] user without password_file in %s: a login needs both",
			config->file);
	return err_set(e, ERR_INPUT,
		"%s holds the password of %s, and is not there, has nothing in its first line or "
		"can be read by others (`chmod 600 %s`)",
		path, config->relay_user, path);
}

int terms_of_smarthost(
	struct terms *terms, const struct config *config, int password_fd, struct err *e)
{
	terms_of_mx(terms, config);
	terms->client.tls = client_tls_to_smarthost(config->relay_tls, port_of(config->smarthost));
	if (terms->client.tls != CLIENT_TLS_NEVER && terms_read_authorities(&terms->trust, e) < 0)
		return -1;
	terms->client.trust = terms->trust;
	if (!config->relay_user[0])
		return 0;
	if (read_password(terms, config, password_fd, e) < 0)
		return -1;
	terms->client.user = config->relay_user;
	terms->client.password = slice_of(terms->password);
	return 0;
}

void terms_of_mx(struct terms *terms, const struct config *config)
{
	memset(terms, 0, sizeof(*terms));
	terms->client.hostname = config->hostname;
	terms->client.tls = CLIENT_TLS_OFFERED;
}

void terms_forget(struct terms *terms)
{
	wipe(terms->password, sizeof(terms->password));
	terms->client.password = SLICE("");
}

void terms_free(struct terms *terms)
{
	terms_forget(terms);
	tls_trust_free(terms->trust);
}
