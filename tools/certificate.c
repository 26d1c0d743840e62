/* The certificate an office shows. */
#include "tools/certificate.h"
#include "base/cert.h"
#include "base/syntax.h"
#include "tools/file.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

void certificate_find(const struct config *config, struct certificate_paths *paths)
{
	if (*config->tls_certificate) {
		snprintf(paths->certificate, sizeof(paths->certificate), "%s",
			config->tls_certificate);
		snprintf(paths->key, sizeof(paths->key), "%s", config->tls_key);
	} else {
		snprintf(paths->certificate, sizeof(paths->certificate), "%s/tls/cert.pem",
			config->data);
		snprintf(paths->key, sizeof(paths->key), "%s/tls/key.pem", config->data);
	}
}

/* Clients on this box alone connect to "localhost" or an address. */
static bool is_local(const char *listeners)
{
	struct slice word;
	return config_word(listeners, 0, &word) && syntax_is_loopback(word);
}

int certificate_make(const struct config *config, struct err *e)
{
	char directory[CONFIG_PATH_MAX + 16];
	struct certificate_paths paths;
	certificate_find(config, &paths);
	if (*config->tls_certificate || access(paths.certificate, F_OK) == 0)
		return 0;
	if (access(paths.key, F_OK) == 0)
		return err_set(e, ERR_EXISTS,
			"%s is there, but %s is not; put the certificate there, or take the key "
			"away and a new pair is made",
			paths.key, paths.certificate);

	struct buf certificate = {0}, key = {0};
	snprintf(directory, sizeof(directory), "%s/tls", config->data);
	int result = cert_make_self_signed(config->hostname, is_local(config->pop3d_listen_tls),
		time(NULL), &certificate, &key, e);
	const struct file_new pair[2] = {
		{"key.pem", 0600, buf_slice(&key)}, {"cert.pem", 0600, buf_slice(&certificate)}};
	/* Both at once: one without the other would stop every later start. */
	if (result == 0)
		result = file_write_pair(directory, pair, e);
	buf_wipe(&key);
	buf_free(&certificate);
	return result < 0 ? -1 : 1;
}
