//! What is measured. The module and the native peer compile this same file,
//! so that nothing but the way there differs.

/// Kilometres between two points on a sphere of the Earth's mean radius.
#[inline]
pub fn haversine(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    let radians = core::f64::consts::PI / 180.0;
    let (a, b) = (lat1 * radians, lat2 * radians);
    let south = libm::sin((b - a) / 2.0);
    let east = libm::sin((lon2 - lon1) * radians / 2.0);
    let h = south * south + libm::cos(a) * libm::cos(b) * east * east;
    2.0 * 6371.0088 * libm::asin(libm::sqrt(h))
}

/// The logistic function.
#[inline]
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// Mixes 64 bits: the finalizer of MurmurHash3, by Austin Appleby.
#[inline]
pub fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// Two instructions, so that all else is what it costs to get there.
#[inline]
pub fn light(x: f64, y: f64) -> f64 {
    x * y + 1.0
}

/// A text without the white space around it, in lower case, and its length in characters.
#[inline]
pub fn tidy(text: &str) -> (String, i64) {
    let tidy = text.trim().to_lowercase();
    let length = tidy.chars().count() as i64;
    (tidy, length)
}
