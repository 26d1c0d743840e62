/* The queue of password checks, and the helpers that do them. */
#include "store/hashing.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/role.h"
#include "base/sandbox.h"
#include "store/password.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELPERS 2

enum { HASH_QUESTION = ROLE_FRAME_OWN, HASH_ANSWER };

struct job {
	struct job *next;
	struct peer source;
	bool is_known;
	struct buf question; /* packed; holds the password */
	hashing_done_fn done;
	void *arg; /* NULL: nobody waits any more */
};

static struct {
	struct channel channel[HELPERS];
	struct job *doing[HELPERS]; /* NULL: free */
	struct job *waiting;        /* in order of arrival */
} hashing;

/* ---- a helper ---- */

static void check_password(const struct frame *question, struct buf *answer)
{
	struct unpack in = {.rest = question->body};
	char texts[HASHING_MOST][HASH_MAX], new_hash[HASH_MAX] = "";
	const char *hashes[HASHING_MOST];
	struct err e;
	uint64_t count = unpack_number(&in);
	assert(count <= HASHING_MOST);
	for (size_t i = 0; i < count; i++) {
		unpack_text(&in, texts[i], HASH_MAX);
		hashes[i] = texts[i];
	}
	struct slice password = unpack_slice(&in);
	int which = password_find(password, hashes, count);
	/* As the others are, so that one computation does for all of them. */
	if (which == 0 && password_hash_is_old(hashes[0]) &&
		password_hash_like(password, count > 1 ? hashes[1] : "", new_hash, &e) < 0)
		new_hash[0] = '\0';
	pack_number(answer, (uint64_t)(which + 1));
	pack_text(answer, new_hash);
	wipe(texts, sizeof(texts));
}

static void help(int fd)
{
	struct channel channel;
	struct frame question;
	struct err e;
	channel_open(&channel, fd);
	channel.wipes = true;
	while (channel_receive(&channel, &question, &e) == 1) {
		struct buf answer = {0};
		check_password(&question, &answer);
		wipe((void *)(uintptr_t)question.body.at, question.body.len);
		wipe_stack();
		if (channel_send_buf(&channel, HASH_ANSWER, &answer, &e) < 0)
			break;
		buf_wipe(&answer);
	}
}

/* ---- the queue ---- */

static void free_job(struct job *job)
{
	buf_wipe(&job->question);
	free(job);
}

static bool is_being_done_for(const struct peer *source)
{
	for (int i = 0; i < HELPERS; i++)
		if (hashing.doing[i] && peer_equal(&hashing.doing[i]->source, source))
			return true;
	return false;
}

/* The next in turn: of those whose address has none under way, the first from
 * a known address, else the first. */
static struct job *take_next(void)
{
	struct job **best = NULL;
	for (struct job **at = &hashing.waiting; *at; at = &(*at)->next) {
		if (is_being_done_for(&(*at)->source))
			continue;
		if (!best || ((*at)->is_known && !(*best)->is_known))
			best = at;
		if ((*best)->is_known)
			break;
	}
	if (!best)
		return NULL;
	struct job *job = *best;
	*best = job->next;
	job->next = NULL;
	return job;
}

static void give_work(void)
{
	for (int i = 0; i < HELPERS; i++) {
		struct err e;
		if (hashing.doing[i] || !(hashing.doing[i] = take_next()))
			continue;
		struct buf *question = &hashing.doing[i]->question;
		if (channel_send_buf(&hashing.channel[i], HASH_QUESTION, question, &e) < 0) {
			log_failure(LOG_ERROR, "hashing-failed", &e);
			exit(1);
		}
		buf_wipe(question);
	}
}

static void hear_helper(void *arg)
{
	int helper = (int)(intptr_t)arg;
	struct frame frame;
	struct err e;
	int got = channel_receive_some(&hashing.channel[helper], &frame, &e);
	if (got == 2)
		return;
	struct job *job = hashing.doing[helper];
	if (got <= 0 || !job) {
		log_event(LOG_ERROR, "hashing-failed", log_reason("a helper has died"));
		exit(1);
	}
	struct unpack in = {.rest = frame.body};
	char new_hash[HASH_MAX];
	int which = (int)unpack_number(&in) - 1;
	unpack_text(&in, new_hash, sizeof(new_hash));
	hashing.doing[helper] = NULL;
	if (job->arg)
		job->done(job->arg, which, new_hash);
	wipe(new_hash, sizeof(new_hash));
	free_job(job);
	give_work();
}

void hashing_ask(const struct peer *source, struct slice password, const char *const *hashes,
	size_t count, hashing_done_fn done, void *arg)
{
	struct job *job = must_alloc(sizeof(*job));
	job->source = *source;
	job->is_known = peers_is_known(source);
	job->done = done;
	job->arg = arg;
	/* Longer than any that was ever hashed, perhaps than a frame: nobody's. */
	if (password.len > PASSWORD_MAX) {
		password = SLICE("");
		count = 0;
	}
	assert(count <= HASHING_MOST);
	pack_number(&job->question, count);
	for (size_t i = 0; i < count; i++)
		pack_text(&job->question, hashes[i]);
	pack_slice(&job->question, password); /* last: it is not moved any more */
	struct job **last = &hashing.waiting;
	while (*last)
		last = &(*last)->next;
	*last = job;
	give_work();
}

void hashing_forget(const void *arg)
{
	for (int i = 0; i < HELPERS; i++)
		if (hashing.doing[i] && hashing.doing[i]->arg == arg)
			hashing.doing[i]->arg = NULL;
	for (struct job **at = &hashing.waiting; *at;) {
		struct job *job = *at;
		if (job->arg != arg) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		free_job(job);
	}
}

/* ---- beginning ---- */

static int start_helper(int i, struct err *e)
{
	const struct sandbox_account unchanged = {0};
	int pair[2];
	pid_t parent = getpid();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(e, "socketpair");
	pid_t pid = fork();
	if (pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return err_set_errno(e, "fork");
	}
	if (pid == 0) {
		/* Not even the directory's own descriptors. */
		if (dup2(pair[1], 3) == 3 && close_range(4, ~0U, 0) == 0 &&
			sandbox_take_account(&unchanged, parent, e) == 0 &&
			sandbox_seal(SEAL_SESSION, e) == 0) {
			memory_give_back();
			help(3);
		}
		_exit(0);
	}
	close(pair[1]);
	channel_open(&hashing.channel[i], pair[0]);
	role_watch(pair[0], hear_helper, (void *)(intptr_t)i);
	return 0;
}

int hashing_begin(struct err *e)
{
	for (int i = 0; i < HELPERS; i++)
		if (start_helper(i, e) < 0)
			return -1;
	return 0;
}
