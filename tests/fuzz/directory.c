/* The directory, asked by hostile sessions: nobody logs in but with the right
 * password, to the right mailbox, once a channel; the store's files go to who
 * has logged in; no address is said to be ours that is not; every question is
 * answered or its channel ended. The target is its writer and its master. budi has
 * a device, whose password is told from his own.
 *
 * Input: steps, each an octet of enum step, an octet that says on which of the
 * channels, and what the step wants. */
#include "store/address.h"
#include "store/devices.h"
#include "store/mail.h"
#include "store/password.h"
#include "tests/fuzz/role.h"

enum step {
	JOIN,    /* service, peer */
	RAW,     /* length, octets */
	FRAME,   /* type, length, body */
	LOGIN,   /* name, password */
	RESOLVE, /* length, address */
	FILES,
	SENDER, /* length, address */
	LEAVE,
	STEPS
};

#define CHANNELS   3
#define ACCOUNT    "www-data"
#define DEVICE     "hp"
#define DEVICES    "RAHASIA-BUDI"
#define STEPS_MOST 32

static const struct {
	const char *name;
	int user;           /* 0 ani, 1 budi, -1 nobody */
	const char *folder; /* that it opens */
} names[] = {{ANI, 0, "Inbox"}, {"Ani", 0, "Inbox"}, {"ani+Junk@kantor.example", 0, "Junk"},
	{"ani+Nothing", 0, "Inbox"}, {BUDI, 1, "Inbox"}, {"budi+junk", 1, "Junk"},
	{"citra@kantor.example", -1, ""}, {"", -1, ""}};
static const struct {
	struct slice text;
	int user; /* whose it is */
} passwords[] = {{{ANIS, sizeof(ANIS) - 1}, 0}, {{BUDIS, sizeof(BUDIS) - 1}, 1}, {{"wrong", 5}, -1},
	{{"", 0}, -1}, {{ANIS, sizeof(ANIS)}, -1}, {{DEVICES, sizeof(DEVICES) - 1}, 1},
	{{"\xff\n", 2}, -1}, {{ANIS_HASH, sizeof(ANIS_HASH) - 1}, -1}};
#define USERS       2
#define OF_A_DEVICE 5 /* that row */

static struct fuzz_office office;
static struct fuzz_role role = {.name = "directory", .run = directory_run};
static unsigned char ticket_key[DIGEST_SIZE] = "the target is the writer";
static struct channel writer; /* as the writer sees it */
static int64_t users[USERS];
static int64_t device_id;
static bool logged_in_once[USERS]; /* in this input */

static struct channel channels[CHANNELS];
static unsigned services[CHANNELS];
static int logged_in[CHANNELS];  /* as whom, -1: not */
static unsigned wrong[CHANNELS]; /* logins, addresses */
static bool has_files[CHANNELS];
static bool unknown_sent[CHANNELS]; /* frames that may be anything, a login too */

static bool hear(size_t c, struct frame *frame)
{
	if (fuzz_hear(&channels[c], frame))
		return true;
	channel_close(&channels[c]);
	return false;
}

static void join(size_t c, unsigned service, const char *peer)
{
	fuzz_leave(&channels[c]);
	channels[c] = fuzz_join(&role, service, peer);
	channels[c].takes_fds = true;
	services[c] = service;
	logged_in[c] = -1;
	unknown_sent[c] = has_files[c] = false;
	wrong[c] = 0;
}

static void look_at_login(size_t c, size_t name, size_t password, const struct login *login)
{
	int who = names[name].user;
	struct err e;
	bool pop3 = services[c] == SERVICE_POP3;
	const char *folder = pop3 ? names[name].folder : "";
	assert(login->ticket.user_id == users[who]);
	assert(ticket_check(&login->ticket, ticket_key, pop3 ? SERVICE_POP3 : SERVICE_SUBMISSION,
		       ticket_now(), &e) == 0);
	assert(login->ticket.folder_id ==
		(pop3 ? fuzz_folder(&office, who == 0 ? ANI : BUDI, folder) : 0));
	assert(strcmp(login->user, who == 0 ? ANI : BUDI) == 0);
	assert(strcmp(login->folder, folder) == 0);
	assert(login->ticket.device_id == (password == OF_A_DEVICE ? device_id : 0));
	assert(strcmp(login->device, password == OF_A_DEVICE ? DEVICE : "") == 0);
	assert(login->maildrop.count == 0);
}

static bool logs_in(size_t c)
{
	return services[c] == SERVICE_POP3 || services[c] == SERVICE_SUBMISSION ||
	       services[c] == SERVICE_TRUSTED;
}

static void log_in(size_t c, size_t name, size_t password)
{
	struct login login;
	struct err e;
	int who = names[name].user;
	bool right = who >= 0 && passwords[password].user == who;
	bool may = logs_in(c) && logged_in[c] < 0 && wrong[c] < WRONG_LOGINS_MAX;
	int done = request_login(
		&channels[c], slice_of(names[name].name), passwords[password].text, &login, &e);
	if (done == 0) {
		assert(right && (may || unknown_sent[c]));
		look_at_login(c, name, password, &login);
		maildrop_free(&login.maildrop);
		logged_in[c] = who;
		logged_in_once[who] = true;
		return;
	}
	/* Known ones get in whatever others have tried. */
	assert(unknown_sent[c] || (e.kind == ERR_GONE ? !may : may && !right));
	wrong[c]++;
	if (e.kind == ERR_GONE)
		channel_close(&channels[c]);
}

static void ask_for_files(size_t c)
{
	struct err e;
	int fds[3];
	bool pop3 = services[c] == SERVICE_POP3 && logged_in[c] >= 0;
	bool may = (pop3 || services[c] == SERVICE_DELIVERY) && !has_files[c];
	if (request_store_files(&channels[c], fds, &e) == 0) {
		assert(may || unknown_sent[c]);
		has_files[c] = true;
		for (size_t i = 0; i < 3; i++) {
			assert((fcntl(fds[i], F_GETFL) & O_ACCMODE) == O_RDONLY);
			close(fds[i]);
		}
	} else {
		assert(!may || unknown_sent[c]);
		channel_close(&channels[c]);
	}
}

/* Of our domains, or the account's own. */
static void look_at_trusted(size_t c, struct slice text, bool may)
{
	struct address address;
	struct err e;
	bool own = services[c] == SERVICE_LOCAL &&
		   slice_equal_nocase(text, SLICE(ACCOUNT "@mail.kantor.example"));
	bool ours = address_read(&address, text, &e) == 0 && !address.quoted &&
		    config_has_domain(&office.config, address_domain(&address));
	assert(unknown_sent[c] || may == (own || ours));
}

/* Who gets the mail of an address may send as it. */
static void ask_for_sender(size_t c, struct slice text)
{
	struct address address, base;
	struct slice tag;
	struct err e;
	int done = request_may_send(&channels[c], text, &e);
	bool staff = services[c] == SERVICE_SUBMISSION || services[c] == SERVICE_TRUSTED;
	bool may = staff && logged_in[c] >= 0;
	bool trusted = !may && (services[c] == SERVICE_TRUSTED || services[c] == SERVICE_LOCAL);
	if (trusted && (done == 0 || e.kind != ERR_GONE)) {
		look_at_trusted(c, text, done == 0);
		return;
	}
	if (done == 0) {
		assert(may || unknown_sent[c]);
		assert(slice_equal_nocase(text, SLICE("postmaster")) ||
			address_read(&address, text, &e) == 0);
		if (unknown_sent[c] || slice_equal_nocase(text, SLICE("postmaster")))
			return;
		if (address_cut_tag(&address, &base, &tag))
			address = base;
		const char *own = logged_in[c] == 0 ? ANI : BUDI;
		bool postmaster = slice_has_prefix(slice_of(address.text), SLICE("postmaster@")) ||
				  slice_has_prefix(slice_of(address.text), SLICE("abuse@"));
		assert(strcmp(address.text, own) == 0 || (postmaster && logged_in[c] == 0));
	} else if (e.kind == ERR_GONE) {
		assert(!may || unknown_sent[c]);
		channel_close(&channels[c]);
	}
}

/* One of ours, by what the office was furnished with. */
static bool is_ours(struct slice text)
{
	static const char *const locals[] = {"ani", "budi", "postmaster", "abuse"};
	struct address address, base;
	struct slice tag;
	struct err e;
	if (slice_equal_nocase(text, SLICE("postmaster")))
		return true;
	if (address_read(&address, text, &e) < 0 ||
		!config_has_domain(&office.config, address_domain(&address)))
		return false;
	if (address_cut_tag(&address, &base, &tag))
		address = base;
	bool kantor = slice_equal(address_domain(&address), SLICE("kantor.example"));
	for (size_t i = 0; i < 4; i++)
		if (slice_equal(address_local(&address), slice_of(locals[i])))
			return kantor || i >= 2;
	return false;
}

/* Where mail can leave for: what is none of ours, under a whole name. */
static bool is_outside(struct slice text)
{
	struct address address;
	struct err e;
	return address_read(&address, text, &e) == 0 &&
	       !config_has_domain(&office.config, address_domain(&address)) &&
	       strchr(address.text + address.at, '.') && text.len < ADDRESS_MAX;
}

static void resolve(size_t c, struct slice address)
{
	struct err e;
	bool submits = service_submits((enum service_kind)services[c]);
	bool good = is_ours(address);
	if (submits && (logged_in[c] >= 0 || services[c] != SERVICE_SUBMISSION))
		good = good || is_outside(address);
	bool may = (services[c] == SERVICE_SMTP || services[c] == SERVICE_LMTP || submits) &&
		   wrong[c] <= WRONG_ADDRESSES_MAX;
	if (request_resolve(&channels[c], address, 0, &e) == 0) {
		assert((may && good) || unknown_sent[c]);
		return;
	}
	assert(unknown_sent[c] || (e.kind == ERR_GONE ? !may : may && !good));
	wrong[c] += e.kind == ERR_MISSING;
	if (e.kind == ERR_GONE)
		channel_close(&channels[c]);
}

static void send_any_frame(size_t c, struct slice *in)
{
	unsigned type = fuzz_octet(in);
	struct slice body = fuzz_take(in, fuzz_octet(in));
	struct iovec part = {(void *)(uintptr_t)body.at, body.len};
	struct frame frame;
	struct err e;
	unknown_sent[c] = true;
	if (channel_send(&channels[c], type, &part, 1, NULL, 0, &e) == 0 &&
		type != REQUEST_TELL_DAMAGE && hear(c, &frame))
		channel_close_frame(&frame);
}

static void take_step(struct slice *in)
{
	static const char *const peers[] = {"203.0.113.5", "unix", "2001:db8::1", "192.0.2.1"};
	enum step step = fuzz_octet(in) % STEPS;
	size_t c = fuzz_octet(in) % CHANNELS, name;
	if (step == JOIN) {
		unsigned service = fuzz_octet(in) % SERVICE_KINDS;
		const char *peer = peers[fuzz_octet(in) & 3];
		join(c, service, service == SERVICE_LOCAL ? "unix:" ACCOUNT : peer);
		return;
	}
	if (channels[c].fd < 0)
		return;
	switch (step) {
	case RAW:
		fuzz_send(&channels[c], fuzz_take(in, fuzz_octet(in)));
		fuzz_leave(&channels[c]);
		break;
	case FRAME:
		send_any_frame(c, in);
		break;
	case LOGIN:
		name = fuzz_octet(in) & 7;
		log_in(c, name, fuzz_octet(in) & 7);
		break;
	case RESOLVE:
		resolve(c, fuzz_take(in, fuzz_octet(in)));
		break;
	case FILES:
		ask_for_files(c);
		break;
	case SENDER:
		ask_for_sender(c, fuzz_take(in, fuzz_octet(in)));
		break;
	default:
		fuzz_leave(&channels[c]);
		break;
	}
}

/* What the directory told its writer: logins that have been, and no hash, since
 * all are of the newest kind. */
static void hear_writer(bool unknown)
{
	struct frame frame;
	struct err e;
	int got;
	while ((got = channel_receive_some(&writer, &frame, &e)) == 1) {
		struct unpack in = {.rest = frame.body};
		int64_t user = (int64_t)unpack_number(&in);
		assert(frame.type == REQUEST_LOGGED_IN);
		assert(unknown || (user == users[0] && logged_in_once[0]) ||
			(user == users[1] && logged_in_once[1]));
	}
	assert(got == 2);
	while ((got = channel_receive_some(&role.master, &frame, &e)) == 1)
		assert(frame.type == MASTER_KNOWN_ADDRESS);
	assert(got == 2);
}

/* What the writer does for the directory at its beginning. */
static void greet_directory(int listener)
{
	struct frame frame;
	struct hello hello;
	struct err e;
	struct iovec part = {ticket_key, sizeof(ticket_key)};
	channel_open(&writer, accept(listener, NULL, NULL));
	assert(channel_receive(&writer, &frame, &e) == 1);
	assert(request_hello_read(&frame, &hello, &e) == 0 && hello.service == SERVICE_DIRECTORY);
	assert(channel_receive(&writer, &frame, &e) == 1 && frame.type == REQUEST_TICKET_KEY);
	assert(channel_send(&writer, ANSWER_OK, &part, 1, NULL, 0, &e) == 0);
}

static void give_device(void)
{
	char hash[HASH_MAX];
	struct user user;
	struct device device;
	assert(users_find_id(office.store, users[1], &user, &office.e) == 1);
	DONE(&office, password_hash_like(SLICE(DEVICES), BUDIS_HASH, hash, &office.e));
	WRITTEN(&office, devices_add(office.store, &user, SLICE(DEVICE), hash, &office.e));
	assert(devices_find(office.store, users[1], SLICE(DEVICE), &device, &office.e) == 1);
	device_id = device.id;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_office_open(&office);
	users[0] = fuzz_user(&office, ANI);
	users[1] = fuzz_user(&office, BUDI);
	give_device();
	int run_dir = fuzz_run_dir(&office.config);
	int listener = listen_unix(run_dir, "writer", 0600, 0, 0, &office.e);
	assert(listener >= 0);
	fcntl(listener, F_SETFL, 0);
	fuzz_role_start(&role, &office.config, run_dir);
	greet_directory(listener);
	fuzz_role_wait(&role);
	for (size_t c = 0; c < CHANNELS; c++)
		channels[c].fd = -1;
	/* All were right once: from then on no limit holds them up. */
	for (size_t who = 0; who < USERS; who++) {
		join(0, SERVICE_POP3, "unix");
		log_in(0, 4 * who, who);
	}
	join(0, SERVICE_POP3, "unix");
	log_in(0, 4, OF_A_DEVICE);
	fuzz_leave(&channels[0]);
	hear_writer(false);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = fuzz_input(data, size);
	bool unknown = false;
	logged_in_once[0] = logged_in_once[1] = false;
	for (int i = 0; i < STEPS_MOST && in.len > 0; i++) {
		take_step(&in);
		for (size_t c = 0; c < CHANNELS; c++)
			unknown = unknown || (channels[c].fd >= 0 && unknown_sent[c]);
	}
	for (size_t c = 0; c < CHANNELS; c++)
		fuzz_leave(&channels[c]);
	hear_writer(unknown || memchr(data, RAW, size));
	return 0;
}
