-- The store's tables, version 1. docs/store.md explains them.
-- Times are in milliseconds since 1970, UTC. Paths are text where they are UTF-8, else blobs.

-- What of a binary is needed to report on it without it.
CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    -- Its build id in hexadecimal; without one, "xxh3:" and a hash of its sections.
    key TEXT NOT NULL UNIQUE,
    -- Its coverage sections, compressed (zlib).
    sections BLOB NOT NULL
) STRICT;

-- Files that were run, or loaded as libraries. A path has a row for each build of it.
CREATE TABLE program (
    id INTEGER PRIMARY KEY,
    path ANY NOT NULL,
    -- Device, inode, size and time of modification: whether the file is still the same one.
    stamp TEXT NOT NULL,
    -- Null if it has no coverage mapping.
    object_id INTEGER REFERENCES object (id),
    -- 1 if it has counters (LLVM's, or those of `go build -cover`).
    counters INTEGER NOT NULL,
    -- 1 if its counters can live in a file, 0 if not, null if it does not say.
    relocatable INTEGER,
    -- 1 if it is a program of Go.
    go INTEGER NOT NULL,
    last_run_ms INTEGER NOT NULL,
    UNIQUE (path, stamp)
) STRICT;

CREATE TABLE run (
    -- Unique among all stores; begins with the time of the beginning.
    name TEXT PRIMARY KEY,
    context TEXT,
    -- A JSON array of strings; an argument that is not UTF-8 is an array of its bytes.
    argv TEXT NOT NULL,
    -- Null if there is no such file.
    program_id INTEGER REFERENCES program (id),
    started_ms INTEGER NOT NULL,
    -- Microseconds.
    wall_us INTEGER NOT NULL,
    -- code, signal, timeout, running (when it was looked at), or lost: whoever ran it was killed.
    ended TEXT NOT NULL,
    -- The exit code, the signal's number, or the timeout in milliseconds.
    ended_with INTEGER,
    -- exit, continuous, rescued, snapshot, none or off.
    obtained TEXT NOT NULL,
    -- For none: why.
    cause TEXT,
    -- How many profiles of it are in the totals.
    profiles INTEGER NOT NULL,
    -- Files in its folder that are of this batch, or an earlier one, are in the totals.
    batch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The runs of one binary, added up: a raw profile in two parts.
CREATE TABLE total (
    id INTEGER PRIMARY KEY,
    -- Its build id in hexadecimal and a hash of the template; without a build id, the hash alone.
    key TEXT NOT NULL UNIQUE,
    -- The object that it is of, once that is known.
    object_key TEXT,
    -- A raw profile with all counters zero, compressed (zlib).
    template BLOB NOT NULL
) STRICT;

-- The counters and bitmaps of a total, as they lie in a raw profile.
CREATE TABLE counts (
    -- Twice the total's id, or one more: a new row goes where the old one is not, and then the old
    -- one goes. SQLite need not keep what was in pages that it takes from its free ones.
    id INTEGER PRIMARY KEY,
    -- How many profiles were added.
    profiles INTEGER NOT NULL,
    counters BLOB NOT NULL,
    bitmaps BLOB NOT NULL
) STRICT;

-- Profiles that cannot be added up in that way, merged into one indexed profile.
CREATE TABLE rest (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    profile BLOB NOT NULL,
    profiles INTEGER NOT NULL
) STRICT;

-- Programs of Go, with the runs of each added up.
CREATE TABLE go_total (
    id INTEGER PRIMARY KEY,
    -- The hash of its metadata, in hexadecimal; of text, `text-` and a hash of its blocks.
    hash TEXT NOT NULL UNIQUE,
    -- The file that it was last seen to be. Null if that is not known: it was not the program that was
    -- run, but started by that.
    program_id INTEGER REFERENCES program (id),
    -- A covmeta file, compressed (zlib); of text, nothing, compressed.
    meta BLOB NOT NULL,
    -- How many counter files were added.
    profiles INTEGER NOT NULL,
    -- A covcounters file with the sums, or a text profile, compressed (zlib).
    counters BLOB NOT NULL
) STRICT;

-- The latest state of processes that were looked at while they ran, until their own profile comes.
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY,
    -- The run that the process belongs to.
    run TEXT NOT NULL,
    pid INTEGER NOT NULL,
    -- Tells the binaries of one process apart.
    part INTEGER NOT NULL,
    taken_ms INTEGER NOT NULL,
    -- A raw profile, compressed (zlib).
    profile BLOB NOT NULL,
    UNIQUE (run, pid, part)
) STRICT;

-- What could not be used. The file, if there is one, is in the folder left-out/.
CREATE TABLE left_out (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    file TEXT NOT NULL,
    cause TEXT NOT NULL
) STRICT;
