//! Sizes as users write them: `512MiB`, `2GiB`, `1.5GB`, `1000000`.

/// The bytes that `text` says.
pub(crate) fn byte_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write such as 512MiB, 2GiB or 1000000");
    let digits = text.trim().find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.trim().split_at(digits.min(text.trim().len()));
    let unit: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "kb" => 1e3,
        "m" | "mib" => 1024.0 * 1024.0,
        "mb" => 1e6,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "gb" => 1e9,
        "t" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "tb" => 1e12,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = number * unit;
    // Beyond 2^53 a float skips numbers, and no machine has so much.
    if !(1.0..9e15).contains(&bytes) {
        return Err(wrong());
    }
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::byte_size;

    #[test]
    fn sizes_have_units() {
        let sizes = ["512MiB", "2GiB", "1.5GB", "1000000", "64 kib", "3m"].map(byte_size);
        let wanted = [512 << 20, 2 << 30, 1_500_000_000, 1_000_000, 64 << 10, 3 << 20];
        assert_eq!(sizes, wanted.map(Ok));
        for wrong in ["", "MiB", "-1", "0", "1PB", "1.2.3G", "1e30", "much", "9999999TiB"] {
            assert!(byte_size(wrong).is_err(), "{wrong}");
        }
    }
}
