//! What a definition says, parsed and checked: names, types, and the manifest
//! that a module carries.
//!
//! This room does no I/O and knows neither WebAssembly nor files; it is what
//! every other room agrees on.
//!
//! ```
//! use unskew_definition::{DataType, Manifest};
//!
//! let manifest = Manifest::from_json(br#"{
//!     "manifest_version": "1.0",
//!     "name": "shop",
//!     "language": "rust",
//!     "sdk": "unskew-rust 0.1.0",
//!     "transforms": [{
//!         "name": "rate",
//!         "inputs": [{"name": "purchases", "type": "int64"},
//!                    {"name": "views", "type": "int64", "nullable": true}],
//!         "outputs": [{"name": "rate", "type": "float64", "nullable": true}]
//!     }]
//! }"#).unwrap();
//! assert_eq!(manifest.transforms[0].inputs[1].data_type, DataType::Int64);
//! ```

mod data_type;
mod digest;
mod manifest;
mod name;

pub use data_type::{DataType, ParseTypeError, StructField};
pub use digest::{ModuleDigest, ParseDigestError, SourceDigest};
pub use manifest::{
    AggregateSignature, Field, MANIFEST_VERSION, Manifest, ManifestError, ManifestLimits,
    TransformSignature,
};
pub use name::{Name, NameError};

/// The version of the host-guest contract (the WIT package) that this build speaks.
pub const WIT_VERSION: &str = "1.0.0";
