/* The values of office.ini: each type parses, checks and keeps its own. */
#include "base/config_values.h"
#include "base/syntax.h"
#include "base/text.h"
#include <string.h>

static int is_none(struct err *e, struct slice word, const char *what)
{
	struct buf shown = {0};
	if (word.len == 0)
		buf_add_text(&shown, "an empty value");
	else
		text_add_escaped(&shown, word);
	err_set(e, ERR_INPUT, word.len == 0 ? "%s is not %s" : "\"%s\" is not %s", buf_text(&shown),
		what);
	buf_free(&shown);
	return -1;
}

static int keep(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	if (value.len >= row->size)
		return err_set(
			e, ERR_INPUT, "longer than %zu octets: make it shorter", row->size - 1);
	memcpy(field, value.at, value.len);
	((char *)field)[value.len] = '\0';
	return 0;
}

int config_take_hostname(
	const struct config_row *row, void *field, struct slice value, struct err *e)
{
	if (!syntax_is_hostname(value))
		return is_none(e, value, "the name of a host, like mail.kantor.example");
	if (keep(row, field, value, e) < 0)
		return -1;
	text_fold(field, value.len);
	return 0;
}

/* Keeps a blank-separated list if `good` says so of every word. */
static int take_words(const struct config_row *row, void *field, struct slice value,
	bool (*good)(struct slice word), const char *what, struct err *e)
{
	struct slice word;
	if (keep(row, field, value, e) < 0)
		return -1;
	for (size_t n = 0; config_word(field, n, &word); n++)
		if (!good(word))
			return is_none(e, word, what);
	return 0;
}

int config_take_domains(
	const struct config_row *row, void *field, struct slice value, struct err *e)
{
	static const char what[] = "the name of a domain, like kantor.example";
	if (value.len == 0)
		return is_none(e, value, what);
	if (take_words(row, field, value, syntax_is_hostname, what, e) < 0)
		return -1;
	text_fold(field, value.len);
	return 0;
}

int config_take_path(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	if ((value.len == 0 && row->least == 0) || (value.len > 0 && value.at[0] == '/'))
		return keep(row, field, value, e);
	return is_none(e, value, "a path from the root, like /var/lib/officemail");
}

int config_take_account(
	const struct config_row *row, void *field, struct slice value, struct err *e)
{
	bool good = value.len > 0 && value.len <= 32 && value.at[0] != '-';
	for (size_t i = 0; good && i < value.len; i++)
		good = value.at[i] > ' ' && value.at[i] < 127 && !strchr("/:,\"'\\", value.at[i]);
	return good ? keep(row, field, value, e)
		    : is_none(e, value, "the name of an account, like officemail");
}

int config_take_address(
	const struct config_row *row, void *field, struct slice value, struct err *e)
{
	if (!syntax_is_address(value))
		return is_none(e, value, "an address, like ani@kantor.example");
	if (keep(row, field, value, e) < 0)
		return -1;
	text_fold(field, value.len);
	return 0;
}

int config_take_choice(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	struct slice word;
	for (size_t n = 0; config_word(row->words, n, &word); n++) {
		if (slice_equal(word, value)) {
			*(int *)field = (int)n;
			return 0;
		}
	}
	char what[128];
	snprintf(what, sizeof(what), "one of: %s", row->words);
	return is_none(e, value, what);
}

int config_take_yes_no(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	(void)row;
	*(bool *)field = slice_equal(value, SLICE("yes"));
	return *(bool *)field || slice_equal(value, SLICE("no")) ? 0
								 : is_none(e, value, "yes or no");
}

static bool is_listener(struct slice word)
{
	struct slice host;
	uint16_t port;
	return syntax_split_listener(word, &host, &port);
}

int config_take_listeners(
	const struct config_row *row, void *field, struct slice value, struct err *e)
{
	return take_words(row, field, value, is_listener,
		"a listener: host:port, [v6]:port or port (1 to 65535)", e);
}

int config_take_lmtp(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	struct slice host = {0};
	uint16_t port;
	bool endpoint = syntax_split_listener(value, &host, &port) && host.len > 0;
	if (value.len > 0 && value.at[0] != '/' && !endpoint)
		return is_none(e, value, "a path from the root or host:port");
	return keep(row, field, value, e);
}

#define NETWORK_LEAST 8 /* bits */

/* Networks that no office has for its devices alone are a slip of the pen. */
static bool is_network(struct slice word)
{
	struct slice bits = slice_from(word, slice_find(word, '/') + 1);
	uint64_t number = NETWORK_LEAST;
	return syntax_is_network(word) &&
	       (bits.len == 0 || (text_to_number(bits, 3, &number) && number >= NETWORK_LEAST));
}

int config_take_networks(
	const struct config_row *row, void *field, struct slice value, struct err *e)
{
	return take_words(row, field, value, is_network,
		"an address, like 192.168.1.20, or a network, like 192.168.1.0/28 (none wider "
		"than /8)",
		e);
}

int config_take_server(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	struct slice host = {0};
	uint16_t port;
	if (value.len > 0 && (!syntax_split_listener(value, &host, &port) || host.len == 0))
		return is_none(e, value, "host:port");
	return keep(row, field, value, e);
}

/* No name that DNS would be asked for: each session would ask. */
static bool is_milter(struct slice word)
{
	struct slice rest = word, host = {0};
	struct slice kind = slice_cut(&rest, ':');
	uint16_t port;
	if (slice_equal(kind, SLICE("unix")))
		return rest.len > 0 && rest.at[0] == '/';
	return (slice_equal(kind, SLICE("inet")) || slice_equal(kind, SLICE("inet6"))) &&
	       syntax_split_listener(rest, &host, &port) && slice_find(host, '/') == host.len &&
	       (syntax_is_network(host) || slice_equal_nocase(host, SLICE("localhost")));
}

int config_take_milters(
	const struct config_row *row, void *field, struct slice value, struct err *e)
{
	struct slice word;
	if (take_words(row, field, value, is_milter,
		    "a milter: inet:address:port, like inet:127.0.0.1:11332, or unix:/path", e) < 0)
		return -1;
	if (config_word(field, CONFIG_FILTERS_MOST, &word))
		return err_set(
			e, ERR_INPUT, "more than %d milters: name fewer", CONFIG_FILTERS_MOST);
	return 0;
}

int config_take_header(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	size_t colon = slice_find(value, ':');
	bool good = value.len == 0 || (colon > 0 && colon < value.len);
	for (size_t i = 0; good && i < colon; i++)
		good = value.at[i] > ' ' && value.at[i] < 127;
	return good ? keep(row, field, value, e) : is_none(e, value, "a header, like X-Spam: Yes");
}

int config_take_label(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	if (!syntax_is_label(value))
		return is_none(e, value, "a selector: letters, digits and hyphens, 63 at most");
	return keep(row, field, value, e);
}

int config_take_text(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	return keep(row, field, value, e);
}

int config_take_size(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	(void)row;
	return text_to_size(value, field) ? 0
					  : is_none(e, value, "a size: octets, or with K, M, G");
}

int config_take_number(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	uint64_t *number = field;
	if (!text_to_number(value, 9, number))
		return is_none(e, value, "a number of at most 9 digits");
	if (*number < (uint64_t)row->least)
		return err_set(e, ERR_INPUT, "must be %lld or more", (long long)row->least);
	return 0;
}

#define DAY           (24 * 3600LL)
#define DURATION_MOST (36500 * DAY) /* dates with it can still be written */

int config_take_duration(
	const struct config_row *row, void *field, struct slice value, struct err *e)
{
	int64_t *seconds = field;
	if (!text_to_duration(value, seconds))
		return is_none(e, value, "a duration, like 30s, 10m, 12h or 14d");
	if (*seconds < row->least && row->least % 60 == 0)
		return err_set(e, ERR_INPUT, "must be %lldm or more", (long long)row->least / 60);
	if (*seconds < row->least)
		return err_set(e, ERR_INPUT, "must be %llds or more", (long long)row->least);
	if (*seconds > DURATION_MOST)
		return err_set(e, ERR_INPUT, "must be %dd or less", (int)(DURATION_MOST / DAY));
	return 0;
}

#define KEPT_LEAST 3600

int config_take_kept(const struct config_row *row, void *field, struct slice value, struct err *e)
{
	int64_t *seconds = field;
	if (config_take_duration(row, field, value, e) < 0)
		return -1;
	*seconds = *seconds > KEPT_LEAST ? *seconds : KEPT_LEAST;
	return 0;
}
