/* Reports and notices: a part for people, whose words stand here, and a part for
 * programs. */
#include "store/bounce.h"
#include "base/text.h"
#include "store/letter.h"
#include "store/reason.h"
#include <inttypes.h>
#include <string.h>

/* What a report says, by kind; the sentences by enum config_language. */
static const struct {
	const char *action;
	char status_class;
	const char *subject[2]; /* and behind it the message's own */
	const char *what[2];    /* "Your mail of DATE ..." */
	const char *end[2];
} kinds[] = {
	[BOUNCE_FAILED] = {"failed", '5', {"Not delivered", "Tidak terkirim"},
		{"could not be delivered to:", "tidak dapat dikirim ke:"},
		{"Nothing more is tried for these addresses, and no copy of the mail waits for "
		 "them any more.",
			"Pengiriman ke alamat di atas tidak dicoba lagi, dan tidak ada salinan "
			"email ini yang masih menunggu."}},
	[BOUNCE_DELAYED] = {"delayed", '4', {"Delayed", "Tertunda"},
		{"has not been delivered yet to:", "belum dapat dikirim ke:"},
		{"You need not do anything. Please do not send the mail again: the recipient "
		 "would get it twice. If it cannot be delivered in time, you will be told.",
			"Anda tidak perlu melakukan apa pun. Mohon jangan mengirim ulang email "
			"ini, supaya penerima tidak mendapatkannya dua kali. Kalau sampai batas "
			"waktu itu tetap tidak berhasil, Anda akan diberi tahu."}},
	[BOUNCE_DELIVERED] = {"delivered", '2', {"Delivered", "Terkirim"},
		{"is in the mailbox of:", "sudah masuk ke kotak surat:"},
		{"Your mail program asked for this report. It does not say that the mail has been "
		 "read.",
			"Laporan ini diminta oleh program email Anda. Laporan ini tidak berarti "
			"bahwa email itu sudah dibaca."}},
	[BOUNCE_RELAYED] = {"relayed", '2', {"Handed on", "Diteruskan"},
		{"was taken by another server, for:", "sudah diterima server lain, untuk:"},
		{"Your mail program asked for this report. That server promises no further ones: "
		 "you will hear of it only if the mail cannot be delivered after all.",
			"Laporan ini diminta oleh program email Anda. Server itu tidak menjanjikan "
			"laporan lebih lanjut: Anda hanya diberi tahu kalau email itu akhirnya "
			"tidak dapat dikirim."}},
};

static const char *say(const struct config *config, const char *en, const char *id)
{
	return config->language == LANGUAGE_ID ? id : en;
}

/* The first digit of a status, as the action demands it: only what has failed may have
 * been tried to the end, though each attempt by itself could be repeated. */
static char class_of(enum bounce_kind kind, const struct bounce_recipient *recipient)
{
	struct slice code = reason_code(recipient->reply);
	if (reason_is_status(recipient->status))
		code = recipient->status;
	bool passing = kind == BOUNCE_FAILED && slice_has_prefix(code, SLICE("4"));
	return passing ? '4' : kinds[kind].status_class;
}

/* A paragraph that begins at the left, and empties *words. */
static void add_sentences(struct buf *out, struct buf *words)
{
	letter_add_paragraph(out, 0, buf_slice(words));
	buf_clear(words);
}

/* ---- the part for people ---- */

/* Mail by its subject and date, as its sender remembers it. */
static void add_message(struct buf *words, const struct config *config, const struct bounce *bounce)
{
	struct buf subject = {0};
	letter_add_subject(&subject, letter_header_of(bounce->original));
	if (subject.len > 0)
		buf_printf(words, " \"%.*s\"", (int)subject.len, subject.at);
	buf_add_text(words, say(config, " of ", " tanggal "));
	letter_add_time(words, config, bounce->arrived);
	buf_add_text(words, subject.len > 0 ? say(config, ", ", " ") : " ");
	buf_free(&subject);
}

/* Have two recipients the same to tell? */
static bool is_like(const struct bounce_recipient *a, const struct bounce_recipient *b)
{
	return slice_equal(a->status, b->status) && slice_equal(a->host, b->host) &&
	       slice_equal(a->reply, b->reply);
}

/* Why, in plain words: of what has failed and of what still may not. */
static void add_why(struct buf *text, const struct config *config, enum bounce_kind kind,
	const struct bounce_recipient *recipient, bool to_sender)
{
	struct buf words = {0};
	struct reason reason = reason_find(config->language, recipient->status, recipient->reply);
	buf_add_text(&words, reason.why);
	if (kind == BOUNCE_FAILED && class_of(kind, recipient) == '4')
		buf_add_text(&words, say(config, " All attempts up to now have failed.",
					     " Semua percobaan sampai sekarang gagal."));
	if (kind == BOUNCE_FAILED && to_sender)
		buf_printf(&words, " %s", reason.todo);
	letter_add_paragraph(text, 4, buf_slice(&words));
	buf_free(&words);
}

/* What was said, by whom, as it was said. */
static void add_reply(
	struct buf *text, const struct config *config, const struct bounce_recipient *recipient)
{
	struct buf words = {0};
	bool has_host = recipient->host.len > 0;
	if (recipient->reply.len == 0)
		return;
	if (reason_code(recipient->reply).len == 0) {
		buf_add_text(&words, say(config, "In detail:", "Rinciannya:"));
	} else {
		buf_add_text(&words, say(config, "", "Jawaban "));
		letter_add_words(&words,
			has_host ? recipient->host
				 : slice_of(say(config, "The other server", "server penerima")));
		buf_add_text(&words, say(config, " said:", ":"));
	}
	letter_add_paragraph(text, 4, buf_slice(&words));
	buf_clear(&words);
	letter_add_words(&words, recipient->reply);
	letter_add_paragraph(text, 6, buf_slice(&words));
	buf_free(&words);
}

/* All recipients; those in a row that have the same to tell share it. */
static void add_recipients(struct buf *text, const struct config *config, enum bounce_kind kind,
	const struct bounce *bounce, bool to_sender)
{
	for (size_t i = 0; i < bounce->count; i++) {
		const struct bounce_recipient *recipient = &bounce->recipients[i];
		buf_add_text(text, "  ");
		letter_add_words(text, recipient->address);
		buf_add_text(text, "\r\n");
		if (i + 1 < bounce->count && is_like(recipient, recipient + 1))
			continue;
		buf_add_text(text, "\r\n");
		if (kind == BOUNCE_FAILED || kind == BOUNCE_DELAYED)
			add_why(text, config, kind, recipient, to_sender);
		add_reply(text, config, recipient);
	}
}

static void add_report(struct buf *text, const struct config *config, enum bounce_kind kind,
	const struct bounce *bounce)
{
	struct buf words = {0};
	buf_add_text(&words, say(config, "Your mail", "Email Anda"));
	add_message(&words, config, bounce);
	buf_add_text(&words, kinds[kind].what[config->language]);
	add_sentences(text, &words);
	add_recipients(text, config, kind, bounce, true);
	if (kind == BOUNCE_DELAYED) {
		buf_add_text(
			&words, say(config, "The mail waits here and is tried again until ",
					"Email ini menunggu di sini dan terus dicoba sampai "));
		letter_add_time(&words, config, bounce->until);
		buf_add_text(&words, ". ");
	}
	buf_add_text(&words, kinds[kind].end[config->language]);
	add_sentences(text, &words);
	buf_printf(&words,
		config->language == LANGUAGE_ID
			? "Jika perlu bantuan, balas email ini: balasan Anda sampai ke postmaster "
			  "kantor Anda. Di sana email ini bernomor %s."
			: "If you need help, answer this mail: that reaches the postmaster of your "
			  "office. There the mail has the number %s.",
		bounce->queue_id);
	add_sentences(text, &words);
	buf_free(&words);
}

/* ---- the part for programs ---- */

/* A field of "TYPE; WORDS". Without words there is none. */
static void add_typed(struct buf *out, const char *name, const char *type, struct slice words)
{
	struct buf value = {0};
	if (words.len == 0)
		return;
	buf_printf(&value, "%s; ", type);
	letter_add_words(&value, words);
	letter_add_field(out, name, buf_slice(&value));
	buf_free(&value);
}

static void add_date(struct buf *out, const char *name, int64_t when)
{
	char date[TEXT_DATE_MAX];
	letter_add_field(out, name, slice_of(text_of_mail_date(date, when)));
}

/* What the sender's program wrote in xtext, in clear behind `type`. Where that is no
 * text the field would not be what the program waits for, and is left out. */
static void add_clear(struct buf *out, const char *name, struct slice type, struct slice xtext)
{
	struct buf clear = {0};
	buf_add_slice(&clear, type);
	if (text_from_xtext(xtext, &clear) && text_is_printable(buf_slice(&clear)) &&
		clear.len <= LETTER_WORDS_MOST)
		letter_add_field(out, name, buf_slice(&clear));
	buf_free(&clear);
}

static void add_original_recipient(struct buf *out, struct slice orcpt)
{
	size_t type = slice_find(orcpt, ';');
	if (type > 0 && type + 1 < orcpt.len)
		add_clear(out, "Original-Recipient", (struct slice){orcpt.at, type + 1},
			slice_from(orcpt, type + 1));
}

static void add_status(
	struct buf *out, enum bounce_kind kind, const struct bounce_recipient *recipient)
{
	char none[] = {class_of(kind, recipient), '.', '0', '.', '0', '\0'};
	bool good = reason_is_status(recipient->status) && recipient->status.at[0] == none[0];
	letter_add_field(out, "Status", good ? recipient->status : slice_of(none));
}

static void add_status_of(struct buf *out, enum bounce_kind kind, const struct bounce *bounce,
	const struct bounce_recipient *recipient)
{
	bool server = reason_code(recipient->reply).len > 0;
	buf_add_text(out, "\r\n");
	add_original_recipient(out, recipient->orcpt);
	add_typed(out, "Final-Recipient", "rfc822", recipient->address);
	letter_add_field(out, "Action", slice_of(kinds[kind].action));
	add_status(out, kind, recipient);
	add_typed(out, "Remote-MTA", "dns", recipient->host);
	add_typed(out, "Diagnostic-Code", server ? "smtp" : "x-officemail", recipient->reply);
	if (recipient->attempted > 0)
		add_date(out, "Last-Attempt-Date", recipient->attempted);
	if (kind == BOUNCE_DELAYED)
		add_date(out, "Will-Retry-Until", bounce->until);
}

static void add_delivery_status(struct buf *out, const struct config *config, enum bounce_kind kind,
	const struct bounce *bounce)
{
	add_clear(out, "Original-Envelope-Id", (struct slice){0}, bounce->envid);
	add_typed(out, "Reporting-MTA", "dns", slice_of(config->hostname));
	letter_add_field(out, "X-Officemail-Queue-Id", slice_of(bounce->queue_id));
	add_date(out, "Arrival-Date", bounce->arrived);
	for (size_t i = 0; i < bounce->count; i++)
		add_status_of(out, kind, bounce, &bounce->recipients[i]);
}

/* ---- reports ---- */

/* "Not delivered: Offer"; the subject as it stands, encoded words and all. Where there
 * is none, or none to be quoted, the first recipient. */
static void add_subject(
	struct buf *out, const char *what, struct slice header, struct slice otherwise)
{
	struct buf subject = {0};
	buf_printf(&subject, "%s: ", what);
	if (!letter_quote_field(&subject, header, "Subject"))
		letter_add_words(&subject, otherwise);
	letter_add_field(out, "Subject", buf_slice(&subject));
	buf_free(&subject);
}

/* Mail programs show the report beside the message it is about (RFC 3834, 3.1.5). */
static void add_references(struct buf *out, struct slice header)
{
	struct buf id = {0};
	if (letter_quote_field(&id, header, "Message-ID") && id.at[0] == '<' &&
		slice_find(buf_slice(&id), ' ') == id.len) {
		letter_add_field(out, "In-Reply-To", buf_slice(&id));
		letter_add_field(out, "References", buf_slice(&id));
	}
	buf_free(&id);
}

void bounce_report(struct buf *out, const struct config *config, enum bounce_kind kind,
	const struct bounce *bounce)
{
	struct buf text = {0}, status = {0};
	struct slice header = letter_header_of(bounce->original);
	letter_begin(out, config, bounce->sender, bounce->now, "auto-replied");
	add_references(out, header);
	add_subject(
		out, kinds[kind].subject[config->language], header, bounce->recipients[0].address);
	add_report(&text, config, kind, bounce);
	add_delivery_status(&status, config, kind, bounce);
	letter_add_parts(out, &(struct letter_parts){.kind = "report; report-type=delivery-status",
				      .text = buf_slice(&text),
				      .status = buf_slice(&status),
				      .attached = bounce->original,
				      .whole = bounce->original_is_whole && kind == BOUNCE_FAILED});
	buf_free(&text);
	buf_free(&status);
}

/* ---- notices to the postmaster ---- */

#define TO_POSTMASTER ((struct slice){0})

static void add_command(struct buf *text, const char *words, const char *command)
{
	letter_add_paragraph(text, 0, slice_of(words));
	letter_add_paragraph(text, 4, slice_of(command));
}

static void add_held_subject(struct buf *out, const struct config *config, struct slice who)
{
	struct buf subject = {0};
	buf_add_text(&subject, say(config, "Mail of ", "Email dari "));
	letter_add_words(&subject, who);
	buf_add_text(&subject, say(config, " is held", " ditahan"));
	letter_add_field(out, "Subject", buf_slice(&subject));
	buf_free(&subject);
}

static void add_held(
	struct buf *text, const struct config *config, struct slice who, uint64_t recipients)
{
	struct buf words = {0};
	letter_add_words(&words, who);
	buf_printf(&words,
		config->language == LANGUAGE_ID
			? " mengirim ke %" PRIu64 " penerima di luar kantor dalam satu jam "
			  "terakhir. Batasnya per_hour = %" PRIu64 " di office.ini. Email yang "
			  "melewati batas ditahan di sini dan tidak dikirim sampai Anda "
			  "memutuskan."
			: " sent to %" PRIu64 " recipients outside the office in the last hour. "
			  "The limit is per_hour = %" PRIu64 " in office.ini. Mail past it is held "
			  "here, and does not leave until you decide.",
		recipients, config->per_hour);
	add_sentences(text, &words);
	add_command(text,
		say(config,
			"It may be a circular that is meant to go. It may also be that somebody "
			"else knows the password, or that a device has gone wrong. See what waits:",
			"Mungkin itu surat edaran yang memang hendak dikirim. Mungkin juga orang "
			"lain mengetahui kata sandinya, atau ada perangkat yang bermasalah. Lihat "
			"apa yang menunggu:"),
		"officemail queue list");
	add_command(
		text, say(config, "Let it go:", "Kalau boleh dikirim:"), "officemail queue retry");
	add_command(text,
		say(config, "Or take away what must not leave, one by one:",
			"Kalau tidak boleh dikirim, hapus satu per satu:"),
		"officemail queue remove ID");
	add_command(text,
		say(config, "If somebody else knows the password, first give a new one:",
			"Kalau orang lain mengetahui kata sandinya, ganti dahulu:"),
		"officemail user passwd ADDRESS");
	buf_add_text(&words,
		say(config, "This notice comes once, as long as anything of this sender is held.",
			"Pemberitahuan ini dikirim satu kali saja, selama masih ada email dari "
			"pengirim ini yang ditahan."));
	add_sentences(text, &words);
	buf_free(&words);
}

void bounce_held(struct buf *out, const struct config *config, int64_t now, struct slice who,
	uint64_t recipients)
{
	struct buf text = {0};
	letter_begin(out, config, TO_POSTMASTER, now, "auto-generated");
	add_held_subject(out, config, who);
	add_held(&text, config, who, recipients);
	letter_add_text(out, buf_slice(&text));
	buf_free(&text);
}

static void add_forward_end(struct buf *text, const struct config *config)
{
	add_command(text,
		say(config,
			"An alias of the office leads there. Please see whether the address is "
			"still right:",
			"Sebuah alias kantor mengarah ke sana. Periksa apakah alamat itu masih "
			"benar:"),
		"officemail alias list");
	letter_add_paragraph(text, 0,
		slice_of(say(config,
			"What it is about is attached. Its sender has not been told. You hear of "
			"the same address once an hour at most, however much mail fails.",
			"Emailnya terlampir. Pengirimnya tidak diberi tahu. Pemberitahuan tentang "
			"alamat yang sama dikirim paling banyak sekali dalam satu jam, berapa pun "
			"email yang gagal.")));
}

/* A notice that has the message with it. */
static void add_forward(struct buf *out, const struct config *config, const struct bounce *bounce,
	const char *subject, struct slice text)
{
	struct buf words = {0};
	letter_begin(out, config, TO_POSTMASTER, bounce->now, "auto-generated");
	buf_add_text(&words, subject);
	letter_add_words(&words, bounce->recipients[0].address);
	letter_add_field(out, "Subject", buf_slice(&words));
	letter_add_parts(out, &(struct letter_parts){.kind = "mixed",
				      .text = text,
				      .attached = bounce->original,
				      .whole = bounce->original_is_whole});
	buf_free(&words);
}

void bounce_forward_failed(
	struct buf *out, const struct config *config, const struct bounce *bounce)
{
	struct buf text = {0}, words = {0};
	buf_add_text(&words, say(config, "The mail", "Email"));
	add_message(&words, config, bounce);
	buf_add_text(&words, say(config, "from <", "dari <"));
	letter_add_words(&words, bounce->sender);
	buf_add_text(&words,
		say(config, ">, could not be forwarded to:", "> tidak dapat diteruskan ke:"));
	add_sentences(&text, &words);
	add_recipients(&text, config, BOUNCE_FAILED, bounce, false);
	add_forward_end(&text, config);
	add_forward(out, config, bounce,
		say(config, "Not forwarded to ", "Tidak dapat diteruskan ke "), buf_slice(&text));
	buf_free(&text);
	buf_free(&words);
}

void bounce_forward_came_back(
	struct buf *out, const struct config *config, const struct bounce *bounce)
{
	struct buf text = {0};
	letter_add_paragraph(&text, 0,
		slice_of(say(config,
			"Mail was forwarded to the address below, and came back. What came "
			"says why:",
			"Email yang diteruskan ke alamat berikut kembali lagi. Alasannya ada di "
			"email yang terlampir:")));
	buf_add_text(&text, "  ");
	letter_add_words(&text, bounce->recipients[0].address);
	buf_add_text(&text, "\r\n\r\n");
	add_forward_end(&text, config);
	add_forward(out, config, bounce,
		say(config, "Forwarded mail came back from ", "Email terusan kembali dari "),
		buf_slice(&text));
	buf_free(&text);
}
