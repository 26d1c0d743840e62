#include "tools/records.h"
#include "base/syntax.h"
#include "base/text.h"
#include "base/tls.h"
#include "tools/signing.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRING_MOST 255 /* octets in one string of a TXT record (RFC 1035, 3.3) */

unsigned records_public_port(const char *list)
{
	struct slice word, host;
	uint16_t port;
	for (size_t n = 0; config_word(list, n, &word); n++)
		if (!syntax_is_loopback(word) && syntax_split_listener(word, &host, &port))
			return port;
	return 0;
}

void records_services(
	const struct config *config, struct records_service services[RECORDS_SERVICES])
{
	const struct records_service all[RECORDS_SERVICES] = {
		{"_submissions._tcp", records_public_port(config->submission_listen_tls)},
		{"_submission._tcp", records_public_port(config->submission_listen)},
		{"_pop3s._tcp", records_public_port(config->pop3d_listen_tls)},
		{"_pop3._tcp", records_public_port(config->pop3d_listen)}};
	memcpy(services, all, sizeof(all));
}

int records_read_key(const struct config *config, struct buf *base64, struct err *e)
{
	char path[SIGNING_PATH_MAX];
	struct tls_key *key = NULL;
	struct buf der = {0};
	struct stat what;
	signing_path(path, config->data, config->dkim_selector);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(e,
			"%s cannot be opened (it is to be a plain file of the account that %s "
			"belongs to)",
			path, config->data);
	int result =
		fstat(fd, &what) == 0 && S_ISREG(what.st_mode)
			? tls_key_read(&key, fd, path, e)
			: err_set(e, ERR_INPUT,
				  "%s is no plain file: take it away, and another is made", path);
	close(fd);
	if (result == 0 && (tls_key_rsa_bits(key) == 0 || !tls_key_add_rsa_public(key, &der)))
		result = err_set(e, ERR_INPUT,
			"%s is no RSA key that could be published: take it away, and another is "
			"made",
			path);
	text_add_base64(base64, der.at, der.len);
	tls_key_free(key);
	buf_free(&der);
	return result;
}

void records_add_dkim(struct buf *out, struct slice base64, const char *before)
{
	struct buf value = {0};
	buf_add_text(&value, RECORDS_DKIM);
	buf_add_slice(&value, base64);
	for (struct slice rest = buf_slice(&value); rest.len > 0;
		rest = slice_from(rest, STRING_MOST))
		buf_printf(out, "%s\"%.*s\"", before,
			(int)(rest.len < STRING_MOST ? rest.len : STRING_MOST), rest.at);
	buf_free(&value);
}

bool records_is_private(int family, const unsigned char *a)
{
	static const unsigned char self[16] = {[15] = 1}, none[16];
	if (family == AF_INET)
		return a[0] == 0 || a[0] == 10 || a[0] == 127 || (a[0] == 172 && a[1] >> 4 == 1) ||
		       (a[0] == 192 && a[1] == 168) || (a[0] == 169 && a[1] == 254) ||
		       (a[0] == 100 && a[1] >> 6 == 1);
	return (a[0] & 0xFE) == 0xFC || (a[0] == 0xFE && a[1] >> 6 == 2) ||
	       memcmp(a, self, 16) == 0 || memcmp(a, none, 16) == 0;
}
