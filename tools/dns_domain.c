/* A domain as DNS has it: where its mail goes, who may send for it, and what mail programs
 * find. */
#include "base/syntax.h"
#include "smtpd/mx_self.h"
#include "smtpd/spf.h"
#include "tools/dns_asking.h"
#include "tools/records.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_ (2 * CONFIG_NAME_MAX)

/* ---- mail to us ---- */

struct leading {
	const char *best; /* NULL: no MX */
	long best_preference, ours;
	bool leads_here;
};

/* Has the host an address that our own name has? */
static bool shares_address(struct asking *asking, const char *host, enum lookup_kind kind)
{
	struct buf texts = {0};
	const char *text;
	bool found = false;
	lookup(host, kind, &texts);
	struct slice rest = buf_slice(&texts);
	while (!found && lookup_next(&rest, &text))
		for (size_t i = 0; i < asking->count; i++)
			found |= strcmp(text, asking->published[i].text) == 0;
	buf_free(&texts);
	return found;
}

static bool is_here(struct asking *asking, const char *host)
{
	return mx_is_our_name(asking->config, host) || shares_address(asking, host, LOOKUP_A) ||
	       shares_address(asking, host, LOOKUP_AAAA);
}

static void find_best(struct asking *asking, struct slice records, struct leading *leading)
{
	const char *text;
	while (lookup_next(&records, &text)) {
		char *host;
		long preference = strtol(text, &host, 10);
		host += *host == ' ';
		bool ours = *host && is_here(asking, host);
		if (!leading->best || preference < leading->best_preference) {
			leading->best = host;
			leading->best_preference = preference;
		}
		if (ours && (!leading->leads_here || preference < leading->ours))
			leading->ours = preference;
		leading->leads_here |= ours;
	}
}

static void check_mx(struct asking *asking, const char *domain)
{
	const struct config *config = asking->config;
	const char *hostname = config->hostname;
	struct leading leading = {0};
	struct buf records = {0};
	bool takes_mail = *config->smtpd_listen;
	if (asking_look(asking, domain, LOOKUP_MX, &records)) {
		find_best(asking, buf_slice(&records), &leading);
		if (!leading.best && takes_mail)
			finding(asking->findings,
				"%s has no MX record, so mail for it does not come here: publish "
				"`%s. IN MX 10 %s.`",
				domain, domain, hostname);
		else if (leading.best && !*leading.best && takes_mail)
			finding(asking->findings,
				"%s says that it takes no mail (a null MX): publish `%s. IN MX 10 "
				"%s.` instead",
				domain, domain, hostname);
		else if (leading.best && !leading.leads_here && takes_mail)
			finding(asking->findings,
				"mail for %s goes to %s, and not here: publish `%s. IN MX 10 %s.` "
				"instead, or, if another server fetches it for you, leave [smtpd] "
				"listen empty",
				domain, leading.best, domain, hostname);
		else if (leading.leads_here && leading.best_preference < leading.ours)
			warning(asking->findings,
				"mail for %s goes to %s first, and here only when that is away: "
				"give `%s. IN MX %ld %s.` a smaller number, unless it is meant so",
				domain, leading.best, domain, leading.ours, hostname);
		if (leading.leads_here && !takes_mail)
			finding_in(asking->findings, config, "smtpd", "listen",
				"mail for %s comes here, and nothing listens for it: set it to 25",
				domain);
	}
	buf_free(&records);
}

/* ---- mail from us ---- */

static void tell_spf(struct asking *asking, const char *domain, enum spf_result result,
	const char *address, const char *record)
{
	const char *what = *record ? record : "none";
	if (result == SPF_NONE)
		finding(asking->findings,
			"%s has no SPF record, and its mail is taken for forged: publish `%s. IN "
			"TXT \"" RECORDS_SPF "\"`",
			domain, domain);
	else if (result == SPF_BROKEN)
		finding(asking->findings,
			"the SPF record of %s cannot be used (more than one, a word that is none, "
			"or more than 10 look-ups): publish one alone, like `%s. IN TXT "
			"\"" RECORDS_SPF "\"`; there is: %s",
			domain, domain, what);
	else if (result == SPF_SOFTFAIL || result == SPF_FAIL || result == SPF_NEUTRAL)
		finding(asking->findings,
			"the SPF record of %s does not name this server (%s: %s): put `mx` into "
			"it, like `%s. IN TXT \"" RECORDS_SPF "\"`; there is: %s",
			domain, address, spf_word(result), domain, what);
}

static void check_spf_by_address(struct asking *asking, const char *domain)
{
	for (size_t i = 0; i < asking->count; i++) {
		const struct asking_address *from = &asking->published[i];
		struct buf record = {0};
		enum spf_result result = spf_judge(domain, from->family, from->octets, &record);
		tell_spf(asking, domain, result, from->text, buf_text(&record));
		buf_free(&record);
		if (result != SPF_PASS)
			return;
	}
}

/* Which addresses a provider sends from, the provider alone knows. */
static void check_spf_by_smarthost(struct asking *asking, const char *domain)
{
	struct buf record = {0};
	size_t count;
	enum mx_said said = spf_find(domain, &record, &count);
	if (said != MX_LATER && count != 1)
		tell_spf(asking, domain, count == 0 ? SPF_NONE : SPF_BROKEN, "", buf_text(&record));
	else if (said != MX_LATER && strcmp(buf_text(&record), RECORDS_SPF) == 0)
		warning(asking->findings,
			"the SPF record of %s names this server, and mail leaves through %s: ask "
			"there what to write in front of ~all (most often include:NAME)",
			domain, asking->config->smarthost);
	buf_free(&record);
}

/* "p" of "v=DKIM1; k=rsa; p=MIIB...", without blanks; false: there is none. */
static bool find_tag(struct slice record, char tag, struct buf *value)
{
	while (record.len > 0) {
		struct slice rest = slice_trim(slice_cut(&record, ';'));
		struct slice name = slice_trim(slice_cut(&rest, '='));
		if (name.len != 1 || name.at[0] != tag)
			continue;
		for (size_t i = 0; i < rest.len; i++)
			if (rest.at[i] != ' ' && rest.at[i] != '\t')
				buf_add_char(value, rest.at[i]);
		return true;
	}
	return false;
}

static void check_dkim(struct asking *asking, const char *domain)
{
	char name[NAME_MAX_];
	struct buf records = {0}, key = {0}, wanted = {0};
	const char *text = "", *wrong = NULL;
	snprintf(name, sizeof(name), "%s._domainkey.%s", asking->config->dkim_selector, domain);
	records_add_dkim(&wanted, asking->public_key, " ");
	if (asking->public_key.len > 0 && asking_look(asking, name, LOOKUP_TXT, &records)) {
		struct slice rest = buf_slice(&records);
		if (!lookup_next(&rest, &text))
			wrong = "there is no DKIM record, and signatures of this office cannot be "
				"verified";
		else if (rest.len > 0)
			wrong = "there is more than one DKIM record, and others may look at the "
				"wrong one";
		else if (!find_tag(slice_of(text), 'p', &key))
			wrong = "the DKIM record holds no key";
		else if (key.len == 0)
			wrong = "the DKIM record revokes the key";
		else if (!slice_equal(buf_slice(&key), asking->public_key))
			wrong = "the DKIM record holds another key than this office signs with";
		if (wrong)
			finding(asking->findings, "%s: %s: publish `%s. IN TXT (%s )` alone", name,
				wrong, name, buf_text(&wanted));
	}
	buf_free(&records);
	buf_free(&key);
	buf_free(&wanted);
}

/* ---- DMARC ---- */

/* 1 there is one that can be used, 0 none, -1 no answer or a fault, which is told. */
static int look_at_dmarc(struct asking *asking, const char *name)
{
	struct buf records = {0}, policy = {0};
	const char *text;
	int count = 0;
	bool good = true;
	bool answered = asking_look(asking, name, LOOKUP_TXT, &records);
	struct slice rest = buf_slice(&records);
	while (lookup_next(&rest, &text)) {
		if (!slice_has_prefix(slice_of(text), SLICE("v=DMARC1")))
			continue;
		count++;
		buf_clear(&policy);
		good = find_tag(slice_of(text), 'p', &policy) &&
		       (slice_equal(buf_slice(&policy), SLICE("none")) ||
			       slice_equal(buf_slice(&policy), SLICE("quarantine")) ||
			       slice_equal(buf_slice(&policy), SLICE("reject")));
	}
	if (count > 1 || !good)
		finding(asking->findings,
			"the DMARC record at %s cannot be used (%s): publish one alone, like `%s. "
			"IN TXT \"v=DMARC1; p=none\"`",
			name,
			count > 1 ? "there is more than one"
				  : "p= must be none, quarantine or reject",
			name);
	buf_free(&records);
	buf_free(&policy);
	return !answered || count > 1 || !good ? -1 : count;
}

/* A domain without one goes by that of the domain above (RFC 7489, 6.6.3). */
static void check_dmarc(struct asking *asking, const char *domain)
{
	char name[NAME_MAX_], wanted[NAME_MAX_];
	const char *above = domain;
	int found = 0;
	while (found == 0 && strchr(above, '.')) {
		snprintf(name, sizeof(name), "_dmarc.%s", above);
		found = look_at_dmarc(asking, name);
		above = strchr(above, '.') + 1;
	}
	snprintf(wanted, sizeof(wanted), RECORDS_DMARC, domain);
	if (found == 0)
		finding(asking->findings,
			"%s has no DMARC record, which the large providers want: publish "
			"`_dmarc.%s. IN TXT \"%s\"`",
			domain, domain, wanted);
}

/* ---- mail programs ---- */

static void check_service(
	struct asking *asking, const char *domain, const struct records_service *service)
{
	const char *hostname = asking->config->hostname, *text;
	char name[NAME_MAX_], wanted[NAME_MAX_];
	struct buf records = {0};
	bool right = false;
	snprintf(name, sizeof(name), "%s.%s", service->label, domain);
	snprintf(wanted, sizeof(wanted), " %u %s", service->port, hostname);
	if (asking_look(asking, name, LOOKUP_SRV, &records)) {
		struct slice rest = buf_slice(&records);
		while (lookup_next(&rest, &text)) {
			size_t len = strlen(text), tail = strlen(wanted);
			right |= len > tail && strcmp(text + len - tail, wanted) == 0;
		}
		if (records.len > 0 && !right)
			finding(asking->findings,
				"%s leads mail programs to %s, where this office is not: publish "
				"`%s. IN SRV 0 1 %u %s.` instead",
				name, records.at, name, service->port, hostname);
		else if (!right)
			warning(asking->findings,
				"%s is not there, by which mail programs find their settings: "
				"publish `%s. IN SRV 0 1 %u %s.`",
				name, name, service->port, hostname);
	}
	buf_free(&records);
}

static void check_autoconfig(struct asking *asking, const char *domain)
{
	char name[NAME_MAX_];
	struct buf addresses = {0};
	snprintf(name, sizeof(name), "autoconfig.%s", domain);
	if (asking_look(asking, name, LOOKUP_A, &addresses) && addresses.len == 0 &&
		asking_look(asking, name, LOOKUP_AAAA, &addresses) && addresses.len == 0)
		warning(asking->findings,
			"%s is not there, where Thunderbird looks for its settings: with a web "
			"server that has the file of `officemail client ADDRESS --format "
			"autoconfig`, publish `%s. IN CNAME WEB-SERVER.`; without, people type the "
			"settings in",
			name, name);
	buf_free(&addresses);
}

void asking_domain(struct asking *asking, const char *domain)
{
	struct records_service services[RECORDS_SERVICES];
	check_mx(asking, domain);
	if (*asking->config->smarthost)
		check_spf_by_smarthost(asking, domain);
	else
		check_spf_by_address(asking, domain);
	check_dkim(asking, domain);
	check_dmarc(asking, domain);
	records_services(asking->config, services);
	for (size_t i = 0; i < RECORDS_SERVICES; i++)
		if (services[i].port != 0)
			check_service(asking, domain, &services[i]);
	check_autoconfig(asking, domain);
}
