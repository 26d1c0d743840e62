/* The mechanisms that name addresses; those that depend on the message are left. */
#include "smtpd/spf.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define LOOKUPS_MOST 10 /* RFC 7208, 4.6.4 */
#define NAME_MAX_    256

struct judging {
	int family;
	const unsigned char *address;
	unsigned lookups;
};

enum match { NO, YES, BROKEN, LATER, UNKNOWN };

const char *spf_word(enum spf_result result)
{
	static const char *const words[] = {
		"none", "pass", "neutral", "softfail", "fail", "permerror", "temperror", "unknown"};
	return words[result];
}

/* ---- records ---- */

static bool is_spf(struct slice text)
{
	return slice_has_prefix(text, SLICE("v=spf1")) && (text.len == 6 || text.at[6] == ' ');
}

enum mx_said spf_find(const char *domain, struct buf *record, size_t *count)
{
	struct buf texts = {0};
	enum mx_said said = lookup(domain, LOOKUP_TXT, &texts);
	struct slice rest = buf_slice(&texts);
	const char *text;
	*count = 0;
	while (lookup_next(&rest, &text)) {
		if (!is_spf(slice_of(text)))
			continue;
		if ((*count)++ == 0)
			buf_add_text(record, text);
	}
	buf_free(&texts);
	return said;
}

/* ---- mechanisms ---- */

static bool same_network(const struct judging *judging, const unsigned char *other, unsigned bits)
{
	size_t whole = bits / 8, octets = judging->family == AF_INET ? 4 : 16;
	if (bits > 8 * octets || memcmp(judging->address, other, whole) != 0)
		return false;
	unsigned char mask = (unsigned char)(0xFF00 >> bits % 8);
	return bits % 8 == 0 || ((judging->address[whole] ^ other[whole]) & mask) == 0;
}

/* "/24//64" behind a name: the bits for our family; false: that is none. */
static bool read_bits(struct slice text, int family, unsigned *bits)
{
	uint64_t four = 32, six = 128;
	if (text.len > 0 && !slice_has_prefix(text, SLICE("//"))) {
		struct slice rest = slice_from(text, 1);
		size_t end = slice_find(rest, '/');
		if (!text_to_number((struct slice){rest.at, end}, 2, &four))
			return false;
		text = slice_from(rest, end);
	}
	if (text.len > 0 && (!slice_has_prefix(text, SLICE("//")) ||
				    !text_to_number(slice_from(text, 2), 3, &six)))
		return false;
	*bits = (unsigned)(family == AF_INET ? four : six);
	return four <= 32 && six <= 128;
}

static enum match match_literal(const struct judging *judging, int family, struct slice value)
{
	char text[INET6_ADDRSTRLEN] = "";
	unsigned char octets[16];
	size_t slash = slice_find(value, '/');
	uint64_t bits = family == AF_INET ? 32 : 128;
	if (slash >= sizeof(text) ||
		(slash < value.len && !text_to_number(slice_from(value, slash + 1), 3, &bits)))
		return BROKEN;
	memcpy(text, value.at, slash);
	if (inet_pton(family, text, octets) != 1 || bits > (family == AF_INET ? 32 : 128))
		return BROKEN;
	return family == judging->family && same_network(judging, octets, (unsigned)bits) ? YES
											  : NO;
}

static enum match match_host(struct judging *judging, const char *host, unsigned bits)
{
	struct buf texts = {0};
	const char *text;
	unsigned char octets[16];
	enum match found = NO;
	enum mx_said said =
		lookup(host, judging->family == AF_INET ? LOOKUP_A : LOOKUP_AAAA, &texts);
	struct slice rest = buf_slice(&texts);
	while (lookup_next(&rest, &text))
		if (inet_pton(judging->family, text, octets) == 1 &&
			same_network(judging, octets, bits))
			found = YES;
	buf_free(&texts);
	return said == MX_LATER ? LATER : found;
}

static enum match match_mx(struct judging *judging, const char *domain, unsigned bits)
{
	struct buf texts = {0};
	const char *text;
	enum match found = NO;
	size_t count = 0;
	enum mx_said said = lookup(domain, LOOKUP_MX, &texts);
	struct slice rest = buf_slice(&texts);
	while (found == NO && count++ < LOOKUPS_MOST && lookup_next(&rest, &text))
		found = match_host(judging, text + strcspn(text, " ") + 1, bits);
	buf_free(&texts);
	return said == MX_LATER ? LATER : found;
}

static enum spf_result judge(struct judging *judging, const char *domain, struct buf *record);

static enum match match_include(struct judging *judging, const char *domain)
{
	struct buf record = {0};
	enum spf_result result = judge(judging, domain, &record);
	buf_free(&record);
	switch (result) {
	case SPF_PASS:
		return YES;
	case SPF_NONE:
	case SPF_BROKEN:
		return BROKEN;
	case SPF_LATER:
		return LATER;
	case SPF_UNKNOWN:
		return UNKNOWN;
	default:
		return NO;
	}
}

static bool takes_lookup(struct slice name)
{
	return !slice_equal_nocase(name, SLICE("all")) && !slice_equal_nocase(name, SLICE("ip4")) &&
	       !slice_equal_nocase(name, SLICE("ip6"));
}

/* One mechanism without its qualifier: "mx", "a:kantor.example/24", "ip4:192.0.2.0/24". */
static enum match match_one(struct judging *judging, const char *domain, struct slice term)
{
	size_t end = 0;
	unsigned bits;
	char name[NAME_MAX_];
	while (end < term.len && term.at[end] != ':' && term.at[end] != '/')
		end++;
	struct slice kind = {term.at, end}, value = slice_from(term, end), target = value;
	if (value.len > 0 && value.at[0] == ':')
		target = value = slice_from(value, 1);
	if (slice_find(term, '%') < term.len)
		return UNKNOWN;
	if (takes_lookup(kind) && ++judging->lookups > LOOKUPS_MOST)
		return BROKEN;
	if (slice_equal_nocase(kind, SLICE("all")))
		return YES;
	if (slice_equal_nocase(kind, SLICE("ip4")))
		return match_literal(judging, AF_INET, value);
	if (slice_equal_nocase(kind, SLICE("ip6")))
		return match_literal(judging, AF_INET6, value);
	if (slice_equal_nocase(kind, SLICE("ptr")) || slice_equal_nocase(kind, SLICE("exists")))
		return UNKNOWN;
	target.len = slice_find(value, '/');
	if (target.len == 0)
		target = slice_of(domain);
	snprintf(name, sizeof(name), "%.*s", (int)target.len, target.at);
	if (slice_equal_nocase(kind, SLICE("include")))
		return match_include(judging, name);
	if (!read_bits(slice_from(value, slice_find(value, '/')), judging->family, &bits))
		return BROKEN;
	if (slice_equal_nocase(kind, SLICE("a")))
		return match_host(judging, name, bits);
	if (slice_equal_nocase(kind, SLICE("mx")))
		return match_mx(judging, name, bits);
	return BROKEN;
}

static enum spf_result result_of(char qualifier)
{
	return qualifier == '-'   ? SPF_FAIL
	       : qualifier == '~' ? SPF_SOFTFAIL
	       : qualifier == '?' ? SPF_NEUTRAL
				  : SPF_PASS;
}

/* ---- a record ---- */

static enum spf_result follow(struct judging *judging, struct slice redirect)
{
	char name[NAME_MAX_];
	struct buf record = {0};
	if (redirect.len == 0)
		return SPF_NEUTRAL;
	if (slice_find(redirect, '%') < redirect.len)
		return SPF_UNKNOWN;
	if (++judging->lookups > LOOKUPS_MOST)
		return SPF_BROKEN;
	snprintf(name, sizeof(name), "%.*s", (int)redirect.len, redirect.at);
	enum spf_result result = judge(judging, name, &record);
	buf_free(&record);
	return result == SPF_NONE ? SPF_BROKEN : result;
}

static enum spf_result go_through(struct judging *judging, const char *domain, struct slice rest)
{
	static const enum spf_result ends[] = {
		[BROKEN] = SPF_BROKEN, [LATER] = SPF_LATER, [UNKNOWN] = SPF_UNKNOWN};
	struct slice redirect = {0};
	slice_cut(&rest, ' ');
	while (rest.len > 0) {
		struct slice term = slice_cut(&rest, ' ');
		size_t equals = slice_find(term, '=');
		if (term.len == 0)
			continue;
		if (equals < slice_find(term, ':') && equals < slice_find(term, '/')) {
			if (slice_equal_nocase((struct slice){term.at, equals}, SLICE("redirect")))
				redirect = slice_from(term, equals + 1);
			continue;
		}
		char qualifier = strchr("+-~?", term.at[0]) ? term.at[0] : '+';
		enum match match = match_one(
			judging, domain, slice_from(term, strchr("+-~?", term.at[0]) ? 1 : 0));
		if (match == YES)
			return result_of(qualifier);
		if (match != NO)
			return ends[match];
	}
	return follow(judging, redirect);
}

static enum spf_result judge(struct judging *judging, const char *domain, struct buf *record)
{
	size_t count;
	size_t before = record->len;
	enum mx_said said = spf_find(domain, record, &count);
	if (said == MX_LATER)
		return SPF_LATER;
	if (count != 1)
		return count == 0 ? SPF_NONE : SPF_BROKEN;
	return go_through(judging, domain, slice_from(buf_slice(record), before));
}

enum spf_result spf_judge(
	const char *domain, int family, const unsigned char *address, struct buf *record)
{
	struct judging judging = {.family = family, .address = address};
	return judge(&judging, domain, record);
}
