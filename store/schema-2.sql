-- From version 1 to 2: mail that is to leave the office. README.md says what
-- each state means.

-- A message on its way out. Its octets are a body's, which refs counts as it
-- counts entries. Its number is never given again: a delivery that comes late
-- with its results must not meet another message.
CREATE TABLE outgoing (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	body_id INTEGER NOT NULL,
	size INTEGER NOT NULL CHECK (size >= length(prefix)), -- prefix and body
	kind TEXT NOT NULL CHECK (kind IN ('sent', 'forwarded')),
	user_id INTEGER NOT NULL, -- who sent it; 0: no user did
	who TEXT NOT NULL, -- whose recipients of the hour it counts to
	sender TEXT NOT NULL, -- as it leaves; '': the null sender
	queue_id TEXT NOT NULL,
	envid TEXT NOT NULL DEFAULT '',
	ret INTEGER NOT NULL DEFAULT 0,
	queued INTEGER NOT NULL,
	delay_told INTEGER NOT NULL DEFAULT 0 CHECK (delay_told IN (0, 1)),
	checksum INTEGER NOT NULL, -- of prefix
	prefix BLOB NOT NULL
) STRICT;

-- One that waits for it. Who has it, or never will, has no row any more; the
-- last one takes the message along.
CREATE TABLE recipients (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	outgoing_id INTEGER NOT NULL REFERENCES outgoing,
	address TEXT NOT NULL,
	domain TEXT NOT NULL CHECK (domain = lower(domain)),
	notify INTEGER NOT NULL DEFAULT 0,
	orcpt TEXT NOT NULL DEFAULT '',
	state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'trying', 'held')),
	attempts INTEGER NOT NULL DEFAULT 0,
	next_try INTEGER NOT NULL,
	last_host TEXT NOT NULL DEFAULT '', -- who said it
	last_status TEXT NOT NULL DEFAULT '',
	last_reply TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX recipients_outgoing ON recipients (outgoing_id);
CREATE INDEX recipients_due ON recipients (state, next_try, domain);
CREATE INDEX recipients_domain ON recipients (domain, state, next_try);

CREATE TRIGGER outgoing_insert AFTER INSERT ON outgoing BEGIN
	UPDATE bodies SET refs = refs + 1 WHERE id = NEW.body_id;
END;
CREATE TRIGGER outgoing_fixed BEFORE UPDATE OF id, body_id, size, prefix ON outgoing BEGIN
	SELECT raise(ABORT, 'a message never changes');
END;
CREATE TRIGGER outgoing_delete AFTER DELETE ON outgoing BEGIN
	UPDATE bodies SET refs = refs - 1 WHERE id = OLD.body_id;
END;
CREATE TRIGGER recipients_delete AFTER DELETE ON recipients BEGIN
	DELETE FROM outgoing WHERE id = OLD.outgoing_id
		AND NOT EXISTS (SELECT 1 FROM recipients WHERE outgoing_id = OLD.outgoing_id);
END;

-- Mail that an alias sends outside leaves under a sender of its own, token@domain
-- of ours, so that what comes back is known, and the sender's domain has not to
-- name this server.
CREATE TABLE forwards (
	token TEXT PRIMARY KEY,
	target TEXT NOT NULL UNIQUE CHECK (target = lower(target)),
	told INTEGER NOT NULL DEFAULT 0 -- when the postmaster heard of it last
) STRICT, WITHOUT ROWID;

-- As whom else a user may send.
CREATE TABLE grants (
	user_id INTEGER NOT NULL REFERENCES users,
	address TEXT NOT NULL CHECK (address = lower(address) AND instr(address, '@') > 1),
	PRIMARY KEY (user_id, address)
) STRICT, WITHOUT ROWID;

-- Recipients outside that somebody has sent to, five minutes a row.
CREATE TABLE hours (
	who TEXT NOT NULL,
	since INTEGER NOT NULL,
	recipients INTEGER NOT NULL,
	PRIMARY KEY (who, since)
) STRICT, WITHOUT ROWID;
