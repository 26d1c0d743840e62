/* smtpd/mx_connect: which of several hosts is reached. Their ports are ones that the kernel
 * has just given to the test. */
#include "smtpd/mx.h"
#include "smtpd/mx_self.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

static const struct mx_patience quick = {.next = 100, .host = 300, .all = 5000};

struct party {
	struct mx_hosts hosts;
	int listeners[MX_HOSTS_MOST];
	int visitors[2 * MX_HOSTS_MOST]; /* who keep a place in a queue */
	size_t listener_count, visitor_count;
	struct mx_host reached;
	int fd;
	struct err e;
};

static int gather(void **state)
{
	*state = must_alloc(sizeof(struct party));
	((struct party *)*state)->fd = -1;
	return 0;
}

static int scatter(void **state)
{
	struct party *party = *state;
	for (size_t i = 0; i < party->listener_count; i++)
		close(party->listeners[i]);
	for (size_t i = 0; i < party->visitor_count; i++)
		close(party->visitors[i]);
	if (party->fd >= 0)
		close(party->fd);
	free(party);
	return 0;
}

/* A host with a socket of its own, that does not listen yet. */
static int invite(struct party *party, const char *name)
{
	struct mx_host *host = &party->hosts.at[party->hosts.count++];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	host->length = sizeof(at);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&host->address, &host->length), 0);
	snprintf(host->name, sizeof(host->name), "%s", name);
	party->listeners[party->listener_count++] = fd;
	return fd;
}

static void invite_answering(struct party *party, const char *name)
{
	assert_int_equal(listen(invite(party, name), 8), 0);
}

/* One that says nothing at all: its queue is full. */
static void invite_silent(struct party *party, const char *name)
{
	assert_int_equal(listen(invite(party, name), 0), 0);
	const struct mx_host *host = &party->hosts.at[party->hosts.count - 1];
	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fd, (const struct sockaddr *)&host->address, host->length);
		party->visitors[party->visitor_count++] = fd;
	}
}

static int meet(struct party *party, const struct mx_tried *tried)
{
	return mx_connect(&party->hosts, tried, &quick, &party->reached, &party->fd, &party->e);
}

static size_t open_descriptors(void)
{
	size_t count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void assert_reached(struct party *party, const char *name)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	assert_string_equal(party->reached.name, name);
	assert_int_equal(getpeername(party->fd, (struct sockaddr *)&peer, &len), 0);
	assert_true(mx_same_place(
		(const struct sockaddr *)&peer, (const struct sockaddr *)&party->reached.address));
	assert_true(fcntl(party->fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(party->fd, F_GETFL) & O_NONBLOCK);
}

static void the_first_host_that_answers_is_taken(void **state)
{
	struct party *party = *state;
	invite_answering(party, "a.example");
	invite_answering(party, "b.example");
	size_t before = open_descriptors();
	assert_int_equal(meet(party, NULL), 0);
	assert_reached(party, "a.example");
	assert_int_equal(open_descriptors(), before + 1);
}

static void one_that_refuses_is_followed_by_the_next_at_once(void **state)
{
	struct party *party = *state;
	const struct mx_patience long_patience = {.next = 60000, .host = 60000, .all = 60000};
	invite(party, "a.example");
	invite(party, "b.example");
	invite_answering(party, "c.example");
	assert_int_equal(mx_connect(&party->hosts, NULL, &long_patience, &party->reached,
				 &party->fd, &party->e),
		0);
	assert_reached(party, "c.example");
}

static void one_that_says_nothing_does_not_hold_up_the_next(void **state)
{
	struct party *party = *state;
	const struct mx_patience half_patient = {.next = 50, .host = 60000, .all = 60000};
	invite_silent(party, "a.example");
	invite_answering(party, "b.example");
	size_t before = open_descriptors();
	assert_int_equal(mx_connect(&party->hosts, NULL, &half_patient, &party->reached, &party->fd,
				 &party->e),
		0);
	assert_reached(party, "b.example");
	assert_int_equal(open_descriptors(), before + 1);
}

static unsigned port_of(const struct party *party, size_t i)
{
	return ntohs(((const struct sockaddr_in *)&party->hosts.at[i].address)->sin_port);
}

static void reasons_name_each_host_and_its_port(void **state)
{
	struct party *party = *state;
	invite_silent(party, "a.example");
	invite(party, "b.example");
	size_t before = open_descriptors();
	assert_int_equal(meet(party, NULL), -1);
	assert_int_equal(party->e.kind, ERR_GONE);
	char both[160];
	snprintf(both, sizeof(both),
		"a.example [127.0.0.1]:%u: Connection timed out; "
		"b.example [127.0.0.1]:%u: Connection refused",
		port_of(party, 0), port_of(party, 1));
	assert_string_equal(party->e.text, both);
	assert_int_equal(party->fd, -1);
	assert_int_equal(open_descriptors(), before);
}

static void nobody_is_waited_for_past_the_whole_time(void **state)
{
	struct party *party = *state;
	const struct mx_patience little = {.next = 50, .host = 60000, .all = 120};
	for (int i = 0; i < 6; i++)
		invite_silent(party, "mx.example");
	assert_int_equal(
		mx_connect(&party->hosts, NULL, &little, &party->reached, &party->fd, &party->e),
		-1);
	assert_non_null(strstr(party->e.text, "not tried"));
}

/* Be it that this box has no IPv6, or that nobody listens there. */
static void a_host_that_its_IPv6_does_not_lead_to_is_reached_by_IPv4(void **state)
{
	struct party *party = *state;
	struct mx_host *host = &party->hosts.at[party->hosts.count++];
	const struct sockaddr_in6 six = {
		.sin6_family = AF_INET6, .sin6_port = htons(1), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	*host = (struct mx_host){.name = "a.example", .length = sizeof(six)};
	memcpy(&host->address, &six, sizeof(six));
	invite_answering(party, "a.example");
	assert_int_equal(meet(party, NULL), 0);
	assert_int_equal(party->reached.address.ss_family, AF_INET);
}

static void those_that_were_tried_are_left_out(void **state)
{
	struct party *party = *state;
	struct mx_tried tried = {0};
	invite_answering(party, "a.example");
	invite_answering(party, "b.example");
	mx_tried_add(&tried, &party->hosts.at[0]);
	assert_int_equal(meet(party, &tried), 0);
	assert_reached(party, "b.example");
	close(party->fd);

	mx_tried_add(&tried, &party->hosts.at[1]);
	mx_tried_add(&tried, &party->hosts.at[1]);
	assert_int_equal(tried.count, 2);
	assert_int_equal(meet(party, &tried), -1);
	assert_int_equal(party->e.kind, ERR_MISSING);
}

static void what_others_have_written_over_is_survived(void **state)
{
	struct party *party = *state;
	struct mx_tried *tried = must_alloc(sizeof(*tried));
	invite_answering(party, "a.example");
	for (int octet = 0; octet < 256; octet += 51) {
		memset(tried, octet, sizeof(*tried));
		assert_int_equal(meet(party, tried), 0);
		close(party->fd);
		party->fd = -1;
		mx_tried_add(tried, &party->hosts.at[0]);
		assert_true(octet == 0 || tried->count > MX_HOSTS_MOST);
	}
	free(tried);
}

#define PARTY_TEST(promise) cmocka_unit_test_setup_teardown(promise, gather, scatter)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PARTY_TEST(the_first_host_that_answers_is_taken),
		PARTY_TEST(one_that_refuses_is_followed_by_the_next_at_once),
		PARTY_TEST(one_that_says_nothing_does_not_hold_up_the_next),
		PARTY_TEST(reasons_name_each_host_and_its_port),
		PARTY_TEST(nobody_is_waited_for_past_the_whole_time),
		PARTY_TEST(a_host_that_its_IPv6_does_not_lead_to_is_reached_by_IPv4),
		PARTY_TEST(those_that_were_tried_are_left_out),
		PARTY_TEST(what_others_have_written_over_is_survived),
	};
	return cmocka_run_group_tests_name("mx_connect", tests, NULL, NULL);
}
