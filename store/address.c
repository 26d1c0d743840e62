/* The syntax of addresses. smtpd has parsed what came over the wire before;
 * this is the second line of defence, and the first for the command line. */
#include "store/address.h"
#include "base/syntax.h"
#include "base/text.h"
#include <string.h>

#define LOCAL_MAX  64
#define DOMAIN_MAX 255
#define LABEL_MAX  63

bool address_is_plain(struct slice local)
{
	for (size_t i = 0; i < local.len; i++)
		if (!syntax_is_atext(local.at[i]) && local.at[i] != '.')
			return false;
	return local.len > 0;
}

static bool is_label(struct slice label)
{
	if (label.len == 0 || label.len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!syntax_is_letter_or_digit(label.at[i]) && label.at[i] != '-' &&
			label.at[i] != '_')
			return false;
	return true;
}

bool address_is_domain(struct slice domain)
{
	if (domain.len == 0 || domain.len > DOMAIN_MAX || domain.at[domain.len - 1] == '.')
		return false;
	while (domain.len)
		if (!is_label(slice_cut(&domain, '.')))
			return false;
	return true;
}

/* The length of the quoted string that `text` begins with, quotes included,
 * with its content, unescaped, in plain[]; 0 if it never ends. */
static size_t read_quoted(struct slice text, char plain[ADDRESS_MAX], size_t *plain_len)
{
	*plain_len = 0;
	for (size_t i = 1; i < text.len && *plain_len < ADDRESS_MAX; i++) {
		if (text.at[i] == '"')
			return i + 1;
		if (text.at[i] == '\\' && ++i == text.len)
			return 0;
		plain[(*plain_len)++] = text.at[i];
	}
	return 0;
}

/* As much of it as a sentence has room for. */
static int shown(struct slice text)
{
	return text.len < 100 ? (int)text.len : 100;
}

int address_read(struct address *address, struct slice text, struct err *e)
{
	char plain[ADDRESS_MAX];
	struct slice local, domain;
	bool quoted = text.len && text.at[0] == '"';
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] > 126)
			return err_set(e, ERR_INPUT,
				"an address is written in ASCII: there is no mailbox with other "
				"letters");
	if (!text_is_printable(text))
		return err_set(e, ERR_INPUT, "an address holds no control characters");
	if (quoted) {
		size_t plain_len;
		size_t end = read_quoted(text, plain, &plain_len);
		local = (struct slice){text.at, end};
		if (end == 0 || end == text.len || text.at[end] != '@')
			return err_set(e, ERR_INPUT,
				"behind the quoted part of an address stands \"@\" and a domain");
		if (address_is_plain((struct slice){plain, plain_len})) {
			local = (struct slice){plain, plain_len};
			quoted = false;
		}
		domain = slice_from(text, end + 1);
	} else {
		size_t at = slice_find(text, '@');
		if (at == text.len)
			return err_set(e, ERR_INPUT,
				"%.*s is no whole address: write it as name@domain", shown(text),
				text.at);
		local = (struct slice){text.at, at};
		domain = slice_from(text, at + 1);
		if (!address_is_plain(local))
			return err_set(e, ERR_INPUT,
				"%.*s is no address: what stands before \"@\" is letters, digits "
				"and signs like . - _ +",
				shown(text), text.at);
	}
	if (local.len > LOCAL_MAX)
		return err_set(e, ERR_INPUT,
			"%.*s is no address: before \"@\" stand %d octets at most", shown(text),
			text.at, LOCAL_MAX);
	if (!address_is_domain(domain))
		return err_set(e, ERR_INPUT,
			"%.*s is no address: behind the \"@\" stands one domain name", shown(text),
			text.at);
	address_join(address, local, domain);
	address->quoted = quoted;
	return 0;
}

bool address_join(struct address *address, struct slice local, struct slice domain)
{
	if (local.len + 1 + domain.len >= sizeof(address->text))
		return false;
	memset(address, 0, sizeof(*address));
	if (local.len) /* memcpy takes no NULL, not even for nothing */
		memcpy(address->text, local.at, local.len);
	address->text[local.len] = '@';
	memcpy(address->text + local.len + 1, domain.at, domain.len);
	text_fold(address->text, local.len + 1 + domain.len);
	address->at = local.len;
	address->quoted = local.len && local.at[0] == '"';
	return true;
}

struct slice address_local(const struct address *address)
{
	return (struct slice){address->text, address->at};
}

struct slice address_domain(const struct address *address)
{
	return slice_of(address->text + address->at + 1);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return strcmp(a->text, b->text) == 0;
}

bool address_cut_tag(const struct address *address, struct address *base, struct slice *tag)
{
	struct slice local = address_local(address);
	size_t plus = slice_find(local, '+');
	if (address->quoted || plus == 0 || plus == local.len)
		return false;
	*tag = slice_from(local, plus + 1);
	return address_join(base, (struct slice){local.at, plus}, address_domain(address));
}
