/* base/account: the tools' account, taken and laid down. Each try is a process of
 * its own, so that the test keeps its rights. */
#include "base/account.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs setjmp.h, stdarg.h and stddef.h. */
#include <cmocka.h>

static char roots[] = "/tmp/officemail.XXXXXX"; /* a file for its owner alone */

static bool in_a_process(bool (*try)(void))
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		_exit(!try());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status == 0;
}

static void only_as_root(void)
{
	if (geteuid() != 0) {
		print_message("only root can try this\n");
		skip();
	}
}

static void an_account_that_is_not_there_is_said_with_the_mend(void **state)
{
	struct err e;
	uid_t uid;
	gid_t gid;
	(void)state;
	assert_int_equal(account_find("no-such-account", &uid, &gid, &e), -1);
	assert_int_equal(e.kind, ERR_MISSING);
	assert_non_null(strstr(e.text, "adduser"));
}

static void an_account_has_its_ids(void **state)
{
	const struct passwd *nobody = getpwnam("nobody");
	struct err e;
	uid_t uid;
	gid_t gid;
	(void)state;
	assert_non_null(nobody);
	assert_int_equal(account_find("nobody", &uid, &gid, &e), 0);
	assert_int_equal(uid, nobody->pw_uid);
	assert_int_equal(gid, nobody->pw_gid);
}

static void an_account_has_a_name_that_can_stand_in_an_address(void **state)
{
	char name[33];
	(void)state;
	account_name(0, name, sizeof(name));
	assert_string_equal(name, "root");
	account_name(4000000001, name, sizeof(name));
	assert_string_equal(name, "uid-4000000001");
	account_name(65534, name, sizeof(name));
	assert_string_equal(name, "nobody");
}

static bool stays_who_it_is(void)
{
	struct err e;
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		return false;
	uid_t uid = geteuid();
	bool same = account_assume("no-such-account", &e) == 0 && geteuid() == uid;
	account_resume();
	return same && geteuid() == uid;
}

static void a_plain_user_stays_who_he_is(void **state)
{
	(void)state;
	assert_true(in_a_process(stays_who_it_is));
}

static bool works_as_nobody(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	struct stat st;
	struct err e;
	if (account_assume("nobody", &e) < 0 || geteuid() != nobody->pw_uid ||
		getegid() != nobody->pw_gid)
		return false;
	/* Its files are the account's, and root's are closed to it but by name. */
	int named = account_open(roots, O_RDONLY, 0);
	bool good = named >= 0 && fcntl(named, F_GETFD) == FD_CLOEXEC &&
		    open(roots, O_RDONLY) < 0 && geteuid() == nobody->pw_uid;
	char made[] = "/tmp/officemail.XXXXXX";
	int own = mkstemp(made);
	good = good && fstat(own, &st) == 0 && st.st_uid == nobody->pw_uid && unlink(made) == 0;
	/* What it makes where root named it is root's, and goes by root's hand. */
	char other[sizeof(roots) + 2];
	snprintf(other, sizeof(other), "%s.2", roots);
	good = good && account_rename(roots, other) == 0 && account_rename(other, roots) == 0 &&
	       account_rename(other, roots) < 0 && errno == ENOENT &&
	       (own = account_open(other, O_RDWR | O_CREAT | O_EXCL, 0600)) >= 0 &&
	       fstat(own, &st) == 0 && st.st_uid == 0 && unlink(other) < 0 &&
	       account_unlink(other) == 0 && geteuid() == nobody->pw_uid;
	account_resume();
	return good && geteuid() == 0 && getegid() == 0 && open(roots, O_RDONLY) >= 0;
}

static void root_works_as_the_account_and_opens_what_is_named_as_root(void **state)
{
	(void)state;
	only_as_root();
	int fd = mkstemp(roots);
	assert_true(fd >= 0);
	close(fd);
	bool good = in_a_process(works_as_nobody);
	unlink(roots);
	assert_true(good);
}

static void a_path_that_cannot_be_used_is_said_with_the_mend(void **state)
{
	(void)state;
	struct err e;
	char path[6000] = "/";
	memset(path + 1, 'x', sizeof(path) - 2);
	const struct {
		const char *path, *says;
	} paths[] = {
		{"/nowhere", "it: No such file or directory: mend the path"},
		{"/dev/null/x", "it: Not a directory: a directory is wanted where a file or a "
				"link is: mend the path"},
		{"/dev", "it: Is a directory: name a file in it"},
		{"/proc/self/exe", "it: Too many levels of symbolic links: a symbolic link is "
				   "not followed there: name what it leads to"},
		{path, "it: File name too long: name a shorter one"},
	};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(account_open(paths[i].path, O_RDWR | O_NOFOLLOW, 0), -1);
		assert_int_equal(account_err(&e, "%s", "it"), -1);
		assert_string_equal(e.text, paths[i].says);
	}
	errno = ENOSPC;
	assert_int_equal(account_err(&e, "it"), -1);
	assert_int_equal(e.kind, ERR_SPACE);
	assert_string_equal(e.text, "it: No space left on device: make room on that disk");
	errno = EACCES;
	account_err(&e, "it");
	assert_string_equal(e.text,
		getuid() == 0 ? "it: Permission denied: not even root may: name another place"
			      : "it: Permission denied: run this as root, or name another place");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_that_is_not_there_is_said_with_the_mend),
		cmocka_unit_test(an_account_has_its_ids),
		cmocka_unit_test(an_account_has_a_name_that_can_stand_in_an_address),
		cmocka_unit_test(a_plain_user_stays_who_he_is),
		cmocka_unit_test(a_path_that_cannot_be_used_is_said_with_the_mend),
		cmocka_unit_test(root_works_as_the_account_and_opens_what_is_named_as_root),
	};
	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
