//! The guests, by what they go for.

mod cache;
mod compile;
mod components;
mod imports;
mod logs;
mod loops;
mod manifests;
mod memory;
mod proposals;
mod replies;
mod tenants;
mod traps;

use crate::guest::Guest;
use crate::module::Module;

/// All guests.
pub fn all_guests() -> Vec<Guest> {
    let mut guests = Vec::new();
    guests.extend(loops::guests());
    guests.extend(memory::guests());
    guests.extend(replies::guests());
    guests.extend(traps::guests());
    guests.extend(logs::guests());
    guests.extend(manifests::guests());
    guests.extend(imports::guests());
    guests.extend(components::guests());
    guests.extend(proposals::guests());
    guests.extend(compile::guests());
    guests.extend(cache::guests());
    guests.extend(tenants::guests());
    guests
}

/// The module of `guests/NAME.wat`.
macro_rules! of_file {
    ($name:literal) => {
        || {
            $crate::module::Module::healthy().with(include_str!(concat!(
                "../../guests/",
                $name,
                ".wat"
            )))
        }
    };
}
use of_file;

/// The component whose text is `guests/NAME.wat`.
macro_rules! component_of_file {
    ($name:literal) => {
        wat::parse_str(include_str!(concat!("../../guests/", $name, ".wat"))).expect("it is right")
    };
}
use component_of_file;

/// The healthy module with these definitions.
fn with(wat: &'static str) -> impl Fn() -> Module {
    move || Module::healthy().with(wat)
}

/// The healthy component with more behind it.
fn with_section(section: Vec<u8>) -> Vec<u8> {
    [Module::healthy().component(), section].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_guest_has_a_name_of_its_own_and_no_file_is_left_out() {
        let mut names = HashSet::new();
        for guest in all_guests() {
            assert!(names.insert(guest.name), "two guests are named {}", guest.name);
        }
        let sources = concat!(
            include_str!("cache.rs"),
            include_str!("components.rs"),
            include_str!("logs.rs"),
            include_str!("loops.rs"),
            include_str!("manifests.rs"),
            include_str!("memory.rs"),
            include_str!("replies.rs"),
            include_str!("tenants.rs"),
            include_str!("traps.rs"),
        );
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/guests")).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let named = sources.contains(&format!("\"{name}\""))
                || sources.contains(&format!("/{name}.wat\""));
            assert!(named || name == "healthy", "no guest has the code of {name}.wat");
        }
    }
}
