//! The layouts that the file has had; each is made from the one before it. What is released is never changed, only followed by another.

pub(crate) const MIGRATIONS: &[&str] = &["
    CREATE TABLE processing (
        view TEXT PRIMARY KEY NOT NULL,
        generation INTEGER NOT NULL,
        covered_from INTEGER,
        watermark INTEGER,
        definition TEXT NOT NULL,
        updated_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE input_file (
        view TEXT NOT NULL,
        place TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        mark TEXT NOT NULL,
        rows INTEGER NOT NULL,
        first_event INTEGER,
        last_event INTEGER,
        PRIMARY KEY (view, place)
    ) STRICT;
    CREATE TABLE slice (
        view TEXT NOT NULL,
        generation INTEGER NOT NULL,
        start INTEGER NOT NULL,
        end INTEGER NOT NULL,
        digest TEXT NOT NULL,
        rows INTEGER NOT NULL,
        PRIMARY KEY (view, generation, start)
    ) STRICT;
    CREATE TABLE job (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        view TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        generation INTEGER NOT NULL,
        start INTEGER NOT NULL,
        end INTEGER NOT NULL,
        definition TEXT NOT NULL,
        detail TEXT NOT NULL,
        slice_start INTEGER,
        phase TEXT,
        process INTEGER NOT NULL,
        started_at INTEGER NOT NULL
    ) STRICT;
"];
