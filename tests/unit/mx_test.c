/* smtpd/mx_answer: which hosts an answer names. smtpd/mx_connect: which of several is
 * reached; ports are ones that the kernel has just given to the test. smtpd/mx: what
 * needs no DNS; the rest of it is in tests/outside. */
#include "base/text.h"
#include "smtpd/mx_answer.h"
#include "smtpd/mx_self.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

/* ---- an answer, made by hand ---- */

enum { QUERY_RESPONSE = 0x8000, TRUNCATED = 0x0200 };

static struct buf message;

static void put16(unsigned number)
{
	buf_add_char(&message, (char)(number >> 8));
	buf_add_char(&message, (char)number);
}

/* "a.b" as labels; "" is the root. */
static void put_name(const char *name)
{
	struct slice rest = slice_of(name);
	while (rest.len > 0) {
		struct slice label = slice_cut(&rest, '.');
		buf_add_char(&message, (char)label.len);
		buf_add_slice(&message, label);
	}
	buf_add_char(&message, '\0');
}

/* An answer to "MX of luar.example", that will have `records`. */
static void begin(unsigned flags, unsigned records)
{
	buf_clear(&message);
	put16(1);
	put16(flags);
	put16(1);
	put16(records);
	put16(0);
	put16(0);
	put_name("luar.example");
	put16(ns_t_mx);
	put16(ns_c_in);
}

/* Returns where the length of the data stands. */
static size_t begin_record(const char *owner, unsigned type)
{
	put_name(owner);
	put16(type);
	put16(ns_c_in);
	put16(0);
	put16(60);
	put16(0);
	return message.len - 2;
}

static void end_record(size_t at, int more)
{
	size_t len = message.len - at - 2 + (size_t)more;
	message.at[at] = (char)(len >> 8);
	message.at[at + 1] = (char)len;
}

static void put_mx(const char *owner, unsigned preference, const char *host)
{
	size_t at = begin_record(owner, ns_t_mx);
	put16(preference);
	put_name(host);
	end_record(at, 0);
}

static void put_cname(const char *owner, const char *target)
{
	size_t at = begin_record(owner, ns_t_cname);
	put_name(target);
	end_record(at, 0);
}

static int teardown(void **state)
{
	(void)state;
	buf_free(&message);
	return 0;
}

/* Read from memory that ends where the message does. */
static bool read_message(struct mx_answer *answer)
{
	char *copy = must_alloc(message.len);
	memcpy(copy, message.at, message.len);
	bool good = mx_answer_read((struct slice){copy, message.len}, "luar.example", answer);
	free(copy);
	return good;
}

/* "10 mx1.luar.example, 20 ...". */
static void assert_names(const char *wanted)
{
	struct mx_answer answer;
	struct buf said = {0};
	assert_true(read_message(&answer));
	for (size_t i = 0; i < answer.count; i++)
		buf_printf(&said, "%s%u %s", i > 0 ? ", " : "", answer.at[i].preference,
			answer.at[i].name);
	assert_string_equal(buf_text(&said), wanted);
	buf_free(&said);
}

static void assert_unreadable(void)
{
	struct mx_answer answer;
	assert_false(read_message(&answer));
	assert_int_equal(answer.count, 0);
	assert_int_equal(answer.records, 0);
}

/* ---- the names of an answer ---- */

static void hosts_come_by_preference(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 4);
	put_mx("luar.example", 20, "b.luar.example");
	put_mx("LUAR.example", 65535, "d.luar.example");
	put_mx("luar.example", 0, "a.luar.example");
	put_mx("luar.example", 20, "c_1.luar.example");
	assert_names("0 a.luar.example, 20 b.luar.example, 20 c_1.luar.example, "
		     "65535 d.luar.example");
}

static void a_host_named_twice_has_its_better_preference(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 4);
	put_mx("luar.example", 20, "a.example");
	put_mx("luar.example", 15, "b.example");
	put_mx("luar.example", 10, "A.example");
	put_mx("luar.example", 30, "b.example");
	assert_names("10 A.example, 15 b.example");
}

static void the_best_sixteen_are_kept(void **state)
{
	struct mx_answer answer;
	char name[40];
	(void)state;
	begin(QUERY_RESPONSE, 300);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "mx%u.luar.example", i);
		put_mx("luar.example", 1000 - i, name);
	}
	assert_true(read_message(&answer));
	assert_int_equal(answer.records, 300);
	assert_int_equal(answer.count, MX_NAMES_MOST);
	assert_string_equal(answer.at[0].name, "mx299.luar.example");
	assert_string_equal(answer.at[15].name, "mx284.luar.example");
}

static void a_null_mx_refuses_all_mail(void **state)
{
	struct mx_answer answer;
	(void)state;
	begin(QUERY_RESPONSE, 1);
	put_mx("luar.example", 0, "");
	assert_true(read_message(&answer));
	assert_true(answer.refused);
	assert_int_equal(answer.records, 1);
	assert_int_equal(answer.count, 0);
}

/* RFC 7505, 3. */
static void a_null_mx_beside_others_means_nothing(void **state)
{
	struct mx_answer answer;
	(void)state;
	begin(QUERY_RESPONSE, 2);
	put_mx("luar.example", 0, "");
	put_mx("luar.example", 10, "a.example");
	assert_true(read_message(&answer));
	assert_false(answer.refused);
	assert_names("10 a.example");
}

static void what_names_no_host_is_passed_over(void **state)
{
	static const char *const words[] = {"192.0.2.1", "127.1", "2130706433", "0x7f000001",
		"0x7f.1", "0177.0x1", "m x.example", "mx\n.example", "mx\\.example", "mx@x.example",
		"m\xC3\xBC.example", "[192.0.2.1]", "1:2:3"};
	struct mx_answer answer;
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		begin(QUERY_RESPONSE, 2);
		put_mx("luar.example", 0, words[i]);
		put_mx("luar.example", 10, "a.example");
		assert_true(read_message(&answer));
		assert_int_equal(answer.records, 2);
		if (answer.count != 1 || strcmp(answer.at[0].name, "a.example") != 0)
			fail_msg("%s", words[i]);
	}
	/* A dot and a NUL within a label. */
	begin(QUERY_RESPONSE, 1);
	size_t at = begin_record("luar.example", ns_t_mx);
	put16(0);
	buf_add(&message, "\5a.b\0c\4luar\7example\0", 20);
	end_record(at, 0);
	assert_names("");
}

static void records_of_others_are_passed_over(void **state)
{
	struct mx_answer answer;
	(void)state;
	begin(QUERY_RESPONSE, 3);
	put_mx("lain.example", 0, "evil.example");
	put_mx("x.luar.example", 0, "evil.example");
	end_record(begin_record("luar.example", ns_t_txt), 0);
	assert_true(read_message(&answer));
	assert_int_equal(answer.records, 0);
	assert_int_equal(answer.count, 0);
}

static void cnames_are_followed(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 4);
	put_mx("c.example", 5, "mx.c.example");
	put_cname("b.example", "c.example");
	put_cname("luar.example", "b.example");
	put_mx("d.example", 0, "evil.example");
	assert_names("5 mx.c.example");
}

static void cnames_in_a_circle_lead_nowhere(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 3);
	put_cname("luar.example", "b.example");
	put_cname("b.example", "luar.example");
	put_mx("c.example", 0, "a.example");
	assert_names("");
}

/* ---- hostile answers ---- */

static void an_answer_cut_anywhere_is_none(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 3);
	put_cname("luar.example", "b.example");
	put_mx("b.example", 10, "mx1.luar.example");
	put_mx("b.example", 20, "mx2.luar.example");
	assert_names("10 mx1.luar.example, 20 mx2.luar.example");
	while (message.len > 0) {
		message.len--;
		assert_unreadable();
	}
}

static void what_is_no_answer_to_the_question_is_none(void **state)
{
	struct mx_answer answer;
	(void)state;
	static const unsigned flags[] = {0, QUERY_RESPONSE | TRUNCATED,
		QUERY_RESPONSE | ns_r_servfail, QUERY_RESPONSE | ns_r_nxdomain};
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		begin(flags[i], 1);
		put_mx("luar.example", 0, "a.example");
		assert_unreadable();
	}
	begin(QUERY_RESPONSE, 1);
	put_mx("luar.example", 0, "a.example");
	assert_false(mx_answer_read(buf_slice(&message), "lain.example", &answer));
	message.at[5] = 0; /* no question */
	assert_unreadable();
	begin(QUERY_RESPONSE, 0);
	message.at[message.len - 3] = ns_t_a;
	assert_unreadable();
}

static void a_record_shorter_or_longer_than_its_name_is_refused(void **state)
{
	(void)state;
	for (int more = -19; more <= 20; more++) {
		begin(QUERY_RESPONSE, 1);
		size_t at = begin_record("luar.example", ns_t_mx);
		put16(10);
		put_name("mx1.luar.example");
		end_record(at, more);
		for (int i = 0; i < more; i++)
			buf_add_char(&message, '\0');
		if (more == 0)
			assert_names("10 mx1.luar.example");
		else
			assert_unreadable();
	}
	/* Its name goes on in the next record, which is good by itself. */
	begin(QUERY_RESPONSE, 2);
	size_t at = begin_record("luar.example", ns_t_mx);
	put16(10);
	buf_add_char(&message, 1);
	end_record(at, 0);
	end_record(begin_record("", ns_t_txt), 0);
	assert_unreadable();
}

/* Pointers to themselves, to each other, forward, and past the end. */
static void names_that_never_end_are_refused(void **state)
{
	(void)state;
	for (unsigned to = 0; to < 0x4000; to = to < 100 ? to + 1 : to * 2) {
		begin(QUERY_RESPONSE, 1);
		size_t at = begin_record("luar.example", ns_t_mx);
		put16(10);
		put16(0xC000 | (to == 0 ? (unsigned)message.len : to > 40 ? to : to + 60));
		end_record(at, 0);
		struct mx_answer answer;
		if (to == 0 || to > 100) {
			assert_unreadable();
		} else if (read_message(&answer)) {
			assert_true(answer.count == 0 || mx_is_name(answer.at[0].name));
		}
	}
}

static void more_records_announced_than_there_are_is_refused(void **state)
{
	(void)state;
	begin(QUERY_RESPONSE, 65535);
	put_mx("luar.example", 0, "a.example");
	assert_unreadable();
}

/* ---- connecting ---- */

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

/* ---- ourselves ---- */

static bool is_at(const char *listen, const char *ip, unsigned port)
{
	static struct config config;
	struct sockaddr_storage at = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&at;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&at;
	snprintf(config.smtpd_listen, sizeof(config.smtpd_listen), "%s", listen);
	at.ss_family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	four->sin_port = htons((uint16_t)port); /* the same place in both */
	assert_int_equal(inet_pton(at.ss_family, ip,
				 at.ss_family == AF_INET6 ? (void *)&six->sin6_addr
							  : (void *)&four->sin_addr),
		1);
	return mx_is_our_place(&config, (const struct sockaddr *)&at);
}

static void we_are_where_SMTP_listens_and_nowhere_else(void **state)
{
	(void)state;
	assert_true(is_at("127.0.0.2:25", "127.0.0.2", 25));
	assert_false(is_at("127.0.0.2:25", "127.0.0.3", 25));
	assert_false(is_at("127.0.0.2:2525", "127.0.0.2", 25));
	assert_true(is_at("127.0.0.9:25 192.0.2.1:25", "192.0.2.1", 25));
	assert_true(is_at("[2001:db8::1]:25", "2001:db8::1", 25));
	assert_false(is_at("[2001:db8::1]:25", "2001:db8::2", 25));
	assert_true(is_at("localhost:25", "127.0.0.1", 25));
	assert_false(is_at("", "127.0.0.1", 25));
}

static void a_listener_without_an_address_is_every_address_of_this_box(void **state)
{
	(void)state;
	assert_true(is_at("25", "127.0.0.1", 25));
	assert_true(is_at("25", "127.99.99.99", 25));
	assert_true(is_at("0.0.0.0:25", "127.99.99.99", 25));
	assert_false(is_at("25", "192.0.2.1", 25));
	assert_false(is_at("25", "2001:db8::1", 25));
	assert_false(is_at("[::]:25", "127.0.0.1", 25));
	assert_false(is_at("587", "127.0.0.1", 25));
}

/* ---- without DNS ---- */

static void assert_found(int found, const struct mx_hosts *hosts, const char *wanted)
{
	char text[INET6_ADDRSTRLEN + 8], address[INET6_ADDRSTRLEN];
	assert_int_equal(found, 0);
	assert_int_equal(hosts->count, 1);
	const struct sockaddr_in *four = (const struct sockaddr_in *)&hosts->at[0].address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&hosts->at[0].address;
	bool is_six = four->sin_family == AF_INET6;
	inet_ntop(four->sin_family, is_six ? (const void *)&six->sin6_addr : &four->sin_addr,
		address, sizeof(address));
	snprintf(text, sizeof(text), "%s %u", address, ntohs(four->sin_port));
	assert_string_equal(text, wanted);
}

static void an_address_in_brackets_needs_no_DNS(void **state)
{
	static const char *const bad[] = {"[]", "[", "[192.0.2.1", "[192.0.2.256]", "[2001:db8::1]",
		"[IPv6:]", "[IPv6:192.0.2.1]", "[0.0.0.0]", "[255.255.255.255]", "[IPv6:::]",
		"[IPv6:::ffff:0.0.0.0]", "[224.0.0.1]", "[IPv6:fe80::1]", "[127.1]", "192.0.2.1",
		"127.1", "0x7f000001", "a..b", ""};
	static struct config config;
	static struct mx_hosts hosts;
	struct err e = {0};
	(void)state;
	assert_found(mx_find("[192.0.2.1]", &config, &hosts, &e), &hosts, "192.0.2.1 25");
	assert_string_equal(hosts.at[0].name, "[192.0.2.1]");
	assert_found(mx_find("[IPv6:2001:db8::1]", &config, &hosts, &e), &hosts, "2001:db8::1 25");
	assert_found(
		mx_find("[ipv6:::ffff:192.0.2.1]", &config, &hosts, &e), &hosts, "192.0.2.1 25");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (mx_find(bad[i], &config, &hosts, &e) != -1)
			fail_msg("%s", bad[i]);
		assert_int_equal(e.kind, ERR_MISSING);
		assert_string_equal(hosts.status, "5.1.2");
		assert_int_equal(hosts.count, 0);
	}
}

static void our_own_address_in_brackets_is_a_loop(void **state)
{
	static struct config config = {.smtpd_listen = "127.0.0.2:25 2525"};
	static struct mx_hosts hosts;
	struct err e = {0};
	(void)state;
	assert_int_equal(mx_find("[127.0.0.2]", &config, &hosts, &e), -1);
	assert_int_equal(e.kind, ERR_LOOP);
	assert_string_equal(hosts.status, "5.4.6");
	assert_found(mx_find("[127.0.0.3]", &config, &hosts, &e), &hosts, "127.0.0.3 25");
}

static int find_smarthost(const char *host_port, struct mx_hosts *hosts, struct err *e)
{
	static struct config config;
	snprintf(config.smarthost, sizeof(config.smarthost), "%s", host_port);
	snprintf(config.smtpd_listen, sizeof(config.smtpd_listen), "127.0.0.2:2525");
	return mx_find_smarthost(&config, hosts, e);
}

static void a_smarthost_keeps_its_name_and_port(void **state)
{
	static struct mx_hosts hosts;
	struct err e = {0};
	(void)state;
	assert_found(find_smarthost("192.0.2.1:587", &hosts, &e), &hosts, "192.0.2.1 587");
	assert_string_equal(hosts.at[0].name, "192.0.2.1");
	assert_found(find_smarthost("[2001:db8::1]:465", &hosts, &e), &hosts, "2001:db8::1 465");
	assert_int_equal(find_smarthost("localhost:2525", &hosts, &e), 0);
	assert_in_range(hosts.count, 1, 2);
	assert_string_equal(hosts.at[0].name, "localhost");
	assert_int_equal(find_smarthost("nonsense", &hosts, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
}

static void a_smarthost_that_is_we_ourselves_is_none(void **state)
{
	static struct mx_hosts hosts;
	struct err e = {0};
	(void)state;
	assert_int_equal(find_smarthost("127.0.0.2:2525", &hosts, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_non_null(strstr(e.text, "this server itself"));
	assert_int_equal(hosts.count, 0);
	assert_int_equal(find_smarthost("127.0.0.2:2526", &hosts, &e), 0);
}

#define ANSWER_TEST(promise) cmocka_unit_test_teardown(promise, teardown)
#define PARTY_TEST(promise)  cmocka_unit_test_setup_teardown(promise, gather, scatter)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ANSWER_TEST(hosts_come_by_preference),
		ANSWER_TEST(a_host_named_twice_has_its_better_preference),
		ANSWER_TEST(the_best_sixteen_are_kept),
		ANSWER_TEST(a_null_mx_refuses_all_mail),
		ANSWER_TEST(a_null_mx_beside_others_means_nothing),
		ANSWER_TEST(what_names_no_host_is_passed_over),
		ANSWER_TEST(records_of_others_are_passed_over),
		ANSWER_TEST(cnames_are_followed),
		ANSWER_TEST(cnames_in_a_circle_lead_nowhere),
		ANSWER_TEST(an_answer_cut_anywhere_is_none),
		ANSWER_TEST(what_is_no_answer_to_the_question_is_none),
		ANSWER_TEST(a_record_shorter_or_longer_than_its_name_is_refused),
		ANSWER_TEST(names_that_never_end_are_refused),
		ANSWER_TEST(more_records_announced_than_there_are_is_refused),
		PARTY_TEST(the_first_host_that_answers_is_taken),
		PARTY_TEST(one_that_refuses_is_followed_by_the_next_at_once),
		PARTY_TEST(one_that_says_nothing_does_not_hold_up_the_next),
		PARTY_TEST(reasons_name_each_host_and_its_port),
		PARTY_TEST(nobody_is_waited_for_past_the_whole_time),
		PARTY_TEST(a_host_that_its_IPv6_does_not_lead_to_is_reached_by_IPv4),
		PARTY_TEST(those_that_were_tried_are_left_out),
		PARTY_TEST(what_others_have_written_over_is_survived),
		cmocka_unit_test(we_are_where_SMTP_listens_and_nowhere_else),
		cmocka_unit_test(a_listener_without_an_address_is_every_address_of_this_box),
		cmocka_unit_test(an_address_in_brackets_needs_no_DNS),
		cmocka_unit_test(our_own_address_in_brackets_is_a_loop),
		cmocka_unit_test(a_smarthost_keeps_its_name_and_port),
		cmocka_unit_test(a_smarthost_that_is_we_ourselves_is_none),
	};
	return cmocka_run_group_tests_name("mx", tests, NULL, NULL);
}
