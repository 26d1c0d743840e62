/* Who there is, and where mail for them leads. */
#include "store/addresses.h"
#include "tools/check.h"
#include "tools/records.h"
#include <string.h>

#define DOMAINS_MOST 256

struct people {
	const struct config *config;
	struct findings *findings;
	size_t users;
	bool postmaster_is_alias;
	bool known[DOMAINS_MOST]; /* somebody has an address in the n-th domain */
	struct buf targets;       /* "alias\0target\0" each, to be resolved when no list is open */
};

static struct slice domain_of(struct slice address)
{
	slice_cut(&address, '@');
	return address;
}

static bool is_ours(const struct config *config, struct slice address)
{
	return config_has_domain(config, domain_of(address));
}

static void note_domain(struct people *people, struct slice domain)
{
	struct slice word;
	for (size_t n = 0; n < DOMAINS_MOST && config_word(people->config->domains, n, &word); n++)
		people->known[n] |= slice_equal_nocase(word, domain);
}

static int check_user(const struct user *user, void *arg)
{
	struct people *people = arg;
	people->users++;
	note_domain(people, domain_of(slice_of(user->address)));
	if (!is_ours(people->config, slice_of(user->address)))
		finding(people->findings,
			"user %s: the domain is not among [office] domains, so no mail arrives; "
			"add it there, or `officemail user rename`",
			user->address);
	return 0;
}

static int note_alias(const struct alias *alias, void *arg)
{
	struct people *people = arg;
	note_domain(people, domain_of(slice_of(alias->alias)));
	if (!is_ours(people->config, slice_of(alias->alias)))
		finding(people->findings,
			"alias %s: the domain is not among [office] domains; add it there, or "
			"`officemail alias remove %s`",
			alias->alias, alias->alias);
	if (slice_equal(slice_of(alias->alias), slice_of(people->config->postmaster)))
		people->postmaster_is_alias = true;
	for (size_t i = 0; i < alias->count; i++) {
		buf_add(&people->targets, alias->alias, strlen(alias->alias) + 1);
		buf_add(&people->targets, alias->targets[i], strlen(alias->targets[i]) + 1);
	}
	return 0;
}

/* Does mail for `address` reach a mailbox, or leave? */
static int leads_somewhere(
	struct store *store, const struct config *config, struct slice address, struct err *e)
{
	struct destinations destinations = {0};
	int result = addresses_resolve(store, config, address, &destinations, e);
	destinations_free(&destinations);
	return result;
}

static void check_target(
	struct store *store, struct people *people, struct slice alias, struct slice target)
{
	struct address outside;
	struct err e = {0};
	bool domain = target.len > 0 && target.at[0] == '@';
	bool ours = is_ours(people->config, target);
	if (ours ? domain || leads_somewhere(store, people->config, target, &e) == 0
		 : !domain && addresses_check_outside(&outside, target, &e) == 0)
		return;
	if (e.kind == ERR_LOOP)
		finding(people->findings,
			"alias %s leads to %s, and from there in circles, to nobody: `officemail "
			"alias remove %s %s`",
			alias.at, target.at, alias.at, target.at);
	else
		finding(people->findings,
			"alias %s leads to %s, where nobody is: add the user, or `officemail alias "
			"remove %s %s`",
			alias.at, target.at, alias.at, target.at);
}

static void check_targets(struct store *store, struct people *people)
{
	struct slice rest = buf_slice(&people->targets);
	while (rest.len > 0) {
		struct slice alias = slice_cut(&rest, '\0'), target = slice_cut(&rest, '\0');
		check_target(store, people, alias, target);
	}
}

static void check_domains(struct people *people)
{
	struct slice word;
	for (size_t n = 0; n < DOMAINS_MOST && config_word(people->config->domains, n, &word); n++)
		if (!people->known[n])
			warning_in(people->findings, people->config, "office", "domains",
				"nobody has an address at %.*s: if it is spelt right, `officemail "
				"alias add @%.*s @DOMAIN` makes it another name of a domain of "
				"yours",
				(int)word.len, word.at, (int)word.len, word.at);
}

/* postmaster@ and abuse@ always lead somewhere, by falling back: they must be
 * there by themselves. */
static bool is_somebody(struct store *store, const struct people *people, struct slice address)
{
	struct user user;
	struct err e;
	struct slice domain = address;
	struct slice local = slice_cut(&domain, '@');
	if (users_find(store, address, &user, &e) == 1 || people->postmaster_is_alias)
		return true;
	return !slice_equal(local, SLICE("postmaster")) && !slice_equal(local, SLICE("abuse")) &&
	       leads_somewhere(store, people->config, address, &e) == 0;
}

static void check_postmaster(struct store *store, struct people *people)
{
	const struct config *config = people->config;
	struct user user;
	struct err e;
	if (!is_somebody(store, people, slice_of(config->postmaster)))
		finding_in(people->findings, config, "office", "postmaster",
			"%s is nobody here: `officemail user add %s`, or name another",
			config->postmaster, config->postmaster);
	else if (users_find(store, slice_of(config->postmaster), &user, &e) == 1 && !user.enabled)
		warning_in(people->findings, config, "office", "postmaster",
			"%s cannot log in, so nobody reads what servers and strangers report: "
			"`officemail user enable %s`, or name another",
			config->postmaster, config->postmaster);
}

int check_people(
	struct store *store, const struct config *config, struct findings *findings, struct err *e)
{
	struct people people = {.config = config, .findings = findings};
	int result = users_each(store, check_user, &people, e);
	if (result >= 0)
		result = aliases_each(store, note_alias, &people, e);
	if (result >= 0)
		check_targets(store, &people);
	buf_free(&people.targets);
	if (result < 0)
		return -1;
	if (people.users > 0) {
		check_domains(&people);
		check_postmaster(store, &people);
	} else {
		finding(findings, "there are no users%s: `officemail user add ADDRESS`",
			records_public_port(config->smtpd_listen) != 0
				? ", and the office listens to the world and refuses all mail"
				: "");
	}
	return 0;
}
