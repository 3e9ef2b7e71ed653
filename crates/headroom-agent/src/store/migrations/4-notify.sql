-- The tables of notify.
-- How far notices were made of what happened; 'records' (epoch and sequence) and 'kernel' (boot and
-- sequence).
CREATE TABLE notify_cursor (
    source TEXT PRIMARY KEY,
    place TEXT NOT NULL,        -- the epoch or the boot
    sequence INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
-- Incidents that are not over for those who are told.
CREATE TABLE notify_incident (
    id TEXT PRIMARY KEY,
    tracked TEXT NOT NULL       -- as JSON
) WITHOUT ROWID, STRICT;
-- Notices for one address of one channel each.
CREATE TABLE notify_message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    notice_id TEXT NOT NULL,    -- the same however often it is sent
    incident TEXT,
    kind TEXT NOT NULL,         -- 'opened', 'ongoing', 'closed', 'digest', 'summary'
    notice TEXT NOT NULL,       -- as JSON
    follows INTEGER NOT NULL DEFAULT 0, -- whether an earlier message began its thread
    -- waiting -> claimed -> handed -> sent; waiting again when that failed. merged: a later one says it all;
    -- gathered, expired: told by gathered_in; refused: the receiver will not have it.
    state TEXT NOT NULL CHECK (state IN
        ('waiting', 'claimed', 'handed', 'sent', 'merged', 'gathered', 'expired', 'refused')),
    gathered_in INTEGER REFERENCES notify_message (seq),
    created_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    handed_ms INTEGER,          -- when it was last out of our hands; set before and never taken back
    done_ms INTEGER,
    refusals INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    UNIQUE (channel, address, notice_id)
) STRICT;
CREATE INDEX notify_message_open ON notify_message (channel, address, state, due_ms)
    WHERE state IN ('waiting', 'claimed', 'handed');
CREATE INDEX notify_message_sent ON notify_message (channel, address, handed_ms)
    WHERE handed_ms IS NOT NULL;
CREATE INDEX notify_message_incident ON notify_message (incident, state) WHERE incident IS NOT NULL;
CREATE INDEX notify_message_gathered ON notify_message (gathered_in) WHERE gathered_in IS NOT NULL;
-- How it goes with an address.
CREATE TABLE notify_outlet (
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,    -- in a row
    retry_ms INTEGER,           -- not tried before
    error TEXT,
    sent_ms INTEGER,            -- when one was last delivered
    PRIMARY KEY (channel, address)
) WITHOUT ROWID, STRICT;
