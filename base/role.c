/* One epoll loop for every role. Channels are closed only between rounds, so
 * nothing a round holds can vanish under it. */
#include "base/role.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_AT_ONCE  64
#define CHANNEL_FRAMES  64 /* a round takes no more from one channel */
#define OUTPUT_MAX      (64u * 1024 * 1024)
#define OUTPUT_MUCH     (64u * 1024) /* is not gathered */
#define ACCEPT_PAUSE_MS 1000         /* out of descriptors or memory */
#define IDLE_LATE_MS    1000         /* that long a role that is kept busy puts off its own work */
/* What beginning took is given back when nothing comes for so long, what work took later. */
#define BEGUN_MS 100
#define DONE_MS  5000

struct role {
	const struct role_program *program;
	struct role_birth *birth;
	int epoll;
	struct role_channel *channels;
	size_t backlogs;
	size_t frames, octets;   /* taken in this round */
	bool rung;               /* there may be somebody in birth->bell.waiting */
	int64_t accept_again_ms; /* 0: it accepts */
	int64_t accept_told_ms;
	int untidy; /* milliseconds until memory is given back; 0: it has been */
	bool began; /* and has been still once */
	int waited; /* for that, since something was done last */
	bool over;  /* the master has gone */
};

struct role_watch {
	int fd; /* -1: free */
	void (*readable)(void *arg);
	void *arg;
};

/* One role lives in a process. */
static struct role_watch watches[ROLE_WATCHES_MAX] = {
	{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};
static int running_epoll = -1;
static int idle_wait = -1; /* milliseconds, as the role asked for */
static int64_t idle_due_ms;

static int watch(int epoll, int fd, void *what, struct err *e)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_set_errno(e, "epoll");
	return 0;
}

void role_watch(int fd, void (*readable)(void *arg), void *arg)
{
	struct err e;
	size_t i = 0;
	while (i < ROLE_WATCHES_MAX && watches[i].fd >= 0)
		i++;
	assert(i < ROLE_WATCHES_MAX);
	watches[i] = (struct role_watch){fd, readable, arg};
	if (running_epoll >= 0 && watch(running_epoll, fd, &watches[i], &e) < 0)
		log_failure(LOG_ERROR, "watch-failed", &e);
}

void role_unwatch(int fd)
{
	for (size_t i = 0; i < ROLE_WATCHES_MAX; i++)
		if (watches[i].fd == fd)
			watches[i].fd = -1;
	if (running_epoll >= 0)
		epoll_ctl(running_epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- answers ---- */

static int watch_channel(struct role_channel *channel, int operation)
{
	struct epoll_event event = {
		.events = EPOLLIN | (channel->out.len > 0 ? (uint32_t)EPOLLOUT : 0),
		.data.ptr = channel};
	return epoll_ctl(channel->role->epoll, operation, channel->channel.fd, &event);
}

static void send_output(struct role_channel *to)
{
	while (to->out.len > 0) {
		ssize_t sent = send(to->channel.fd, to->out.at, to->out.len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) {
			watch_channel(to, EPOLL_CTL_MOD);
			return;
		}
		if (sent < 0) {
			to->ended = true;
			return;
		}
		buf_drop(&to->out, (size_t)sent);
	}
	buf_free(&to->out);
	watch_channel(to, EPOLL_CTL_MOD);
}

/* Nothing has been waiting in front of it. */
static void send_gathered(struct role_channel *to)
{
	to->gathers = false;
	if (to->out.len == 0)
		return;
	ssize_t sent = send(to->channel.fd, to->out.at, to->out.len, MSG_NOSIGNAL);
	if (sent == (ssize_t)to->out.len) {
		buf_free(&to->out);
		return;
	}
	if (sent > 0)
		buf_drop(&to->out, (size_t)sent);
	send_output(to);
}

void role_answer(struct role_channel *to, unsigned type, struct slice body)
{
	if (to->ended)
		return;
	if (to->out.len + body.len > OUTPUT_MAX) {
		role_refuse(to, "does not take its answers");
		return;
	}
	bool waiting = to->out.len > 0 && !to->gathers;
	channel_add_frame(&to->out, type, body);
	if (to->gathers ? to->out.len > OUTPUT_MUCH : !waiting)
		send_gathered(to);
}

void role_answer_fds(struct role_channel *to, unsigned type, const int *fds, unsigned fd_count)
{
	struct err e;
	if (to->ended)
		return;
	if (to->gathers)
		send_gathered(to);
	/* Questions come one at a time, so nothing can be waiting in front. */
	if (to->out.len == 0 && channel_send(&to->channel, type, NULL, 0, fds, fd_count, &e) == 0)
		return;
	if (channel_is_gone(&to->channel))
		to->ended = true;
	else
		role_refuse(to, "does not take its answers");
}

void role_answer_error(struct role_channel *to, const struct err *e)
{
	struct buf body = {0};
	pack_number(&body, e->kind);
	pack_text(&body, e->text);
	role_answer(to, ROLE_ERROR, buf_slice(&body));
	buf_free(&body);
}

int role_error_read(struct slice body, struct err *e)
{
	struct unpack in = {.rest = body};
	e->kind = (enum err_kind)unpack_number(&in);
	unpack_text(&in, e->text, sizeof(e->text));
	if (unpack_end(&in, &(struct err){0}) < 0 || e->kind == ERR_NONE)
		return err_set(e, ERR_IO, "an answer that is none");
	return -1;
}

void role_refuse(struct role_channel *from, const char *why)
{
	if (!from->ended)
		log_event(LOG_ERROR, "channel-refused", log_text("role", from->role->program->name),
			log_reason(why));
	from->ended = true;
}

/* ---- rounds ---- */

static void watch_doors(const struct role *role, bool on)
{
	struct role_birth *birth = role->birth;
	struct epoll_event event = {.events = on ? (uint32_t)EPOLLIN : 0};
	event.data.ptr = &birth->listener;
	epoll_ctl(role->epoll, EPOLL_CTL_MOD, birth->listener, &event);
	event.data.ptr = &birth->bell;
	if (birth->bell.heard)
		epoll_ctl(role->epoll, EPOLL_CTL_MOD, birth->bell.heard, &event);
}

/* Who cannot be taken stays in the queue, and must not keep the loop awake. */
static void pause_accepting(struct role *role)
{
	if (log_is_due(&role->accept_told_ms))
		log_event(LOG_ERROR, "accept-failed", log_text("role", role->program->name),
			log_reason(strerror(errno)));
	role->accept_again_ms = text_monotonic_ms() + ACCEPT_PAUSE_MS;
	watch_doors(role, false);
}

/* True while it does not accept. */
static bool is_pausing(struct role *role)
{
	if (role->accept_again_ms == 0)
		return false;
	if (text_monotonic_ms() < role->accept_again_ms)
		return true;
	role->accept_again_ms = 0;
	watch_doors(role, true);
	return false;
}

static void set_backlog(struct role_channel *channel, bool on)
{
	if (channel->backlog != on)
		channel->role->backlogs += on ? 1 : (size_t)-1;
	channel->backlog = on;
}

static bool round_is_full(const struct role *role)
{
	const struct role_program *program = role->program;
	return (program->round_frames && role->frames >= program->round_frames) ||
	       (program->round_octets && role->octets >= program->round_octets);
}

static void take_waiting_frames(struct role_channel *from)
{
	struct role *role = from->role;
	for (int i = 0; i < CHANNEL_FRAMES && !from->ended; i++) {
		if (round_is_full(role))
			break;
		struct frame frame;
		struct err e;
		int got = channel_receive_some(&from->channel, &frame, &e);
		if (got == 2) {
			set_backlog(from, false);
			return;
		}
		if (got < 0 && e.kind == ERR_INPUT)
			role_refuse(from, e.text);
		if (got <= 0) {
			from->ended = true;
			return;
		}
		/* Whoever waits for an answer has taken all of it when he asks on. */
		if (from->out.len > 0 && !from->gathers) {
			role_refuse(from, "asks on and does not take its answers");
			return;
		}
		role->frames++;
		role->octets += frame.body.len;
		role->program->frame(from, &frame);
		if (channel_is_drained(&from->channel)) {
			set_backlog(from, false);
			return;
		}
	}
	set_backlog(from, true);
}

/* Who asks several things at once has their answers at once. */
static void take_frames(struct role_channel *from)
{
	from->gathers = from->out.len == 0;
	take_waiting_frames(from);
	if (from->gathers)
		send_gathered(from);
}

/* Most of those that wait have said hello and asked something already: they are heard
 * first, and watched behind it. */
static void begin_channel(struct role *role, int fd, bool has_spoken)
{
	struct role_channel *channel = must_alloc(sizeof(*channel));
	channel_open(&channel->channel, fd);
	channel->channel.wipes = role->program->hears_secrets;
	channel->role = role;
	channel->next = role->channels;
	role->channels = channel;
	if (has_spoken)
		take_frames(channel);
	if (!channel->ended && watch_channel(channel, EPOLL_CTL_ADD) < 0)
		channel->ended = true;
}

/* True: there may be more. */
static bool accept_channels(struct role *role, int listener, bool has_spoken)
{
	for (int i = 0; i < EVENTS_AT_ONCE; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && errno == EAGAIN)
			return false;
		if (fd < 0) {
			pause_accepting(role);
			return true;
		}
		begin_channel(role, fd, has_spoken);
	}
	return true;
}

static void take_from_master(struct role *role)
{
	struct frame frame;
	struct err e;
	int got;
	while ((got = channel_receive_some(&role->birth->master, &frame, &e)) == 1) {
		if (frame.type == ROLE_CONFIG && frame.body.len == sizeof(*role->birth->config)) {
			memcpy(role->birth->config, frame.body.at, frame.body.len);
			if (role->program->configured)
				role->program->configured(role->birth->config);
		} else if (role->program->from_master) {
			role->program->from_master(&frame);
		}
		channel_close_frame(&frame);
	}
	role->over = got <= 0;
}

static void close_ended(struct role *role)
{
	for (struct role_channel **at = &role->channels; *at;) {
		struct role_channel *channel = *at;
		if (!channel->ended && !role->over) {
			at = &channel->next;
			continue;
		}
		*at = channel->next;
		set_backlog(channel, false);
		role->program->closed(channel);
		channel_close(&channel->channel);
		buf_free(&channel->out);
		free(channel);
	}
}

static void serve_event(struct role *role, const struct epoll_event *event)
{
	void *what = event->data.ptr;
	if (what == &role->birth->listener) {
		accept_channels(role, role->birth->listener, false);
		return;
	}
	if (what == &role->birth->bell) {
		bell_hear(&role->birth->bell);
		role->rung = true;
		return;
	}
	if (what == &role->birth->master) {
		take_from_master(role);
		return;
	}
	for (size_t i = 0; i < ROLE_WATCHES_MAX; i++) {
		if (what == &watches[i]) {
			if (watches[i].fd >= 0)
				watches[i].readable(watches[i].arg);
			return;
		}
	}
	struct role_channel *channel = what;
	if (channel->ended) { /* in a round that gathers: it is closed behind it */
		epoll_ctl(role->epoll, EPOLL_CTL_DEL, channel->channel.fd, NULL);
		return;
	}
	if (event->events & EPOLLOUT)
		send_output(channel);
	if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		take_frames(channel);
}

static void serve_events(struct role *role, const struct epoll_event *events, int count)
{
	for (int i = 0; i < count; i++)
		serve_event(role, &events[i]);
	if (role->rung && role->accept_again_ms == 0)
		role->rung = accept_channels(role, role->birth->bell.waiting, true);
}

/* What is left of a round that is full is the next one's. */
static void gather(struct role *role)
{
	int64_t left;
	while (!role->over && role->backlogs == 0 && (left = role->program->gather_us()) > 0) {
		const struct timespec wait = {left / 1000000, left % 1000000 * 1000};
		struct epoll_event events[EVENTS_AT_ONCE];
		int count = epoll_pwait2(role->epoll, events, EVENTS_AT_ONCE, &wait, NULL);
		if (count < 0 && errno != EINTR)
			return;
		serve_events(role, events, count);
	}
}

static void take_round(struct role *role, const struct epoll_event *events, int count)
{
	role->frames = role->octets = 0;
	for (struct role_channel *c = role->channels; c && role->backlogs > 0; c = c->next)
		if (c->backlog)
			take_frames(c);
	serve_events(role, events, count);
	if (role->program->gather_us)
		gather(role);
	if (role->program->round_end)
		role->program->round_end();
	close_ended(role);
}

static int watch_all(struct role *role, struct err *e)
{
	struct role_birth *birth = role->birth;
	if (watch(role->epoll, birth->listener, &birth->listener, e) < 0 ||
		(birth->bell.heard && watch(role->epoll, birth->bell.heard, &birth->bell, e) < 0) ||
		watch(role->epoll, birth->master.fd, &birth->master, e) < 0)
		return -1;
	for (size_t i = 0; i < ROLE_WATCHES_MAX; i++)
		if (watches[i].fd >= 0 && watch(role->epoll, watches[i].fd, &watches[i], e) < 0)
			return -1;
	running_epoll = role->epoll;
	return 0;
}

static void wait_idle(int ms)
{
	idle_wait = ms;
	idle_due_ms = text_monotonic_ms() + ms;
}

void role_idle_within(int ms)
{
	if (idle_wait < 0 || idle_due_ms - text_monotonic_ms() > ms)
		wait_idle(ms);
}

static bool is_idle_late(void)
{
	return idle_wait >= 0 && text_monotonic_ms() - idle_due_ms > IDLE_LATE_MS;
}

/* Left from the last round. */
static bool has_work(const struct role *role)
{
	return role->backlogs > 0 || (role->rung && role->accept_again_ms == 0);
}

/* *tidies: if nothing comes, memory is given back before it waits on. */
static int time_to_wait(const struct role *role, bool pausing, bool *tidies)
{
	int left = idle_wait < 0              ? INT_MAX
		   : idle_wait > role->waited ? idle_wait - role->waited
					      : 0;
	*tidies = role->untidy > 0 && role->untidy < left && !has_work(role) && !pausing;
	if (has_work(role))
		return 0;
	if (pausing)
		return ACCEPT_PAUSE_MS;
	return *tidies ? role->untidy : left == INT_MAX ? -1 : left;
}

static void tidy(struct role *role)
{
	memory_give_back();
	role->waited = role->untidy;
	role->untidy = 0;
	role->began = true;
}

int role_run(const struct role_program *program, struct role_birth *birth, struct err *e)
{
	/* The bell may have been heard by a role that has ended since. */
	struct role role = {.program = program,
		.birth = birth,
		.untidy = BEGUN_MS,
		.rung = birth->bell.heard > 0};
	role.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (role.epoll < 0)
		return err_set_errno(e, "epoll");
	if (watch_all(&role, e) < 0 ||
		channel_send(&birth->master, ROLE_READY, NULL, 0, NULL, 0, e) < 0) {
		close(role.epoll);
		return -1;
	}
	wait_idle(program->idle ? program->idle() : -1);
	while (!role.over) {
		struct epoll_event events[EVENTS_AT_ONCE];
		bool tidies, pausing = is_pausing(&role);
		int most = time_to_wait(&role, pausing, &tidies);
		int count = epoll_wait(role.epoll, events, EVENTS_AT_ONCE, most);
		if (count < 0 && errno != EINTR)
			return err_set_errno(e, "epoll");
		if (count == 0 && tidies) {
			tidy(&role);
			continue;
		}
		bool quiet = count == 0 && !has_work(&role) && !pausing;
		if (!quiet)
			take_round(&role, events, count < 0 ? 0 : count);
		if (program->idle && (quiet || is_idle_late()))
			wait_idle(program->idle());
		role.untidy = role.began ? DONE_MS : BEGUN_MS;
		role.waited = 0;
	}
	close(role.epoll);
	return 0;
}
