/* One poll loop over listeners, roles and signals: it only forks, counts and reaps. */
#include "base/procs.h"
#include "base/bell.h"
#include "base/child.h"
#include "base/crowd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/notify.h"
#include "base/peers.h"
#include "base/text.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ACCEPTS_AT_ONCE  16
#define BACKOFF_FIRST_MS 10
#define BACKOFF_MOST_MS  10000
#define ROLE_STEADY_MS   1000 /* served that long: its death is no reason to back off */
#define DRAIN_MS         5000 /* for sessions, and again for roles */
#define ACCEPT_PAUSE_MS  100  /* out of descriptors or memory */
#define MINUTE_MS        60000
#define UNHEARD_MOST     64 /* fewer than wait at a socket (listen.c) */

struct role_state {
	pid_t pid; /* 0: down */
	struct channel channel;
	int listener;
	struct bell bell;
	bool ready;
	int64_t ready_ms, restart_ms, backoff_ms;
};

struct session_state {
	pid_t pid;
	struct peer peer;
};

static struct {
	struct procs *procs;
	struct role_state roles[PROCS_ROLES_MAX];
	struct session_state *sessions;
	size_t session_count, session_cap;
	int lifeline[2]; /* sessions hold [0]; closing [1] tells them to end */
	int signals;
	bool announced, stopping;
	int status;
	int64_t accept_again_ms, next_minute_ms;
	unsigned unheard; /* sessions that were started since the bells were rung */
} master;

void procs_stop(int status)
{
	master.stopping = true;
	master.status = status;
}

int procs_bell(size_t role)
{
	return master.roles[role].bell.rope;
}

/* Who has ended without a question waits to be taken, too. */
static void ring_bells(void)
{
	master.unheard = 0;
	for (size_t i = 0; i < master.procs->role_count; i++)
		bell_ring(master.roles[i].bell.rope);
}

/* The master never waits: its ends of the channels do not block. What a role
 * took half of it can make no sense of, nor of anything that comes behind. */
void procs_tell(size_t role, unsigned type, struct slice body, int fd)
{
	struct role_state *to = &master.roles[role];
	struct iovec part = {(void *)(uintptr_t)body.at, body.len};
	struct err e;
	if (to->pid == 0 || channel_send(&to->channel, type, &part, 1, &fd, fd >= 0, &e) == 0)
		return;
	log_failure(LOG_ERROR, "role-not-told", &e);
	kill(to->pid, SIGKILL);
}

void procs_send_config(void)
{
	const struct slice config = {
		(const char *)master.procs->config, sizeof(*master.procs->config)};
	for (size_t i = 0; i < master.procs->role_count; i++)
		procs_tell(i, ROLE_CONFIG, config, -1);
}

/* ---- children ---- */

static int run_role(size_t index, int channel_fd, pid_t parent, struct err *e)
{
	struct procs *procs = master.procs;
	struct role_birth birth = {.config = procs->config,
		.listener = master.roles[index].listener,
		.bell = master.roles[index].bell,
		.run_dir = procs->run_dir};
	channel_open(&birth.master, channel_fd);
	birth.master.takes_fds = true;
	child_keep_only((int[]){birth.listener, birth.run_dir, channel_fd, procs->lock,
				birth.bell.waiting, birth.bell.heard},
		6);
	child_leave_signals();
	if (sandbox_take_account(&procs->account, parent, e) < 0)
		return -1;
	return procs->roles[index].run(&birth, e);
}

static void start_role(size_t index)
{
	struct role_state *role = &master.roles[index];
	struct procs *procs = master.procs;
	int pair[2];
	pid_t parent = getpid();
	pid_t pid = -1;
	role->restart_ms = text_monotonic_ms() + BACKOFF_MOST_MS; /* where it cannot be forked */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
		pid = fork();
		if (pid != 0)
			close(pair[1]);
		if (pid < 0)
			close(pair[0]);
	}
	if (pid < 0) {
		log_event(LOG_ERROR, "fork-failed", log_text("role", procs->roles[index].name),
			log_reason(strerror(errno)));
		return;
	}
	if (pid == 0) {
		struct err e;
		prctl(PR_SET_NAME, procs->roles[index].name); /* for ps(1) and `status` */
		close(pair[0]);
		int done = run_role(index, pair[1], parent, &e);
		/* At start a person waits for the sentence; later the log does. */
		if (done < 0 && !master.announced)
			dprintf(STDERR_FILENO, "officemail: %s\n", e.text);
		else if (done < 0)
			log_event(LOG_ERROR, "role-failed",
				log_text("role", procs->roles[index].name), log_reason(e.text));
		exit(done < 0);
	}
	role->pid = pid;
	role->ready = false;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	channel_open(&role->channel, pair[0]);
	procs->role_started(procs, index);
}

/* A death now and then is mended at once; one right after the start may be the
 * fate of the next, too. */
static int64_t next_backoff(const struct role_state *role, int64_t now)
{
	if (role->ready && now - role->ready_ms >= ROLE_STEADY_MS)
		return 0;
	int64_t next = role->backoff_ms ? 2 * role->backoff_ms : BACKOFF_FIRST_MS;
	return next < BACKOFF_MOST_MS ? next : BACKOFF_MOST_MS;
}

static void role_ended(size_t index, int status)
{
	struct role_state *role = &master.roles[index];
	const char *name = master.procs->roles[index].name;
	bool was_ready = role->ready;
	int64_t now = text_monotonic_ms();
	role->backoff_ms = next_backoff(role, now);
	channel_close(&role->channel);
	role->pid = 0;
	role->ready = false;
	if (!master.announced && !was_ready && WIFEXITED(status))
		procs_stop(1); /* it has said why */
	if (master.stopping)
		return;
	log_event(LOG_ERROR, "role-died", log_text("role", name),
		log_number("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
		log_number("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
	role->restart_ms = now + role->backoff_ms;
}

static void session_ended(size_t index, int status)
{
	if (WIFSIGNALED(status) && !master.stopping)
		log_event(LOG_ERROR, "session-died", log_number("signal", WTERMSIG(status)),
			log_number("pid", master.sessions[index].pid));
	master.sessions[index] = master.sessions[--master.session_count];
}

/* False: there are no children any more. Those of a role that has died are
 * ours too. */
static bool reap(void)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < master.procs->role_count; i++)
			if (master.roles[i].pid == pid)
				role_ended(i, status);
		for (size_t i = 0; i < master.session_count; i++)
			if (master.sessions[i].pid == pid) {
				session_ended(i, status);
				break;
			}
	}
	return pid == 0;
}

/* ---- sessions ---- */

static int begin_session(struct visitor *visitor, pid_t parent, struct err *e)
{
	struct procs *procs = master.procs;
	if (sandbox_take_account(&procs->account, parent, e) < 0 ||
		procs->prepare(visitor, procs->run_dir, e) < 0)
		return -1;
	close(procs->run_dir);
	return sandbox_seal(SEAL_SESSION, e);
}

static void run_session(
	const struct procs_service *service, int fd, struct visitor *visitor, pid_t parent)
{
	struct procs *procs = master.procs;
	struct err e;
	int crowd = visitor->crowded ? -1 : crowd_pipe();
	int kept[5 + PROCS_ROLES_MAX] = {
		fd, master.lifeline[0], procs->run_dir, procs->lock, crowd};
	for (size_t i = 0; i < procs->role_count; i++)
		kept[5 + i] = master.roles[i].bell.rope;
	child_keep_only(kept, 5 + procs->role_count);
	close(procs->lock); /* last: whoever finds it free finds the listeners free */
	child_leave_signals();
	visitor->service = service->name;
	visitor->config = procs->config;
	visitor->chain = *procs->chain;
	conn_open(&visitor->conn, fd);
	visitor->conn.lifeline = master.lifeline[0];
	visitor->conn.crowd = crowd;
	if (begin_session(visitor, parent, &e) < 0) {
		log_failure(LOG_ERROR, "session-not-begun", &e);
		if (service->busy)
			conn_write_text(&visitor->conn, service->busy);
		visitor->conn.input = CONN_CLOSED; /* without a seal nothing is read */
		return;
	}
	if (service->tls_first && visitor_start_tls(visitor) < 0)
		return;
	service->run(visitor);
}

static size_t count_from(const struct peer *peer)
{
	size_t count = 0;
	for (size_t i = 0; i < master.session_count; i++)
		count += peer_equal(&master.sessions[i].peer, peer);
	return count;
}

/* Each client is turned away by itself; why is said once a minute. */
static void log_fork_failed(const char *service)
{
	static int64_t told_ms;
	if (log_is_due(&told_ms))
		log_event(LOG_ERROR, "fork-failed", log_text("service", service),
			log_reason(strerror(errno)));
}

static void turn_away(const struct procs_service *service, int fd, const char *peer)
{
	/* A log line for each would be a flood's second victim. */
	static int64_t logged_ms;
	int64_t now = text_monotonic_ms();
	if (logged_ms == 0 || now - logged_ms > 1000) {
		logged_ms = now;
		log_event(LOG_WARNING, "turned-away", log_text("service", service->name),
			log_text("from", peer),
			log_number("sessions", (int64_t)master.session_count));
	}
	if (service->busy)
		send(fd, service->busy, strlen(service->busy), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void remember_session(pid_t pid, const struct peer *peer)
{
	if (master.session_count == master.session_cap) {
		master.session_cap = master.session_cap ? 2 * master.session_cap : 64;
		master.sessions = must_realloc(
			master.sessions, master.session_cap * sizeof(*master.sessions));
	}
	master.sessions[master.session_count++] = (struct session_state){pid, *peer};
}

static void start_session(
	const struct procs_service *service, int fd, const struct sockaddr_storage *address)
{
	const struct config *config = master.procs->config;
	struct visitor visitor = {0};
	struct peer peer;
	pid_t parent = getpid();
	if (service->by_account)
		visitor.uid = peer_of_account(&peer, visitor.peer, fd);
	else
		peer_of(&peer, visitor.peer, address);
	visitor.crowded = crowd_look(config, master.session_count);
	if (!peers_admit(&peer, config, master.session_count, count_from(&peer))) {
		turn_away(service, fd, visitor.peer);
		return;
	}
	pid_t pid = fork();
	if (pid < 0) {
		log_fork_failed(service->name);
		turn_away(service, fd, visitor.peer);
		return;
	}
	if (pid == 0) {
		prctl(PR_SET_NAME, service->name);
		run_session(service, fd, &visitor, parent);
		conn_close(&visitor.conn);
		_exit(0);
	}
	close(fd);
	remember_session(pid, &peer);
	if (++master.unheard >= UNHEARD_MOST)
		ring_bells();
}

static void accept_clients(const struct procs_service *service, int listener)
{
	static int64_t told_ms;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_storage address = {0};
		socklen_t len = sizeof(address);
		int fd = accept4(
			listener, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			start_session(service, fd, &address);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			if (log_is_due(&told_ms))
				log_event(LOG_ERROR, "accept-failed",
					log_text("service", service->name),
					log_reason(strerror(errno)));
			master.accept_again_ms = text_monotonic_ms() + ACCEPT_PAUSE_MS;
		}
		return;
	}
}

/* ---- what roles say, signals, the clock ---- */

static void announce_when_ready(void)
{
	struct procs *procs = master.procs;
	if (master.announced || master.stopping || !procs->is_ready())
		return;
	for (size_t i = 0; i < procs->role_count; i++)
		if (!master.roles[i].ready)
			return;
	master.announced = true;
	dprintf(STDERR_FILENO, "officemail: ready\n");
	notify_manager("READY=1");
	memory_give_back();
}

static void hear_role(size_t index)
{
	struct role_state *role = &master.roles[index];
	struct frame frame;
	struct err e;
	int got;
	while ((got = channel_receive_some(&role->channel, &frame, &e)) == 1) {
		if (frame.type == ROLE_READY) {
			role->ready = true;
			role->ready_ms = text_monotonic_ms();
		} else {
			master.procs->role_says(master.procs, index, &frame);
		}
	}
	/* Its end is told by SIGCHLD; a role that only closed its channel is
	 * out of step. */
	if (got <= 0 && role->pid)
		kill(role->pid, SIGKILL);
	announce_when_ready();
}

static void take_signals(void)
{
	struct signalfd_siginfo info;
	while (read(master.signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap();
		else if (info.ssi_signo == SIGHUP)
			master.procs->reload(master.procs);
		else
			procs_stop(0);
	}
}

static void tend(int64_t now)
{
	for (size_t i = 0; i < master.procs->role_count; i++)
		if (!master.roles[i].pid && now >= master.roles[i].restart_ms)
			start_role(i);
	if (now >= master.next_minute_ms) {
		master.next_minute_ms = now + MINUTE_MS;
		tzset(); /* a session cannot read it */
		ring_bells();
		master.procs->each_minute(master.procs);
	}
}

static int64_t next_duty_ms(int64_t now)
{
	int64_t next = master.next_minute_ms;
	for (size_t i = 0; i < master.procs->role_count; i++)
		if (!master.roles[i].pid && master.roles[i].restart_ms < next)
			next = master.roles[i].restart_ms;
	if (master.accept_again_ms > now && master.accept_again_ms < next)
		next = master.accept_again_ms;
	return next > now ? next - now : 0;
}

/* ---- the loop ---- */

/* Whatever the kernel lacks for a poll, asking at once again does not help. */
static void pause_polling(void)
{
	static int64_t told_ms;
	if (log_is_due(&told_ms))
		log_event(LOG_ERROR, "poll-failed", log_reason(strerror(errno)));
	usleep(ACCEPT_PAUSE_MS * 1000);
}

static void serve(void)
{
	struct procs *procs = master.procs;
	struct pollfd fds[1 + PROCS_ROLES_MAX + PROCS_SERVICES_MAX * LISTENERS_MAX];
	while (!master.stopping) {
		int64_t now = text_monotonic_ms();
		nfds_t count = 0;
		tend(now);
		fds[count++] = (struct pollfd){.fd = master.signals, .events = POLLIN};
		for (size_t i = 0; i < procs->role_count; i++)
			fds[count++] = (struct pollfd){
				.fd = master.roles[i].pid ? master.roles[i].channel.fd : -1,
				.events = POLLIN};
		/* Until it can serve, it lets clients wait in the queue. */
		bool accepting = master.announced && now >= master.accept_again_ms;
		for (size_t i = 0; i < procs->service_count; i++)
			for (size_t j = 0; j < procs->services[i].fd_count; j++)
				fds[count++] = (struct pollfd){
					.fd = accepting ? procs->services[i].fds[j] : -1,
					.events = POLLIN};
		if (poll(fds, count, (int)next_duty_ms(now)) < 0 && errno != EINTR)
			pause_polling();
		struct pollfd *at = fds;
		if ((at++)->revents)
			take_signals();
		for (size_t i = 0; i < procs->role_count; i++)
			if ((at++)->revents && master.roles[i].pid)
				hear_role(i);
		for (size_t i = 0; i < procs->service_count; i++)
			for (size_t j = 0; j < procs->services[i].fd_count; j++)
				if ((at++)->revents && !master.stopping)
					accept_clients(
						&procs->services[i], procs->services[i].fds[j]);
	}
}

static bool has_finished(void)
{
	for (size_t i = 0; i < master.procs->role_count; i++)
		if (master.procs->roles[i].ends_first && master.roles[i].pid)
			return false;
	return master.session_count == 0;
}

static void wait_for_children(bool all)
{
	int64_t deadline = text_monotonic_ms() + DRAIN_MS;
	while (reap() && (all || !has_finished())) {
		int64_t left = deadline - text_monotonic_ms();
		if (left <= 0)
			return;
		struct pollfd fd = {.fd = master.signals, .events = POLLIN};
		poll(&fd, 1, (int)left);
		struct signalfd_siginfo info;
		while (read(master.signals, &info, sizeof(info)) == sizeof(info))
			continue;
	}
}

/* Where the start has failed nobody was asked anything, and a role may wait for one
 * that will never be. */
static void end_role(size_t role)
{
	if (master.roles[role].pid && master.announced)
		shutdown(master.roles[role].channel.fd, SHUT_RDWR);
	else if (master.roles[role].pid)
		kill(master.roles[role].pid, SIGKILL);
}

/* Sessions finish the command they are in, roles what they were asked; then
 * who is left is ended. */
static void drain(void)
{
	struct procs *procs = master.procs;
	notify_manager("STOPPING=1");
	for (size_t i = 0; i < procs->service_count; i++)
		for (size_t j = 0; j < procs->services[i].fd_count; j++)
			close(procs->services[i].fds[j]);
	close(master.lifeline[1]);
	master.lifeline[1] = -1;
	for (size_t i = 0; i < procs->role_count; i++)
		if (procs->roles[i].ends_first)
			end_role(i);
	wait_for_children(false);
	for (size_t i = 0; i < master.session_count; i++)
		kill(master.sessions[i].pid, SIGKILL);
	for (size_t i = 0; i < procs->role_count; i++)
		end_role(i);
	wait_for_children(true);
	for (size_t i = 0; i < procs->role_count; i++)
		if (master.roles[i].pid)
			kill(master.roles[i].pid, SIGKILL);
}

/* Each role holds a channel to every session. */
static void raise_file_limit(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){files.rlim_max, files.rlim_max});
}

static int begin(struct procs *procs, struct err *e)
{
	sigset_t handled;
	assert(procs->service_count <= PROCS_SERVICES_MAX && procs->role_count <= PROCS_ROLES_MAX);
	master.procs = procs;
	sigemptyset(&handled);
	sigaddset(&handled, SIGCHLD);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGHUP);
	sigprocmask(SIG_BLOCK, &handled, NULL);
	signal(SIGPIPE, SIG_IGN);
	master.signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	/* qemu-user, which wants a build without the seal, knows nothing of the third. */
	if (master.signals < 0 || pipe2(master.lifeline, O_CLOEXEC) < 0 ||
		(prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 &&
			(sandbox_is_sealed_build() || errno != EINVAL)))
		return err_set_errno(e, "cannot begin");
	for (size_t i = 0; i < procs->role_count; i++) {
		const struct procs_role *kind = &procs->roles[i];
		struct role_state *role = &master.roles[i];
		uid_t uid = procs->account.uid;
		gid_t gid = procs->account.gid;
		role->channel.fd = -1;
		role->listener = listen_unix(procs->run_dir, kind->name, 0600, uid, gid, e);
		if (role->listener < 0 || (kind->has_bell && bell_hang(&role->bell, procs->run_dir,
								     kind->name, uid, gid, e) < 0))
			return -1;
	}
	master.next_minute_ms = text_monotonic_ms() + MINUTE_MS;
	must_wait_for_memory(true);
	raise_file_limit();
	tzset();
	child_gather_memory();
	return sandbox_keep_master_rights(e);
}

int procs_run(struct procs *procs, struct err *e)
{
	if (begin(procs, e) < 0)
		return -1;
	for (size_t i = 0; i < procs->role_count; i++)
		start_role(i);
	serve();
	drain();
	free(master.sessions);
	/* What ended it has been said by whom it befell. */
	return master.status ? err_set(e, ERR_IO, "%s", "") : 0;
}
