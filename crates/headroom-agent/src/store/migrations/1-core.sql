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
