/* office.ini: whatever stands in it, it is taken or each fault is a line that
 * names the file; read again it is the same, with line ends of Windows too.
 *
 * Input: the file. */
#include "base/config.h"
#include "base/syntax.h"
#include "tests/fuzz/fuzz.h"

#define FAULTS_MOST 64 /* beside one a line */

static int read_config(struct slice text, struct config *config, struct buf *faults)
{
	char path[32];
	int fd = fuzz_file(text, path);
	int done = config_read(config, path, faults);
	close(fd);
	return done;
}

static size_t count(struct slice text, char octet)
{
	size_t found = 0;
	for (size_t i = 0; i < text.len; i++)
		found += text.at[i] == octet;
	return found;
}

static void look_at_faults(struct slice faults, size_t lines)
{
	assert(faults.len > 0 && faults.at[faults.len - 1] == '\n');
	assert(count(faults, '\n') <= lines + FAULTS_MOST);
	while (faults.len > 0) {
		struct slice line = slice_cut(&faults, '\n');
		assert(slice_has_prefix(line, SLICE("/proc/self/fd/")));
		for (size_t i = 0; i < line.len; i++)
			assert(line.at[i] == '\t' ||
				((unsigned char)line.at[i] >= ' ' && line.at[i] != 127));
	}
}

static void look_at_config(const struct config *config)
{
	struct slice word;
	assert(syntax_is_hostname(slice_of(config->hostname)));
	assert(syntax_is_address(slice_of(config->postmaster)));
	assert(config->data[0] == '/');
	assert(config_word(config->domains, 0, &word));
	for (size_t n = 0; config_word(config->domains, n, &word); n++)
		assert(syntax_is_hostname(word) && config_has_domain(config, word));
	assert(config->idle_timeout >= 600);
	assert(!config->tls_certificate[0] == !config->tls_key[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Flat, and sent to the roles as it is: too big for a stack with a sanitizer. */
	static struct config first, second;
	struct slice text = fuzz_input(data, size);
	struct buf faults = {0}, same = {0}, windows = {0};
	int done = read_config(text, &first, &faults);
	assert(done == (faults.len > 0 ? -1 : 0));
	if (done < 0)
		look_at_faults(buf_slice(&faults), count(text, '\n') + 1);
	else
		look_at_config(&first);

	if (count(text, '\r') == 0) {
		for (size_t i = 0; i < text.len; i++) {
			if (text.at[i] == '\n')
				buf_add_char(&windows, '\r');
			buf_add_char(&windows, text.at[i]);
		}
		text = buf_slice(&windows);
	}
	assert(read_config(text, &second, &same) == done);
	assert(slice_equal(buf_slice(&faults), buf_slice(&same)));
	if (done == 0)
		assert(memcmp(&first, &second, sizeof(first)) == 0);
	buf_free(&faults);
	buf_free(&same);
	buf_free(&windows);
	return 0;
}
