//! Names in messages.

pub(super) use unskew_definition::listed;
use unskew_definition::similar;

/// `; did you mean "x"?`, if one of `names` is close to `name`.
pub(super) fn hint<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    similar(name, names).map_or_else(String::new, |close| format!("; did you mean {close:?}?"))
}
