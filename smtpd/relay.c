/* Deliveries: how many at a time, to where, and what comes after each.
 *
 * A delivery is a process and one connection. Which host it has tried, and how that
 * went, it leaves in a page that both can write; the next one to the same destination
 * goes on from there. So no process that has heard a stranger ever opens another
 * connection. */
#include "smtpd/relay.h"
#include "base/child.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "smtpd/courier.h"
#include "store/jobs.h"
#include "store/requests.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Those who are not through to a host yet cost little, and some try for minutes: they
 * must not take the places of those who talk. */
#define SENDINGS_MOST  128
#define TALKING_MOST   20 /* none is added while so many do */
#define SMARTHOST_MOST 4  /* connections to one destination */
#define DOMAIN_MOST    2
#define ANOTHER_MS     1000  /* before one more to the same destination is sent */
#define CROWDED_MS     60000 /* the same, where the last one was not let in beside another */
#define NEVER          INT64_MAX
#define FINISH_MS      4000 /* at the server's end; the master's patience is a little longer */
#define FINISH_STEP_MS 5
#define TRIES_MOST     (2 * MX_HOSTS_MOST) /* of hosts, whatever the page says */

struct sending {
	pid_t pid; /* 0: the place is free */
	char destination[JOB_DOMAIN_MAX];
	int64_t begun_ms;
	int64_t crowded_ms; /* since when they are known to be enough; 0: they are not */
	bool joins;         /* there were others to the same destination */
	unsigned hosts;     /* tried, and tried again without TLS */
	struct courier_page *page;
};

static struct {
	struct role_birth *birth;
	struct channel writer;
	struct sending sendings[SENDINGS_MOST];
	int password_fd; /* -1: none */
	int64_t look_ms; /* when the writer is asked next; text_monotonic_ms, or NEVER */
} relay = {.password_fd = -1};

/* ---- one delivery ---- */

_Noreturn static void run_sending(const struct sending *sending, pid_t parent)
{
	const struct courier_errand errand = {
		.config = relay.birth->config,
		.run_dir = relay.birth->run_dir,
		.password_fd = relay.password_fd,
		.destination = sending->destination,
		.joins = sending->joins,
		.page = sending->page,
	};
	struct err e;
	prctl(PR_SET_NAME, "delivery");
	for (size_t i = 0; i < SENDINGS_MOST; i++) /* what others try is not its to change */
		if (relay.sendings[i].page != sending->page)
			munmap(relay.sendings[i].page, sizeof(struct courier_page));
	int kept[] = {errand.run_dir, errand.password_fd};
	child_keep_only(kept, errand.password_fd < 0 ? 1 : 2);
	child_leave_signals();
	if (sandbox_take_account(&(struct sandbox_account){0}, parent, &e) < 0) {
		log_failure(LOG_ERROR, "delivery-not-begun", &e);
		_exit(COURIER_BROKEN);
	}
	_exit(courier_run(&errand));
}

static bool has_company(const struct sending *sending)
{
	for (size_t i = 0; i < SENDINGS_MOST; i++)
		if (&relay.sendings[i] != sending && relay.sendings[i].pid != 0 &&
			strcmp(relay.sendings[i].destination, sending->destination) == 0)
			return true;
	return false;
}

/* With the page as it is: what an earlier one tried is left out. */
static void fork_sending(struct sending *sending)
{
	pid_t parent = getpid();
	sending->hosts++;
	sending->joins = has_company(sending);
	sending->crowded_ms = 0;
	sending->page->talking = sending->page->carries = sending->page->carried = false;
	sending->begun_ms = text_monotonic_ms();
	sending->pid = fork();
	if (sending->pid == 0)
		run_sending(sending, parent);
	if (sending->pid < 0) {
		log_event(LOG_ERROR, "fork-failed", log_text("role", "relay"),
			log_reason(strerror(errno)));
		sending->pid = 0;
	}
}

static struct sending *free_place(void)
{
	struct sending *place = NULL;
	size_t talking = 0;
	for (size_t i = 0; i < SENDINGS_MOST; i++) {
		struct sending *sending = &relay.sendings[i];
		if (sending->pid == 0)
			place = sending;
		else
			talking += sending->page->talking;
	}
	return talking < TALKING_MOST ? place : NULL;
}

/* Is it time to send one there, or one more? That one of them talks shows that more than
 * one is of use. */
static bool wants_another(const char *destination)
{
	int64_t now = text_monotonic_ms(), latest = now - ANOTHER_MS;
	bool crowded = false;
	size_t there = 0, talking = 0, most = destination[0] ? DOMAIN_MOST : SMARTHOST_MOST;
	for (size_t i = 0; i < SENDINGS_MOST; i++) {
		const struct sending *sending = &relay.sendings[i];
		if (strcmp(sending->destination, destination) != 0)
			continue;
		if (sending->begun_ms > latest)
			return false;
		crowded |= sending->crowded_ms && now - sending->crowded_ms < CROWDED_MS;
		there += sending->pid != 0;
		talking += sending->pid != 0 && sending->page->talking;
	}
	return there == talking && there < (crowded ? 1 : most);
}

static void send_to(const char *destination)
{
	struct sending *sending = wants_another(destination) ? free_place() : NULL;
	if (!sending)
		return;
	snprintf(sending->destination, sizeof(sending->destination), "%s", destination);
	memset(sending->page, 0, sizeof(*sending->page));
	sending->hosts = 0;
	fork_sending(sending);
}

/* ---- the writer ---- */

static void connect_writer(void);

/* The next is asked after a moment: one that is wanting for long is not worn out. */
static void lose_writer(void)
{
	role_unwatch(relay.writer.fd);
	channel_close(&relay.writer);
	connect_writer();
	relay.look_ms = text_monotonic_ms() + ANOTHER_MS;
}

static void look(void)
{
	struct job_due due;
	struct err e;
	relay.look_ms = NEVER;
	if (job_due(&relay.writer, &due, &e) < 0) {
		lose_writer();
		return;
	}
	for (size_t i = 0; i < due.count; i++)
		send_to(due.destinations[i]);
	/* What is due and was not sent for waits for a place. */
	uint64_t wait = due.count > 0 ? ANOTHER_MS : due.wait_ms;
	if (wait < UINT64_MAX)
		relay.look_ms = text_monotonic_ms() + (int64_t)wait;
}

static void hear_writer(void *arg)
{
	struct err e;
	int heard = job_hear_due_anew(&relay.writer, &e);
	(void)arg;
	if (heard < 0)
		lose_writer();
	else if (heard > 0)
		relay.look_ms = 0;
	role_idle_within(0);
}

/* The master keeps the writer's socket: who connects while it is down waits there. */
static void connect_writer(void)
{
	struct err e;
	if (channel_connect(&relay.writer, relay.birth->run_dir, "writer", &e) < 0 ||
		request_hello(&relay.writer, SERVICE_RELAY, "unix", &e) < 0) {
		log_failure(LOG_ERROR, "no-writer", &e);
		exit(1);
	}
	relay.look_ms = 0;
	role_watch(relay.writer.fd, hear_writer, NULL);
}

/* ---- the end of a delivery ---- */

/* What was due there is not tried again at once: it would end the same way. */
static void put_off(const struct sending *sending)
{
	struct err e;
	if (job_unreachable(&relay.writer, sending->destination, false, "4.3.0", "",
		    "the delivery broke off", &e) < 0)
		lose_writer();
}

static void ended(struct sending *sending, int status)
{
	int end = WIFEXITED(status) ? WEXITSTATUS(status) : COURIER_BROKEN;
	bool talked = sending->page->talking;
	sending->pid = 0;
	if (end == COURIER_ANOTHER && sending->hosts < TRIES_MOST) {
		fork_sending(sending);
		return;
	}
	if (end != COURIER_DONE)
		log_event(LOG_ERROR, "delivery-died", log_text("to", sending->destination));
	/* What one had the writer has put off: the others need not die of it. */
	bool harmless = end == COURIER_DONE || sending->page->carried;
	if (sending->joins && (!harmless || !talked))
		sending->crowded_ms = text_monotonic_ms();
	else if (!harmless)
		put_off(sending);
	/* There may be more for it, and its place is another's. */
	relay.look_ms = 0;
}

static void reap(void *arg)
{
	int signals = (int)(intptr_t)arg, status;
	struct signalfd_siginfo info;
	pid_t pid;
	while (read(signals, &info, sizeof(info)) == sizeof(info))
		continue;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < SENDINGS_MOST; i++)
			if (relay.sendings[i].pid == pid)
				ended(&relay.sendings[i], status);
	role_idle_within(0);
}

/* ---- the role ---- */

static int rest(void)
{
	int64_t now = text_monotonic_ms();
	if (now >= relay.look_ms)
		look();
	now = text_monotonic_ms();
	if (relay.look_ms == NEVER)
		return -1;
	return relay.look_ms > now ? (int)(relay.look_ms - now) : 0;
}

static void refuse(struct role_channel *from, struct frame *frame)
{
	(void)frame;
	role_refuse(from, "asks the relay, which is not to be asked");
}

static void closed(struct role_channel *channel)
{
	(void)channel;
}

static void take_password_file(struct frame *frame)
{
	if (frame->type != MASTER_PASSWORD_FILE)
		return;
	if (relay.password_fd >= 0)
		close(relay.password_fd);
	relay.password_fd = frame->fd_count == 1 ? fcntl(frame->fds[0], F_DUPFD_CLOEXEC, 0) : -1;
}

static int begin(struct err *e)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return err_set_errno(e, "cannot begin");
	for (size_t i = 0; i < SENDINGS_MOST; i++) {
		struct courier_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			return err_set_errno(e, "cannot begin");
		relay.sendings[i].page = page;
	}
	role_watch(signals, reap, (void *)(intptr_t)signals);
	connect_writer();
	return 0;
}

/* A message that is on its way arrives, and that is written down: else it would come
 * twice. Who has none ends at once. */
static void finish(void)
{
	int64_t deadline = text_monotonic_ms() + FINISH_MS;
	for (size_t i = 0; i < SENDINGS_MOST; i++) {
		struct sending *sending = &relay.sendings[i];
		sending->page->last_one = true;
		if (sending->pid != 0 && !sending->page->carries)
			kill(sending->pid, SIGKILL);
	}
	struct timespec moment = {.tv_nsec = FINISH_STEP_MS * 1000000};
	while (waitpid(-1, NULL, WNOHANG) >= 0 && text_monotonic_ms() < deadline)
		nanosleep(&moment, NULL);
}

int relay_run(struct role_birth *birth, struct err *e)
{
	const struct role_program program = {.name = "relay",
		.frame = refuse,
		.closed = closed,
		.idle = rest,
		.from_master = take_password_file};
	relay.birth = birth;
	if (begin(e) < 0 || role_run(&program, birth, e) < 0)
		return -1;
	finish();
	return 0;
}
