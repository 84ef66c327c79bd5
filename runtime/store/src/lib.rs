//! Online and offline stores: traits, backends, one conformance suite for each trait.
