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
