-- Channels, their keys, and who may make more of them. Times are Unix milliseconds.

CREATE TABLE channel (
    -- Ed25519 public key: the channel's id.
    id BLOB PRIMARY KEY CHECK (length(id) = 32),
    name TEXT NOT NULL UNIQUE,
    -- ChannelSettings as JSON.
    settings TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE poster (
    channel BLOB PRIMARY KEY REFERENCES channel (id) ON DELETE CASCADE ON UPDATE CASCADE,
    mime TEXT NOT NULL,
    -- First 16 hexadecimal digits of the bytes' SHA-256.
    tag TEXT NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

-- Keys that this server signs hosted broadcasts with.
CREATE TABLE signing_key (
    channel BLOB PRIMARY KEY REFERENCES channel (id) ON DELETE CASCADE ON UPDATE CASCADE,
    -- Seed of an Ed25519 key: the channel's own, or one that the channel's key has delegated to.
    seed BLOB NOT NULL CHECK (length(seed) = 32),
    -- The owner's statement for a key that is not the channel's own; NULL: its own, or not stated yet.
    delegation BLOB,
    expires_ms INTEGER
) STRICT;

CREATE TABLE stream_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel BLOB NOT NULL REFERENCES channel (id) ON DELETE CASCADE ON UPDATE CASCADE,
    label TEXT NOT NULL,
    -- SHA-256 of the key. No slow hash: the key is random, and cannot be guessed word by word.
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    -- The first 8 bytes of it, to find the row by. Whole hashes are compared in constant time.
    hash_start BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    UNIQUE (channel, label)
) STRICT;
CREATE INDEX stream_key_by_hash ON stream_key (hash_start);

-- Channels that have taken another key, and so another id.
CREATE TABLE rotation (
    old BLOB PRIMARY KEY CHECK (length(old) = 32),
    -- Where the channel is now.
    new BLOB NOT NULL REFERENCES channel (id) ON DELETE CASCADE ON UPDATE CASCADE,
    rotated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invite (
    -- SHA-256 of the invite.
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    uses_left INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
