/* `officemail rule`: which folder a user's mail is filed in. */
#include "base/text.h"
#include "store/rules.h"
#include "tools/people.h"

int command_rule_add(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	struct folder folder;
	if (people_begin(&office, &user, line, e) < 0)
		return -1;
	int result = people_find_folder(&office, &user, line->arguments[3], &folder, e);
	if (result == 0)
		result = rules_add(office.store, user.id, slice_of(line->arguments[1]),
			slice_of(line->arguments[2]), folder.id, e);
	return office_end(&office, result, e);
}

int command_rule_remove(struct command_line *line, struct err *e)
{
	struct office office;
	struct user user;
	uint64_t n;
	if (!text_to_number(slice_of(line->arguments[1]), 10, &n))
		return command_misuse(line, e,
			"%s is no number of a rule: `officemail rule list` shows them",
			line->arguments[1]);
	if (people_begin(&office, &user, line, e) < 0)
		return -1;
	return office_end(&office, rules_remove(office.store, user.id, (int64_t)n, e), e);
}

static int add_row(const struct rule *rule, void *rows)
{
	rows_number(rows, rule->n);
	rows_text(rows, rule->header);
	rows_text(rows, rule->pattern);
	rows_text(rows, rule->folder);
	return 0;
}

static int add_rows(struct rows *rows, struct office *office, const struct user *user,
	const struct command_line *line, struct err *e)
{
	(void)line;
	return rules_each(office->store, user->id, add_row, rows, e);
}

int command_rule_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {"n", "header", "pattern", "folder", NULL};
	return people_list(line, columns, add_rows, e);
}
