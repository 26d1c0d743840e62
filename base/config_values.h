/* One key of office.ini and the types of values; for config.c alone. */
#ifndef BASE_CONFIG_VALUES_H
#define BASE_CONFIG_VALUES_H

#include "base/config.h"

struct config_row;
/* Puts `value` into `field`, a member of struct config. On a fault -1 and a
 * sentence that can stand behind "[section] key: ". */
typedef int config_take_fn(
	const struct config_row *row, void *field, struct slice value, struct err *e);

struct config_row {
	struct config_key key; /* fallback NULL: the key must be there */
	config_take_fn *take;
	size_t offset, size; /* of the field in struct config */
	const char *words;   /* config_take_choice: what there is to choose from */
	int64_t least;       /* numbers and durations; a path: 1 if it must be there */
};

config_take_fn config_take_hostname;
config_take_fn config_take_domains;
config_take_fn config_take_path;
config_take_fn config_take_account;
config_take_fn config_take_address;
config_take_fn config_take_choice;
config_take_fn config_take_yes_no;
config_take_fn config_take_listeners;
config_take_fn config_take_lmtp;
config_take_fn config_take_networks;
config_take_fn config_take_server;
config_take_fn config_take_milters;
config_take_fn config_take_header;
config_take_fn config_take_label;
config_take_fn config_take_text;
config_take_fn config_take_size;
config_take_fn config_take_number;
config_take_fn config_take_duration;
config_take_fn config_take_kept; /* a duration; less than an hour is an hour */

#endif
