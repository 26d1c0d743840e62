-- From version 2 to 3: devices, and what each login has deleted of a mailbox that
-- several share. README.md says what each state means.

-- One more password for a user's mailbox. `viewed` is when it last opened the
-- mailbox by POP3 (0: never), which is what makes it count. Its number is never
-- given again: it stands in tickets and in hidden.
CREATE TABLE devices (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	user_id INTEGER NOT NULL REFERENCES users,
	name TEXT NOT NULL COLLATE NOCASE CHECK (length(name) BETWEEN 1 AND 64),
	hash TEXT NOT NULL, -- '': it is being removed
	created INTEGER NOT NULL,
	last_login INTEGER NOT NULL DEFAULT 0,
	viewed INTEGER NOT NULL DEFAULT 0,
	UNIQUE (user_id, name)
) STRICT;

-- How many there are of a user: who has none is told so by the row that a login
-- reads anyway. `viewed` as in devices, of the user's own password, kept while
-- there are any.
ALTER TABLE users ADD COLUMN devices INTEGER NOT NULL DEFAULT 0 CHECK (devices >= 0);
ALTER TABLE users ADD COLUMN viewed INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER devices_insert AFTER INSERT ON devices BEGIN
	UPDATE users SET devices = devices + 1 WHERE id = NEW.user_id;
END;
CREATE TRIGGER devices_delete AFTER DELETE ON devices BEGIN
	UPDATE users SET devices = devices - 1 WHERE id = OLD.user_id;
END;

-- A message that one login has deleted, and another has not yet. device_id 0: the
-- user's own password. No foreign keys and no trigger of entries: who has no
-- devices would pay for them with each message that goes.
CREATE TABLE hidden (
	entry_id INTEGER NOT NULL,
	device_id INTEGER NOT NULL,
	at INTEGER NOT NULL,
	PRIMARY KEY (entry_id, device_id)
) STRICT, WITHOUT ROWID;
