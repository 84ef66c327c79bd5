use std::fmt::Write as _;

/// A value of a document and the line where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: u32,
    pub(crate) value: NodeValue,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeValue {
    Null,
    Bool(bool),
    /// As JSON writes it.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A key of an object and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) line: u32,
    pub(crate) value: Node,
}

impl Node {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::Null => "null",
            NodeValue::Bool(_) => "true or false",
            NodeValue::Number(text) if text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) => {
                "a number with a fraction"
            }
            NodeValue::Number(_) => "a whole number",
            NodeValue::Text(_) => "a text",
            NodeValue::List(_) => "a list",
            NodeValue::Object(_) => "an object",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.value == NodeValue::Null
    }

    /// The node as JSON, without blanks.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    fn write_json(&self, json: &mut String) {
        match &self.value {
            NodeValue::Null => json.push_str("null"),
            NodeValue::Bool(value) => {
                let _ = write!(json, "{value}");
            }
            NodeValue::Number(text) => json.push_str(text),
            NodeValue::Text(text) => write_text(json, text),
            NodeValue::List(items) => {
                json.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        json.push(',');
                    }
                    item.write_json(json);
                }
                json.push(']');
            }
            NodeValue::Object(members) => {
                json.push('{');
                for (i, member) in members.iter().enumerate() {
                    if i > 0 {
                        json.push(',');
                    }
                    write_text(json, &member.key);
                    json.push(':');
                    member.value.write_json(json);
                }
                json.push('}');
            }
        }
    }
}

fn write_text(json: &mut String, text: &str) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

/// A text for a message: quoted, and cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut.push_str("...");
    }
    format!("{cut:?}")
}
