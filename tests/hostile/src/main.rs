//! Runs every guest and says what came of it.

fn main() {}
