/* Says where mail for a domain goes, as mx_find() does:
 *
 *     find DOMAIN HOSTNAME LISTEN      find --smarthost HOST:PORT
 *
 * HOSTNAME and LISTEN are our own. A line a host, "name address port"; or
 * "missing 5.1.2 the sentence", and 1 is what it ends with. */
#include "smtpd/mx.h"
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static const char *kind_of(const struct err *e)
{
	return e->kind == ERR_MISSING ? "missing" : e->kind == ERR_LOOP ? "loop" : "later";
}

static void show(const struct mx_host *host)
{
	char address[NI_MAXHOST], port[NI_MAXSERV];
	if (getnameinfo((const struct sockaddr *)&host->address, host->length, address,
		    sizeof(address), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		printf("%s %s %s\n", host->name, address, port);
}

int main(int argc, char **argv)
{
	static struct config config;
	static struct mx_hosts hosts;
	struct err e;
	if (argc == 4) {
		snprintf(config.hostname, sizeof(config.hostname), "%s", argv[2]);
		snprintf(config.smtpd_listen, sizeof(config.smtpd_listen), "%s", argv[3]);
	}
	snprintf(config.smarthost, sizeof(config.smarthost), "%s", argv[argc - 1]);
	int failed = argc == 4 ? mx_find(argv[1], &config, &hosts, &e)
			       : mx_find_smarthost(&config, &hosts, &e);
	if (failed)
		printf("%s %s %s\n", kind_of(&e), hosts.status, e.text);
	for (size_t i = 0; i < hosts.count; i++)
		show(&hosts.at[i]);
	return failed ? 1 : 0;
}
