/* Are the mail filters there, and do they take what they are offered? */
#include "smtpd/filter.h"
#include "tools/check.h"

void check_filters(const struct config *config, struct findings *findings)
{
	struct slice milter;
	struct err e;
	const char *meanwhile =
		config->on_failure == FILTER_ACCEPT ? "taken unfiltered" : "put off";
	for (size_t i = 0; config_word(config->milter, i, &milter); i++)
		if (filter_try(milter, &e) < 0)
			finding_in(findings, config, "filter", "milter",
				"the mail filter at %.*s cannot be asked (%s), and mail is %s: "
				"start "
				"it, or mend the address, or take it away",
				(int)milter.len, milter.at, e.text, meanwhile);
}
