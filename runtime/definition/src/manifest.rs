use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::data_type::DataType;
use crate::digest::SourceDigest;
use crate::name::Name;

/// The version of the manifest's form that this build reads.
pub const MANIFEST_VERSION: &str = "1.0";

/// What a module says of itself: `wit/manifest.schema.json` in Rust.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub manifest_version: String,
    /// The module's name.
    pub name: Name,
    /// What the module is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The language it was written in: `rust`, `python` or another.
    pub language: String,
    /// The SDK and its version, such as `unskew-rust 0.1.0`.
    pub sdk: String,
    /// What it was built from, where the build recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_digest: Option<SourceDigest>,
    /// Its transforms, called by their index in this list.
    #[serde(default)]
    pub transforms: Vec<TransformSignature>,
    /// Its aggregates, called by their index in this list.
    #[serde(default)]
    pub aggregates: Vec<AggregateSignature>,
}

/// What a transform takes and gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformSignature {
    /// Its name, unlike those of all other transforms and aggregates.
    pub name: Name,
    /// What it computes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its arguments. A null in one that is not nullable makes the outputs
    /// null without a call.
    pub inputs: Vec<Field>,
    /// The columns that it yields, at least one.
    pub outputs: Vec<Field>,
}

/// What an aggregate takes and gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregateSignature {
    /// Its name, unlike those of all other transforms and aggregates.
    pub name: Name,
    /// What it computes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its arguments. A row with a null in one that is not nullable is skipped.
    pub inputs: Vec<Field>,
    /// The value that `finish` yields.
    pub output: Field,
    /// Whether `subtract` undoes `merge`.
    #[serde(default)]
    pub subtract: bool,
}

/// A named, typed column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Whether a null is passed (in) or may come back (out).
    #[serde(default)]
    pub nullable: bool,
}

/// How large a manifest may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestLimits {
    /// Bytes of JSON.
    pub bytes: usize,
    /// Transforms and aggregates together.
    pub functions: usize,
    /// Inputs, and outputs, of one transform or aggregate.
    pub fields: usize,
    /// Bytes of one description, and of `language` and `sdk`.
    pub text_bytes: usize,
}

impl Default for ManifestLimits {
    fn default() -> Self {
        Self { bytes: 4 << 20, functions: 4096, fields: 1024, text_bytes: 64 << 10 }
    }
}

/// Why a text is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// More bytes than [`ManifestLimits::bytes`].
    #[error("the manifest has {found} bytes; at most {limit} are allowed")]
    TooLarge {
        /// how many it has
        found: usize,
        /// how many are allowed
        limit: usize,
    },
    /// Not JSON, or not of the manifest's form.
    #[error("the manifest is not valid: {:.500}", .0.to_string())]
    Json(#[from] serde_json::Error),
    /// A version of the form that this build does not read.
    #[error(
        "the manifest has version {found:?}, this build reads {MANIFEST_VERSION}; build the module again with this version's SDK"
    )]
    Version {
        /// what it says
        found: String,
    },
    /// Of the right form, but with mistakes: all of them, or the first hundred.
    #[error("the manifest has {} mistake(s): {}", .0.len(), .0.join("; "))]
    Mistakes(Vec<String>),
}

impl Manifest {
    /// Parses and checks a manifest under the default [`ManifestLimits`].
    pub fn from_json(json: &[u8]) -> Result<Self, ManifestError> {
        Self::from_json_within(json, &ManifestLimits::default())
    }

    /// Parses and checks a manifest.
    pub fn from_json_within(json: &[u8], limits: &ManifestLimits) -> Result<Self, ManifestError> {
        if json.len() > limits.bytes {
            return Err(ManifestError::TooLarge { found: json.len(), limit: limits.bytes });
        }
        #[derive(Deserialize)]
        struct Version {
            manifest_version: String,
        }
        let Version { manifest_version } = serde_json::from_slice(json)?;
        if manifest_version != MANIFEST_VERSION {
            let found = manifest_version.chars().take(32).collect();
            return Err(ManifestError::Version { found });
        }
        let manifest: Self = serde_json::from_slice(json)?;
        let mut mistakes = manifest.mistakes(limits);
        // A manifest of megabytes may be one long mistake.
        mistakes.truncate(100);
        if mistakes.is_empty() { Ok(manifest) } else { Err(ManifestError::Mistakes(mistakes)) }
    }

    /// The transform called `name` and its index.
    pub fn transform(&self, name: &str) -> Option<(usize, &TransformSignature)> {
        self.transforms.iter().enumerate().find(|(_, t)| t.name == *name)
    }

    /// The aggregate called `name` and its index.
    pub fn aggregate(&self, name: &str) -> Option<(usize, &AggregateSignature)> {
        self.aggregates.iter().enumerate().find(|(_, a)| a.name == *name)
    }

    fn mistakes(&self, limits: &ManifestLimits) -> Vec<String> {
        let Self {
            manifest_version: _,
            name: _,
            description,
            language,
            sdk,
            source_digest: _,
            transforms,
            aggregates,
        } = self;
        let mut mistakes = Vec::new();
        for (what, text) in [("description", description), ("language", language), ("sdk", sdk)] {
            check_text(what, text, limits, &mut mistakes);
        }
        let functions = transforms.len() + aggregates.len();
        if functions > limits.functions {
            mistakes.push(format!(
                "{functions} transforms and aggregates; at most {} are allowed",
                limits.functions
            ));
            return mistakes;
        }
        let mut names = HashSet::new();
        for TransformSignature { name, description, inputs, outputs } in transforms {
            let what = format!("transform {name}");
            check_text(&what, description, limits, &mut mistakes);
            if !names.insert(name) {
                mistakes.push(format!("two transforms or aggregates are named {name}"));
            }
            check_fields(&format!("{what}: input"), inputs, limits, &mut mistakes);
            check_fields(&format!("{what}: output"), outputs, limits, &mut mistakes);
            if outputs.is_empty() {
                mistakes.push(format!("{what} has no output; give it at least one"));
            }
        }
        for AggregateSignature { name, description, inputs, output: _, subtract: _ } in aggregates {
            let what = format!("aggregate {name}");
            check_text(&what, description, limits, &mut mistakes);
            if !names.insert(name) {
                mistakes.push(format!("two transforms or aggregates are named {name}"));
            }
            check_fields(&format!("{what}: input"), inputs, limits, &mut mistakes);
        }
        mistakes
    }
}

fn check_text(what: &str, text: &str, limits: &ManifestLimits, mistakes: &mut Vec<String>) {
    if text.len() > limits.text_bytes {
        mistakes.push(format!(
            "the text of {what} has {} bytes; at most {} are allowed",
            text.len(),
            limits.text_bytes
        ));
    }
}

fn check_fields(what: &str, fields: &[Field], limits: &ManifestLimits, mistakes: &mut Vec<String>) {
    if fields.len() > limits.fields {
        mistakes.push(format!("{what}s: {}; at most {} are allowed", fields.len(), limits.fields));
        return;
    }
    let mut names = HashSet::new();
    for field in fields {
        if !names.insert(&field.name) {
            mistakes.push(format!("{what}s: two are named {}", field.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(transforms: &str) -> Result<Manifest, ManifestError> {
        Manifest::from_json(
            format!(
                r#"{{"manifest_version":"1.0","name":"m","language":"rust","sdk":"s","transforms":{transforms}}}"#
            )
            .as_bytes(),
        )
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let error = manifest(
            r#"[{"name":"a","inputs":[{"name":"x","type":"int8"},{"name":"x","type":"int8"}],"outputs":[]},
                {"name":"a","inputs":[],"outputs":[{"name":"y","type":"bool"}]}]"#,
        )
        .unwrap_err()
        .to_string();
        for part in ["two are named x", "no output", "named a", "3 mistake(s)"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn wrong_json_is_refused() {
        for bad in [
            r#"[{"name":"a","inputs":[],"outputs":[{"name":"y","type":"int"}]}]"#,
            r#"[{"name":"a","name":"b","inputs":[],"outputs":[]}]"#,
            r#"[{"name":"a","inputs":[],"outputs":[],"more":1}]"#,
            r#"[{"name":"a b","inputs":[],"outputs":[]}]"#,
            &"[".repeat(100_000),
        ] {
            assert!(matches!(manifest(bad), Err(ManifestError::Json(_))), "{bad:.60}");
        }
        let large = vec![b' '; ManifestLimits::default().bytes + 1];
        assert!(matches!(Manifest::from_json(&large), Err(ManifestError::TooLarge { .. })));
    }

    #[test]
    fn another_version_is_named() {
        let error = Manifest::from_json(br#"{"manifest_version":"2.0","new":[]}"#).unwrap_err();
        assert!(error.to_string().contains("\"2.0\""), "{error}");
    }
}
