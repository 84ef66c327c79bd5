use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use unskew_definition::{
    AggregateSignature, Field, ModuleDigest, SourceDigest, TransformSignature, WIT_VERSION,
};
use unskew_host::CompiledModule;

use crate::terminal::{FAINT, HEADING, harmless, paint, thousands};

/// What a module says of itself, and what its file says: the report of `build`
/// and `inspect`.
#[derive(Debug, Serialize)]
pub(crate) struct ModuleReport {
    path: String,
    module: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    language: String,
    sdk: String,
    contract: String,
    digest: ModuleDigest,
    source_digest: Option<SourceDigest>,
    size_bytes: u64,
    nan: &'static str,
    imports: Vec<String>,
    transforms: Vec<TransformSignature>,
    aggregates: Vec<AggregateSignature>,
}

impl ModuleReport {
    /// Reports on `module`, whose component lies at `path`.
    pub(crate) fn new(path: &Path, component: &[u8], module: &CompiledModule) -> Self {
        let manifest = module.manifest();
        Self {
            path: path.display().to_string(),
            module: manifest.name.to_string(),
            description: manifest.description.clone(),
            language: manifest.language.clone(),
            sdk: manifest.sdk.clone(),
            contract: format!("unskew:module@{WIT_VERSION}"),
            digest: module.digest(),
            source_digest: unskew_build::read_source_digest(component).or(manifest.source_digest),
            size_bytes: component.len() as u64,
            nan: module.nan_policy().as_str(),
            imports: module.imports().to_vec(),
            transforms: manifest.transforms.clone(),
            aggregates: manifest.aggregates.clone(),
        }
    }

    /// The report for people.
    pub(crate) fn to_text(&self) -> String {
        let Self {
            path,
            module,
            description,
            language,
            sdk,
            contract,
            digest,
            source_digest,
            size_bytes,
            nan,
            imports,
            transforms,
            aggregates,
        } = self;
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Padded before it is painted: the codes of a color have a width, too.
            let name = paint(FAINT, format_args!("{name:<14}"));
            let _ = writeln!(text, "{name} {}", harmless(value));
        };
        line("module", &format!("{module} ({language}, {sdk})"));
        line("path", path);
        line("digest", &digest.to_string());
        line("source digest", &source_digest.map_or("not recorded".to_owned(), |d| d.to_string()));
        line("size", &format!("{} bytes", thousands(*size_bytes)));
        line("contract", contract);
        line("nan", nan);
        line("imports", &if imports.is_empty() { "none".to_owned() } else { imports.join(", ") });
        if !description.is_empty() {
            line("description", description);
        }
        section(&mut text, "transforms", transforms, |t| {
            (format!("{}({}) -> {}", t.name, fields(&t.inputs), fields(&t.outputs)), &t.description)
        });
        section(&mut text, "aggregates", aggregates, |a| {
            let subtract = if a.subtract { ", can subtract" } else { "" };
            let output = std::slice::from_ref(&a.output);
            (
                format!("{}({}) -> {}{subtract}", a.name, fields(&a.inputs), fields(output)),
                &a.description,
            )
        });
        text
    }
}

fn section<T>(text: &mut String, title: &str, items: &[T], show: impl Fn(&T) -> (String, &String)) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "{}", paint(HEADING, title));
    for (signature, description) in items.iter().map(show) {
        let _ = writeln!(text, "  {signature}");
        for line in harmless(description.trim()).lines() {
            let _ = writeln!(text, "      {}", paint(FAINT, line.trim()));
        }
    }
}

/// `name: type` for each field, with a `?` where it may be null.
fn fields(fields: &[Field]) -> String {
    let shown: Vec<_> = fields
        .iter()
        .map(|Field { name, data_type, nullable }| {
            format!("{name}: {data_type}{}", if *nullable { "?" } else { "" })
        })
        .collect();
    shown.join(", ")
}
