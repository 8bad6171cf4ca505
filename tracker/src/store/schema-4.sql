-- Who is not let in. Times are Unix milliseconds.
CREATE TABLE ban (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- NULL: the whole server.
    channel BLOB REFERENCES channel (id) ON DELETE CASCADE ON UPDATE CASCADE,
    -- An address prefix as its author wrote it, or a peer.
    prefix TEXT,
    peer BLOB CHECK (length(peer) = 8),
    -- Where that peer was seen: a keyed hash, whose key is not in this database.
    household BLOB CHECK (length(household) = 16),
    reason TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    -- NULL: for good.
    expires_ms INTEGER,
    CHECK ((prefix IS NULL) <> (peer IS NULL))
) STRICT;
CREATE INDEX ban_by_channel ON ban (channel);
