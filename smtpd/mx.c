/* Which hosts, in which order: found by a child, see mx.h. It says all of it in one
 * struct over a pipe, which is looked through here as a stranger's word would be. */
#include "smtpd/mx.h"
#include "base/child.h"
#include "base/syntax.h"
#include "base/text.h"
#include "smtpd/mx_lookup.h"
#include "smtpd/mx_self.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMTP_PORT   25
#define WAIT_MS     30000
#define ENOUGH_MS   15000 /* from then on those that have been found will do */
#define SHARE_LEAST 4     /* addresses of one name among several */

static int with_status(struct mx_hosts *hosts, const char *status, int failed)
{
	hosts->count = 0;
	snprintf(hosts->status, sizeof(hosts->status), "%s", status);
	return failed;
}

/* ---- in the child: a domain ---- */

static bool is_ours(const struct config *config, const struct mx_hosts *hosts, size_t from)
{
	for (size_t i = from; i < hosts->count; i++)
		if (mx_is_our_place(config, (const struct sockaddr *)&hosts->at[i].address))
			return true;
	return false;
}

static int is_loop(const char *domain, struct mx_hosts *hosts, struct err *e)
{
	return with_status(hosts, "5.4.6",
		err_set(e, ERR_LOOP,
			"mail for %s would come back to this server: the domain names it "
			"for its mail, and is not among `domains` here",
			domain));
}

/* Where the list has come to, when names of one preference begin. */
struct level {
	size_t count;
	bool later;
};

/* The addresses of all names, up to ourselves. */
static int look_up_hosts(const char *domain, const struct mx_answer *names,
	const struct config *config, struct mx_hosts *hosts, struct err *e)
{
	const int64_t enough_ms = text_monotonic_ms() + ENOUGH_MS;
	const size_t share = MX_HOSTS_MOST / names->count;
	struct level level = {0};
	bool later = false, ours = false;
	for (size_t i = 0; i < names->count && !ours; i++) {
		const char *name = names->at[i].name;
		const size_t before = hosts->count;
		if (i > 0 && names->at[i].preference != names->at[i - 1].preference)
			level = (struct level){hosts->count, later};
		if (hosts->count > 0 && text_monotonic_ms() > enough_ms)
			break;
		ours = mx_is_our_name(config, name);
		if (!ours)
			later |= mx_lookup_addresses(name, SMTP_PORT,
					 share > SHARE_LEAST ? share : SHARE_LEAST,
					 hosts) == MX_LATER;
		ours |= is_ours(config, hosts, before);
	}
	if (ours) {
		hosts->count = level.count;
		later = level.later;
	}
	if (hosts->count > 0)
		return 0;
	if (later)
		return with_status(hosts, "4.4.3",
			err_set(e, ERR_IO,
				"DNS does not tell the address of %s, which takes mail for %s",
				names->at[0].name, domain));
	if (ours)
		return is_loop(domain, hosts, e);
	return with_status(hosts, "5.4.4",
		err_set(e, ERR_MISSING, "no host takes mail for %s: %s has no address", domain,
			names->at[0].name));
}

static int find_literal(
	const char *domain, const struct config *config, struct mx_hosts *hosts, struct err *e)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(SMTP_PORT)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(SMTP_PORT)};
	const struct slice v6 = SLICE("IPv6:");
	char text[INET6_ADDRSTRLEN + 8] = "";
	size_t len = strlen(domain);
	if (len > 2 && len < sizeof(text) && domain[len - 1] == ']')
		memcpy(text, domain + 1, len - 2);
	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		mx_add_address(hosts, domain, (const struct sockaddr *)&four);
	else if (slice_equal_nocase((struct slice){text, v6.len}, v6) &&
		 inet_pton(AF_INET6, text + v6.len, &six.sin6_addr) == 1)
		mx_add_address(hosts, domain, (const struct sockaddr *)&six);
	if (hosts->count == 0)
		return with_status(hosts, "5.1.2",
			err_set(e, ERR_MISSING, "%s is no address of a host", domain));
	return is_ours(config, hosts, 0) ? is_loop(domain, hosts, e) : 0;
}

static int find(
	const char *domain, const struct config *config, struct mx_hosts *hosts, struct err *e)
{
	struct mx_answer names;
	if (domain[0] == '[')
		return find_literal(domain, config, hosts, e);
	if (!mx_is_name(domain))
		return with_status(hosts, "5.1.2",
			err_set(e, ERR_MISSING, "%s is no name that a domain can have", domain));
	switch (mx_lookup_begin() ? mx_lookup_names(domain, &names) : MX_LATER) {
	case MX_FOUND:
		break;
	case MX_NOTHING: /* RFC 5321, 5.1: the domain itself, as if its MX were 0 */
		names = (struct mx_answer){.count = 1, .records = 1};
		snprintf(names.at[0].name, sizeof(names.at[0].name), "%s", domain);
		break;
	case MX_NO_NAME:
		return with_status(
			hosts, "5.1.2", err_set(e, ERR_MISSING, "there is no domain %s", domain));
	case MX_LATER:
		return with_status(hosts, "4.4.3",
			err_set(e, ERR_IO, "DNS does not tell which hosts take mail for %s",
				domain));
	}
	if (names.refused)
		return with_status(hosts, "5.1.10",
			err_set(e, ERR_MISSING, "the domain %s takes no mail (null MX)", domain));
	if (names.count == 0)
		return with_status(hosts, "5.4.4",
			err_set(e, ERR_MISSING, "no MX record of %s names a host", domain));
	return look_up_hosts(domain, &names, config, hosts, e);
}

/* ---- in the child: a smarthost ---- */

static int find_smarthost(
	const char *host_port, const struct config *config, struct mx_hosts *hosts, struct err *e)
{
	struct slice host;
	uint16_t port;
	char name[MX_NAME_MAX];
	if (!syntax_split_listener(slice_of(host_port), &host, &port) || host.len == 0)
		return with_status(hosts, "4.4.4",
			err_set(e, ERR_IO,
				"the smarthost %s is no host:port: mend it in office.ini",
				host_port));
	snprintf(name, sizeof(name), "%.*s", (int)host.len, host.at);
	enum mx_said said = mx_lookup_addresses(name, port, MX_HOSTS_MOST, hosts);
	if (is_ours(config, hosts, 0))
		return with_status(hosts, "4.3.5",
			err_set(e, ERR_IO,
				"the smarthost %s is this server itself: name your provider's in "
				"office.ini, or none, and mail goes straight to its domains",
				host_port));
	if (hosts->count > 0)
		return 0;
	if (said == MX_LATER)
		return with_status(hosts, "4.4.3",
			err_set(e, ERR_IO, "DNS does not tell the address of the smarthost %s",
				name));
	return with_status(hosts, "4.4.4",
		err_set(e, ERR_IO,
			"the smarthost %s has no address: mend `smarthost` in office.ini, or its "
			"name in DNS",
			name));
}

/* ---- the child, and what it says ---- */

typedef int (*search_fn)(
	const char *what, const struct config *config, struct mx_hosts *hosts, struct err *e);

struct outcome {
	int found; /* 0 or -1 */
	struct mx_hosts hosts;
	struct err e;
};

/* It ends with its parent, and holds nothing of it but the pipe. */
static _Noreturn void be_child(
	search_fn search, const char *what, const struct config *config, int end, pid_t parent)
{
	static struct outcome outcome;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	child_keep_only(&end, 1);
	outcome.found = search(what, config, &outcome.hosts, &outcome.e);
	_exit(write(end, &outcome, sizeof(outcome)) != sizeof(outcome));
}

static bool is_word(const char *text, size_t size)
{
	size_t len = strnlen(text, size);
	return len > 0 && len < size && text_is_printable((struct slice){text, len}) &&
	       memchr(text, ' ', len) == NULL;
}

static bool is_host(const struct mx_host *host)
{
	return is_word(host->name, sizeof(host->name)) &&
	       ((host->address.ss_family == AF_INET &&
			host->length == sizeof(struct sockaddr_in)) ||
		       (host->address.ss_family == AF_INET6 &&
			       host->length == sizeof(struct sockaddr_in6)));
}

static bool is_error(const struct outcome *said)
{
	const struct err *e = &said->e;
	size_t len = strnlen(e->text, sizeof(e->text));
	return said->hosts.count == 0 && len > 0 && len < sizeof(e->text) &&
	       text_is_printable((struct slice){e->text, len}) &&
	       is_word(said->hosts.status, sizeof(said->hosts.status)) &&
	       (e->kind == ERR_MISSING || e->kind == ERR_LOOP || e->kind == ERR_IO);
}

static bool is_outcome(const struct outcome *said)
{
	if (said->found != 0)
		return said->found == -1 && is_error(said);
	for (size_t i = 0; i < said->hosts.count; i++)
		if (i == MX_HOSTS_MOST || !is_host(&said->hosts.at[i]))
			return false;
	return said->hosts.count > 0;
}

/* False: it has ended before, or said nothing in time. */
static bool listen_to(int end, struct outcome *said)
{
	const int64_t until = text_monotonic_ms() + WAIT_MS;
	size_t len = 0;
	while (len < sizeof(*said)) {
		struct pollfd wait = {.fd = end, .events = POLLIN};
		int64_t left = until - text_monotonic_ms();
		int ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		ssize_t got = ready > 0 ? read(end, (char *)said + len, sizeof(*said) - len) : 0;
		if (got <= 0)
			return false;
		len += (size_t)got;
	}
	return true;
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

static int ask(search_fn search, const char *what, const struct config *config,
	struct mx_hosts *hosts, struct err *e)
{
	static struct outcome said;
	const pid_t parent = getpid();
	int ends[2];
	memset(hosts, 0, sizeof(*hosts));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return with_status(hosts, "4.3.0", err_set_errno(e, "cannot ask DNS"));
	pid_t child = fork();
	if (child == 0)
		be_child(search, what, config, ends[1], parent);
	int why = errno;
	close(ends[1]);
	bool heard = child > 0 && listen_to(ends[0], &said);
	close(ends[0]);
	if (child < 0) {
		errno = why;
		return with_status(hosts, "4.3.0", err_set_errno(e, "cannot ask DNS"));
	}
	end_child(child);
	if (!heard || !is_outcome(&said))
		return with_status(
			hosts, "4.4.3", err_set(e, ERR_IO, "DNS does not answer about %s", what));
	*hosts = said.hosts;
	if (said.found < 0)
		*e = said.e;
	return said.found;
}

int mx_find(const char *domain, const struct config *config, struct mx_hosts *hosts, struct err *e)
{
	return ask(find, domain, config, hosts, e);
}

int mx_find_smarthost(const struct config *config, struct mx_hosts *hosts, struct err *e)
{
	return ask(find_smarthost, config->smarthost, config, hosts, e);
}
