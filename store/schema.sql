-- The store, version 1. README.md says what each state means and what a crash
-- leaves of it. Times are Unix seconds, sizes octets, addresses ASCII-folded.

-- Few rows that are not mail: see README.md, "meta".
CREATE TABLE meta (
	name TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('latest_time', 0), ('highest_entry', 0), ('highest_body', 0);

CREATE TABLE users (
	id INTEGER PRIMARY KEY,
	address TEXT NOT NULL CHECK (address = lower(address) AND address LIKE '_%@_%'),
	local TEXT NOT NULL CHECK (local = substr(address, 1, length(local)) AND instr(local, '@') = 0),
	hash TEXT NOT NULL,
	enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
	quota INTEGER CHECK (quota >= 0), -- NULL: the office's; 0: no limit
	created INTEGER NOT NULL,
	last_login INTEGER NOT NULL DEFAULT 0,
	removed INTEGER -- NULL, or when
) STRICT;
CREATE UNIQUE INDEX users_address ON users (address) WHERE removed IS NULL;
CREATE INDEX users_local ON users (local) WHERE removed IS NULL;
CREATE INDEX users_removed ON users (removed, address) WHERE removed IS NOT NULL;

CREATE TABLE aliases (
	alias TEXT NOT NULL CHECK (alias = lower(alias) AND instr(alias, '@') > 0),
	target TEXT NOT NULL CHECK (target = lower(target) AND instr(target, '@') > 0),
	PRIMARY KEY (alias, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_target ON aliases (target);

-- The counters are kept by the triggers of entries. What a user's quota counts
-- is the sum over his folders: no second counter that could differ.
CREATE TABLE folders (
	id INTEGER PRIMARY KEY,
	user_id INTEGER NOT NULL REFERENCES users,
	name TEXT NOT NULL COLLATE NOCASE CHECK (length(name) BETWEEN 1 AND 64),
	public INTEGER NOT NULL DEFAULT 0 CHECK (public IN (0, 1)),
	messages INTEGER NOT NULL DEFAULT 0 CHECK (messages >= 0),
	size INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0),
	UNIQUE (user_id, name)
) STRICT;

CREATE TABLE rules (
	id INTEGER PRIMARY KEY,
	user_id INTEGER NOT NULL REFERENCES users,
	position INTEGER NOT NULL CHECK (position > 0),
	header TEXT NOT NULL,
	pattern TEXT NOT NULL,
	folder_id INTEGER NOT NULL REFERENCES folders
) STRICT;
CREATE INDEX rules_user ON rules (user_id, position);
CREATE INDEX rules_folder ON rules (folder_id);

-- A message's octets, once for all its entries, which refs counts. A small
-- message gets its row when its entries stand; one that arrives in several
-- transactions has it from its first piece on. What has no entry and is not
-- arriving is freed by the purge.
CREATE TABLE bodies (
	id INTEGER PRIMARY KEY,
	size INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0),
	refs INTEGER NOT NULL DEFAULT 0 CHECK (refs >= 0),
	arriving INTEGER NOT NULL DEFAULT 0 CHECK (arriving IN (0, 1)),
	arrived INTEGER NOT NULL,
	queue_id TEXT NOT NULL DEFAULT '',
	sender TEXT NOT NULL DEFAULT '',
	peer TEXT NOT NULL DEFAULT '',
	header_from TEXT NOT NULL DEFAULT '',
	message_id TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX bodies_loose ON bodies (arriving) WHERE refs = 0;

-- Piece n of a body has the id body_id * 2^20 + n: one b-tree, in order.
CREATE TABLE pieces (
	id INTEGER PRIMARY KEY,
	checksum INTEGER NOT NULL,
	octets BLOB NOT NULL
) STRICT;

-- A message in a folder. body_id is no foreign key: searched on each freed
-- body it would want an index, a page more to write for each delivery. The
-- triggers keep refs instead, and refuse to free what is in use.
CREATE TABLE entries (
	id INTEGER PRIMARY KEY,
	folder_id INTEGER NOT NULL REFERENCES folders,
	body_id INTEGER NOT NULL,
	size INTEGER NOT NULL CHECK (size >= length(prefix)), -- prefix and body
	uidl TEXT NOT NULL CHECK (length(uidl) BETWEEN 1 AND 70),
	received INTEGER NOT NULL,
	deleted INTEGER, -- NULL, or when
	checksum INTEGER NOT NULL, -- of prefix
	prefix BLOB NOT NULL
) STRICT;
-- What a login lists, without a look at the rows.
CREATE INDEX entries_list ON entries (folder_id, deleted, id, size, uidl);
CREATE INDEX entries_deleted ON entries (deleted) WHERE deleted IS NOT NULL;

CREATE TRIGGER entries_insert AFTER INSERT ON entries BEGIN
	UPDATE bodies SET refs = refs + 1 WHERE id = NEW.body_id;
	UPDATE folders SET messages = messages + 1, size = size + NEW.size
		WHERE id = NEW.folder_id AND NEW.deleted IS NULL;
END;
CREATE TRIGGER entries_update AFTER UPDATE OF folder_id, deleted ON entries BEGIN
	UPDATE folders SET messages = messages - 1, size = size - OLD.size
		WHERE id = OLD.folder_id AND OLD.deleted IS NULL;
	UPDATE folders SET messages = messages + 1, size = size + NEW.size
		WHERE id = NEW.folder_id AND NEW.deleted IS NULL;
END;
CREATE TRIGGER entries_fixed BEFORE UPDATE OF id, body_id, size, prefix ON entries BEGIN
	SELECT raise(ABORT, 'a message never changes');
END;
CREATE TRIGGER entries_delete AFTER DELETE ON entries BEGIN
	UPDATE bodies SET refs = refs - 1 WHERE id = OLD.body_id;
	UPDATE folders SET messages = messages - 1, size = size - OLD.size
		WHERE id = OLD.folder_id AND OLD.deleted IS NULL;
	-- An id is never given again: the highest is remembered when its row goes.
	UPDATE meta SET value = OLD.id
		WHERE name = 'highest_entry' AND value < OLD.id
			AND OLD.id > (SELECT coalesce(max(id), 0) FROM entries);
END;
CREATE TRIGGER bodies_in_use BEFORE DELETE ON bodies WHEN OLD.refs > 0 BEGIN
	SELECT raise(ABORT, 'body in use');
END;
CREATE TRIGGER bodies_delete AFTER DELETE ON bodies BEGIN
	UPDATE meta SET value = OLD.id
		WHERE name = 'highest_body' AND value < OLD.id
			AND OLD.id > (SELECT coalesce(max(id), 0) FROM bodies);
END;

-- What happened that no other row tells; no foreign keys, it outlives them.
CREATE TABLE events (
	id INTEGER PRIMARY KEY,
	at INTEGER NOT NULL,
	kind TEXT NOT NULL,
	user_id INTEGER NOT NULL,
	entry_id INTEGER NOT NULL,
	detail TEXT NOT NULL
) STRICT;
