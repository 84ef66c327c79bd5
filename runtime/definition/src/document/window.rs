use serde::Serialize;

use crate::duration;
use crate::place::Placed;
use crate::read::{Node, NodeValue, Object};

/// A window that emits; all lengths in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// One after the other.
    Tumbling {
        /// its length
        #[serde(rename = "size", serialize_with = "duration::serialize")]
        size_us: i64,
        /// the begin of one of them, after the epoch
        #[serde(rename = "offset", serialize_with = "duration::serialize")]
        offset_us: i64,
    },
    /// Overlapping.
    Sliding {
        /// its length
        #[serde(rename = "size", serialize_with = "duration::serialize")]
        size_us: i64,
        /// from the begin of one to that of the next
        #[serde(rename = "hop", serialize_with = "duration::serialize")]
        hop_us: i64,
        /// the begin of one of them, after the epoch
        #[serde(rename = "offset", serialize_with = "duration::serialize")]
        offset_us: i64,
    },
    /// As long as events follow each other.
    Session {
        /// the pause that ends it
        #[serde(rename = "gap", serialize_with = "duration::serialize")]
        gap_us: i64,
    },
}

impl Window {
    /// `None` (and a mistake) where it is no window. Lengths are checked here,
    /// since nothing else is needed to do so.
    pub(crate) fn read(view: &Object<'_>, node: &Node) -> Option<Placed<Self>> {
        const KINDS: [&str; 3] = ["tumbling", "sliding", "session"];
        let object = view.child(node, "window", &KINDS)?;
        let place = object.place();
        let kinds: Vec<&str> =
            KINDS.into_iter().filter(|kind| object.get(kind).is_some()).collect();
        let [kind] = kinds.as_slice() else {
            let found = if kinds.is_empty() { "no kind".to_owned() } else { kinds.join(" and ") };
            let fix = "write one of {tumbling: {size: 1h}}, {sliding: {size: 1h, hop: 5m}} and {session: {gap: 30m}}";
            // An unknown key has been named already.
            let only_unknown = kinds.is_empty()
                && matches!(&node.value, NodeValue::Object(members) if !members.is_empty());
            if !only_unknown {
                object.mistake(place, format!("it has {found}"), fix);
            }
            return None;
        };
        let inner = object.get(kind)?;
        let window = match *kind {
            "tumbling" => {
                let object = object.child(inner, "tumbling", &["size", "offset"])?;
                let size = positive(&object, "size");
                let offset = object.duration("offset").map_or(0, |offset| offset.value);
                Self::Tumbling { size_us: size?.value, offset_us: offset }
            }
            "sliding" => {
                let object = object.child(inner, "sliding", &["size", "hop", "offset"])?;
                let (size, hop) = (positive(&object, "size"), positive(&object, "hop"));
                let offset = object.duration("offset").map_or(0, |offset| offset.value);
                let (size, hop) = (size?, hop?);
                hop_within(&object, &hop, size.value)?;
                Self::Sliding { size_us: size.value, hop_us: hop.value, offset_us: offset }
            }
            _ => {
                let object = object.child(inner, "session", &["gap"])?;
                Self::Session { gap_us: positive(&object, "gap")?.value }
            }
        };
        Some(Placed::new(window, place))
    }
}

/// A length of time above 0.
pub(super) fn positive(object: &Object<'_>, key: &str) -> Option<Placed<i64>> {
    let found = object.required_duration(key)?;
    above_zero(object, key, found)
}

/// The length of time if it is above 0.
pub(super) fn above_zero(
    object: &Object<'_>,
    key: &str,
    found: Placed<i64>,
) -> Option<Placed<i64>> {
    if found.value > 0 {
        return Some(found);
    }
    object.mistake(found.place, format!("{key:?} is 0"), "write a length above 0");
    None
}

/// A hop is at most the size.
pub(super) fn hop_within(object: &Object<'_>, hop: &Placed<i64>, size_us: i64) -> Option<()> {
    if hop.value <= size_us {
        return Some(());
    }
    let (shown, size) = (duration::format_duration(hop.value), duration::format_duration(size_us));
    let what = format!("\"hop\" is {shown}, and longer than the size of {size}");
    object.mistake(hop.place.clone(), what, format!("write a hop of at most {size}"));
    None
}
