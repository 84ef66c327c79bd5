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
mod definition;
mod digest;
mod document;
mod duration;
mod manifest;
mod mistake;
mod name;
mod on_error;
mod place;
mod read;
mod reader;
mod reference;
mod suggestion;

pub use data_type::{DataType, ParseTypeError, StructField};
pub use definition::{Definition, ModuleFunctions, Section, Unread};
pub use digest::{ModuleDigest, ParseDigestError, SourceDigest};
pub use document::{
    About, Aggregate, AggregateFunctionName, BadRows, DefaultValue, Entity, EventSource, Feature,
    FeatureService, FeatureView, JoinKey, KafkaBinding, ModuleStep, OnDemandFeatureView,
    OnDemandInput, RequestSource, Sections, Source, SourceField, SqlStep, SqlText, Step,
    TrailingOver, Window,
};
pub use duration::{ParseDurationError, format_duration, parse_duration};
pub use manifest::{
    AggregateSignature, Document, Field, MANIFEST_VERSION, Manifest, ManifestError,
    TransformSignature,
};
pub use mistake::{Mistake, Mistakes};
pub use name::{Name, NameError};
pub use on_error::{OnError, ParseOnErrorError};
pub use place::{Place, Placed};
pub use read::ManifestLimits;
pub use reader::DefinitionReader;
pub use reference::{FeatureReference, ParseReferenceError, ServiceReference};
pub use suggestion::{listed, meant, similar};

/// The version of the host-guest contract (the WIT package) that this build speaks.
pub const WIT_VERSION: &str = "1.0.0";
