/* `officemail relay test`: one conversation with the smarthost, or with the server of
 * a domain, up to RCPT, for the admin to read. Nothing is sent. */
#include "base/account.h"
#include "base/text.h"
#include "smtpd/mx.h"
#include "smtpd/terms.h"
#include "store/address.h"
#include "tools/command.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 30000 /* for each answer: somebody looks on */

static void show(void *arg, bool ours, struct slice line)
{
	(void)arg;
	printf("%s %.*s\n", ours ? ">" : "<", (int)line.len, line.at);
	fflush(stdout);
}

static int find_hosts(const struct config *config, const struct address *to, struct mx_hosts *hosts,
	struct err *e)
{
	if (config->smarthost[0])
		return mx_find_smarthost(config, hosts, e);
	char domain[ADDRESS_MAX];
	struct slice name = address_domain(to);
	snprintf(domain, sizeof(domain), "%.*s", (int)name.len, name.at);
	return mx_find(domain, config, hosts, e);
}

static int find_terms(const struct config *config, struct terms *terms, struct err *e)
{
	if (!config->smarthost[0]) {
		terms_of_mx(terms, config);
		return 0;
	}
	const char *path = config->relay_password_file;
	int fd = path[0] ? account_open(path, O_RDONLY | O_NONBLOCK, 0) : -1;
	if (path[0] && fd < 0)
		return err_set_errno(e, "%s", path);
	int done = terms_of_smarthost(terms, config, fd, e);
	if (fd >= 0)
		close(fd);
	return done;
}

static int speak(const struct config *config, const struct address *to, const struct mx_host *host,
	int fd, struct terms *terms, struct err *e)
{
	struct conn conn;
	struct client client;
	struct client_result result;
	const struct envelope_recipient recipient = {.address = slice_of(to->text)};
	const struct client_message question = {.sender = slice_of(config->postmaster),
		.recipients = &recipient,
		.recipient_count = 1};
	terms->client.server = host->name;
	terms->client.patience_ms = PATIENCE_MS;
	terms->client.heard = show;
	conn_open(&conn, fd);
	if (client_begin(&client, &conn, &terms->client) == 0)
		client_send(&client, &question, &result);
	else
		result = client.end;
	client_end(&client);
	conn_close(&conn);
	if (result.outcome != CLIENT_DONE)
		return err_set(e, ERR_DENIED, "%s %s %s: %s", host->name,
			result.outcome == CLIENT_FAILED ? "refuses" : "does not take now", to->text,
			result.reply);
	printf("%s would take mail for %s\n", host->name, to->text);
	return 0;
}

static int test(const struct config *config, const struct address *to, struct err *e)
{
	struct mx_hosts hosts;
	struct mx_host host;
	struct terms terms = {0};
	int fd, done = find_hosts(config, to, &hosts, e);
	if (done == 0)
		done = find_terms(config, &terms, e);
	if (done == 0)
		done = mx_connect(&hosts, NULL, &mx_patience, &host, &fd, e);
	if (done == 0) {
		printf("connected to %s\n", host.name);
		done = speak(config, to, &host, fd, &terms, e);
	}
	terms_free(&terms);
	return done;
}

int command_relay_test(struct command_line *line, struct err *e)
{
	static struct config config;
	struct address to;
	if (address_read(&to, slice_of(line->arguments[0]), e) < 0 ||
		office_read(line, &config, e) < 0 || account_assume(config.user, e) < 0)
		return -1;
	int done = test(&config, &to, e);
	account_resume();
	return done;
}
