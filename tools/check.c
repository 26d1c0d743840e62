/* `officemail check`: everything that can be wrong with an office, each as one
 * sentence that says how to mend it. Goes on after a finding as long as the
 * next question still makes sense. */
#include "tools/check.h"
#include "base/account.h"
#include "store/mail.h"
#include "tools/command.h"
#include "tools/warnings.h"
#include <stdio.h>

static void note_damage(const char *sentence, void *arg)
{
	finding(arg, "%s", sentence);
}

static int check_store(const struct config *config, struct findings *findings, struct err *e)
{
	struct store *store = NULL;
	if (store_open(&store, config->data, STORE_READER, (enum config_sync)config->sync, e) < 0) {
		finding(findings, "%s", e->text);
		return 0;
	}
	int result = mail_check(store, note_damage, findings, e) < 0 ? -1 : 0;
	if (result == 0)
		result = warnings_find(store, config, findings, e);
	if (result == 0)
		result = check_people(store, config, findings, e);
	store_close(store);
	return result;
}

static int check_as_account(
	const struct config *config, bool dns, struct findings *findings, struct err *e)
{
	int result = 0;
	check_certificate(config, findings);
	check_smarthost(config, findings);
	check_filters(config, findings);
	if (check_data(config, findings)) {
		check_signing_key(config, findings);
		result = check_store(config, findings, e);
	}
	fflush(stdout); /* DNS may take its time */
	if (result == 0 && dns)
		check_dns(config, findings);
	return result;
}

int command_check(struct command_line *line, struct err *e)
{
	struct config config;
	struct findings findings = {0};
	int64_t server = 0;
	int result = 0;
	if (office_read(line, &config, e) < 0)
		return -1;
	if (store_server(config.data, &server, e) < 0) {
		/* Whoever may not look would find fault with all that is well. */
		if (e->kind == ERR_DENIED)
			return -1;
		finding(&findings, "%s", e->text);
	}
	check_settings(&config, &findings);
	check_box(&config, server, &findings);
	check_ports(&config, server, &findings);
	if (account_assume(config.user, e) < 0) {
		finding_in(&findings, &config, "office", "user", "%s", e->text);
	} else {
		result = check_as_account(
			&config, command_option(line, "--dns") != NULL, &findings, e);
		account_resume();
	}
	if (result == 0 && findings.wrong > 0)
		result = err_set(e, ERR_INPUT, "%s: %u thing%s to mend", config.file,
			findings.wrong, findings.wrong == 1 ? "" : "s");
	if (result == 0)
		printf("%s: nothing is wrong\n", config.file);
	return result;
}
