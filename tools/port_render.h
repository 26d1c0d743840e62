/* A stored message's octets as they lie in a file: lines that end with LF, or CRLF, quoted
 * in an mbox. Pure. */
#ifndef TOOLS_PORT_RENDER_H
#define TOOLS_PORT_RENDER_H

#include "tools/port_mbox.h"

struct port_render { /* set to zero, and the first two given */
	bool crlf, quote;
	/* From here on private. */
	bool cr; /* one is held back: it may be that of a line's end */
	struct mbox_lines lines;
	struct buf plain, out;
};
/* What the next octets become, valid until the next call. */
struct slice port_render(struct port_render *render, struct slice octets);
/* What was held back of the last ones. */
struct slice port_render_end(struct port_render *render);
void port_render_free(struct port_render *render);

#endif
