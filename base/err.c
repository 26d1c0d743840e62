/* Why something could not be done. A sentence that does not fit is cut: the
 * kind is what programs go by. */
#include "base/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_kind kind, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	e->kind = kind;
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	return -1;
}

/* Where it is the box's trouble, whatever was being done. */
static const struct {
	int code;
	const char *mend;
} mends[] = {
	{ENOSPC, "make room on that disk"},
	{EDQUOT, "raise that account's quota, or make room"},
	{EROFS, "mount that file system for writing"},
	{EIO, "see what `dmesg` says of that disk"},
	{EMFILE, "raise the limit of open files (LimitNOFILE= of the systemd unit)"},
	{EFBIG, "raise the limit of a file's size (ulimit -f; LimitFSIZE= of the systemd unit), or "
		"use a file system that holds larger ones"},
	{ENFILE, "raise the box's limit of open files (fs.file-max)"},
	{ENOMEM, "end what takes the box's memory, or give it more"},
};

int err_set_errno(struct err *e, const char *format, ...)
{
	int code = errno;
	va_list args;
	va_start(args, format);
	e->kind = code == ENOSPC || code == EDQUOT ? ERR_SPACE : ERR_IO;
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);

	size_t len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(code));
	for (size_t i = 0; i < sizeof(mends) / sizeof(mends[0]); i++) {
		len = strlen(e->text);
		if (mends[i].code == code)
			snprintf(e->text + len, sizeof(e->text) - len, ": %s", mends[i].mend);
	}
	return -1;
}

int err_prefix(struct err *e, const char *format, ...)
{
	char was[sizeof(e->text)];
	va_list args;
	memcpy(was, e->text, sizeof(was));
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);

	size_t len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, "%s", was);
	return -1;
}
