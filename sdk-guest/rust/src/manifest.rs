//! The manifest that a module gives of itself, as JSON.

use std::fmt::Write as _;

use crate::aggregate::Aggregate;
use crate::cell::Argument;
use crate::column::BatchArgument;
use crate::definition::Definitions;
use crate::output::Outputs;
use crate::transform::Transform;

/// Writes a manifest, piece by piece.
pub struct Manifest {
    json: String,
}

impl Manifest {
    /// Begins the manifest of a module.
    #[inline(never)]
    pub fn new(name: &str, description: &str) -> Self {
        let mut json = String::from(r#"{"manifest_version":"1.1","name":"#);
        write_text(name, &mut json);
        write_description(description, &mut json);
        json.push_str(concat!(
            r#","language":"rust","sdk":"unskew-rust "#,
            env!("CARGO_PKG_VERSION"),
            r#"","transforms":["#
        ));
        Self { json }
    }

    /// Adds a transform.
    #[inline(never)]
    pub fn transform<T: Transform>(&mut self) {
        let mut signature = self.signature(T::NAME, T::DESCRIPTION);
        T::describe(&mut signature);
        self.json.push_str("]}");
    }

    /// Ends the transforms: aggregates follow.
    #[inline(never)]
    pub fn aggregates(&mut self) {
        self.json.push_str(r#"],"aggregates":["#);
    }

    /// Adds an aggregate.
    #[inline(never)]
    pub fn aggregate<A: Aggregate>(&mut self) {
        let mut signature = self.signature(A::NAME, A::DESCRIPTION);
        A::describe(&mut signature);
        let _ = write!(self.json, r#","subtract":{}}}"#, A::SUBTRACTS);
    }

    /// The whole text, with what the module defines.
    #[inline(never)]
    pub fn finish(mut self, definitions: &Definitions) -> String {
        self.json.push(']');
        definitions.write_sections(&mut self.json);
        self.json.push('}');
        self.json
    }

    fn signature(&mut self, name: &str, description: &str) -> Signature<'_> {
        let json = &mut self.json;
        separate(json);
        json.push_str(r#"{"name":"#);
        write_text(name, json);
        write_description(description, json);
        json.push_str(r#","inputs":["#);
        Signature { json }
    }
}

/// The inputs and outputs of one transform or aggregate.
pub struct Signature<'a> {
    json: &'a mut String,
}

impl Signature<'_> {
    /// Adds an input.
    #[inline(never)]
    pub fn input<'v, T: Argument<'v>>(&mut self, name: &str) {
        let mut written = String::new();
        T::write_type(&mut written);
        write_field(name, &written, T::NULLABLE, self.json);
    }

    /// Adds an input of a batch transform.
    #[inline(never)]
    pub fn batch_input<'v, T: BatchArgument<'v>>(&mut self, name: &str) {
        self.input::<T::Row>(name);
    }

    /// Ends the inputs, and adds the outputs of a transform.
    #[inline(never)]
    pub fn outputs<T: Outputs>(&mut self, names: &[&str]) {
        self.json.push_str(r#"],"outputs":["#);
        T::describe(names, &mut |name, written, nullable| {
            write_field(name, written, nullable, self.json);
        });
    }

    /// Ends the inputs, and adds the output of an aggregate.
    #[inline(never)]
    pub fn output<T: Outputs>(&mut self, name: &str) {
        self.json.push_str(r#"],"output":"#);
        T::describe(&[name], &mut |name, written, nullable| {
            write_field(name, written, nullable, self.json);
        });
    }
}

/// A comma, unless something was just begun.
fn separate(json: &mut String) {
    if !json.ends_with(['[', '{', ':']) {
        json.push(',');
    }
}

fn write_description(description: &str, json: &mut String) {
    if !description.is_empty() {
        json.push_str(r#","description":"#);
        write_text(description, json);
    }
}

fn write_field(name: &str, written_type: &str, nullable: bool, json: &mut String) {
    separate(json);
    json.push_str(r#"{"name":"#);
    write_text(name, json);
    json.push_str(r#","type":"#);
    write_text(written_type, json);
    let _ = write!(json, r#","nullable":{nullable}}}"#);
}

/// A text as a JSON string.
#[inline(never)]
pub(crate) fn write_text(text: &str, json: &mut String) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(json, "\\u{:04x}", c as u32);
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let mut json = String::new();
        write_text("a \"b\" \\ \u{1}\n\té 😀", &mut json);
        assert_eq!(json, r#""a \"b\" \\ \u0001\n\té 😀""#);
    }
}
