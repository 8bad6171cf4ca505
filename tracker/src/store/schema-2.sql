-- What a rotated channel's old key has said, for those who know only the old one.
ALTER TABLE rotation ADD COLUMN statement TEXT NOT NULL DEFAULT '';

-- Short-lived links to a channel's setup guide.
CREATE TABLE setup_link (
    -- SHA-256 of the link's token.
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    channel BLOB NOT NULL REFERENCES channel (id) ON DELETE CASCADE ON UPDATE CASCADE,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
