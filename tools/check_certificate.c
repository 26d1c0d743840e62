/* The certificate that clients are shown, its key, and the key that signs mail. */
#include "base/account.h"
#include "base/text.h"
#include "base/tls.h"
#include "smtpd/terms.h"
#include "store/requests.h"
#include "tools/certificate.h"
#include "tools/check.h"
#include "tools/signing.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int open_pem(const struct config *config, const char *path, struct findings *findings)
{
	int fd = account_open(path, O_RDONLY, 0);
	if (fd >= 0)
		return fd;
	if (errno == EACCES && getuid() != 0)
		finding(findings, "%s: %s; ask again as root", path, strerror(errno));
	else if (errno == ENOENT && !*config->tls_certificate)
		finding(findings,
			"%s: %s; where neither it nor the other of the pair is there, the server "
			"makes both when it starts",
			path, strerror(errno));
	else
		finding(findings, "%s: %s; mend [tls] in %s", path, strerror(errno), config->file);
	return -1;
}

/* Would clients believe it? One that an authority has signed should lead there. */
static void check_signers(
	const struct tls_chain *chain, const char *path, struct findings *findings)
{
	struct tls_trust *trust = NULL;
	struct err e;
	if (tls_chain_is_self_signed(chain) || terms_read_authorities(&trust, &e) < 0)
		return;
	if (tls_chain_verify(chain, trust, &e) == 0)
		;
	else if (e.kind != ERR_MISSING)
		finding(findings,
			"%s: %s: put the server's own certificate first, and behind it each one "
			"that signed the one before (fullchain.pem of certbot)",
			path, e.text);
	else if (tls_chain_count(chain) == 1)
		finding(findings,
			"%s holds the server's certificate alone, and clients do not know who has "
			"signed it: put the signer's behind it (fullchain.pem of certbot, not "
			"cert.pem)",
			path);
	else
		warning(findings,
			"%s leads to no authority that this box knows: only clients that have been "
			"told of it believe it",
			path);
	tls_trust_free(trust);
}

static void check_chain(const struct config *config, const struct tls_chain *chain,
	const char *path, struct findings *findings)
{
	char when[TEXT_DATE_MAX];
	int64_t begins = tls_chain_begins(chain), now = time(NULL);
	if (begins > now)
		finding(findings,
			"%s is not valid before %s: wait, or set the clock of this box, if it is "
			"wrong",
			path, text_of_time(when, begins));
	if (tls_chain_names_late(chain, config->hostname) &&
		!tls_chain_names(chain, config->hostname))
		finding(findings,
			"%s is in the wrong order: the certificate of %s must stand first, and "
			"each one's signer behind it",
			path, config->hostname);
	else if (!tls_chain_names(chain, config->hostname))
		finding(findings,
			"%s does not name %s: clients will refuse it; get one that does, or mend "
			"[office] hostname",
			path, config->hostname);
	else if (begins <= now && tls_chain_expires(chain) >= now)
		check_signers(chain, path, findings);
}

static void check_key(int fd, const struct tls_chain *chain, const struct certificate_paths *paths,
	struct findings *findings)
{
	struct tls_key *key = NULL;
	struct stat what;
	struct err e;
	if (fstat(fd, &what) == 0 && what.st_mode & S_IRWXO)
		finding(findings, "%s can be read by every account of this box: `chmod o= %s`",
			paths->key, paths->key);
	if (tls_key_read(&key, fd, paths->key, &e) < 0) {
		finding(findings, "%s", e.text);
		return;
	}
	if (chain && memcmp(tls_chain_key_id(chain), tls_key_id(key), TLS_KEY_ID_SIZE) != 0)
		finding(findings, "%s is not the key of %s: put the two that belong together there",
			paths->key, paths->certificate);
	tls_key_free(key);
}

void check_certificate(const struct config *config, struct findings *findings)
{
	struct certificate_paths paths;
	struct tls_chain *chain = NULL;
	struct err e;
	certificate_find(config, &paths);
	int fd = open_pem(config, paths.certificate, findings);
	if (fd >= 0 && tls_chain_read(&chain, fd, paths.certificate, &e) < 0)
		finding(findings, "%s", e.text);
	if (chain)
		check_chain(config, chain, paths.certificate, findings);
	if (fd >= 0)
		close(fd);
	fd = open_pem(config, paths.key, findings);
	if (fd >= 0) {
		check_key(fd, chain, &paths, findings);
		close(fd);
	}
	tls_chain_free(chain);
}

void check_signing_key(const struct config *config, struct findings *findings)
{
	char path[SIGNING_PATH_MAX];
	struct tls_key *key = NULL;
	struct stat what;
	struct err e;
	signing_path(path, config->data, config->dkim_selector);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		finding(findings, "%s: %s; where it is absent, `officemail dns` makes it", path,
			strerror(errno));
		return;
	}
	if (fstat(fd, &what) == 0 && what.st_mode & (S_IRWXG | S_IRWXO))
		finding(findings, "%s is open to other accounts: `chmod 600 %s`", path, path);
	if (tls_key_read(&key, fd, path, &e) < 0)
		finding(findings, "%s", e.text);
	else if (tls_key_rsa_bits(key) < DKIM_BITS_LEAST)
		finding(findings,
			"%s cannot sign mail, which takes RSA and %d bits at least: take it away, "
			"and `officemail dns` makes another to publish",
			path, DKIM_BITS_LEAST);
	tls_key_free(key);
	close(fd);
}

void check_smarthost(const struct config *config, struct findings *findings)
{
	const char *path = config->relay_password_file;
	struct terms terms = {0};
	struct err e;
	if (!config->smarthost[0])
		return;
	int fd = *path ? account_open(path, O_RDONLY | O_NONBLOCK, 0) : -1;
	if (terms_of_smarthost(&terms, config, fd, &e) < 0)
		finding(findings, "%s", e.text);
	terms_free(&terms);
	if (fd >= 0)
		close(fd);
}
