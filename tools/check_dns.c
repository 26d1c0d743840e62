/* `check --dns`. A child asks and reads what name servers say: it has the office's account
 * for good, and holds nothing but the pipe into which it writes its sentences, a line each. */
#include "base/account.h"
#include "base/child.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "tools/check.h"
#include "tools/dns_asking.h"
#include "tools/records.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 180000
#define WARNING     "warning: " /* as finding.c prints it */

/* ---- in the child ---- */

bool asking_look(struct asking *asking, const char *name, enum lookup_kind kind, struct buf *texts)
{
	if (lookup(name, kind, texts) != MX_LATER)
		return true;
	finding(asking->findings, "DNS does not answer about %s: ask again later", name);
	return false;
}

/* Is there a resolver at all? It may know nothing of our name. */
static bool is_alive(const struct config *config)
{
	struct buf texts = {0};
	bool alive =
		mx_lookup_begin() && (lookup(config->hostname, LOOKUP_A, &texts) != MX_LATER ||
					     lookup("example.com", LOOKUP_A, &texts) != MX_LATER);
	buf_free(&texts);
	return alive;
}

static void ask(const struct config *config, struct slice public_key, struct findings *findings)
{
	struct asking asking = {.config = config, .findings = findings, .public_key = public_key};
	struct slice word;
	if (!is_alive(config)) {
		finding(findings, "DNS does not answer at all: see which servers /etc/resolv.conf "
				  "names, and whether this box reaches them");
		return;
	}
	asking_host(&asking);
	for (size_t n = 0; config_word(config->domains, n, &word); n++) {
		char domain[CONFIG_NAME_MAX];
		snprintf(domain, sizeof(domain), "%.*s", (int)word.len, word.at);
		asking_domain(&asking, domain);
		fflush(stdout);
	}
}

static _Noreturn void be_child(const struct config *config, struct slice public_key,
	const struct sandbox_account *account, int end, pid_t parent)
{
	struct findings findings = {0};
	struct err e;
	account_resume();
	if (dup2(end, STDOUT_FILENO) < 0)
		_exit(1);
	child_keep_only(&end, 0);
	if (sandbox_take_account(account, parent, &e) < 0)
		finding(&findings, "%s", e.text);
	else
		ask(config, public_key, &findings);
	_exit(fflush(stdout) != 0);
}

/* ---- in the parent ---- */

static void take_lines(struct buf *heard, struct findings *findings)
{
	for (;;) {
		struct slice rest = buf_slice(heard);
		size_t len = slice_find(rest, '\n');
		struct slice line = {rest.at, len};
		struct slice soon = SLICE(WARNING);
		if (len == rest.len)
			return;
		if (slice_has_prefix(line, soon))
			warning(findings, "%.*s", (int)(len - soon.len), line.at + soon.len);
		else
			finding(findings, "%.*s", (int)len, line.at);
		buf_drop(heard, len + 1);
	}
}

/* True when the child has said all. */
static bool listen_to(int end, struct findings *findings)
{
	const int64_t until = text_monotonic_ms() + PATIENCE_MS;
	struct buf heard = {0};
	ssize_t got = 1;
	while (got > 0) {
		struct pollfd wait = {.fd = end, .events = POLLIN};
		int64_t left = until - text_monotonic_ms();
		int ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		got = ready > 0 ? read(end, buf_reserve(&heard, 4096), 4096) : -1;
		if (got > 0)
			heard.len += (size_t)got;
		take_lines(&heard, findings);
	}
	buf_free(&heard);
	return got == 0;
}

static void wait_for(const struct config *config, pid_t child, int end, struct findings *findings)
{
	int status = 0;
	bool heard = listen_to(end, findings);
	kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!heard)
		finding(findings, "DNS takes too long to answer about %s: ask again later",
			config->domains);
}

void check_dns(const struct config *config, struct findings *findings)
{
	struct buf public_key = {0};
	struct sandbox_account account = {0};
	struct err e;
	const pid_t parent = getpid();
	int ends[2];
	if (records_read_key(config, &public_key, &e) < 0)
		buf_clear(&public_key); /* why has been told */
	if (getuid() == 0 && account_find(config->user, &account.uid, &account.gid, &e) < 0) {
		buf_free(&public_key);
		return; /* it has been told */
	}
	pid_t child = pipe2(ends, 0) < 0 ? -1 : fork();
	if (child == 0)
		be_child(config, buf_slice(&public_key), &account, ends[1], parent);
	if (child < 0) {
		finding(findings, "DNS cannot be asked: %s; try again when the box has less to do",
			strerror(errno));
	} else {
		close(ends[1]);
		wait_for(config, child, ends[0], findings);
		close(ends[0]);
	}
	buf_free(&public_key);
}
