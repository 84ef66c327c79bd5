//! What a project knows between runs, in one SQLite file.

mod registered_features;

pub use registered_features::{RegisteredFeature, RegisteredFeatures, RegisteredFeaturesError};
