#include "base/names.h"
#include "base/der.h"
#include "base/text.h"
#include <arpa/inet.h>

/* The tags of a GeneralName. (RFC 5280, 4.2.1.6) */
#define DNS_NAME   DER_CONTEXT(2)
#define IP_ADDRESS DER_CONTEXT(7)

#define OID_COMMON_NAME      SLICE("\x55\x04\x03")
#define OID_ORGANIZATION     SLICE("\x55\x04\x0A")
#define OID_SUBJECT_ALT_NAME SLICE("\x55\x1D\x11")

#define NAMES_TOLD 3

struct parts {
	struct slice issuer, subject;
	struct slice names; /* of subjectAltName */
};

static struct slice find_alternative_names(struct slice extensions)
{
	struct slice extension, oid, critical, value, names;
	while (der_take(&extensions, DER_SEQUENCE, &extension)) {
		if (!der_take(&extension, DER_OID, &oid) || !slice_equal(oid, OID_SUBJECT_ALT_NAME))
			continue;
		der_take(&extension, DER_BOOLEAN, &critical);
		if (der_take(&extension, DER_OCTET_STRING, &value) &&
			der_take(&value, DER_SEQUENCE, &names))
			return names;
	}
	return SLICE("");
}

/* Each is empty where there is none. (RFC 5280, 4.1) */
static struct parts take_apart(struct slice certificate)
{
	struct parts parts = {0};
	struct slice tbs, part, extensions;
	if (!der_take(&certificate, DER_SEQUENCE, &certificate) ||
		!der_take(&certificate, DER_SEQUENCE, &tbs))
		return parts;
	der_take(&tbs, DER_CONTEXT_CONSTRUCTED(0), &part); /* version */
	if (!der_take(&tbs, DER_INTEGER, &part) ||         /* serial number */
		!der_take(&tbs, DER_SEQUENCE, &part) ||    /* signature algorithm */
		!der_take(&tbs, DER_SEQUENCE, &parts.issuer) ||
		!der_take(&tbs, DER_SEQUENCE, &part) || /* validity */
		!der_take(&tbs, DER_SEQUENCE, &parts.subject) ||
		!der_take(&tbs, DER_SEQUENCE, &part)) /* public key */
		return parts;
	der_take(&tbs, DER_CONTEXT_CONSTRUCTED(1), &part); /* unique identifiers */
	der_take(&tbs, DER_CONTEXT_CONSTRUCTED(2), &part);
	if (der_take(&tbs, DER_CONTEXT_CONSTRUCTED(3), &part) &&
		der_take(&part, DER_SEQUENCE, &extensions))
		parts.names = find_alternative_names(extensions);
	return parts;
}

/* The next value of the attribute `oid` in a distinguished name. */
static bool next_attribute(struct slice *name, struct slice oid, struct slice *value)
{
	struct slice set, pair, found;
	unsigned tag;
	while (der_take(name, DER_SET, &set))
		while (der_take(&set, DER_SEQUENCE, &pair))
			if (der_take(&pair, DER_OID, &found) && slice_equal(found, oid) &&
				der_next(&pair, &tag, value))
				return true;
	return false;
}

/* "*.kantor.example" is good for "mail.kantor.example" and for nothing deeper.
 * (RFC 6125, 6.4.3) */
static bool name_covers(struct slice name, struct slice hostname)
{
	if (slice_has_prefix(name, SLICE("*."))) {
		size_t label = slice_find(hostname, '.');
		if (label == 0)
			return false;
		name = slice_from(name, 1);
		hostname = slice_from(hostname, label);
	}
	return hostname.len > 0 && slice_equal_nocase(name, hostname);
}

bool names_cover(struct slice certificate, const char *hostname)
{
	struct parts parts = take_apart(certificate);
	struct slice name;
	unsigned tag;
	bool has_dns_names = false;
	while (der_next(&parts.names, &tag, &name)) {
		if (tag != DNS_NAME)
			continue;
		has_dns_names = true;
		if (name_covers(name, slice_of(hostname)))
			return true;
	}
	while (!has_dns_names && next_attribute(&parts.subject, OID_COMMON_NAME, &name))
		if (name_covers(name, slice_of(hostname)))
			return true;
	return false;
}

bool names_hold_address(struct slice certificate, struct slice address)
{
	struct parts parts = take_apart(certificate);
	struct slice name;
	unsigned tag;
	while (der_next(&parts.names, &tag, &name))
		if (tag == IP_ADDRESS && address.len > 0 && slice_equal(name, address))
			return true;
	return false;
}

static void add_name(struct buf *out, unsigned tag, struct slice name)
{
	char address[INET6_ADDRSTRLEN];
	if (tag == IP_ADDRESS && (name.len == 4 || name.len == 16))
		buf_add_text(out, inet_ntop(name.len == 4 ? AF_INET : AF_INET6, name.at, address,
					  sizeof(address)));
	else
		text_add_escaped(out, name);
}

void names_add(struct slice certificate, struct buf *out)
{
	struct parts parts = take_apart(certificate);
	struct slice name;
	unsigned tag, count = 0;
	while (der_next(&parts.names, &tag, &name)) {
		if ((tag != DNS_NAME && tag != IP_ADDRESS) || count++ >= NAMES_TOLD)
			continue;
		if (count > 1)
			buf_add_text(out, ", ");
		add_name(out, tag, name);
	}
	if (count > NAMES_TOLD)
		buf_printf(out, " and %u more", count - NAMES_TOLD);
	if (count == 0 && next_attribute(&parts.subject, OID_COMMON_NAME, &name))
		text_add_escaped(out, name);
}

void names_add_issuer(struct slice certificate, struct buf *out)
{
	struct slice issuer = take_apart(certificate).issuer, again = issuer, name;
	if (next_attribute(&issuer, OID_COMMON_NAME, &name) ||
		next_attribute(&again, OID_ORGANIZATION, &name))
		text_add_escaped(out, name);
}

bool names_is_self_signed(struct slice certificate)
{
	struct parts parts = take_apart(certificate);
	return parts.issuer.len > 0 && slice_equal(parts.issuer, parts.subject);
}
