/* Where an address leads.
 *
 * A walk is a list of addresses to visit, to which visiting adds what aliases
 * lead to. One that is on the list is not added again: that is the visited set,
 * it ends every loop, and since the aliases are finite, so is the walk. */
#include "store/addresses.h"
#include "store/folders.h"
#include "store/forwards.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct slice none = {"", 0};

struct walk {
	struct store *store;
	const struct config *config;
	struct address *steps;
	size_t count, cap;
	const struct address *by; /* an alias to look out for, or NULL */
	struct address at;        /* the step that is being visited: the list may move */
	bool passed;              /* `by` was followed */
	bool met_again;           /* something led to a step already on the list */
	bool to_postmaster;       /* a postmaster or abuse address was met */
	struct slice tag;         /* while an alias is followed: goes along */
	struct slice local;       /* while a domain alias is followed: stays */
	struct destinations found;
};

int addresses_read_ours(
	struct address *address, const struct config *config, struct slice text, struct err *e)
{
	if (address_read(address, text, e) < 0)
		return -1;
	if (address->quoted)
		return err_set(e, ERR_INPUT, "%s needs quotes: choose a plain name", address->text);
	if (!config_has_domain(config, address_domain(address)))
		return err_set(e, ERR_INPUT,
			"%s lies outside: its domain is not among [office] domains in %s",
			address->text, config->file);
	return 0;
}

bool addresses_is_refusal(enum err_kind kind)
{
	return kind == ERR_INPUT || kind == ERR_DENIED || kind == ERR_MISSING || kind == ERR_LOOP;
}

void destinations_free(struct destinations *destinations)
{
	free(destinations->at);
	free(destinations->forwards);
	memset(destinations, 0, sizeof(*destinations));
}

/* Each mailbox once; a folder that somebody named beats none. */
static void add_destination(struct destinations *list, const struct destination *one)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i].user.id == one->user.id) {
			if (list->at[i].folder_id == 0)
				list->at[i].folder_id = one->folder_id;
			return;
		}
	if (list->count == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 4;
		list->at = must_realloc(list->at, list->cap * sizeof(*list->at));
	}
	list->at[list->count++] = *one;
}

static void add_forward(struct destinations *list, const char *target, const char *alias)
{
	for (size_t i = 0; i < list->forward_count; i++)
		if (strcmp(list->forwards[i].target, target) == 0)
			return;
	if (list->forward_count == list->forward_cap) {
		list->forward_cap = list->forward_cap ? list->forward_cap * 2 : 4;
		list->forwards =
			must_realloc(list->forwards, list->forward_cap * sizeof(*list->forwards));
	}
	struct forward *forward = &list->forwards[list->forward_count++];
	snprintf(forward->target, sizeof(forward->target), "%s", target);
	snprintf(forward->alias, sizeof(forward->alias), "%s", alias);
}

static void add_all(struct destinations *list, const struct destinations *more)
{
	for (size_t i = 0; i < more->count; i++)
		add_destination(list, &more->at[i]);
	for (size_t i = 0; i < more->forward_count; i++)
		add_forward(list, more->forwards[i].target, more->forwards[i].alias);
	if (more->returned[0])
		memcpy(list->returned, more->returned, sizeof(list->returned));
}

static void add_step(struct walk *walk, const struct address *step)
{
	for (size_t i = 0; i < walk->count; i++)
		if (address_equal(&walk->steps[i], step)) {
			walk->met_again = true;
			return;
		}
	if (walk->count == walk->cap) {
		walk->cap = walk->cap ? walk->cap * 2 : 8;
		walk->steps = must_realloc(walk->steps, walk->cap * sizeof(*walk->steps));
	}
	walk->steps[walk->count++] = *step;
}

/* A target of the alias being followed. Outside nobody knows what to do with our tags. */
static void add_target(struct slice target, void *arg)
{
	struct walk *walk = arg;
	struct address step, base;
	struct slice own_tag;
	struct buf local = {0};
	struct err malformed;
	if (target.len && target.at[0] == '@') {
		if (address_join(&step, walk->local, slice_from(target, 1)))
			add_step(walk, &step);
		return;
	}
	if (address_read(&step, target, &malformed) < 0)
		return;
	if (!config_has_domain(walk->config, address_domain(&step))) {
		add_forward(&walk->found, step.text, walk->at.text);
		return;
	}
	if (walk->tag.len && !address_cut_tag(&step, &base, &own_tag)) {
		buf_add_slice(&local, address_local(&step));
		buf_add_char(&local, '+');
		buf_add_slice(&local, walk->tag);
		if (address_join(&base, buf_slice(&local), address_domain(&step)))
			step = base;
		buf_free(&local);
	}
	add_step(walk, &step);
}

/* 1: there is such an alias. */
static int follow(struct walk *walk, const struct address *alias, struct err *e)
{
	int found = aliases_targets(walk->store, alias, add_target, walk, e);
	if (found == 1 && walk->by && address_equal(alias, walk->by))
		walk->passed = true;
	return found;
}

/* The user at an address, and the alias there; 1 if there was either. */
static int visit_exact(
	struct walk *walk, const struct address *address, struct slice tag, struct err *e)
{
	struct destination one = {0};
	struct folder folder;
	int user = users_find(walk->store, slice_of(address->text), &one.user, e);
	int alias;
	if (user < 0)
		return -1;
	if (user == 1) {
		int found = 0;
		if (tag.len)
			found = folders_find(walk->store, one.user.id, tag, &folder, e);
		if (found < 0)
			return -1;
		if (found == 1 && folder.is_public)
			one.folder_id = folder.id;
		add_destination(&walk->found, &one);
	}
	walk->tag = tag;
	alias = follow(walk, address, e);
	walk->tag = none;
	return alias < 0 ? -1 : user || alias;
}

static void note_domain_alias(struct slice target, void *arg)
{
	if (target.len && target.at[0] == '@')
		*(bool *)arg = true;
}

/* What a domain does with an address that nobody has: it is another domain's
 * alias, or has a postmaster, or a catch-all. */
static int visit_domain(struct walk *walk, const struct address *address, struct err *e)
{
	struct slice local = address_local(address);
	struct address domain;
	bool is_alias = false;
	if (!address_join(&domain, none, address_domain(address)))
		return 0;
	if (aliases_targets(walk->store, &domain, note_domain_alias, &is_alias, e) < 0)
		return -1;
	if (!is_alias &&
		(slice_equal(local, SLICE("postmaster")) || slice_equal(local, SLICE("abuse")))) {
		struct slice postmaster = slice_of(walk->config->postmaster);
		struct slice his = slice_from(postmaster, slice_find(postmaster, '@') + 1);
		walk->to_postmaster = true;
		if (config_has_domain(walk->config, his))
			add_target(postmaster, walk);
		return 0;
	}
	walk->local = local;
	return follow(walk, &domain, e) < 0 ? -1 : 0;
}

/* A domain that was an alias of one that is no longer ours leads nowhere. */
static int visit(struct walk *walk, const struct address *address, struct err *e)
{
	struct address base;
	struct slice tag;
	int found;
	if (!config_has_domain(walk->config, address_domain(address)))
		return 0;
	found = visit_exact(walk, address, none, e);
	if (found == 0 && address_cut_tag(address, &base, &tag))
		found = visit_exact(walk, &base, tag, e);
	if (found == 0)
		found = forwards_find(walk->store, address_local(address), walk->found.returned, e);
	if (found == 0)
		found = visit_domain(walk, address, e);
	return found < 0 ? -1 : 0;
}

static int take_first(const struct user *user, void *arg)
{
	struct destinations *found = arg;
	struct destination one = {.user = *user};
	if (found->count == 0)
		add_destination(found, &one);
	else if (user->id < found->at[0].user.id)
		found->at[0] = one;
	return 0;
}

static int walk_from(struct walk *walk, const struct address *start, struct err *e)
{
	add_step(walk, start);
	for (size_t i = 0; i < walk->count; i++) {
		walk->at = walk->steps[i];
		if (visit(walk, &walk->at, e) < 0)
			return -1;
	}
	if (walk->found.count == 0 && walk->to_postmaster)
		return users_each(walk->store, take_first, &walk->found, e);
	return 0;
}

static void walk_free(struct walk *walk)
{
	free(walk->steps);
	destinations_free(&walk->found);
}

/* Bare "postmaster" is that of the first domain. */
static int read_recipient(
	struct address *address, const struct config *config, struct slice text, struct err *e)
{
	struct slice domain;
	if (slice_equal_nocase(text, SLICE("postmaster")) &&
		config_word(config->domains, 0, &domain) && address_join(address, text, domain))
		return 0;
	return address_read(address, text, e);
}

int addresses_resolve(struct store *store, const struct config *config, struct slice text,
	struct destinations *out, struct err *e)
{
	struct walk walk = {.store = store, .config = config, .tag = none, .local = none};
	struct address address;
	bool found;
	int result = -1;
	if (read_recipient(&address, config, text, e) < 0)
		return -1;
	if (!config_has_domain(config, address_domain(&address)))
		return err_set(
			e, ERR_DENIED, "%s lies outside: its domain is none of ours", address.text);
	if (walk_from(&walk, &address, e) < 0)
		goto out;
	found = walk.found.count > 0 || walk.found.forward_count > 0 || walk.found.returned[0];
	if (!found && walk.met_again)
		err_set(e, ERR_LOOP, "%s is an alias that leads back to itself", address.text);
	else if (!found)
		err_set(e, ERR_MISSING, "there is no mailbox %s", address.text);
	else
		result = 0;
	add_all(out, &walk.found);
out:
	walk_free(&walk);
	return result;
}

int addresses_check_outside(struct address *address, struct slice text, struct err *e)
{
	if (address_read(address, text, e) < 0)
		return -1;
	struct slice domain = address_domain(address);
	if (slice_find(domain, '.') == domain.len || text.len >= ADDRESS_MAX)
		return err_set(e, ERR_DENIED, "no mail leaves for %s: its domain is no whole name",
			address->text);
	return 0;
}

int addresses_accept(struct store *store, const struct config *config, struct slice address,
	uint64_t size, struct err *e)
{
	struct destinations all = {0};
	if (addresses_resolve(store, config, address, &all, e) < 0)
		return -1;
	bool room = all.count == 0; /* it leads outside, or back */
	for (size_t i = 0; i < all.count && !room; i++) {
		uint64_t left = users_room(&all.at[i].user, config);
		room = left > 0 && left >= size;
	}
	destinations_free(&all);
	if (!room)
		return err_set(e, ERR_QUOTA, "the mailbox is full");
	return 0;
}

int addresses_pass(struct store *store, const struct config *config, const struct address *address,
	const struct address *by, struct err *e)
{
	struct walk walk = {.store = store, .config = config, .by = by, .tag = none, .local = none};
	int result = walk_from(&walk, address, e);
	if (result == 0)
		result = walk.passed;
	walk_free(&walk);
	return result;
}
