/* What a word of office.ini or of a command line may look like. */
#include "base/syntax.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool syntax_is_letter_or_digit(char octet)
{
	return is_digit(octet) || (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z');
}

bool syntax_is_atext(char octet)
{
	return syntax_is_letter_or_digit(octet) ||
	       (octet != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", octet));
}

bool syntax_is_label(struct slice label)
{
	if (label.len == 0 || label.len > 63 || label.at[0] == '-' ||
		label.at[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!syntax_is_letter_or_digit(label.at[i]) && label.at[i] != '-')
			return false;
	return true;
}

static bool is_digits(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_digit(text.at[i]))
			return false;
	return true;
}

bool syntax_is_hostname(struct slice text)
{
	struct slice rest = text, label = {0};
	if (text.len == 0 || text.len > 253 || text.at[text.len - 1] == '.')
		return false;
	while (rest.len > 0) {
		label = slice_cut(&rest, '.');
		if (!syntax_is_label(label))
			return false;
	}
	return !is_digits(label);
}

bool syntax_is_address(struct slice text)
{
	struct slice rest = text;
	struct slice local = slice_cut(&rest, '@');
	if (local.len == 0 || local.len > 64 || local.at[0] == '.' ||
		local.at[local.len - 1] == '.')
		return false;
	for (size_t i = 0; i < local.len; i++) {
		if (local.at[i] == '.' && local.at[i + 1] == '.')
			return false;
		if (local.at[i] != '.' && !syntax_is_atext(local.at[i]))
			return false;
	}
	return syntax_is_hostname(rest);
}

/* An IP address; *bits is its width. */
static bool is_ip(struct slice text, uint64_t *bits)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char binary[16];
	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (strlen(copy) != text.len)
		return false;
	bool v6 = memchr(copy, ':', text.len) != NULL;
	*bits = v6 ? 128 : 32;
	return inet_pton(v6 ? AF_INET6 : AF_INET, copy, binary) == 1;
}

bool syntax_is_network(struct slice text)
{
	size_t slash = slice_find(text, '/');
	uint64_t width, bits;
	if (!is_ip((struct slice){text.at, slash}, &width))
		return false;
	return slash == text.len ||
	       (text_to_number(slice_from(text, slash + 1), 3, &bits) && bits <= width);
}

bool syntax_split_listener(struct slice text, struct slice *host, uint16_t *port)
{
	uint64_t number, width;
	size_t colon = text.len;
	while (colon > 0 && text.at[colon - 1] != ':')
		colon--;
	if (!text_to_number(slice_from(text, colon), 5, &number) || number < 1 || number > 65535)
		return false;
	*port = (uint16_t)number;
	*host = (struct slice){text.at, colon > 0 ? colon - 1 : 0};
	if (colon == 0)
		return true;
	if (host->len > 2 && host->at[0] == '[' && host->at[host->len - 1] == ']') {
		*host = (struct slice){host->at + 1, host->len - 2};
		return is_ip(*host, &width) && width == 128;
	}
	return (is_ip(*host, &width) && width == 32) || syntax_is_hostname(*host);
}

bool syntax_is_loopback(struct slice listener)
{
	struct slice host;
	uint16_t port;
	return syntax_split_listener(listener, &host, &port) &&
	       (slice_has_prefix(host, SLICE("127.")) || slice_equal(host, SLICE("::1")) ||
		       slice_equal_nocase(host, SLICE("localhost")));
}
