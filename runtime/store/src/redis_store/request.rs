//! Commands, and the cluster's slot that each belongs to.

use redis::{Cmd, Pipeline, Script};

/// A cluster has so many; a key's is a hash of it.
pub(super) const SLOTS: usize = 16_384;

/// A command and where it belongs.
pub(super) struct Request {
    pub slot: u16,
    pub command: Cmd,
}

impl Request {
    /// A command that is whole.
    pub(super) fn of(command: Cmd) -> Self {
        let slot = slot_of(key_of(&command));
        Self { slot, command }
    }

    /// A call of a script; its arguments follow.
    pub(super) fn script(script: &Script, keys: &[&[u8]]) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len());
        for key in keys {
            command.arg(*key);
        }
        Self { slot: slot_of(keys.first().copied().unwrap_or_default()), command }
    }
}

fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let close = key[open..].iter().position(|byte| *byte == b'}')?;
        Some(&key[open + 1..open + close])
    });
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16::State::<crc16::XMODEM>::calculate(hashed) % SLOTS as u16
}

/// Some of a pipeline's requests, to be asked again.
pub(super) fn again<'a>(
    indexes: &'a [usize],
    pipeline: &'a Pipeline,
    which: std::ops::Range<usize>,
) -> impl Iterator<Item = (usize, Request)> + 'a {
    pipeline
        .cmd_iter()
        .enumerate()
        .skip(which.start)
        .take(which.len())
        .map(|(at, command)| (indexes[at], Request::of(command.clone())))
}

/// The key is the first argument; of a script's call the first after their count.
fn key_of(command: &Cmd) -> &[u8] {
    let bytes = |number| match command.args_iter().nth(number) {
        Some(redis::Arg::Simple(bytes)) => bytes,
        _ => &[],
    };
    if bytes(0) == b"EVALSHA" { bytes(3) } else { bytes(1) }
}

#[cfg(test)]
mod tests {
    use super::slot_of;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(slot_of(b"123456789"), 12_739);
        assert_eq!(slot_of(b"foo{123456789}bar}"), 12_739);
        assert_eq!(slot_of(b"foo{}123456789"), slot_of(b"foo{}123456789"));
        assert_ne!(
            slot_of(b"foo{}{123456789}"),
            12_739,
            "the first braces are empty: all is hashed"
        );
    }
}
