/* The stored form has a CR in front of each LF and nowhere else; one that stands elsewhere
 * all the same is kept. */
#include "tools/port_render.h"

static void add_plain(struct port_render *render, struct slice octets)
{
	struct buf *out = &render->plain;
	while (octets.len > 0 && !render->crlf) {
		if (render->cr && *octets.at != '\n')
			buf_add_char(out, '\r');
		size_t len = slice_find(octets, '\r');
		buf_add(out, octets.at, len);
		render->cr = len < octets.len;
		octets = slice_from(octets, len + render->cr);
	}
	buf_add_slice(out, octets);
}

static struct slice quoted(struct port_render *render, bool end)
{
	if (!render->quote)
		return buf_slice(&render->plain);
	mbox_quote(&render->lines, buf_slice(&render->plain), &render->out);
	if (end)
		mbox_lines_end(&render->lines, &render->out);
	return buf_slice(&render->out);
}

struct slice port_render(struct port_render *render, struct slice octets)
{
	buf_clear(&render->plain);
	buf_clear(&render->out);
	add_plain(render, octets);
	return quoted(render, false);
}

struct slice port_render_end(struct port_render *render)
{
	buf_clear(&render->plain);
	buf_clear(&render->out);
	if (render->cr)
		buf_add_char(&render->plain, '\r');
	render->cr = false;
	return quoted(render, true);
}

void port_render_free(struct port_render *render)
{
	buf_free(&render->plain);
	buf_free(&render->out);
}
