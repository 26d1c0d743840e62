/* The reasons, a row each: the first that fits is it. So the order is: codes that
 * mean more than the status beside them, statuses, codes alone, and what is left. */
#include "store/reason.h"

enum todo {
	CHECK_ADDRESS,
	TELL_OTHERWISE,
	SEND_LATER,
	SEND_LESS,
	SEND_TO_FEWER,
	ASK_LEAVE,
	ASK_US
};

static const char *const todos[][2] = {
	[CHECK_ADDRESS] = {"Check the spelling of the address, and send the mail again.",
		"Periksa penulisan alamatnya, lalu kirim ulang email ini."},
	[TELL_OTHERWISE] = {"Tell the recipient in another way, for example by telephone, and send "
			    "the mail again later.",
		"Beri tahu penerima dengan cara lain, misalnya lewat telepon, lalu kirim ulang "
		"email ini nanti."},
	[SEND_LATER] = {"Send the mail again later; if it is urgent, reach the recipient in "
			"another way.",
		"Kirim ulang email ini nanti; kalau mendesak, hubungi penerima dengan cara lain."},
	[SEND_LESS] = {"Send it with smaller attachments, or the files in another way.",
		"Kirim dengan lampiran yang lebih kecil, atau kirim berkasnya dengan cara lain."},
	[SEND_TO_FEWER] = {"Send it again, to fewer recipients at a time.",
		"Kirim ulang email ini kepada lebih sedikit penerima sekaligus."},
	[ASK_LEAVE] = {"Ask the recipient in another way to let your mail in. If this happens with "
		       "many recipients, answer this mail: the postmaster of your office has to "
		       "look into it.",
		"Minta penerima dengan cara lain agar email Anda diizinkan masuk. Kalau ini "
		"terjadi pada banyak penerima, balas email ini supaya postmaster kantor Anda "
		"memeriksanya."},
	[ASK_US] = {"Answer this mail: the postmaster of your office has to look into it.",
		"Balas email ini: postmaster kantor Anda perlu memeriksanya."},
};

struct row {
	const char *fits; /* statuses, where * is any number, and codes; ? is any digit */
	enum todo todo;
	const char *why[2];
};

static const struct row rows[] = {
	{"53? *.7.8", ASK_US,
		{"The server by which your office sends its mail did not let the office in.",
			"Server yang dipakai kantor Anda untuk mengirim email menolak login "
			"kantor."}},

	{"5.1.1", CHECK_ADDRESS,
		{"There is no such mailbox.", "Kotak surat dengan alamat itu tidak ada."}},
	{"5.1.2", CHECK_ADDRESS,
		{"There is no such domain: what stands behind the @ is not known.",
			"Domain itu tidak ada: bagian alamat sesudah tanda @ tidak dikenal."}},
	{"5.1.3", CHECK_ADDRESS,
		{"The address is not written as an address has to be.",
			"Penulisan alamat itu tidak benar."}},
	{"5.1.6", TELL_OTHERWISE,
		{"The mailbox has moved, and its new address is not known.",
			"Kotak surat itu sudah pindah, dan alamat barunya tidak diketahui."}},
	{"*.1.7 *.1.8", ASK_US,
		{"The other server does not accept your own address, as the sender's.",
			"Server penerima tidak menerima alamat Anda sendiri sebagai pengirim."}},
	{"5.1.10", CHECK_ADDRESS,
		{"What stands behind the @ takes no mail at all.",
			"Domain sesudah tanda @ tidak menerima email sama sekali."}},
	/* 5.4.1 should be a host that does not answer; Exchange says it of addresses. */
	{"5.1.* 5.4.1 5.5.0", CHECK_ADDRESS,
		{"The other server takes no mail for this address.",
			"Server penerima tidak menerima email untuk alamat itu."}},
	{"*.2.1", TELL_OTHERWISE,
		{"The mailbox takes no mail at present.",
			"Kotak surat itu sedang tidak menerima email."}},
	{"*.2.2", TELL_OTHERWISE, {"The mailbox is full.", "Kotak surat penerima penuh."}},
	{"*.2.3", SEND_LESS,
		{"The mail is too big for this mailbox.",
			"Email ini terlalu besar untuk kotak surat itu."}},
	{"*.3.1", SEND_LATER,
		{"The other server has no room left.", "Server penerima kehabisan tempat."}},
	{"*.3.4", SEND_LESS,
		{"The mail is too big for the other server.",
			"Email ini terlalu besar untuk server penerima."}},
	{"*.4.1", SEND_LATER,
		{"The other server cannot be reached.", "Server penerima tidak dapat dihubungi."}},
	{"*.4.2", SEND_LATER,
		{"The connection to the other server broke off.",
			"Sambungan ke server penerima terputus."}},
	{"*.4.3", SEND_LATER,
		{"It could not be found out which server takes this mail.",
			"Server yang menerima email ini tidak berhasil dicari."}},
	{"*.4.4", CHECK_ADDRESS,
		{"There is no server that takes mail for this address.",
			"Tidak ada server yang menerima email untuk alamat itu."}},
	{"*.4.6", ASK_US,
		{"The mail went round in a circle.",
			"Email ini hanya berputar-putar di antara server."}},
	{"*.4.7", SEND_LATER,
		{"The mail could not be delivered in time.",
			"Email ini tidak dapat dikirim sampai batas waktunya."}},
	{"*.5.3", SEND_TO_FEWER,
		{"The mail has more recipients than the other server takes at once.",
			"Penerima email ini terlalu banyak untuk server penerima."}},
	{"*.5.*", ASK_US,
		{"The two servers did not understand each other.",
			"Kedua server tidak saling memahami."}},
	{"*.6.*", ASK_US,
		{"The other server does not take mail of this form.",
			"Server penerima tidak menerima email dalam bentuk ini."}},
	{"*.7.4 *.7.5", ASK_US,
		{"There is no safe connection (TLS) to the other server.",
			"Sambungan aman (TLS) ke server penerima tidak berhasil."}},
	/* 5.7.20 to 5.7.29: DKIM, SPF, reverse DNS (RFC 7372). */
	{"*.7.2?", ASK_US,
		{"The other server does not believe that the mail comes from your office.",
			"Server penerima tidak percaya bahwa email ini berasal dari kantor Anda."}},
	{"4.7.*", SEND_LATER,
		{"The other server does not take the mail yet: many let senders wait whom they do "
		 "not know.",
			"Server penerima belum mau menerima email ini: banyak server menyuruh "
			"pengirim yang belum dikenal menunggu."}},
	{"5.7.*", ASK_LEAVE,
		{"The other server refused the mail as unwanted, or against its rules.",
			"Server penerima menolak email ini karena dianggap tidak diinginkan atau "
			"melanggar aturannya."}},

	{"550 551 553", CHECK_ADDRESS,
		{"The other server takes no mail for this address.",
			"Server penerima tidak menerima email untuk alamat itu."}},
	{"552", SEND_LESS,
		{"The mailbox is full, or the mail is too big for it.",
			"Kotak surat itu penuh, atau email ini terlalu besar untuknya."}},

	{"4.*.* 4??", SEND_LATER,
		{"The other server cannot take the mail at the moment.",
			"Server penerima sedang tidak dapat menerima email ini."}},
	{"", ASK_US, {"The other server refused the mail.", "Server penerima menolak email ini."}},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool is_digit(char octet)
{
	return octet >= '0' && octet <= '9';
}

/* Three digits a number at most (RFC 3463, 2). */
static bool fits(struct slice pattern, struct slice text)
{
	for (; pattern.len > 0; pattern = slice_from(pattern, 1)) {
		char wanted = pattern.at[0];
		size_t most = wanted == '*' ? 3 : 1, taken = 0;
		bool wild = wanted == '*' || wanted == '?';
		while (taken < most && taken < text.len &&
			(wild ? is_digit(text.at[taken]) : text.at[taken] == wanted))
			taken++;
		if (taken == 0)
			return false;
		text = slice_from(text, taken);
	}
	return text.len == 0;
}

static bool fits_one(const char *patterns, struct slice text)
{
	struct slice rest = slice_of(patterns);
	while (rest.len > 0)
		if (fits(slice_cut(&rest, ' '), text))
			return true;
	return false;
}

struct slice reason_code(struct slice reply)
{
	struct slice code = {reply.at, 3};
	bool is_one = reply.len >= 3 && fits_one("2?? 4?? 5??", code) &&
		      (reply.len == 3 || reply.at[3] == ' ' || reply.at[3] == '-');
	return is_one ? code : (struct slice){0};
}

bool reason_is_status(struct slice text)
{
	return fits_one("2.*.* 4.*.* 5.*.*", text);
}

struct reason reason_find(enum config_language language, struct slice status, struct slice reply)
{
	struct slice code = reason_code(reply);
	size_t row = 0;
	while (row < ROWS - 1 && !fits_one(rows[row].fits, status) &&
		!fits_one(rows[row].fits, code))
		row++;
	return (struct reason){rows[row].why[language], todos[rows[row].todo][language]};
}
