/* The machine under the office. */
#include "base/sandbox.h"
#include "base/text.h"
#include "tools/check.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define OLDEST_NOW     1767225600 /* 2026: this program is not older */
#define FILES_BESIDE   64         /* that a role holds beside a channel a session */
#define SESSION_OCTETS (256 * 1024)
#define HASHING_OCTETS (64ULL * 1024 * 1024) /* two passwords at once, and the roles */

/* ---- the clock ---- */

static void check_clock(struct findings *findings)
{
	char now[TEXT_DATE_MAX];
	struct timex told = {0};
	int64_t clock = time(NULL);
	if (clock < OLDEST_NOW)
		finding(findings,
			"the clock says %s, which has been: set it (`timedatectl set-ntp true`), "
			"or certificates, dates and `keep_deleted` all go wrong",
			text_of_time(now, clock));
	else if (adjtimex(&told) == TIME_ERROR && told.status & STA_UNSYNC)
		warning(findings, "the clock is set by nobody: `timedatectl set-ntp true` (with "
				  "the package systemd-timesyncd) keeps it right");
}

/* ---- the kernel ---- */

static void check_seal(struct findings *findings)
{
	struct err e;
	if (!sandbox_is_sealed_build())
		warning(findings, "this officemail is built without its seal, which is for tests "
				  "alone: build it without UNSEALED=1");
	else if (sandbox_prepare(&e) < 0)
		finding(findings, "%s", e.text);
}

/* ---- the process that serves ---- */

/* Of a process that runs; else of one that would be started from here. */
static uint64_t files_allowed(int64_t server)
{
	char path[64], line[256];
	unsigned long long hard = 0;
	struct rlimit files;
	snprintf(path, sizeof(path), "/proc/%" PRId64 "/limits", server);
	FILE *in = server > 0 ? fopen(path, "re") : NULL;
	while (in && hard == 0 && fgets(line, sizeof(line), in))
		(void)!sscanf(line, "Max open files %*s %llu", &hard);
	if (in)
		fclose(in);
	if (hard > 0)
		return hard;
	return getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_max : RLIM_INFINITY;
}

static void check_limits(const struct config *config, int64_t server, struct findings *findings)
{
	struct sysinfo box;
	uint64_t files = files_allowed(server), connections = config->connections;
	if (connections + FILES_BESIDE > files)
		finding_in(findings, config, "limits", "connections",
			"%" PRIu64
			" connections take as many open files, and the system allows %" PRIu64
			": lower it, or raise that (LimitNOFILE= of the systemd unit)",
			connections, files);
	if (sysinfo(&box) < 0)
		return;
	uint64_t memory = (uint64_t)box.totalram * box.mem_unit;
	if (memory < HASHING_OCTETS)
		warning(findings,
			"the box has %" PRIu64 " MB of memory, and two logins at once take 40: "
			"people wait, or are refused",
			memory >> 20);
	if (connections > memory / SESSION_OCTETS)
		warning_in(findings, config, "limits", "connections",
			"%" PRIu64 " connections may take more memory than the %" PRIu64
			" MB of this box: lower it",
			connections, memory >> 20);
}

/* After an upgrade the old program runs on, until somebody ends it. Root alone is told
 * which it is. */
static void check_program(int64_t server, struct findings *findings)
{
	static const char gone[] = " (deleted)";
	char path[64], program[1024];
	snprintf(path, sizeof(path), "/proc/%" PRId64 "/exe", server);
	ssize_t len = server > 0 ? readlink(path, program, sizeof(program) - 1) : -1;
	if (len < (ssize_t)sizeof(gone))
		return;
	program[len] = '\0';
	if (strcmp(program + len - (sizeof(gone) - 1), gone) == 0)
		warning(findings, "the server runs a program that has been replaced since: "
				  "`systemctl restart officemail`, or end it and start it again");
}

void check_box(const struct config *config, int64_t server, struct findings *findings)
{
	check_clock(findings);
	check_seal(findings);
	check_limits(config, server, findings);
	check_program(server, findings);
}
