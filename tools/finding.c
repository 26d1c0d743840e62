#include "tools/finding.h"
#include "tools/rows.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void tell(
	struct findings *findings, bool wrong, const char *place, const char *format, va_list args)
{
	char sentence[2048];
	int len = snprintf(sentence, sizeof(sentence), "%s", place);
	vsnprintf(sentence + len, sizeof(sentence) - (size_t)len, format, args);
	findings->wrong += wrong;
	findings->warned += !wrong;
	if (findings->keep) {
		buf_add(&findings->sentences, sentence, strlen(sentence) + 1);
		return;
	}
	struct buf plain = {0};
	rows_add_plain(&plain, slice_of(sentence));
	printf("%s%s\n", wrong ? "" : "warning: ", buf_text(&plain));
	buf_free(&plain);
}

static const char *place_of(char place[CONFIG_PATH_MAX + 128], const struct config *config,
	const char *section, const char *key)
{
	unsigned line = config_line(section, key);
	int len = snprintf(place, CONFIG_PATH_MAX + 128, "%s", config->file);
	if (line > 0)
		len += snprintf(place + len, 16, ":%u", line);
	snprintf(place + len, 112, ": [%s] %s: ", section, key);
	return place;
}

void finding(struct findings *findings, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	tell(findings, true, "", format, args);
	va_end(args);
}

void warning(struct findings *findings, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	tell(findings, false, "", format, args);
	va_end(args);
}

void finding_in(struct findings *findings, const struct config *config, const char *section,
	const char *key, const char *format, ...)
{
	char place[CONFIG_PATH_MAX + 128];
	va_list args;
	va_start(args, format);
	tell(findings, true, place_of(place, config, section, key), format, args);
	va_end(args);
}

void warning_in(struct findings *findings, const struct config *config, const char *section,
	const char *key, const char *format, ...)
{
	char place[CONFIG_PATH_MAX + 128];
	va_list args;
	va_start(args, format);
	tell(findings, false, place_of(place, config, section, key), format, args);
	va_end(args);
}
