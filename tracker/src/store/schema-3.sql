-- What join tokens of a channel are signed with, by its owner's site and here.
CREATE TABLE join_secret (
    channel BLOB PRIMARY KEY REFERENCES channel (id) ON DELETE CASCADE ON UPDATE CASCADE,
    -- As it is: a signature cannot be checked with its hash.
    secret TEXT NOT NULL
) STRICT;
