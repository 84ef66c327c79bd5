#![no_main]
//! Any bytes are a manifest or are refused, and a manifest survives the way
//! out and in again.

use libfuzzer_sys::fuzz_target;
use unskew_definition::{DataType, Manifest};

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::from_json(data) {
        let json = unskew_host::fuzz::manifest_to_json(&manifest);
        let again = Manifest::from_json(&json).expect("what was accepted is accepted again");
        assert_eq!(manifest, again);
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(data_type) = text.parse::<DataType>()
    {
        assert_eq!(data_type.to_string().parse::<DataType>().as_ref(), Ok(&data_type));
    }
});
