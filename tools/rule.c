/* `officemail rule`: which folder a user's mail is filed in. */
#include "base/text.h"
#include "store/rules.h"
#include "tools/people.h"
#include "tools/rows.h"

int command_rule_add(struct command_line *line, struct err *e)
{
	struct office office = {.store = NULL};
	struct user user;
	struct folder folder;
	int result = people_open(&office, line, STORE_TOOL, &user, e);

	if (result == 0)
		result = store_begin(office.store, e);
	if (result == 0) {
		result = people_find_folder(&office, &user, line->arguments[3], &folder, e);
		if (result == 0)
			result = rules_add(office.store, user.id, slice_of(line->arguments[1]),
				slice_of(line->arguments[2]), folder.id, e);
		result = people_end(office.store, result, e);
	}
	office_close(&office);
	return result;
}

int command_rule_remove(struct command_line *line, struct err *e)
{
	struct office office = {.store = NULL};
	struct user user;
	uint64_t n;
	int result;

	if (!text_to_number(slice_of(line->arguments[1]), 10, &n))
		return command_misuse(line, e, "%s is no number of a rule", line->arguments[1]);
	result = people_open(&office, line, STORE_TOOL, &user, e);
	if (result == 0)
		result = store_begin(office.store, e);
	if (result == 0)
		result = people_end(
			office.store, rules_remove(office.store, user.id, (int64_t)n, e), e);
	office_close(&office);
	return result;
}

static int add_row(const struct rule *rule, void *arg)
{
	rows_number(arg, rule->n);
	rows_text(arg, rule->header);
	rows_text(arg, rule->pattern);
	rows_text(arg, rule->folder);
	return 0;
}

int command_rule_list(struct command_line *line, struct err *e)
{
	static const char *const columns[] = {"n", "header", "pattern", "folder", NULL};
	struct office office = {.store = NULL};
	struct user user;
	struct rows rows;
	int result = people_open(&office, line, STORE_READER, &user, e);

	rows_begin(&rows, columns, command_option(line, "--json") != NULL);
	if (result == 0)
		result = rules_each(office.store, user.id, add_row, &rows, e);
	if (result == 0)
		rows_print(&rows, stdout);
	rows_free(&rows);
	office_close(&office);
	return result;
}
