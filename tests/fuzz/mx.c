/* Answers of DNS about MX records: what is taken is what a second reader, octet by octet,
 * takes: the hosts that the domain names, at the end of its CNAMEs, by preference, each
 * once. Every name can be a host's, and is no address.
 *
 * Input: 0 and a message; or the number of answers (one octet, not 0) and what stands
 * behind the question. */
#include "smtpd/mx_answer.h"
#include "tests/fuzz/fuzz.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

#define DOMAIN   "luar.example"
#define QUESTION "\4luar\7example\0\0\17\0\1"

enum { CNAME = 5, MX = 15 };

/* A name on the wire without pointers, in lower case. */
struct name {
	unsigned char at[256];
	size_t len;
};

struct record {
	struct name owner;
	unsigned type, class;
	size_t data, end;
};

static unsigned number_at(struct slice message, size_t at)
{
	assert(at + 2 <= message.len);
	return (unsigned)(unsigned char)message.at[at] << 8 | (unsigned char)message.at[at + 1];
}

/* Returns where it ends. What libresolv has let pass is a name. */
static size_t read_name(struct slice message, size_t at, struct name *name)
{
	size_t end = 0;
	unsigned len;
	name->len = 0;
	do {
		assert(at < message.len);
		len = (unsigned char)message.at[at];
		if (len >= 0xC0) {
			end = end > 0 ? end : at + 2;
			at = number_at(message, at) & 0x3FFF;
			continue;
		}
		assert(len < 64 && at + len < message.len && name->len + len < sizeof(name->at));
		for (unsigned i = 0; i <= len; i++)
			name->at[name->len++] =
				(unsigned char)tolower((unsigned char)message.at[at + i]);
		at += len + 1;
	} while (len > 0);
	return end > 0 ? end : at;
}

static size_t read_record(struct slice message, size_t at, struct record *record)
{
	at = read_name(message, at, &record->owner);
	record->type = number_at(message, at);
	record->class = number_at(message, at + 2);
	record->data = at + 10;
	record->end = record->data + number_at(message, at + 8);
	assert(record->end <= message.len);
	return record->end;
}

static bool same(const struct name *a, const struct name *b)
{
	return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

/* With dots, and "?" for what no name of a host holds. */
static const char *as_text(const struct name *name, char text[256])
{
	size_t at = 0;
	while (name->at[at] > 0) {
		for (unsigned left = name->at[at++]; left > 0; left--, at++)
			text[at - 1] =
				isalnum(name->at[at]) ||
						strchr("-_", name->at[at] ? name->at[at] : '?')
					? (char)name->at[at]
					: '?';
		text[at - 1] = '.';
	}
	text[at > 0 ? at - 1 : 0] = '\0';
	return text;
}

static bool is_host(const char *text)
{
	struct in_addr address;
	return text[0] && !strchr(text, '?') && inet_aton(text, &address) == 0;
}

/* ---- what comes of it ---- */

struct host {
	unsigned preference;
	char name[256];
};

/* Puts in what is new or better: order of preference, then of the message. */
static void add_host(struct host *hosts, size_t *count, unsigned preference, const char *name)
{
	size_t at = 0;
	for (size_t i = 0; i < *count; i++)
		if (strcmp(hosts[i].name, name) == 0) {
			if (hosts[i].preference <= preference)
				return;
			memmove(&hosts[i], &hosts[i + 1], (--*count - i) * sizeof(*hosts));
		}
	while (at < *count && hosts[at].preference <= preference)
		at++;
	memmove(&hosts[at + 1], &hosts[at], ((*count)++ - at) * sizeof(*hosts));
	hosts[at].preference = preference;
	memcpy(hosts[at].name, name, strlen(name) + 1);
}

/* The records of one owner; the last CNAME of it takes the place of *owner. */
static bool read_owner(struct slice message, struct name *owner, struct mx_answer *answer)
{
	struct host *hosts = must_alloc((number_at(message, 6) + 1) * sizeof(*hosts));
	struct name asked = *owner, name;
	struct record record;
	char text[256];
	size_t at = read_name(message, 12, &name) + 4, count = 0, nulls = 0;
	bool leads_on = false;
	for (unsigned left = number_at(message, 6); left > 0; left--) {
		at = read_record(message, at, &record);
		if (record.class != 1 || !same(&record.owner, &asked))
			continue;
		if (record.type == MX) {
			assert(read_name(message, record.data + 2, &name) == record.end);
			answer->records++;
			nulls += name.len == 1;
			if (is_host(as_text(&name, text)))
				add_host(hosts, &count, number_at(message, record.data), text);
		} else if (record.type == CNAME) {
			assert(read_name(message, record.data, owner) == record.end);
			leads_on = owner->len > 1;
		}
	}
	answer->refused = nulls == 1 && answer->records == 1;
	answer->count = count < MX_NAMES_MOST ? count : MX_NAMES_MOST;
	for (size_t i = 0; i < answer->count; i++) {
		answer->at[i].preference = (uint16_t)hosts[i].preference;
		memcpy(answer->at[i].name, hosts[i].name, sizeof(hosts[i].name));
	}
	free(hosts);
	return leads_on && answer->records == 0;
}

static void read_again(struct slice message, struct mx_answer *answer)
{
	struct name owner;
	struct slice domain = SLICE(QUESTION);
	memset(answer, 0, sizeof(*answer));
	read_name(domain, 0, &owner);
	for (int i = 0; i < 10 && read_owner(message, &owner, answer); i++)
		;
}

static void read_message(struct slice octets)
{
	struct mx_answer answer, wanted;
	char *copy = fuzz_copy(octets);
	struct slice message = {copy, octets.len};
	if (!mx_answer_read(message, DOMAIN, &answer)) {
		assert(answer.count == 0 && answer.records == 0 && !answer.refused);
		free(copy);
		return;
	}
	read_again(message, &wanted);
	assert(answer.records == wanted.records && answer.refused == wanted.refused);
	assert(answer.count == wanted.count);
	for (size_t i = 0; i < answer.count; i++) {
		assert(answer.at[i].preference == wanted.at[i].preference);
		assert(mx_is_name(answer.at[i].name));
		assert(slice_equal_nocase(
			slice_of(answer.at[i].name), slice_of(wanted.at[i].name)));
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size);
	const char answers = (char)fuzz_octet(&in);
	struct buf message = {0};
	if (answers == 0) {
		read_message(in);
		return 0;
	}
	buf_add(&message, "\0\1\x81\x80\0\1\0", 7);
	buf_add_char(&message, answers);
	buf_add(&message, "\0\0\0\0" QUESTION, 4 + sizeof(QUESTION) - 1);
	buf_add_slice(&message, in);
	read_message(buf_slice(&message));
	buf_free(&message);
	return 0;
}
