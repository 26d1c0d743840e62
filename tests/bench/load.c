/* The load generator: load [OPTION...] WORK ADDRESS:PORT
 *
 *	WORK     send, poll, fetch, drain: see work.h
 *	         idle: logs in and stays until stdin ends; says "ready" in between
 *	-c N     sessions at a time (10)          -m N  messages a session, at most (no limit)
 *	-d S     seconds (2)                      -n N  messages to send in all, or sessions of
 *	                                                POP3 a customer; instead of the time
 *	-b N     mailboxes, u1 to uN (20)         -r N  recipients a message (1)
 *	-u NAME  of the mailboxes (u)             -a    acknowledge at once what comes in
 *	-s N     octets of a message (4096)       -x    compare what is fetched with it
 *	-t HOW   starttls, or tls from the start  -l    LMTP
 *
 * Prints one JSON object: sessions, messages and octets of them, seconds, and of messages and
 * sessions the 50th and 99th percentile of their times in milliseconds. The
 * senders are in one process, each a thread that blocks. */
#include "tests/bench/work.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct plan plan = {.sessions = 10,
	.messages = UINT32_MAX,
	.recipients = 1,
	.name = "u",
	.boxes = 20,
	.size = 4096};
static work_fn *work;
static uint64_t ends_at;            /* microseconds; 0: by count */
static uint64_t count = UINT64_MAX; /* of messages, or sessions a customer */
static atomic_uint_fast64_t taken;

uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool time_is_up(void)
{
	return ends_at && now_us() >= ends_at;
}

bool take_message(uint64_t *number)
{
	if (time_is_up())
		return false;
	*number = taken++;
	return *number < count;
}

static void note(struct times *times, uint64_t since)
{
	if (times->count == times->room) {
		times->room = times->room ? 2 * times->room : 1024;
		times->at = must_realloc(times->at, times->room * sizeof(*times->at));
	}
	times->at[times->count++] = (uint32_t)(now_us() - since);
}

void count_message(struct customer *customer, uint64_t since, uint64_t octets)
{
	note(&customer->of_messages, since);
	customer->octets += octets;
}

const char *message_octets(void)
{
	static char octets[MESSAGE_ROOM];
	static const char *const head[] = {"From: pak@luar.example", "To: u1@kantor.example",
		"Subject: laporan bulanan", "Date: Mon, 23 Nov 2026 07:00:00 +0000",
		"Message-ID: <laporan@luar.example>", "MIME-Version: 1.0", "X-Padding: "};
	const size_t fields = sizeof(head) / sizeof(head[0]) - 1;
	if (octets[0])
		return octets;
	for (size_t line = 0; line < MESSAGE_ROOM / MESSAGE_LINE; line++) {
		char *at = octets + line * MESSAGE_LINE;
		memset(at, line < fields ? ' ' : 'a' + (int)(line % 26), MESSAGE_LINE - 2);
		memcpy(at + MESSAGE_LINE - 2, "\r\n", 2);
		if (line <= fields)
			memcpy(at, head[line], strlen(head[line]));
		if (line == fields) /* it ends with two CRLF */
			memcpy(at + MESSAGE_LINE - 4, "\r\n", 2);
	}
	return octets;
}

static void *run_customer(void *arg)
{
	struct customer *customer = arg;
	while (!time_is_up() && (work == work_send || customer->turn < count)) {
		uint64_t since = now_us();
		if (!work(customer))
			break;
		customer->turn++;
		note(&customer->of_sessions, since);
	}
	return NULL;
}

static int compare_times(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* Adds the times of all customers and prints the percentiles. */
static void print_times(const struct customer *customers, const char *what, size_t offset)
{
	struct times all = {0};
	for (unsigned i = 0; i < plan.sessions; i++) {
		const struct times *times = (const void *)((const char *)&customers[i] + offset);
		all.at = must_realloc(all.at, (all.count + times->count + 1) * sizeof(*all.at));
		if (times->count)
			memcpy(all.at + all.count, times->at, times->count * sizeof(*all.at));
		all.count += times->count;
	}
	if (all.count)
		qsort(all.at, all.count, sizeof(*all.at), compare_times);
	printf("\"%ss\": %zu, \"%s_p50\": %.3f, \"%s_p99\": %.3f, ", what, all.count, what,
		all.count ? all.at[all.count / 2] / 1e3 : 0, what,
		all.count ? all.at[all.count * 99 / 100] / 1e3 : 0);
	free(all.at);
}

static void run_all(void)
{
	struct customer *customers = must_alloc(plan.sessions * sizeof(*customers));
	pthread_t *threads = must_alloc(plan.sessions * sizeof(*threads));
	uint64_t octets = 0, began = now_us();
	if (ends_at)
		ends_at += began;
	for (unsigned i = 0; i < plan.sessions; i++) {
		customers[i].plan = &plan;
		customers[i].number = i;
		customers[i].wire.acks_at_once = plan.acks_at_once;
		if (pthread_create(&threads[i], NULL, run_customer, &customers[i]) != 0)
			give_up("no more threads");
	}
	for (unsigned i = 0; i < plan.sessions; i++) {
		pthread_join(threads[i], NULL);
		octets += customers[i].octets;
	}
	uint64_t lasted = now_us() - began;
	printf("{");
	print_times(customers, "message", offsetof(struct customer, of_messages));
	print_times(customers, "session", offsetof(struct customer, of_sessions));
	printf("\"octets\": %llu, \"seconds\": %.6f}\n", (unsigned long long)octets,
		(double)lasted / 1e6);
}

static void stay_idle(void)
{
	struct customer customer = {.plan = &plan};
	char octet, name[32];
	for (; customer.number < plan.sessions; customer.number++) {
		memset(&customer.wire, 0, sizeof(customer.wire)); /* the one before stays open */
		snprintf(name, sizeof(name), "%s%u", plan.name, customer.number % plan.boxes + 1);
		pop3_login(&customer, slice_of(name));
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &octet, 1) > 0)
		;
}

static unsigned long long number(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);
	if (!*text || *end)
		give_up("\"%s\" is no number", text);
	return value;
}

static void set_option(int option, const char *value)
{
	switch (option) {
	case 'c':
		plan.sessions = (unsigned)number(value);
		break;
	case 'm':
		plan.messages = (unsigned)number(value);
		break;
	case 'b':
		plan.boxes = (unsigned)number(value);
		break;
	case 'u':
		plan.name = value;
		break;
	case 'r':
		plan.recipients = (unsigned)number(value);
		break;
	case 's':
		plan.size = number(value) / MESSAGE_LINE * MESSAGE_LINE;
		break;
	case 'd':
		ends_at = (uint64_t)(strtod(value, NULL) * 1e6);
		break;
	case 'n':
		count = number(value);
		ends_at = 0;
		break;
	case 't':
		plan.tls = strcmp(value, "tls") == 0 ? TLS_FIRST : TLS_UPGRADE;
		break;
	case 'l':
		plan.lmtp = true;
		break;
	case 'a':
		plan.acks_at_once = true;
		break;
	case 'x':
		plan.compare = true;
		break;
	default:
		give_up("usage: see tests/bench/load.c");
	}
}

static work_fn *find_work(const char *name)
{
	static const struct {
		const char *name;
		work_fn *work;
	} all[] = {{"send", work_send}, {"poll", work_poll}, {"fetch", work_fetch},
		{"drain", work_drain}};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].work;
	return NULL;
}

int main(int argc, char **argv)
{
	int option;
	ends_at = 2000000;
	while ((option = getopt(argc, argv, "c:m:b:u:r:s:d:n:t:lxa")) != -1)
		set_option(option, optarg);
	if (argc - optind != 2)
		give_up("usage: see tests/bench/load.c");
	char *address = argv[optind + 1], *port = strrchr(address, ':');
	if (!port)
		give_up("\"%s\" has no port", address);
	*port++ = '\0';
	plan.place.sin_family = AF_INET;
	plan.place.sin_port = htons((uint16_t)number(port));
	if (inet_pton(AF_INET, address, &plan.place.sin_addr) != 1)
		give_up("\"%s\" is no address of IPv4", address);
	message_octets(); /* before there are threads */
	signal(SIGPIPE, SIG_IGN);
	work = find_work(argv[optind]);
	if (work)
		run_all();
	else if (strcmp(argv[optind], "idle") == 0)
		stay_idle();
	else
		give_up("\"%s\" is no work", argv[optind]);
	return 0;
}
