/* SQL statements: prepared at their first use, kept in the handle, bound in
 * order, and their failures told in our words. */
#include "store/db.h"
#include "base/digest.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Set by the linker around the section that SQL() fills. */
extern const struct statement __start_statements[], __stop_statements[];

static size_t statement_count(void)
{
	return (size_t)(__stop_statements - __start_statements);
}

const char *db_statement_at(size_t n)
{
	return n < statement_count() ? __start_statements[n].sql : NULL;
}

/* ---- errors ---- */

static enum err_kind constraint_kind(int code)
{
	switch (code) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return ERR_EXISTS;
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return ERR_MISSING;
	default:
		return ERR_INPUT;
	}
}

static int disk_full(const struct store *store, struct err *e)
{
	return err_set(e, ERR_SPACE,
		"the disk of %s is full: delete what is not mail from it, or make it bigger",
		store->data);
}

int db_error(struct store *store, int code, struct err *e)
{
	const char *words = sqlite3_errstr(code);
	if (store->db && sqlite3_extended_errcode(store->db) == code)
		words = sqlite3_errmsg(store->db);
	int unwritten = db_take_write_failure();
	int reason = unwritten ? unwritten : store->db ? sqlite3_system_errno(store->db) : 0;
	bool no_room = reason == ENOSPC || reason == EDQUOT;
	int unread = db_take_read_failure();

	/* It could not be read: whether it is damaged nobody knows. */
	if (unread && (code & 0xff) == SQLITE_CORRUPT)
		return err_set(e, ERR_IO, "%s cannot be read: %s", store->file, strerror(unread));
	/* A writer was killed as it wrote the log's index, and a reader may not mend it. */
	if (code == SQLITE_READONLY_RECOVERY || code == SQLITE_READONLY_CANTINIT)
		return err_set(e, ERR_IO, "%s: its log waits to be mended by the next writer",
			store->file);
	switch (code & 0xff) {
	case SQLITE_FULL:
		return disk_full(store, e);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(e, ERR_DAMAGED,
			"%s is damaged (%s): stop the server, and restore a backup", store->file,
			words);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return err_set(e, ERR_IN_USE,
			"%s: another command is writing to it: try again in a moment", store->file);
	case SQLITE_CONSTRAINT:
		return err_set(e, constraint_kind(code), "the store refuses it: %s", words);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		/* In the server nobody's question is to blame for it. */
		return err_set(e, store->role == STORE_TOOL ? ERR_DENIED : ERR_IO, "%s: %s",
			store->file, words);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (no_room)
			return disk_full(store, e);
		errno = reason;
		return reason ? err_set_errno(e, "%s: %s", store->file, words)
			      : err_set(e, ERR_IO, "%s: %s", store->file, words);
	default:
		return err_set(e, ERR_IO, "%s: %s", store->file, words);
	}
}

/* ---- functions for SQL ---- */

/* octets_checksum(BLOB), for check */
static void sql_checksum(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	const void *octets = sqlite3_value_blob(values[0]);
	size_t len = (size_t)sqlite3_value_bytes(values[0]);
	sqlite3_result_int64(context, (int64_t)digest_checksum(octets, len));
}

int db_add_functions(struct store *store)
{
	return sqlite3_create_function(store->db, "octets_checksum", 1,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL, sql_checksum, NULL,
		NULL);
}

/* ---- queries ---- */

/* A reader that cannot write the log's index, and looks while somebody else is
 * writing its header, hears that it wants mending. Mostly it is whole a moment
 * later; if not, its writer was killed. */
#define INDEX_TRIES 100

static bool is_worth_waiting(int code, int *tries)
{
	if (code != SQLITE_READONLY_RECOVERY || ++*tries > INDEX_TRIES)
		return false;
	poll(NULL, 0, 1);
	return true;
}

static int prepare(struct store *store, const char *sql, sqlite3_stmt **prepared)
{
	int code, tries = 0;
	do
		code = sqlite3_prepare_v3(
			store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, prepared, NULL);
	while (is_worth_waiting(code, &tries));
	return code;
}

static int step(sqlite3_stmt *statement)
{
	int code, tries = 0;
	while (is_worth_waiting(code = sqlite3_step(statement), &tries))
		sqlite3_reset(statement);
	return code;
}

int db_script(struct store *store, const char *sql, struct err *e)
{
	int code, tries = 0;
	do
		code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
	while (is_worth_waiting(code, &tries));
	return code == SQLITE_OK ? 0 : db_error(store, code, e);
}

struct query db_query(struct store *store, const struct statement *statement)
{
	struct query query = {.store = store};
	if (!store->db) {
		query.failed = SQLITE_CANTOPEN;
		return query;
	}
	if (!store->prepared)
		store->prepared = must_alloc(statement_count() * sizeof(*store->prepared));
	assert(statement >= __start_statements && statement < __stop_statements);
	sqlite3_stmt **kept = &store->prepared[statement - __start_statements];
	if (!*kept)
		query.failed = prepare(store, statement->sql, kept);
	assert(!*kept || !sqlite3_stmt_busy(*kept));
	query.statement = *kept;
	return query;
}

/* Called for each parameter: remembers the first failure. */
static void bound(struct query *query, int code)
{
	if (!query->failed)
		query->failed = code;
}

void db_bind_int(struct query *query, int64_t number)
{
	bound(query, sqlite3_bind_int64(query->statement, ++query->bound, number));
}

void db_bind_text(struct query *query, struct slice text)
{
	bound(query, sqlite3_bind_text64(query->statement, ++query->bound, text.at ? text.at : "",
			     text.len, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_blob(struct query *query, struct slice octets)
{
	bound(query, sqlite3_bind_blob64(query->statement, ++query->bound,
			     octets.at ? octets.at : "", octets.len, SQLITE_STATIC));
}

void db_bind_null(struct query *query)
{
	bound(query, sqlite3_bind_null(query->statement, ++query->bound));
}

void db_end(struct query *query)
{
	if (!query->statement)
		return;
	sqlite3_reset(query->statement);
	sqlite3_clear_bindings(query->statement);
	query->statement = NULL;
}

int db_next(struct query *query, struct err *e)
{
	int code = query->failed;
	if (!code && !query->statement)
		return 0;
	(void)db_take_read_failure(); /* an earlier one's */
	(void)db_take_write_failure();
	if (!code)
		code = step(query->statement);
	if (code == SQLITE_ROW)
		return 1;
	int result = code == SQLITE_DONE ? 0 : db_error(query->store, code, e);
	query->failed = code == SQLITE_DONE ? 0 : code;
	db_end(query);
	return result;
}

int db_run(struct query *query, struct err *e)
{
	int got = db_next(query, e);
	assert(got != 1);
	return got;
}

int db_run_with(
	struct store *store, const struct statement *statement, int64_t number, struct err *e)
{
	struct query q = db_query(store, statement);
	db_bind_int(&q, number);
	return db_run(&q, e);
}

int64_t db_int(struct query *query, int column)
{
	return sqlite3_column_int64(query->statement, column);
}

bool db_is_null(struct query *query, int column)
{
	return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

struct slice db_text(struct query *query, int column)
{
	const char *at = (const char *)sqlite3_column_text(query->statement, column);
	return (struct slice){at, (size_t)sqlite3_column_bytes(query->statement, column)};
}

struct slice db_blob(struct query *query, int column)
{
	const char *at = sqlite3_column_blob(query->statement, column);
	return (struct slice){at, (size_t)sqlite3_column_bytes(query->statement, column)};
}

void db_copy_text(struct query *query, int column, char *text, size_t size)
{
	struct slice value = db_text(query, column);
	size_t len = value.len < size ? value.len : size - 1;
	if (len)
		memcpy(text, value.at, len);
	text[len] = '\0';
}

/* How many octets of a row that is too long for a page stand in the table's own; the others
 * are a chain of overflow pages (sqlite.org/fileformat2.html, 1.6). */
static size_t octets_in_table(size_t row)
{
	const size_t most = STORE_PAGE - 35, least = (STORE_PAGE - 12) * 32 / 255 - 23;
	size_t octets = least + (row - least) % (STORE_PAGE - 4);
	return octets <= most ? octets : least;
}

/* SQLite goes to the first overflow page, and the rest is read past it. */
static bool read_past(sqlite3_blob *handle, const struct blob *blob, char *octets)
{
	if (blob->before == 0)
		return false;
	size_t start = octets_in_table(blob->before + blob->len) - blob->before;
	return sqlite3_blob_read(handle, octets, (int)start + 1, 0) == SQLITE_OK &&
	       db_read_chain(octets + start, blob->len - start);
}

int db_read_blob(struct store *store, const struct blob *blob, struct buf *octets, struct err *e)
{
	sqlite3_blob *handle = NULL;
	int code = sqlite3_blob_open(
		store->db, "main", blob->table, blob->column, blob->id, 0, &handle);
	if (code == SQLITE_OK) {
		char *at = buf_reserve(octets, blob->len);
		db_read_ahead(true);
		if (!read_past(handle, blob, at))
			code = sqlite3_blob_read(handle, at, (int)blob->len, 0);
		octets->len += code == SQLITE_OK ? blob->len : 0;
		db_read_ahead(false);
	}
	sqlite3_blob_close(handle);
	if (code == SQLITE_ERROR) /* no such row */
		return 0;
	return code == SQLITE_OK ? 1 : db_error(store, code, e);
}

int64_t db_changes(const struct store *store)
{
	return sqlite3_changes64(store->db);
}

int64_t db_last_id(const struct store *store)
{
	return sqlite3_last_insert_rowid(store->db);
}

void db_forget_statements(struct store *store)
{
	for (size_t i = 0; store->prepared && i < statement_count(); i++)
		sqlite3_finalize(store->prepared[i]);
	free(store->prepared);
	store->prepared = NULL;
}
