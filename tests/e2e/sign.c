/* sign KEY DOMAINS SELECTOR SPAN: the DKIM-Signature of the message on standard input, as
 * a delivery makes it, read SPAN octets at a time. Nothing where there is none. */
#include "base/tls.h"
#include "smtpd/dkim.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static size_t sign(
	const char *path, const unsigned char *digest, unsigned char signature[TLS_SIGNATURE_MAX])
{
	struct tls_key *key = NULL;
	struct err e;
	int fd = open(path, O_RDONLY);
	if (fd < 0 || tls_key_read(&key, fd, path, &e) < 0)
		return 0;
	size_t len = tls_key_sign_sha256(key, digest, signature);
	tls_key_free(key);
	close(fd);
	return len;
}

int main(int argc, char **argv)
{
	static struct config config;
	unsigned char digest[DIGEST_SIZE], signature[TLS_SIGNATURE_MAX];
	struct buf field = {0};
	if (argc != 5)
		return 2;
	snprintf(config.domains, sizeof(config.domains), "%s", argv[2]);
	snprintf(config.dkim_selector, sizeof(config.dkim_selector), "%s", argv[3]);
	size_t span = strtoul(argv[4], NULL, 10);
	char *octets = must_alloc(span);
	struct dkim *dkim = dkim_new();
	for (ssize_t got; (got = read(STDIN_FILENO, octets, span)) > 0;)
		dkim_take(dkim, (struct slice){octets, (size_t)got});
	if (dkim_digest(dkim, &config, time(NULL), &field, digest)) {
		size_t len = sign(argv[1], digest, signature);
		if (len == 0)
			return 1;
		dkim_add_signature(&field, (struct slice){(char *)signature, len});
		fwrite(field.at, 1, field.len, stdout);
	}
	dkim_free(dkim);
	buf_free(&field);
	free(octets);
	return 0;
}
