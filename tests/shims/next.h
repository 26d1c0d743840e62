/* For libraries laid before libc: the function behind one's own of that name. */
#ifndef TESTS_SHIMS_NEXT_H
#define TESTS_SHIMS_NEXT_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/types.h>

/* In a function that has a `static void *kept`. */
#define NEXT(name) ((__typeof__(&(name)))next((void **)&kept, #name))
static inline void *next(void **kept, const char *name)
{
	if (!*kept)
		*kept = dlsym(RTLD_NEXT, name);
	return *kept;
}

/* open() under one of its names, by way of a function of four arguments: the real
 * one, path, flags and mode. */
#define WRAP_OPEN(name, opens)                                                                     \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		static void *kept;                                                                 \
		va_list arguments;                                                                 \
		va_start(arguments, flags);                                                        \
		mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;     \
		va_end(arguments);                                                                 \
		return opens(NEXT(name), path, flags, mode);                                       \
	}
typedef int open_fn(const char *path, int flags, ...);

/* Roles and sessions give themselves a name as the first thing they do: `hears` has it. */
#define WRAP_NAMING(hears)                                                                         \
	int prctl(int option, ...)                                                                 \
	{                                                                                          \
		static void *kept;                                                                 \
		unsigned long given[4];                                                            \
		va_list arguments;                                                                 \
		va_start(arguments, option);                                                       \
		for (int i = 0; i < 4; i++)                                                        \
			given[i] = va_arg(arguments, unsigned long);                               \
		va_end(arguments);                                                                 \
		if (option == PR_SET_NAME)                                                         \
			hears((const char *)given[0]);                                             \
		return NEXT(prctl)(option, given[0], given[1], given[2], given[3]);                \
	}

#endif
