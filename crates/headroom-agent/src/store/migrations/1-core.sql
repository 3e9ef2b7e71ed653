-- What was read of the guard's journal, and how far.
CREATE TABLE record (
    epoch INTEGER NOT NULL,     -- which journal: one more whenever a new one was begun
    sequence INTEGER NOT NULL,  -- its number in that journal
    unix_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,         -- 'opened', 'verdict', ...
    incident INTEGER,           -- the incident's number, where it belongs to one
    entry TEXT NOT NULL,        -- the entry as JSON
    PRIMARY KEY (epoch, sequence)
) WITHOUT ROWID, STRICT;
CREATE INDEX record_incident ON record (epoch, incident) WHERE incident IS NOT NULL;
CREATE INDEX record_time ON record (unix_ms);
CREATE TABLE cursor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    unix_ms INTEGER NOT NULL
) STRICT;
INSERT INTO cursor VALUES (1, 1, 0, 0);

-- Incidents, to find them by time: what happened in them stands in record.
CREATE TABLE incident (
    epoch INTEGER NOT NULL,
    number INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL,
    closed_ms INTEGER,          -- NULL while it lasts
    PRIMARY KEY (epoch, number)
) WITHOUT ROWID, STRICT;
CREATE INDEX incident_time ON incident (opened_ms);

-- Sums over all records there ever were: records go, these stay.
CREATE TABLE total (
    name TEXT PRIMARY KEY,      -- 'opened', 'verdict slay', 'outcome gone', 'freed_kib', ...
    value INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

-- What was done by request, and by whom: the logbook and the audit log in one.
CREATE TABLE flow (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,         -- 'update_node', 'add_token', 'restart_service', ...
    state TEXT NOT NULL CHECK (state IN ('running', 'success', 'failed')),
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    who TEXT NOT NULL,          -- a user's name, or 'token NAME'
    whence TEXT NOT NULL,       -- 'uid 1000, pid 33', or an address
    what TEXT NOT NULL,         -- in words
    why TEXT                    -- why it failed
) STRICT;
CREATE INDEX flow_running ON flow (id) WHERE state = 'running';
-- What an 'update_node' sets.
CREATE TABLE flow_value (
    flow INTEGER NOT NULL REFERENCES flow (id) ON DELETE CASCADE,
    setting TEXT NOT NULL,
    before TEXT,                -- what it was
    after TEXT,                 -- NULL leaves it to the policy again
    PRIMARY KEY (flow, setting)
) WITHOUT ROWID, STRICT;

CREATE TABLE token (
    name TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,  -- SHA-256 of the token, which is 256 random bits
    rights TEXT NOT NULL,       -- their names, separated by blanks
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL
) WITHOUT ROWID, STRICT;
