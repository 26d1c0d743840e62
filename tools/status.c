/* `officemail status`: how the office is doing, on one screen. */
#include "base/account.h"
#include "base/text.h"
#include "base/tls.h"
#include "store/backup.h"
#include "store/events.h"
#include "store/outbox.h"
#include "store/users.h"
#include "tools/certificate.h"
#include "tools/check.h"
#include "tools/command.h"
#include "tools/rows.h"
#include "tools/warnings.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNKNOWN (-1)

struct totals {
	int64_t users, enabled, messages, size;
};

static int count_user(const struct user *user, void *arg)
{
	struct totals *totals = arg;
	totals->users++;
	totals->enabled += user->enabled;
	totals->messages += user->messages;
	totals->size += user->used;
	return 0;
}

/* ---- the server's processes ---- */

struct process {
	char name[17];
	long parent;
};

static bool read_process(const char *pid, struct process *process)
{
	char path[300], text[256];
	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return false;
	text[len] = '\0';
	/* "PID (NAME) STATE PARENT ...", where NAME may hold anything. */
	char *name = strchr(text, '('), *end = strrchr(text, ')');
	if (!name || !end || sscanf(end, ") %*c %ld", &process->parent) != 1)
		return false;
	*end = '\0';
	snprintf(process->name, sizeof(process->name), "%s", name + 1);
	return true;
}

static bool is_role(const char *name)
{
	static const char *const roles[] = {"directory", "writer", "keys", "relay"};
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(name, roles[i]) == 0)
			return true;
	return false;
}

/* The children of the server that are no roles. UNKNOWN where /proc does not
 * tell. */
static int64_t count_sessions(int64_t server)
{
	struct process process;
	int64_t count = 0;
	bool seen = false;
	DIR *proc = opendir("/proc");
	if (!proc)
		return UNKNOWN;
	for (struct dirent *entry; (entry = readdir(proc));) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
			!read_process(entry->d_name, &process) || process.parent != server)
			continue;
		seen = true;
		count += !is_role(process.name);
	}
	closedir(proc);
	return seen ? count : UNKNOWN;
}

/* ---- the other figures ---- */

static int64_t certificate_expires(const struct config *config)
{
	struct certificate_paths paths;
	struct tls_chain *chain = NULL;
	struct err e;
	int64_t expires = UNKNOWN;
	certificate_find(config, &paths);
	int fd = account_open(paths.certificate, O_RDONLY, 0);
	if (fd >= 0 && tls_chain_read(&chain, fd, paths.certificate, &e) == 0) {
		expires = tls_chain_expires(chain);
		tls_chain_free(chain);
	}
	if (fd >= 0)
		close(fd);
	return expires;
}

/* The store on disk, with its log. */
static uint64_t file_size(const struct config *config)
{
	static const char *const ends[] = {"", "-wal"};
	uint64_t size = 0;
	for (size_t i = 0; i < 2; i++) {
		char path[CONFIG_PATH_MAX + 16];
		struct stat what;
		snprintf(path, sizeof(path), "%s/store.db%s", config->data, ends[i]);
		size += stat(path, &what) == 0 ? (uint64_t)what.st_size : 0;
	}
	return size;
}

static int add_last_backup(struct rows *rows, struct store *store, struct err *e)
{
	int64_t when;
	if (backup_get_time(store, &when, e) < 0)
		return -1;
	if (when)
		rows_time(rows, when);
	else
		rows_null(rows, "never");
	return 0;
}

/* An hour a column, from yesterday to now. */
static void draw_chart(struct buf *out, const int64_t hours[24])
{
	static const char *const bars[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	int64_t most = 1;
	for (size_t i = 0; i < 24; i++)
		most = hours[i] > most ? hours[i] : most;
	for (size_t i = 0; i < 24; i++)
		buf_add_text(out, bars[hours[i] > 0 ? 1 + hours[i] * 7 / most : 0]);
}

static void add_deliveries(struct rows *rows, const struct event_totals *events)
{
	struct buf chart = {0};
	int64_t count = 0, size = 0;
	for (size_t i = 0; i < 24; i++) {
		count += events->delivered[i];
		size += events->delivered_size[i];
	}
	rows_number(rows, count);
	rows_size(rows, (uint64_t)size);
	if (rows->json) {
		rows_numbers(rows, events->delivered, 24);
	} else {
		draw_chart(&chart, events->delivered);
		rows_slice(rows, buf_slice(&chart));
	}
	buf_free(&chart);
	rows_number(rows, events->logins_day);
}

static void add_queue(struct rows *rows, const struct outbox_totals *queue)
{
	rows_number(rows, queue->recipients);
	rows_number(rows, queue->held);
	if (queue->oldest)
		rows_time(rows, queue->oldest);
	else
		rows_null(rows, "-");
}

static void add_number(struct rows *rows, int64_t number)
{
	if (number == UNKNOWN)
		rows_null(rows, "-");
	else
		rows_number(rows, number);
}

/* What `check` would call wrong, and what is about to be. */
static int find_warnings(
	struct office *office, int64_t server, struct findings *findings, struct err *e)
{
	findings->keep = true;
	if (server == 0)
		finding(findings, "the server does not run, so no mail comes, goes or is fetched: "
				  "`systemctl start officemail`, or `officemail serve`");
	check_filters(&office->config, findings);
	return warnings_find(office->store, &office->config, findings, e);
}

/* In JSON a cell; for people lines of their own, below. */
static void add_warnings(struct rows *rows, const struct findings *findings)
{
	size_t count = findings->wrong + findings->warned;
	struct slice rest = buf_slice(&findings->sentences);
	if (rows->json) {
		rows_begin_array(rows);
		while (rest.len > 0)
			rows_add_element(rows, slice_cut(&rest, '\0'));
		rows_end_array(rows);
	} else if (count == 0) {
		rows_text(rows, "none");
	} else {
		rows_number(rows, (int64_t)count);
	}
}

static void print_warnings(const struct findings *findings)
{
	struct buf plain = {0};
	for (size_t at = 0; at < findings->sentences.len;) {
		struct slice sentence = slice_of(findings->sentences.at + at);
		buf_clear(&plain);
		rows_add_plain(&plain, sentence);
		printf("%s- %s\n", at == 0 ? "\n" : "", buf_text(&plain));
		at += sentence.len + 1;
	}
	buf_free(&plain);
}

static int print_status(struct office *office, bool json, struct err *e)
{
	static const char *const columns[] = {"users", "enabled", "messages", "size", "store_size",
		"disk_free", "delivered_day", "delivered_size_day", "delivered_by_hour",
		"logins_day", "queue", "queue_held", "queue_oldest", "server_pid", "sessions",
		"certificate_expires", "last_backup", "warnings", NULL};
	struct totals totals = {0};
	struct event_totals events = {0};
	struct outbox_totals queue = {0};
	struct findings findings = {0};
	struct rows rows;
	uint64_t disk_free;
	int64_t server;
	if (users_each(office->store, count_user, &totals, e) < 0 ||
		events_totals(office->store, &events, e) < 0 ||
		outbox_count(office->store, &queue, e) < 0 ||
		store_free_space(office->store, &disk_free, e) < 0 ||
		store_server(office->config.data, &server, e) < 0)
		return -1;
	int64_t expires = certificate_expires(&office->config);

	rows_begin(&rows, columns, json);
	rows_number(&rows, totals.users);
	rows_number(&rows, totals.enabled);
	rows_number(&rows, totals.messages);
	rows_size(&rows, (uint64_t)totals.size);
	rows_size(&rows, file_size(&office->config));
	rows_size(&rows, disk_free);
	add_deliveries(&rows, &events);
	add_queue(&rows, &queue);
	if (server > 0)
		rows_number(&rows, server);
	else
		rows_null(&rows, "not running");
	add_number(&rows, server > 0 ? count_sessions(server) : UNKNOWN);
	if (expires == UNKNOWN)
		rows_null(&rows, "-");
	else
		rows_time(&rows, expires);
	int result = add_last_backup(&rows, office->store, e);
	if (result == 0)
		result = find_warnings(office, server, &findings, e);
	add_warnings(&rows, &findings);
	if (result == 0)
		rows_print_one(&rows, stdout);
	if (result == 0 && !json)
		print_warnings(&findings);
	rows_free(&rows);
	buf_free(&findings.sentences);
	return result;
}

int command_status(struct command_line *line, struct err *e)
{
	struct office office;
	if (office_open(&office, line, STORE_READER, e) < 0)
		return -1;
	int result = print_status(&office, command_option(line, "--json") != NULL, e);
	office_close(&office);
	return result;
}
