//! From text to the objects of a document: JSON and YAML become one tree with
//! line numbers, and the objects are read from it. What is wrong is noted, and
//! reading goes on.

mod json;
mod node;
mod object;
mod yaml;

pub(crate) use node::{Member, Node, NodeValue, shown};
pub(crate) use object::{Context, Object, Scope, peek_name};

/// How large a document may be. Manifests come from modules, which are not
/// trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestLimits {
    /// Bytes of JSON or YAML.
    pub bytes: usize,
    /// How deep lists and objects may be nested.
    pub depth: usize,
    /// Transforms and aggregates together.
    pub functions: usize,
    /// Entities, sources, views and services together.
    pub objects: usize,
    /// Items of any list within one of them.
    pub fields: usize,
    /// Bytes of one text.
    pub text_bytes: usize,
}

impl Default for ManifestLimits {
    fn default() -> Self {
        Self {
            bytes: 4 << 20,
            depth: 32,
            functions: 4096,
            objects: 4096,
            fields: 1024,
            text_bytes: 64 << 10,
        }
    }
}

/// Why a text is no tree at all, and the line (0: of no line).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) line: u32,
    pub(crate) what: String,
    pub(crate) fix: String,
}

/// The two forms of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Yaml,
}

/// The tree of a text; mistakes that leave a tree behind (a key written twice,
/// an anchor) are added to `slips`.
pub(crate) fn tree(
    text: &str,
    form: Form,
    limits: &ManifestLimits,
    slips: &mut Vec<SyntaxError>,
) -> Result<Node, SyntaxError> {
    match form {
        Form::Json => json::tree(text, limits.depth, slips),
        Form::Yaml => yaml::tree(text, limits.depth, slips),
    }
}

fn too_deep(line: u32, limit: usize) -> SyntaxError {
    SyntaxError {
        line,
        what: format!("lists and objects are nested deeper than {limit}"),
        fix: "no definition needs that; flatten it".to_owned(),
    }
}

fn key_twice(line: u32, key: &str, first: u32) -> SyntaxError {
    SyntaxError {
        line,
        what: format!("the key {} is written twice, first in line {first}", shown(key)),
        fix: "keep one of them".to_owned(),
    }
}
