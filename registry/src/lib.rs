//! What a project knows between runs, in one SQLite file.
