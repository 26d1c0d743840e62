/* bounce: writes one report or notice to stdout. What it is about is on stdin, a line
 * each, "KEY VALUE", the values in hex; "recipient" begins one. test_bounce.py reads
 * what comes of it with other people's parsers. */
#include "store/bounce.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECIPIENTS_MOST 2000

static const char *const kinds[] = {
	"failed", "delayed", "delivered", "relayed", "held", "forward-failed", "came-back"};
enum { HELD = BOUNCE_RELAYED + 1, FORWARD_FAILED, CAME_BACK };

static struct bounce_recipient recipients[RECIPIENTS_MOST];
static struct bounce bounce = {
	.now = 1772420400, .queue_id = "4sKq0Zx1aBcD", .recipients = recipients};
static struct config config = {.hostname = "mail.kantor.example",
	.domains = "kantor.example second.example",
	.per_hour = 500};

/* For good: the program ends soon. */
static struct slice from_hex(const char *hex)
{
	size_t len = strlen(hex) / 2;
	char *octets = must_alloc(len + 1);
	for (size_t i = 0; i < len; i++)
		octets[i] = (char)strtoul((char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
	return (struct slice){octets, len};
}

static size_t kind_of(struct slice name)
{
	size_t kind = 0;
	while (kind < sizeof(kinds) / sizeof(kinds[0]) && !slice_equal(name, slice_of(kinds[kind])))
		kind++;
	return kind;
}

static void take(const char *key, struct slice value, size_t *kind)
{
	struct bounce_recipient *last = &recipients[bounce.count > 0 ? bounce.count - 1 : 0];
	const struct {
		const char *key;
		struct slice *text;
		int64_t *number;
	} places[] = {
		{"sender", &bounce.sender, NULL},
		{"envid", &bounce.envid, NULL},
		{"original", &bounce.original, NULL},
		{"address", &last->address, NULL},
		{"orcpt", &last->orcpt, NULL},
		{"status", &last->status, NULL},
		{"host", &last->host, NULL},
		{"reply", &last->reply, NULL},
		{"attempted", NULL, &last->attempted},
		{"now", NULL, &bounce.now},
		{"arrived", NULL, &bounce.arrived},
		{"until", NULL, &bounce.until},
	};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (strcmp(key, places[i].key) == 0 && places[i].text)
			*places[i].text = value;
		else if (strcmp(key, places[i].key) == 0)
			*places[i].number = strtoll(value.at, NULL, 10);
	}
	if (strcmp(key, "kind") == 0)
		*kind = kind_of(value);
	if (strcmp(key, "language") == 0)
		config.language = slice_equal(value, SLICE("id")) ? LANGUAGE_ID : LANGUAGE_EN;
	if (strcmp(key, "whole") == 0)
		bounce.original_is_whole = true;
	if (strcmp(key, "recipient") == 0 && bounce.count < RECIPIENTS_MOST)
		bounce.count++;
}

int main(void)
{
	char *line = NULL;
	size_t size = 0, kind = BOUNCE_FAILED;
	struct buf out = {0};
	while (getline(&line, &size, stdin) > 0) {
		const char *key = strtok(line, " \n"), *value = strtok(NULL, " \n");
		take(key ? key : "", from_hex(value ? value : ""), &kind);
	}
	if (kind <= BOUNCE_RELAYED)
		bounce_report(&out, &config, (enum bounce_kind)kind, &bounce);
	else if (kind == HELD)
		bounce_held(&out, &config, bounce.now, bounce.sender, 731);
	else if (kind == FORWARD_FAILED)
		bounce_forward_failed(&out, &config, &bounce);
	else
		bounce_forward_came_back(&out, &config, &bounce);
	fwrite(out.at, 1, out.len, stdout);
	return ferror(stdout) || fflush(stdout) != 0;
}
