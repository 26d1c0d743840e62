/* Tokens begin with a word, so that no other address costs a look at the table, and are
 * of digits, since other servers fold letters. */
#include "store/forwards.h"
#include "base/digest.h"
#include "base/text.h"
#include "store/db.h"
#include <stdio.h>
#include <string.h>

#define TOKEN_WORD   "fwd-"
#define TOKEN_OCTETS 12 /* random ones: 96 bits */
#define TELL_EVERY   3600

/* 1: the target has one. */
static int read_token(
	struct store *store, struct slice target, char token[FORWARD_TOKEN_MAX], struct err *e)
{
	struct query q = db_query(store, SQL("SELECT token FROM forwards WHERE target = ?"));
	db_bind_text(&q, target);
	int found = db_next(&q, e);
	if (found == 1)
		db_copy_text(&q, 0, token, FORWARD_TOKEN_MAX);
	db_end(&q);
	return found;
}

int forwards_token(
	struct store *store, struct slice target, char token[FORWARD_TOKEN_MAX], struct err *e)
{
	unsigned char random[TOKEN_OCTETS];
	struct buf text = {0};
	int found = read_token(store, target, token, e);
	if (found != 0)
		return found < 0 ? -1 : 0;
	digest_random(random, sizeof(random));
	buf_add_text(&text, TOKEN_WORD);
	text_add_hex(&text, random, sizeof(random));
	snprintf(token, FORWARD_TOKEN_MAX, "%s", buf_text(&text));
	buf_free(&text);
	struct query q = db_query(store, SQL("INSERT INTO forwards (token, target) VALUES (?, ?)"));
	db_bind_text(&q, slice_of(token));
	db_bind_text(&q, target);
	return db_run(&q, e);
}

int forwards_find(struct store *store, struct slice local, char target[ADDRESS_MAX], struct err *e)
{
	char token[FORWARD_TOKEN_MAX];
	if (local.len != strlen(TOKEN_WORD) + 2 * TOKEN_OCTETS)
		return 0;
	memcpy(token, local.at, local.len);
	text_fold(token, local.len);
	if (memcmp(token, TOKEN_WORD, strlen(TOKEN_WORD)) != 0)
		return 0;
	struct query q = db_query(store, SQL("SELECT target FROM forwards WHERE token = ?"));
	db_bind_text(&q, (struct slice){token, local.len});
	int found = db_next(&q, e);
	if (found == 1)
		db_copy_text(&q, 0, target, ADDRESS_MAX);
	db_end(&q);
	return found;
}

int forwards_tell(struct store *store, struct slice target, struct err *e)
{
	struct query q = db_query(store, SQL("UPDATE forwards SET told = ?1 WHERE target = ?2"
					     " AND (told > ?1 OR told <= ?1 - ?3)"));
	db_bind_int(&q, store_now(store));
	db_bind_text(&q, target);
	db_bind_int(&q, TELL_EVERY);
	return db_run(&q, e) < 0 ? -1 : db_changes(store) > 0;
}
