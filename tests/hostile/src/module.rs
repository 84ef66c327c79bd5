use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract itself.
const WIT: &str = include_str!("../../../wit/unskew.wit");
/// What every guest is, but for its own definitions.
const HEALTHY: &str = include_str!("../guests/healthy.wat");
const MANIFEST: &str = r#"{"manifest_version":"1.0","name":"healthy","language":"wat","sdk":"none","transforms":[{"name":"f","inputs":[{"name":"x","type":"int64"}],"outputs":[{"name":"f","type":"int64"}]}],"aggregates":[{"name":"total","inputs":[{"name":"x","type":"int64"}],"output":{"name":"total","type":"int64"},"subtract":true}]}"#;

/// A core module as WAT definitions, on its way to a component.
#[derive(Clone)]
pub(crate) struct Module {
    definitions: Vec<Definition>,
    manifest: Vec<u8>,
    world: String,
}

/// One field of a module, such as `(func $f ...)`, and what others know it by.
#[derive(Clone)]
struct Definition {
    key: Option<String>,
    text: String,
}

impl Module {
    /// `guests/healthy.wat`.
    pub(crate) fn healthy() -> Self {
        let manifest = MANIFEST.as_bytes().to_vec();
        Self { definitions: definitions(HEALTHY), manifest, world: WIT.to_owned() }
    }

    /// With these definitions, instead of those of the same name.
    #[must_use]
    pub(crate) fn with(mut self, wat: &str) -> Self {
        for definition in definitions(wat) {
            let same = |other: &&mut Definition| other.key == definition.key;
            // One without a name stands for no other.
            let others = definition.key.is_some().then(|| self.definitions.iter_mut());
            match others.and_then(|mut others| others.find(same)) {
                Some(other) => *other = definition,
                None => self.definitions.push(definition),
            }
        }
        self
    }

    /// With another manifest, whatever it says.
    #[must_use]
    pub(crate) fn with_manifest(mut self, manifest: impl Into<Vec<u8>>) -> Self {
        self.manifest = manifest.into();
        self
    }

    /// With changes to the text of the manifest.
    #[must_use]
    pub(crate) fn with_manifest_change(self, from: &str, to: &str) -> Self {
        assert!(MANIFEST.contains(from), "{from} is not in the manifest");
        self.with_manifest(MANIFEST.replacen(from, to, 1))
    }

    /// With one more interface to import, and its package.
    #[must_use]
    pub(crate) fn with_import(mut self, interface: &str, package: &str) -> Self {
        let import = format!("world module {{\n    import {interface};");
        self.world = self.world.replace("world module {", &import) + package;
        self
    }

    /// With the contract's text changed.
    #[must_use]
    pub(crate) fn with_contract_change(mut self, from: &str, to: &str) -> Self {
        assert!(self.world.contains(from), "{from} is not in the contract");
        self.world = self.world.replace(from, to);
        for definition in &mut self.definitions {
            definition.text = definition.text.replace(from, to);
        }
        self
    }

    /// The healthy module's manifest.
    pub(crate) fn healthy_manifest() -> &'static str {
        MANIFEST
    }

    /// As a core module.
    pub(crate) fn core(&self) -> Vec<u8> {
        let manifest: String = self.manifest.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let length = self.manifest.len().to_string();
        let mut text = String::from("(module\n");
        // Imports come first, whoever wrote them.
        let is_import = |d: &&Definition| d.text.starts_with("(import");
        let (imports, others): (Vec<_>, Vec<_>) = self.definitions.iter().partition(is_import);
        for Definition { text: definition, .. } in imports.into_iter().chain(others) {
            text.push_str(&definition.replace("MANIFEST", &manifest).replace("LENGTH", &length));
            text.push('\n');
        }
        text.push(')');
        wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}"))
    }

    /// As a component of the contract's world.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("unskew.wit", &self.world).expect("the WIT is right");
        let world = resolve.select_world(&[package], Some("module")).expect("there is the world");
        let mut core = self.core();
        embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8)
            .expect("the world can be recorded");
        let encoder = ComponentEncoder::default().validate(false).module(&core);
        encoder.and_then(|mut encoder| encoder.encode()).unwrap_or_else(|e| panic!("{e:#}"))
    }
}

/// Cuts WAT into its fields.
fn definitions(wat: &str) -> Vec<Definition> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    let mut rest = wat.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            ';' if wat[at..].starts_with(";;") => {
                while rest.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            '"' => {
                while let Some((_, c)) = rest.next().filter(|(_, c)| *c != '"') {
                    if c == '\\' {
                        rest.next();
                    }
                }
            }
            '(' => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            ')' => {
                depth = depth.checked_sub(1).expect("parentheses are in pairs");
                if depth == 0 {
                    found.push(Definition::of(&wat[start..=at]));
                }
            }
            _ => {}
        }
    }
    assert_eq!(depth, 0, "parentheses are in pairs");
    found
}

impl Definition {
    fn of(text: &str) -> Self {
        let mut words = text.trim_start_matches('(').split_whitespace();
        let kind = words.next().unwrap_or_default();
        let name = words.next().filter(|word| word.starts_with('$'));
        let name = name.map(|name| name.trim_end_matches(')'));
        Self { key: name.map(|name| format!("{kind} {name}")), text: text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_found_and_replaced_by_name() {
        let wat = "(func $a (nop)) ;; (func $b)\n(data \"(\\\"\") (func $a2)";
        let texts: Vec<_> = definitions(wat).into_iter().map(|d| (d.key, d.text)).collect();
        let name = |name: &str| Some(format!("func {name}"));
        assert_eq!(
            texts,
            [
                (name("$a"), "(func $a (nop))".to_owned()),
                (None, "(data \"(\\\"\")".to_owned()),
                (name("$a2"), "(func $a2)".to_owned()),
            ]
        );
        let module = Module::healthy();
        let count = module.definitions.len();
        let module = module.with("(func $thirteen (param i32) unreachable) (func $new)");
        assert_eq!(module.definitions.len(), count + 1);
        assert!(!module.core().is_empty());
    }
}
