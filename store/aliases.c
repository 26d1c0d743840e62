/* Aliases as rows. What is refused here is what makes no sense on the day it is
 * asked for; the walk in addresses.c still ends whatever the rows say. */
#include "store/aliases.h"
#include "store/addresses.h"
#include "store/db.h"
#include <stdlib.h>
#include <string.h>

static bool is_domain_name(const struct address *address)
{
	return address->at == 0; /* "@domain" */
}

/* "local@domain" or "@domain". */
static int read_name(struct address *name, struct slice text, struct err *e)
{
	static const struct slice none = {"", 0};
	struct slice domain = slice_from(text, 1);
	*name = (struct address){0};
	if (!text.len || text.at[0] != '@')
		return address_read(name, text, e);
	if (!address_is_domain(domain) || !address_join(name, none, domain))
		return err_set(e, ERR_INPUT, "behind the \"@\" stands one domain name");
	return 0;
}

static int read_our_name(
	struct address *name, const struct config *config, struct slice text, struct err *e)
{
	if (!text.len || text.at[0] != '@')
		return addresses_read_ours(name, config, text, e);
	if (read_name(name, text, e) < 0)
		return -1;
	if (!config_has_domain(config, address_domain(name)))
		return err_set(e, ERR_INPUT,
			"%s is none of our domains: add it to [office] domains in %s", name->text,
			config->file);
	return 0;
}

/* 1: the alias has that target. */
static int has_target(struct store *store, const struct address *alias,
	const struct address *target, struct err *e)
{
	struct query q =
		db_query(store, SQL("SELECT 1 FROM aliases WHERE alias = ? AND target = ?"));
	int found;
	db_bind_text(&q, slice_of(alias->text));
	db_bind_text(&q, slice_of(target->text));
	found = db_next(&q, e);
	db_end(&q);
	return found;
}

int aliases_exist(struct store *store, const struct address *alias, struct err *e)
{
	struct query q = db_query(store, SQL("SELECT 1 FROM aliases WHERE alias = ? LIMIT 1"));
	int found;
	db_bind_text(&q, slice_of(alias->text));
	found = db_next(&q, e);
	db_end(&q);
	return found;
}

int aliases_targets(struct store *store, const struct address *alias,
	void (*each)(struct slice target, void *arg), void *arg, struct err *e)
{
	struct query q = db_query(store, SQL("SELECT target FROM aliases WHERE alias = ?"));
	int found, any = 0;
	db_bind_text(&q, slice_of(alias->text));
	while ((found = db_next(&q, e)) == 1) {
		each(db_text(&q, 0), arg);
		any = 1;
	}
	db_end(&q);
	return found < 0 ? -1 : any;
}

static void count_target(struct slice target, void *arg)
{
	size_t *counts = arg;
	counts[target.at[0] == '@']++;
}

/* A target as aliases_add() takes it: outside, or ours and somebody is there. */
static int read_target(struct address *target, struct store *store, const struct config *config,
	const struct address *alias, struct slice text, struct err *e)
{
	struct destinations found = {0};
	struct user user;
	int result;
	if (read_name(target, text, e) < 0)
		return -1;
	if (!config_has_domain(config, address_domain(target)))
		return is_domain_name(target)
			       ? err_set(e, ERR_INPUT,
					 "%s is none of our domains: a whole domain can be the "
					 "alias of one of ours alone",
					 target->text)
			       : addresses_check_outside(target, text, e);
	if (address_equal(target, alias)) {
		result = is_domain_name(alias) ? 0
					       : users_find(store, slice_of(alias->text), &user, e);
		if (result == 0)
			return err_set(e, ERR_LOOP, "%s would lead to itself", alias->text);
		return result < 0 ? -1 : 0;
	}
	if (is_domain_name(target)) {
		if (!is_domain_name(alias))
			return err_set(e, ERR_INPUT,
				"only a domain, written @domain, can be an alias of %s",
				target->text);
		return 0;
	}
	result = addresses_resolve(store, config, slice_of(target->text), &found, e);
	destinations_free(&found);
	if (result < 0 && (e->kind == ERR_MISSING || e->kind == ERR_LOOP))
		return err_set(e, ERR_INPUT, "there is no mailbox %s: add the user or alias first",
			target->text);
	return result;
}

static int insert(struct store *store, const struct address *alias, const struct address *target,
	struct err *e)
{
	struct query q =
		db_query(store, SQL("INSERT OR IGNORE INTO aliases (alias, target) VALUES (?, ?)"));
	db_bind_text(&q, slice_of(alias->text));
	db_bind_text(&q, slice_of(target->text));
	return db_run(&q, e);
}

/* Refuses what leads back to the alias; the user's own address at a user's
 * alias is the end of the way, not a circle. */
static int check_circle(struct store *store, const struct config *config,
	const struct address *alias, const struct address *target, struct err *e)
{
	int circle;
	if (address_equal(alias, target))
		return 0;
	circle = addresses_pass(store, config, target, alias, e);
	if (circle == 1)
		return err_set(e, ERR_LOOP, "%s would lead back to itself through %s", alias->text,
			target->text);
	return circle;
}

/* A name is either a domain alias with one target or leads to mailboxes, and a
 * user's address leads to the user. */
static int check_whole(struct store *store, const struct address *alias, struct err *e)
{
	size_t counts[2] = {0, 0}; /* mailboxes, domains */
	struct user user;
	int found;
	if (aliases_targets(store, alias, count_target, counts, e) < 0)
		return -1;
	if (counts[1] > 1 || (counts[1] && counts[0]))
		return err_set(e, ERR_EXISTS,
			"%s can be the alias of one domain, or a catch-all: `officemail alias "
			"remove %s` first",
			alias->text, alias->text);
	if (is_domain_name(alias))
		return 0;
	found = users_find(store, slice_of(alias->text), &user, e);
	if (found != 1)
		return found;
	found = has_target(store, alias, alias, e);
	if (found == 0)
		return err_set(e, ERR_EXISTS,
			"%s is a user: name it among the targets too, and the others get a copy",
			alias->text);
	return found < 0 ? -1 : 0;
}

int aliases_add(struct store *store, const struct config *config, struct slice text,
	const struct slice *targets, size_t count, struct err *e)
{
	struct address *read = must_alloc((count + 1) * sizeof(*read));
	struct address alias;
	int result = read_our_name(&alias, config, text, e);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = read_target(&read[i], store, config, &alias, targets[i], e);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = insert(store, &alias, &read[i], e);
	if (result == 0)
		result = check_whole(store, &alias, e);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = check_circle(store, config, &alias, &read[i], e);
	free(read);
	return result;
}

static int delete_all(struct store *store, const struct address *alias, struct err *e)
{
	struct query q = db_query(store, SQL("DELETE FROM aliases WHERE alias = ?"));
	db_bind_text(&q, slice_of(alias->text));
	return db_run(&q, e);
}

static int delete_one(struct store *store, const struct address *alias,
	const struct address *target, struct err *e)
{
	struct query q = db_query(store, SQL("DELETE FROM aliases WHERE alias = ? AND target = ?"));
	db_bind_text(&q, slice_of(alias->text));
	db_bind_text(&q, slice_of(target->text));
	return db_run(&q, e);
}

/* A user alone at his own address needs no alias. */
static int delete_if_alone(struct store *store, const struct address *alias, struct err *e)
{
	struct query q =
		db_query(store, SQL("DELETE FROM aliases WHERE alias = ?1 AND target = ?1 AND"
				    " (SELECT count(*) FROM aliases WHERE alias = ?1) = 1"));
	db_bind_text(&q, slice_of(alias->text));
	return db_run(&q, e);
}

int aliases_remove(struct store *store, struct slice text, const struct slice *targets,
	size_t count, struct err *e)
{
	struct address alias, target;
	if (read_name(&alias, text, e) < 0)
		return -1;
	if (count == 0) {
		if (delete_all(store, &alias, e) < 0)
			return -1;
		if (db_changes(store) == 0)
			return err_set(e, ERR_MISSING,
				"there is no alias %s: `officemail alias list` shows which there "
				"are",
				alias.text);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (read_name(&target, targets[i], e) < 0 ||
			delete_one(store, &alias, &target, e) < 0)
			return -1;
		if (db_changes(store) == 0)
			return err_set(e, ERR_MISSING,
				"%s does not lead to %s: `officemail alias list` shows where it "
				"leads",
				alias.text, target.text);
	}
	if (delete_if_alone(store, &alias, e) < 0)
		return -1;
	int left = aliases_exist(store, &alias, e);
	return left == 1 ? check_whole(store, &alias, e) : left;
}

static void add_text(struct slice target, void *arg)
{
	buf_add_slice(arg, target);
	buf_add_char(arg, '\0');
}

/* The next alias behind `last`, in order. 1 found. */
static int next_alias(struct store *store, struct address *last, struct err *e)
{
	struct query q = db_query(
		store, SQL("SELECT alias FROM aliases WHERE alias > ? ORDER BY alias LIMIT 1"));
	struct address at = *last;
	int found;
	db_bind_text(&q, slice_of(at.text));
	found = db_next(&q, e);
	if (found == 1)
		db_copy_text(&q, 0, last->text, sizeof(last->text));
	db_end(&q);
	return found;
}

int aliases_each(struct store *store, int (*each)(const struct alias *alias, void *arg), void *arg,
	struct err *e)
{
	struct address name = {0};
	struct buf text = {0};
	const char **targets = NULL;
	int found, stop = 0;
	while (!stop && (found = next_alias(store, &name, e)) == 1) {
		struct alias alias = {.alias = name.text};
		buf_clear(&text);
		found = aliases_targets(store, &name, add_text, &text, e);
		if (found < 0)
			break;
		for (size_t i = 0; i < text.len; i++)
			alias.count += text.at[i] == '\0';
		targets = must_realloc(targets, (alias.count + 1) * sizeof(*targets));
		const char *at = text.at;
		for (size_t i = 0; i < alias.count; i++, at += strlen(at) + 1)
			targets[i] = at;
		alias.targets = targets;
		stop = each(&alias, arg);
	}
	free(targets);
	buf_free(&text);
	return found < 0 ? -1 : 0;
}

int aliases_follow_user(
	struct store *store, const struct address *from, const struct address *to, struct err *e)
{
	int found;
	if (delete_one(store, to, from, e) < 0)
		return -1;
	found = aliases_exist(store, to, e);
	if (found == 1)
		return err_set(e, ERR_EXISTS, "%s is an alias: `officemail alias remove %s` first",
			to->text, to->text);
	if (found < 0)
		return -1;
	struct query names =
		db_query(store, SQL("UPDATE OR REPLACE aliases SET alias = ? WHERE alias = ?"));
	db_bind_text(&names, slice_of(to->text));
	db_bind_text(&names, slice_of(from->text));
	if (db_run(&names, e) < 0)
		return -1;
	struct query targets =
		db_query(store, SQL("UPDATE OR REPLACE aliases SET target = ? WHERE target = ?"));
	db_bind_text(&targets, slice_of(to->text));
	db_bind_text(&targets, slice_of(from->text));
	if (db_run(&targets, e) < 0)
		return -1;
	return insert(store, from, to, e);
}

static int delete_target(struct store *store, struct slice target, struct err *e)
{
	struct query q = db_query(store, SQL("DELETE FROM aliases WHERE target = ?"));
	db_bind_text(&q, target);
	return db_run(&q, e);
}

/* Does an alias still lead somewhere without a target just taken from it? */
static int has_use(struct store *store, const struct address *alias, struct err *e)
{
	struct user user;
	int found;
	if (delete_if_alone(store, alias, e) < 0)
		return -1;
	found = aliases_exist(store, alias, e);
	if (found == 0)
		found = users_find(store, slice_of(alias->text), &user, e);
	return found;
}

/* Deletes what leads to `name`, and adds to *gone what then leads nowhere. A
 * domain goes on without its catch-all. */
static int forget_name(struct store *store, struct slice name, struct buf *gone, struct err *e)
{
	struct query q = db_query(store, SQL("SELECT alias FROM aliases WHERE target = ?"));
	struct address alias;
	struct buf names = {0};
	int result;
	db_bind_text(&q, name);
	while ((result = db_next(&q, e)) == 1)
		add_text(db_text(&q, 0), &names);
	db_end(&q);
	if (result == 0)
		result = delete_target(store, name, e);
	for (size_t i = 0; result == 0 && i < names.len; i += strlen(names.at + i) + 1) {
		int use = 1;
		result = read_name(&alias, slice_of(names.at + i), e);
		if (result == 0 && !is_domain_name(&alias))
			use = has_use(store, &alias, e);
		if (use == 0)
			add_text(slice_of(alias.text), gone);
		if (use < 0)
			result = -1;
	}
	buf_free(&names);
	return result;
}

int aliases_forget_user(struct store *store, struct slice address, struct err *e)
{
	struct buf gone = {0}; /* names that lead nowhere now, a NUL behind each */
	int result = 0;
	add_text(address, &gone);
	for (size_t at = 0; result == 0 && at < gone.len; at += strlen(gone.at + at) + 1) {
		struct address name;
		result = read_name(&name, slice_of(gone.at + at), e);
		if (result == 0)
			result = forget_name(store, slice_of(name.text), &gone, e);
	}
	buf_free(&gone);
	return result;
}
