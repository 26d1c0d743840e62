/* `officemail dns`: the records to publish for each domain, as lines of a zone file; what
 * only a person can know stands in comments. */
#include "base/account.h"
#include "base/syntax.h"
#include "tools/command.h"
#include "tools/records.h"
#include "tools/signing.h"
#include <stdarg.h>
#include <stdio.h>

struct zone {
	const struct config *config;
	const char *domain;
	struct slice public_key; /* base64 */
};

/* LABEL.DOMAIN, or DOMAIN where the label is empty. */
__attribute__((format(printf, 4, 5))) static void print_record(
	const struct zone *zone, const char *label, const char *type, const char *format, ...)
{
	char name[2 * CONFIG_NAME_MAX];
	va_list args;
	snprintf(name, sizeof(name), "%s%s%s.", label, *label ? "." : "", zone->domain);
	printf("%-44s IN %-3s ", name, type);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* ---- mail to us ---- */

static void print_incoming(const struct zone *zone)
{
	unsigned port = records_public_port(zone->config->smtpd_listen);
	if (port != 25)
		puts("; Other servers come to port 25, where [smtpd] listen hears none of them.");
	print_record(zone, "", "MX", "10 %s.", zone->config->hostname);
}

/* ---- mail from us ---- */

static void print_spf(const struct zone *zone)
{
	const char *smarthost = zone->config->smarthost;
	struct slice host = {0};
	uint16_t port;
	if (*smarthost && syntax_split_listener(slice_of(smarthost), &host, &port))
		printf("; Mail leaves through %.*s: ask there what to write in front of ~all\n"
		       "; (most often include:NAME), or others take our mail for forged.\n",
			(int)host.len, host.at);
	print_record(zone, "", "TXT", "\"" RECORDS_SPF "\"");
}

static void print_dkim(const struct zone *zone)
{
	struct buf label = {0}, strings = {0};
	buf_printf(&label, "%s._domainkey", zone->config->dkim_selector);
	records_add_dkim(&strings, zone->public_key, "\n    ");
	print_record(zone, buf_text(&label), "TXT", "(%s )", buf_text(&strings));
	buf_free(&label);
	buf_free(&strings);
}

static void print_dmarc(const struct zone *zone)
{
	puts("; p=none asks for reports and no more; p=quarantine once they name no server of\n"
	     "; yours that sends without a signature.");
	print_record(zone, "_dmarc", "TXT", "\"" RECORDS_DMARC "\"", zone->domain);
}

/* ---- mail programs ---- */

static void print_services(const struct zone *zone)
{
	struct records_service services[RECORDS_SERVICES];
	records_services(zone->config, services);
	for (size_t i = 0; i < RECORDS_SERVICES; i++)
		if (services[i].port != 0)
			print_record(zone, services[i].label, "SRV", "0 1 %u %s.", services[i].port,
				zone->config->hostname);
	printf("; Thunderbird also asks http://autoconfig.%s/mail/config-v1.1.xml. With a web\n"
	       "; server for it: `officemail client ADDRESS --format autoconfig` writes the file.\n"
	       "; autoconfig.%s. IN CNAME WEB-SERVER.\n",
		zone->domain, zone->domain);
}

/* ---- all of it ---- */

static void print_host(const struct config *config)
{
	const struct zone zone = {.config = config, .domain = config->hostname};
	printf("; %s itself: its addresses as the world sees them. Whoever gave them to you\n"
	       "; makes the way back (PTR), from each to this name: without it many refuse mail.\n"
	       "; %s. IN A    192.0.2.1\n"
	       "; %s. IN AAAA 2001:db8::1\n",
		config->hostname, config->hostname, config->hostname);
	/* What bounces are judged by, which name no sender (RFC 7208, 2.4). */
	if (!*config->smarthost && !config_has_domain(config, slice_of(config->hostname)))
		print_record(&zone, "", "TXT", "\"" RECORDS_SPF_HOST "\"");
}

static void print_zones(const struct config *config, struct slice public_key)
{
	struct slice word;
	puts("; A form that asks for the value alone takes what stands in quotes, without them;\n"
	     "; where there are two strings, the second right behind the first.");
	for (size_t n = 0; config_word(config->domains, n, &word); n++) {
		char domain[CONFIG_NAME_MAX];
		const struct zone zone = {config, domain, public_key};
		snprintf(domain, sizeof(domain), "%.*s", (int)word.len, word.at);
		printf("\n; %s\n", domain);
		print_incoming(&zone);
		print_spf(&zone);
		print_dkim(&zone);
		print_dmarc(&zone);
		print_services(&zone);
	}
	putchar('\n');
	print_host(config);
}

int command_dns(struct command_line *line, struct err *e)
{
	struct config config;
	struct buf public_key = {0};
	if (office_read(line, &config, e) < 0 || account_assume(config.user, e) < 0)
		return -1;
	/* Made where it is absent, so that the record can stand in the zone before the first
	 * signature under a new selector. */
	int result = store_check_files(config.data, e);
	if (result == 0)
		result = signing_make(&config, e);
	if (result >= 0)
		result = records_read_key(&config, &public_key, e);
	account_resume();
	if (result == 0)
		print_zones(&config, buf_slice(&public_key));
	buf_free(&public_key);
	return result;
}
