/* The numbers of a big deletion come in several frames, each with the ticket; the last
 * one is the request. */
#include "store/deletion.h"

static const int64_t *ids_of(const struct deletion *deletion)
{
	return (const void *)deletion->ids.at;
}

static size_t count_of(const struct deletion *deletion)
{
	return deletion->ids.len / sizeof(int64_t);
}

int deletion_add(struct deletion *deletion, const struct frame *frame,
	const unsigned char ticket_key[DIGEST_SIZE], struct err *e)
{
	if (request_delete_read(frame, &deletion->ticket, &deletion->ids, e) < 0)
		return -1;
	if (count_of(deletion) > DELETE_MOST)
		return err_set(e, ERR_INPUT, "deletes more than a mailbox holds");
	return ticket_check(&deletion->ticket, ticket_key, SERVICE_POP3, ticket_now(), e);
}

int deletion_carry_out(struct deletion *deletion, struct store *store,
	const unsigned char ticket_key[DIGEST_SIZE], struct err *e)
{
	const struct ticket *ticket = &deletion->ticket;
	deletion->hides = false;
	if (ticket_check(ticket, ticket_key, SERVICE_POP3, ticket_now(), e) < 0)
		return -1;
	int views = maildrop_delete_view(store, ticket->user_id, ticket->folder_id,
		ticket->device_id, ids_of(deletion), count_of(deletion), e);
	deletion->hides = views > 0;
	return views < 0 ? -1 : 0;
}

int deletion_settle(const struct deletion *deletion, struct store *store, struct err *e)
{
	if (!deletion->hides)
		return 0;
	return maildrop_settle(store, ids_of(deletion), count_of(deletion), e);
}

void deletion_free(struct deletion *deletion)
{
	buf_free(&deletion->ids);
	deletion->hides = false;
}
