/* The table of POP3: when a command is legal, what it needs, what CAPA says of
 * it. CAPA is read off the same columns, so nothing is announced and refused. */
#include "pop3d/commands.h"
#include "pop3d/reply.h"

#define BEFORE (1u << AUTHORIZATION)
#define AFTER  (1u << TRANSACTION)

static int capa(void *session, struct slice argument);
static int noop(void *session, struct slice argument);

/* clang-format off */
const struct dialog_command pop3_commands[] = {
	/* verb  when             needs                         forbids      argument            handler    announced */
	{"CAPA", BEFORE | AFTER,  0,                            0,           ARGUMENT_NONE,      capa,       NULL},
	{"STLS", BEFORE,          0,                            DIALOG_TLS,  ARGUMENT_NONE,      pop3_stls,  "STLS"},
	{"USER", BEFORE,          POP3_MAY_LOGIN,               0,           ARGUMENT_REQUIRED,  pop3_user,  "USER"},
	{"PASS", BEFORE,          POP3_MAY_LOGIN | POP3_NAMED,  0,           ARGUMENT_REQUIRED,  pop3_pass,  NULL},
	{"AUTH", BEFORE,          POP3_MAY_LOGIN,               0,           ARGUMENT_OPTIONAL,  pop3_auth,  "SASL PLAIN"},
	{"STAT", AFTER,           0,                            0,           ARGUMENT_NONE,      pop3_stat,  NULL},
	{"LIST", AFTER,           0,                            0,           ARGUMENT_OPTIONAL,  pop3_list,  NULL},
	{"UIDL", AFTER,           0,                            0,           ARGUMENT_OPTIONAL,  pop3_uidl,  "UIDL"},
	{"RETR", AFTER,           0,                            0,           ARGUMENT_REQUIRED,  pop3_retr,  NULL},
	{"TOP",  AFTER,           0,                            0,           ARGUMENT_REQUIRED,  pop3_top,   "TOP"},
	{"DELE", AFTER,           0,                            0,           ARGUMENT_REQUIRED,  pop3_dele,  NULL},
	{"RSET", AFTER,           0,                            0,           ARGUMENT_NONE,      pop3_rset,  NULL},
	{"NOOP", AFTER,           0,                            0,           ARGUMENT_NONE,      noop,       NULL},
	{"QUIT", BEFORE | AFTER,  0,                            0,           ARGUMENT_NONE,      pop3_quit,  NULL},
	{NULL, 0, 0, 0, 0, NULL, NULL},
};
/* clang-format on */

/* What the server does beside its commands (RFC 2449, 6; RFC 3206, 3). */
static const char *const properties[] = {
	"RESP-CODES",
	"AUTH-RESP-CODE",
	"PIPELINING",
	"EXPIRE NEVER",
	"IMPLEMENTATION officemail",
};

/* RFC 2449, 5. A capability is announced in both states wherever its command
 * is legal, so the state does not count here. */
static int capa(void *arg, struct slice argument)
{
	struct session *session = arg;
	unsigned has = session->dialog.has;
	(void)argument;
	reply_ok(session, "capabilities follow");
	for (const struct dialog_command *c = pop3_commands; c->verb; c++)
		if (c->announced && !(c->needs & ~has) && !(c->forbids & has))
			reply_line(session, "%s", c->announced);
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		reply_line(session, "%s", properties[i]);
	reply_end(session);
	return DIALOG_STAY;
}

static int noop(void *session, struct slice argument)
{
	(void)argument;
	reply_ok(session, "still here");
	return DIALOG_STAY;
}
