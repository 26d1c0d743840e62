/* Directories are read to their end before anything is opened in them, and closed before
 * the next one: however deep they lie, few descriptors are open. */
#include "tools/port_plan.h"
#include "base/account.h"
#include "base/text.h"
#include "tools/port_mbox.h"
#include "tools/port_names.h"
#include "tools/rows.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MOST 32
#define LIST_MOST  (256u * 1024 * 1024)

/* ---- the plan ---- */

static struct port_box *add_box(
	struct port_plan *plan, enum port_kind kind, const char *path, struct slice folder)
{
	if (plan->count == plan->cap) {
		plan->cap = plan->cap ? plan->cap * 2 : 16;
		plan->boxes = must_realloc(plan->boxes, plan->cap * sizeof(*plan->boxes));
	}
	struct port_box *box = &plan->boxes[plan->count++];
	*box = (struct port_box){.kind = kind, .path = must_copy(path)};
	box->renamed = !names_to_folder(box->folder, folder) && folder.len > 0;
	return box;
}

static void add_file(struct port_plan *plan, struct port_box *box, const char *above,
	const char *name, const struct stat *what)
{
	if (box->count == box->cap) {
		box->cap = box->cap ? box->cap * 2 : 64;
		box->files = must_realloc(box->files, box->cap * sizeof(*box->files));
	}
	struct port_file *file = &box->files[box->count++];
	*file = (struct port_file){
		.name = box->names.len, .size = (uint64_t)what->st_size, .time = what->st_mtime};
	buf_printf(&box->names, "%s%s", above, name);
	buf_add_char(&box->names, '\0');
	plan->octets += file->size;
}

void port_plan_free(struct port_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->boxes[i].path);
		free(plan->boxes[i].files);
		buf_free(&plan->boxes[i].names);
	}
	free(plan->boxes);
	if (plan->root >= 0)
		close(plan->root);
	*plan = (struct port_plan){.root = -1};
}

const char *port_plan_name(const struct port_box *box, const struct port_file *file)
{
	return box->names.at + file->name;
}

/* Names below are whoever's who wrote the files: a terminal is to take them as text. */
void port_plan_place(struct buf *out, const struct port_plan *plan, const char *below)
{
	struct slice path = slice_of(plan->path);
	while (path.len > 1 && path.at[path.len - 1] == '/')
		path.len--;
	buf_add_slice(out, path);
	if (*below && !slice_equal(path, SLICE("/")))
		buf_add_char(out, '/');
	rows_add_plain(out, slice_of(below));
}

/* ---- directories ---- */

struct listing {
	struct buf text; /* C strings */
	const char **names;
	size_t count;
};

static void listing_free(struct listing *listing)
{
	buf_free(&listing->text);
	free(listing->names);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_names(DIR *directory, struct listing *listing)
{
	const struct dirent *entry;
	errno = 0;
	while ((entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		buf_add(&listing->text, entry->d_name, strlen(entry->d_name) + 1);
		listing->count++;
	}
	int code = errno;
	listing->names = must_alloc((listing->count + 1) * sizeof(*listing->names));
	const char *at = listing->text.at;
	for (size_t i = 0; i < listing->count; i++, at += strlen(at) + 1)
		listing->names[i] = at;
	qsort(listing->names, listing->count, sizeof(*listing->names), compare_names);
	errno = code;
	return code ? -1 : 0;
}

/* Takes the descriptor; another one to look at what is listed is the caller's. */
static int list(struct listing *listing, int fd, const char *place, struct err *e)
{
	*listing = (struct listing){0};
	DIR *directory = fdopendir(fd);
	int failed = directory ? read_names(directory, listing) : -1;
	if (failed)
		err_set_errno(e, "%s cannot be read", place);
	if (directory)
		closedir(directory);
	else
		close(fd);
	return failed;
}

/* One directory that is looked at. */
struct look {
	struct port_plan *plan;
	const char *path; /* below the root */
	struct slice folder;
	unsigned depth;
	int fd;
	struct listing listing;
};

static int look_open(struct look *look, struct err *e)
{
	struct buf place = {0};
	port_plan_place(&place, look->plan, look->path);
	const int flags = O_RDONLY | O_DIRECTORY;
	look->fd = account_open_below(look->plan->root, look->path, flags, 0);
	int again = look->fd >= 0 ? account_open_below(look->fd, "", flags, 0) : -1;
	int failed = again < 0 ? account_err(e, "%s cannot be opened", buf_text(&place))
			       : list(&look->listing, again, buf_text(&place), e);
	buf_free(&place);
	return failed;
}

static void look_close(struct look *look)
{
	if (look->fd >= 0)
		close(look->fd);
	listing_free(&look->listing);
}

static bool is_directory(const struct look *look, const char *name)
{
	struct stat what;
	return account_look_at(look->fd, name, &what) == 0 && S_ISDIR(what.st_mode);
}

static bool is_maildir(const struct look *look)
{
	return is_directory(look, "cur") || is_directory(look, "new");
}

static int look_at(struct port_plan *plan, const char *path, struct slice folder, bool maildirs,
	unsigned depth, struct err *e);

/* What lies below, as a folder named so within the folder it lies in. */
static int look_below(const struct look *look, const char *name, struct slice folder, bool maildirs,
	struct err *e)
{
	struct buf path = {0}, whole = {0};
	buf_printf(&path, "%s%s%s", look->path, *look->path ? "/" : "", name);
	buf_add_slice(&whole, look->folder);
	if (whole.len > 0)
		buf_add_char(&whole, '.');
	buf_add_slice(&whole, folder);
	int result = look_at(
		look->plan, buf_text(&path), buf_slice(&whole), maildirs, look->depth + 1, e);
	buf_free(&path);
	buf_free(&whole);
	return result;
}

/* ---- Maildir ---- */

/* The messages of cur or new. */
static int add_messages(
	const struct look *look, struct port_box *box, const char *name, struct err *e)
{
	struct buf path = {0};
	buf_printf(&path, "%s%s%s", look->path, *look->path ? "/" : "", name);
	struct look inner = {.plan = look->plan, .path = buf_text(&path), .fd = -1};
	char above[8];
	int result = is_directory(look, name) ? look_open(&inner, e) : 0;
	snprintf(above, sizeof(above), "%s/", name);
	for (size_t i = 0; result == 0 && i < inner.listing.count; i++) {
		struct stat what;
		const char *file = inner.listing.names[i];
		if (*file != '.' && account_look_at(inner.fd, file, &what) == 0 &&
			!S_ISDIR(what.st_mode))
			add_file(look->plan, box, above, file, &what);
	}
	look_close(&inner);
	buf_free(&path);
	return result;
}

static int look_at_maildir(const struct look *look, struct err *e)
{
	struct port_box *box = add_box(look->plan, PORT_MAILDIR, look->path, look->folder);
	if (add_messages(look, box, "cur", e) < 0 || add_messages(look, box, "new", e) < 0)
		return -1;
	/* Behind a link may be a folder: it is told as a message is that cannot be opened. */
	for (size_t i = 0; i < look->listing.count; i++) {
		struct stat what;
		const char *name = look->listing.names[i];
		if (account_look_at(look->fd, name, &what) == 0 && S_ISLNK(what.st_mode))
			add_file(look->plan, box, "", name, &what);
	}
	return 0;
}

/* Subfolders: of Maildir++ as ".A.B" side by side, else as directories in directories. */
static int look_at_subfolders(const struct look *look, struct err *e)
{
	int result = 0;
	for (size_t i = 0; i < look->listing.count && result == 0; i++) {
		const char *name = look->listing.names[i];
		if (strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 ||
			strcmp(name, "tmp") == 0 || !is_directory(look, name))
			continue;
		struct buf folder = {0};
		names_from_utf7(&folder, slice_of(name + (*name == '.')));
		result = look_below(look, name, buf_slice(&folder), true, e);
		buf_free(&folder);
	}
	return result;
}

/* ---- other directories ---- */

/* Does a file begin as an mbox? */
static bool is_mbox(int fd)
{
	char line[MBOX_LINE_MOST];
	int64_t received;
	ssize_t got = pread(fd, line, sizeof(line), 0);
	struct slice rest = {line, got > 0 ? (size_t)got : 0};
	return mbox_is_from_line(slice_cut(&rest, '\n'), &received);
}

static bool ends_with(struct slice name, const char *end)
{
	struct slice wanted = slice_of(end);
	return name.len > wanted.len &&
	       slice_equal_nocase(slice_from(name, name.len - wanted.len), wanted);
}

static void add_mbox(const struct look *look, const char *name, const struct stat *what)
{
	struct buf path = {0}, folder = {0};
	struct slice file = slice_of(name);
	if (ends_with(file, ".mbox"))
		file.len -= strlen(".mbox");
	buf_printf(&path, "%s%s%s", look->path, *look->path ? "/" : "", name);
	buf_add_slice(&folder, look->folder);
	if (folder.len > 0)
		buf_add_char(&folder, '.');
	names_from_file(&folder, file);
	struct port_box *box = add_box(look->plan, PORT_MBOX, buf_text(&path), buf_slice(&folder));
	add_file(look->plan, box, "", "", what);
	buf_free(&path);
	buf_free(&folder);
}

/* A file of a directory that is no Maildir; *eml: the box of its messages, once there is
 * one, by number. */
static void look_at_file(
	const struct look *look, const char *name, const struct stat *what, size_t *eml)
{
	if (strcmp(name, "uidl.json") == 0)
		return;
	int fd = S_ISREG(what->st_mode)
			 ? account_open_below(look->fd, name, O_RDONLY | O_NONBLOCK, 0)
			 : -1;
	bool mbox = fd >= 0 && is_mbox(fd);
	if (fd >= 0)
		close(fd);
	/* An mbox without a message is empty, and is told from other such files by its name. */
	bool empty = S_ISREG(what->st_mode) && what->st_size == 0;
	mbox |= empty && ends_with(slice_of(name), ".mbox");
	if (mbox && !ends_with(slice_of(name), ".eml")) {
		add_mbox(look, name, what);
	} else if (ends_with(slice_of(name), ".eml")) {
		if (*eml == SIZE_MAX) {
			*eml = look->plan->count;
			add_box(look->plan, PORT_EML, look->path, look->folder);
		}
		add_file(look->plan, &look->plan->boxes[*eml], "", name, what);
	} else if (!empty) {
		look->plan->others++;
	}
}

static int look_at_plain(const struct look *look, struct err *e)
{
	size_t eml = SIZE_MAX;
	struct stat what;
	int result = 0;
	for (size_t i = 0; i < look->listing.count; i++) {
		const char *name = look->listing.names[i];
		if (*name != '.' && account_look_at(look->fd, name, &what) == 0 &&
			!S_ISDIR(what.st_mode))
			look_at_file(look, name, &what, &eml);
	}
	for (size_t i = 0; i < look->listing.count && result == 0; i++) {
		const char *name = look->listing.names[i];
		if (*name == '.' || !is_directory(look, name))
			continue;
		struct buf folder = {0};
		names_from_file(&folder, slice_of(name));
		result = look_below(look, name, buf_slice(&folder), false, e);
		buf_free(&folder);
	}
	return result;
}

static int look_at(struct port_plan *plan, const char *path, struct slice folder, bool maildirs,
	unsigned depth, struct err *e)
{
	struct look look = {.plan = plan, .path = path, .folder = folder, .depth = depth, .fd = -1};
	int result = 0;
	if (depth > DEPTH_MOST) {
		struct buf place = {0};
		port_plan_place(&place, plan, path);
		err_set(e, ERR_INPUT, "%s lies too deep: import it by itself", buf_text(&place));
		buf_free(&place);
		return -1;
	}
	if (look_open(&look, e) < 0)
		result = -1;
	else if (is_maildir(&look))
		result = look_at_maildir(&look, e) < 0 || look_at_subfolders(&look, e) < 0 ? -1 : 0;
	else if (maildirs)
		result = look_at_subfolders(&look, e);
	else
		result = look_at_plain(&look, e);
	look_close(&look);
	return result;
}

/* ---- the path ---- */

static int plan_file(struct port_plan *plan, const struct stat *what, struct err *e)
{
	bool eml = ends_with(slice_of(plan->path), ".eml");
	bool mbox = is_mbox(plan->root) || (what->st_size == 0 && !eml); /* an empty mailbox */
	plan->is_file = true;
	if (!mbox && !eml)
		return err_set(e, ERR_INPUT,
			"%s is no mbox (which begins with \"From \") and no .eml: give one of "
			"these, or a directory",
			plan->path);
	add_file(plan, add_box(plan, mbox ? PORT_MBOX : PORT_EML, "", SLICE("")), "", "", what);
	return 0;
}

int port_plan_make(struct port_plan *plan, const char *path, struct err *e)
{
	struct stat what;
	*plan = (struct port_plan){.path = path};
	plan->root = account_open(path, O_RDONLY | O_NONBLOCK, 0);
	if (plan->root < 0 && errno == ENOENT)
		return err_set(e, ERR_MISSING,
			"%s is not there: name an mbox, a Maildir or a directory of .eml files",
			path);
	if (plan->root < 0 || fstat(plan->root, &what) != 0)
		return account_err(e, "%s cannot be opened", path);
	if (S_ISREG(what.st_mode))
		return plan_file(plan, &what, e);
	if (!S_ISDIR(what.st_mode))
		return err_set(e, ERR_INPUT,
			"%s is neither a file nor a directory: name an mbox, a Maildir or a "
			"directory of .eml files",
			path);
	if (look_at(plan, "", SLICE(""), false, 0, e) < 0)
		return -1;
	if (plan->count == 0)
		return err_set(e, ERR_INPUT,
			"%s holds no mail: neither a Maildir (cur, new), nor an mbox, nor .eml "
			"files",
			path);
	return 0;
}

int port_plan_open(const struct port_plan *plan, const struct port_box *box, const char *name,
	struct stat *what, struct err *e)
{
	struct buf below = {0};
	buf_printf(&below, "%s%s%s", box->path, *box->path && *name ? "/" : "", name);
	int fd = plan->is_file ? dup(plan->root)
			       : account_open_below(
					 plan->root, buf_text(&below), O_RDONLY | O_NONBLOCK, 0);
	buf_free(&below);
	if (fd < 0)
		return errno == ELOOP ? err_set(e, ERR_INPUT, "is a symbolic link")
				      : err_set_errno(e, "cannot be opened");
	if (fstat(fd, what) == 0 && S_ISREG(what->st_mode))
		return fd;
	close(fd);
	return err_set(e, ERR_INPUT, "is no plain file");
}

static int read_all(int fd, struct buf *content, struct err *e)
{
	ssize_t got;
	do {
		got = read(fd, buf_reserve(content, 64 * 1024), 64 * 1024);
		content->len += got > 0 ? (size_t)got : 0;
	} while ((got > 0 && content->len <= LIST_MOST) || (got < 0 && errno == EINTR));
	if (got < 0)
		return err_set_errno(e, "cannot be read");
	return got > 0 ? err_set(e, ERR_TOO_BIG, "is too big") : 1;
}

int port_plan_read(
	const struct port_plan *plan, const char *below, struct buf *content, struct err *e)
{
	struct stat what;
	int fd = account_open_below(plan->root, below, O_RDONLY | O_NONBLOCK, 0);
	buf_clear(content);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0
							   : err_set_errno(e, "cannot be opened");
	int result = fstat(fd, &what) == 0 && S_ISREG(what.st_mode)
			     ? read_all(fd, content, e)
			     : err_set(e, ERR_INPUT, "is no plain file");
	close(fd);
	return result;
}
