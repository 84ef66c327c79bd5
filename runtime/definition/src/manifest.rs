use std::collections::HashSet;

use serde::Serialize;

use crate::data_type::DataType;
use crate::digest::SourceDigest;
use crate::document::Sections;
use crate::mistake::Mistakes;
use crate::name::Name;
use crate::place::Place;
use crate::read::{ManifestLimits, Node, Object, peek_name};
use crate::reader::{Read, ReadError, read_text};

/// The version of the document's form that this build writes.
pub const MANIFEST_VERSION: &str = "1.1";

/// The versions of the document's form that this build reads.
pub(crate) const READ_VERSIONS: [&str; 2] = ["1.0", MANIFEST_VERSION];

/// What a module says of itself: `wit/manifest.schema.json` in Rust.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`], or an older one.
    pub manifest_version: String,
    /// The module's name.
    pub name: Name,
    /// What the module is for, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The language it was written in: `rust`, `python` or another.
    pub language: String,
    /// The SDK and its version, such as `unskew-rust 0.1.0`.
    pub sdk: String,
    /// What it was built from, where the build recorded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_digest: Option<SourceDigest>,
    /// Its transforms, called by their index in this list.
    pub transforms: Vec<TransformSignature>,
    /// Its aggregates, called by their index in this list.
    pub aggregates: Vec<AggregateSignature>,
    /// What it defines: entities, sources, views and services.
    #[serde(flatten)]
    pub sections: Sections,
}

/// What a transform takes and gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransformSignature {
    /// Its name, unlike those of all other transforms and aggregates.
    pub name: Name,
    /// What it computes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its arguments. A null in one that is not nullable makes the outputs
    /// null without a call.
    pub inputs: Vec<Field>,
    /// The columns that it yields, at least one.
    pub outputs: Vec<Field>,
}

/// What an aggregate takes and gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AggregateSignature {
    /// Its name, unlike those of all other transforms and aggregates.
    pub name: Name,
    /// What it computes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its arguments. A row with a null in one that is not nullable is skipped.
    pub inputs: Vec<Field>,
    /// The value that `finish` yields.
    pub output: Field,
    /// Whether `subtract` undoes `merge`.
    pub subtract: bool,
}

/// A named, typed column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Whether a null is passed (in) or may come back (out).
    pub nullable: bool,
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
    /// Not JSON.
    #[error("the manifest is not valid: {0}")]
    Syntax(String),
    /// A version of the form that this build does not read.
    #[error(
        "the manifest has version {found:?}, this build reads 1.0 and {MANIFEST_VERSION}; build the module again with this version's SDK"
    )]
    Version {
        /// what it says
        found: String,
    },
    /// JSON, but with mistakes: all of them.
    #[error("the manifest has mistakes: {:.4000}", .0.to_string())]
    Mistakes(Mistakes),
}

impl Manifest {
    /// Parses and checks a manifest under the default [`ManifestLimits`].
    pub fn from_json(json: &[u8]) -> Result<Self, ManifestError> {
        Self::from_json_within(json, &ManifestLimits::default())
    }

    /// Parses and checks a manifest. What its definitions refer to is checked
    /// when a plan is made of them.
    pub fn from_json_within(json: &[u8], limits: &ManifestLimits) -> Result<Self, ManifestError> {
        let read = Self::read("", "", json, limits).map_err(|error| match error {
            ReadError::TooLarge { found, limit } => ManifestError::TooLarge { found, limit },
            ReadError::Syntax(mistake) => ManifestError::Syntax(mistake.to_string()),
            ReadError::Version { found, .. } => ManifestError::Version { found },
        })?;
        let Read { document, mistakes, .. } = read;
        let manifest = mistakes.or(document).map_err(ManifestError::Mistakes)?;
        manifest.ok_or_else(|| ManifestError::Syntax("there is no manifest in it".to_owned()))
    }

    /// Reads a manifest with its mistakes. `file` is what places name where the
    /// SDK recorded none, `recorded_prefix` stands before those that it did.
    pub(crate) fn read(
        file: &str,
        recorded_prefix: &str,
        json: &[u8],
        limits: &ManifestLimits,
    ) -> Result<Read<Option<Self>>, ReadError> {
        read_text(file, recorded_prefix, json, true, limits, |object| {
            let name = object.required_name("name", "the module's name");
            let language = object.required_text("language", "rust, python or another");
            let sdk = object.required_text("sdk", "the SDK and its version");
            let version = object.text("manifest_version");
            let digest =
                object.text("source_digest").and_then(|text| object.parsed(text, str::parse));
            let (transforms, aggregates) = functions(object);
            let sections = Sections::read(object);
            Some(Self {
                manifest_version: version?.value.to_owned(),
                name: name?.value,
                description: object.prose("description"),
                language: language?.value.to_owned(),
                sdk: sdk?.value.to_owned(),
                source_digest: digest.map(|digest| digest.value),
                transforms,
                aggregates,
                sections,
            })
        })
    }

    /// The transform called `name` and its index.
    pub fn transform(&self, name: &str) -> Option<(usize, &TransformSignature)> {
        self.transforms.iter().enumerate().find(|(_, t)| t.name == *name)
    }

    /// The aggregate called `name` and its index.
    pub fn aggregate(&self, name: &str) -> Option<(usize, &AggregateSignature)> {
        self.aggregates.iter().enumerate().find(|(_, a)| a.name == *name)
    }
}

/// The transforms and aggregates of a manifest; each that can be read.
fn functions(object: &Object<'_>) -> (Vec<TransformSignature>, Vec<AggregateSignature>) {
    let limit = object.context().limits.functions;
    let (transforms, aggregates) = (object.long_list("transforms"), object.long_list("aggregates"));
    let found = transforms.len() + aggregates.len();
    if found > limit {
        let what = format!("{found} transforms and aggregates; at most {limit} are allowed");
        object.mistake(object.place(), what, "split the module");
        return (Vec::new(), Vec::new());
    }
    let mut names = HashSet::new();
    let mut once = |name: &Name, place: Place| {
        if !names.insert(name.clone()) {
            let what = format!("two transforms or aggregates are named {name}");
            object.mistake(place, what, "rename one of them");
        }
    };
    let transforms = transforms.iter().filter_map(|node| {
        let (signature, place) = TransformSignature::read(object, node)?;
        once(&signature.name, place);
        Some(signature)
    });
    let transforms = transforms.collect();
    let aggregates = aggregates.iter().filter_map(|node| {
        let (signature, place) = AggregateSignature::read(object, node)?;
        once(&signature.name, place);
        Some(signature)
    });
    (transforms, aggregates.collect())
}

impl TransformSignature {
    fn read(manifest: &Object<'_>, node: &Node) -> Option<(Self, Place)> {
        let subject = format!("transform {}", peek_name(node).unwrap_or("without a name"));
        let object = manifest.child(node, subject, &["name", "inputs", "outputs"])?;
        let name = object.required_name("name", "the transform's name");
        let inputs = Field::read_all(&object, "inputs");
        let outputs = Field::read_all(&object, "outputs");
        if outputs.as_ref().is_some_and(Vec::is_empty) {
            object.mistake(object.place(), "it has no output", "give it at least one");
        }
        let description = object.prose("description");
        Some((
            Self { name: name?.value, description, inputs: inputs?, outputs: outputs? },
            object.place(),
        ))
    }
}

impl AggregateSignature {
    fn read(manifest: &Object<'_>, node: &Node) -> Option<(Self, Place)> {
        let subject = format!("aggregate {}", peek_name(node).unwrap_or("without a name"));
        let object = manifest.child(node, subject, &["name", "inputs", "output", "subtract"])?;
        let name = object.required_name("name", "the aggregate's name");
        let inputs = Field::read_all(&object, "inputs");
        let output = object.required("output", "{name: ..., type: ...}");
        let output = output.and_then(|node| Field::read(&object, "output", node));
        let (description, subtract) = (object.prose("description"), object.flag("subtract", false));
        Some((
            Self { name: name?.value, description, inputs: inputs?, output: output?, subtract },
            object.place(),
        ))
    }
}

impl Field {
    fn read_all(function: &Object<'_>, key: &str) -> Option<Vec<Self>> {
        function.required(key, "a list of {name: ..., type: ...}, [] for none")?;
        let mut names = HashSet::new();
        let mut fields = Vec::new();
        for node in function.list(key) {
            let Some(field) = Self::read(function, key.trim_end_matches('s'), node) else {
                continue;
            };
            if !names.insert(field.name.clone()) {
                let what = format!("{key}: two are named {}", field.name);
                function.mistake(function.place_of(node), what, "rename one of them");
            }
            fields.push(field);
        }
        Some(fields)
    }

    fn read(function: &Object<'_>, role: &str, node: &Node) -> Option<Self> {
        let subject = format!("{role} {}", peek_name(node).unwrap_or("without a name"));
        let object = function.child(node, subject, &["name", "type", "nullable"])?;
        let name = object.required_name("name", "its name");
        let data_type = object.required_type("type");
        let nullable = object.flag("nullable", false);
        Some(Self { name: name?.value, data_type: data_type?, nullable })
    }
}

/// What a file by hand defines: a document without a module.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// What it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What it is for, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it defines.
    #[serde(flatten)]
    pub sections: Sections,
}

impl Document {
    /// Reads a document with its mistakes: JSON where `file` ends with `.json`,
    /// YAML otherwise.
    pub(crate) fn read(
        file: &str,
        bytes: &[u8],
        limits: &ManifestLimits,
    ) -> Result<Read<Self>, ReadError> {
        read_text(file, "", bytes, false, limits, |object| Self {
            name: object.name("name").map(|name| name.value),
            description: object.prose("description"),
            sections: Sections::read(object),
        })
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
        .unwrap_err();
        let ManifestError::Mistakes(mistakes) = &error else { panic!("{error}") };
        assert_eq!(mistakes.len(), 3, "{error}");
        for part in ["two are named x", "no output", "named a"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn wrong_manifests_are_refused() {
        for bad in [
            r#"[{"name":"a","inputs":[],"outputs":[{"name":"y","type":"int"}]}]"#,
            r#"[{"name":"a","name":"b","inputs":[],"outputs":[{"name":"y","type":"bool"}]}]"#,
            r#"[{"name":"a","inputs":[],"outputs":[{"name":"y","type":"bool"}],"more":1}]"#,
            r#"[{"name":"a b","inputs":[],"outputs":[{"name":"y","type":"bool"}]}]"#,
            r#"[{"name":"a","outputs":[{"name":"y","type":"bool"}]}]"#,
            "{}",
        ] {
            assert!(matches!(manifest(bad), Err(ManifestError::Mistakes(_))), "{bad}");
        }
        for bad in ["", &"[".repeat(100_000), &format!("{}{}", "[".repeat(50), "]".repeat(50))] {
            assert!(matches!(manifest(bad), Err(ManifestError::Syntax(_))), "{bad:.60}");
        }
        assert!(matches!(Manifest::from_json(b"[]"), Err(ManifestError::Syntax(_))));
        assert!(matches!(Manifest::from_json(b"\xff"), Err(ManifestError::Syntax(_))));
        let large = vec![b' '; ManifestLimits::default().bytes + 1];
        assert!(matches!(Manifest::from_json(&large), Err(ManifestError::TooLarge { .. })));
    }

    #[test]
    fn another_version_is_named() {
        let error = Manifest::from_json(br#"{"manifest_version":"2.0","new":[]}"#).unwrap_err();
        assert!(error.to_string().contains("\"2.0\""), "{error}");
    }

    /// What the fuzz target asks of every manifest, of one with everything.
    #[test]
    fn a_manifest_survives_the_way_out_and_in_again() {
        let shop = include_str!("../../../tests/definitions/shop.json");
        let mut document: serde_json::Value = serde_json::from_str(shop).unwrap();
        for (key, value) in
            [("manifest_version", "1.1"), ("name", "shop"), ("language", "python"), ("sdk", "s")]
        {
            document[key] = value.into();
        }
        let manifest = Manifest::from_json(document.to_string().as_bytes()).unwrap();
        assert!(!manifest.sections.is_empty());
        let json = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    }

    #[test]
    fn limits_hold() {
        let many = format!(
            "[{}]",
            vec![r#"{"name":"a","inputs":[],"outputs":[{"name":"y","type":"bool"}]}"#; 5000]
                .join(",")
        );
        let error = manifest(&many).unwrap_err().to_string();
        assert!(error.contains("5000 transforms"), "{error}");
        let long = format!(
            r#"[{{"name":"a","description":"{}","inputs":[],"outputs":[{{"name":"y","type":"bool"}}]}}]"#,
            "x".repeat(70_000)
        );
        assert!(manifest(&long).unwrap_err().to_string().contains("70000 bytes"));
    }
}
