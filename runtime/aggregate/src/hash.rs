//! The pinned hash: XXH64 with the seed 0
//! (<https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>). It is
//! part of the form of stored states, and never changes.

const PRIME_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME_5: u64 = 0x27d4_eb2f_1656_67c5;

fn round(lane: u64, input: u64) -> u64 {
    lane.wrapping_add(input.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
}

fn merge_round(hash: u64, lane: u64) -> u64 {
    (hash ^ round(0, lane)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4)
}

/// The hash of bytes: the same on every machine, in the host and in modules.
pub fn pinned_hash(bytes: &[u8]) -> u64 {
    let (stripes, mut rest) = bytes.as_chunks::<32>();
    let mut hash = if stripes.is_empty() {
        PRIME_5
    } else {
        let mut lanes = [PRIME_1.wrapping_add(PRIME_2), PRIME_2, 0, PRIME_1.wrapping_neg()];
        for stripe in stripes {
            for (lane, word) in lanes.iter_mut().zip(stripe.as_chunks::<8>().0) {
                *lane = round(*lane, u64::from_le_bytes(*word));
            }
        }
        let [a, b, c, d] = lanes;
        let mixed = a
            .rotate_left(1)
            .wrapping_add(b.rotate_left(7))
            .wrapping_add(c.rotate_left(12))
            .wrapping_add(d.rotate_left(18));
        lanes.into_iter().fold(mixed, merge_round)
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    while let Some((word, left)) = rest.split_first_chunk::<8>() {
        hash = (hash ^ round(0, u64::from_le_bytes(*word)))
            .rotate_left(27)
            .wrapping_mul(PRIME_1)
            .wrapping_add(PRIME_4);
        rest = left;
    }
    if let Some((word, left)) = rest.split_first_chunk::<4>() {
        hash = (hash ^ u64::from(u32::from_le_bytes(*word)).wrapping_mul(PRIME_1))
            .rotate_left(23)
            .wrapping_mul(PRIME_2)
            .wrapping_add(PRIME_3);
        rest = left;
    }
    for byte in rest {
        hash =
            (hash ^ u64::from(*byte).wrapping_mul(PRIME_5)).rotate_left(11).wrapping_mul(PRIME_1);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(PRIME_2);
    hash = (hash ^ hash >> 29).wrapping_mul(PRIME_3);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_xxh64() {
        // From the algorithm's own tests and its documentation.
        assert_eq!(pinned_hash(b""), 0xef46_db37_51d8_e999);
        assert_eq!(pinned_hash(b"a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(pinned_hash(b"abc"), 0x44bc_2cf5_ad77_0999);
        let longer = b"Nobody inspects the spammish repetition";
        assert_eq!(pinned_hash(longer), 0xfbce_a83c_8a37_8bf1);
    }

    /// All lengths, so every way through the stripes and what is left of them.
    /// The number was worked out with the crate `twox-hash` 2.1.5.
    #[test]
    fn it_is_xxh64_at_any_length() {
        let bytes: Vec<u8> = (0..300_u32).map(|i| (i * 31 + 7) as u8).collect();
        let folded = (0..bytes.len())
            .map(|length| pinned_hash(&bytes[..length]))
            .fold(0_u64, |folded, hash| folded.wrapping_mul(31).wrapping_add(hash));
        assert_eq!(folded, 9_524_088_045_038_541_557);
    }
}
