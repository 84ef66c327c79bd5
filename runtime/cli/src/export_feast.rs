use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use unskew_definition::DataType;
use unskew_plan::{FeaturePlan, OnDemandOrigin, ViewReference};

use crate::context::Context;
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::terminal::{self, GOOD, paint};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew export-feast feast_repo --project shop
  cd feast_repo && feast apply
  python -c 'from feast import FeatureStore; print(FeatureStore(\".\").get_online_features(
      features=[\"user_orders:spend_7d\"], entity_rows=[{\"user_id\": \"u1\"}]).to_dict())'

Feast's SDK then asks the server of `unskew serve` (--url). Every view of ours is a plain view there, on-demand
views too, since the SDK would compute its own on the client; request fields stand among the entities.";

/// Write a Feast repository whose online store is our server
///
/// What reads features by Feast's Python SDK goes on as it is, and is answered
/// by `unskew serve`.
#[derive(Debug, Args)]
pub(crate) struct ExportFeastArguments {
    /// The folder that is written
    #[arg(value_name = "DIR")]
    output: PathBuf,
    /// The project: a folder with unskew.toml, with a module, or with YAML
    /// files; or one such file
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Where the server answers [default: http://, then serve.listen]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(crate) fn run(arguments: &ExportFeastArguments, context: &Context) -> anyhow::Result<()> {
    let ExportFeastArguments { output, project, url } = arguments;
    let project = FeatureProject::open(project, context)?;
    let serve = &project.config.serve;
    let scheme = if serve.tls.is_some() { "https" } else { "http" };
    let url = url.clone().unwrap_or_else(|| format!("{scheme}://{}", serve.listen));
    let name = project.config.project.name.clone().unwrap_or_else(|| "unskew".to_owned());
    let wrong = |error: std::io::Error| {
        UserError::new(format!("the folder cannot be written: {error}"))
            .at(output.display().to_string())
            .help("give a folder that can be written")
    };
    fs::create_dir_all(output).map_err(wrong)?;
    let files = [
        ("feature_store.yaml", store_yaml(&name, &url)),
        ("features.py", features_py(&project.plan)),
    ];
    for (file, text) in &files {
        fs::write(output.join(file), text).map_err(wrong)?;
    }
    if context.json {
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        let document = serde_json::json!({ "folder": output, "files": names, "url": url });
        return terminal::print_json(&document);
    }
    let text = format!(
        "{} {} for Feast's SDK, which asks {url}\n  next: `feast apply` there, and `unskew serve`\n",
        paint(GOOD, "written"),
        output.display()
    );
    Ok(terminal::print(&text)?)
}

fn store_yaml(name: &str, url: &str) -> String {
    format!(
        "# Written by `unskew export-feast`. The online store is the server of `unskew serve`.\n\
         project: {name}\n\
         provider: local\n\
         registry: registry.db\n\
         online_store:\n  type: remote\n  path: {url}\n\
         offline_store:\n  type: file\n\
         entity_key_serialization_version: 3\n\
         auth:\n  type: no_auth\n"
    )
}

/// A view as Feast sees it.
struct PlainView {
    view: ViewReference,
    /// Its join keys, or those of the views that it reads.
    keys: BTreeMap<String, DataType>,
    ttl_us: Option<i64>,
}

fn features_py(plan: &FeaturePlan) -> String {
    let views = plan.views.iter().map(|view| ViewReference::View(view.clone()));
    let on_demand = plan.on_demand_views.iter().map(|view| ViewReference::OnDemand(view.clone()));
    // Of several versions Feast knows the greatest by the plain name.
    let mut newest: BTreeMap<String, ViewReference> = BTreeMap::new();
    for view in views.chain(on_demand) {
        let known = newest.get(view.id().name.as_str());
        if known.is_none_or(|known| known.id().version < view.id().version) {
            newest.insert(view.id().name.to_string(), view);
        }
    }
    let plain: Vec<PlainView> = newest
        .values()
        .map(|view| {
            let mut keys = BTreeMap::new();
            keys_of(view, &mut keys);
            let ttl_us = match view {
                ViewReference::View(view) => view.ttl_us,
                ViewReference::OnDemand(_) => None,
            };
            PlainView { view: view.clone(), keys, ttl_us }
        })
        .collect();
    let mut out = String::from(
        "\"\"\"Written by `unskew export-feast`: views whose values our server computes.\"\"\"\n\n\
         from datetime import timedelta\n\n\
         from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType\n\
         from feast.types import (\n    Array,\n    Bool,\n    Bytes,\n    Decimal,\n    Float32,\n    Float64,\n    Int32,\n    Int64,\n    Map,\n    String,\n    UnixTimestamp,\n)\n\n\
         # Feast wants a source for each view; nothing is read from it.\n\
         nothing = FileSource(name=\"unskew\", path=\"unskew.parquet\", timestamp_field=\"event_timestamp\")\n\n",
    );
    let keys = plain.iter().flat_map(|view| &view.keys);
    for (name, data_type) in keys.collect::<BTreeMap<_, _>>() {
        let _ = writeln!(
            out,
            "{name}_entity = Entity(name={}, join_keys=[{}], value_type=ValueType.{})",
            quoted(name),
            quoted(name),
            value_type(data_type)
        );
    }
    let mut exported = BTreeSet::new();
    for PlainView { view, keys, ttl_us } in &plain {
        let name = view.id().name.as_str();
        exported.insert((name.to_owned(), view.id().version));
        let entities: Vec<String> = keys.keys().map(|key| format!("{key}_entity")).collect();
        let ttl = match ttl_us {
            None => "timedelta(0)".to_owned(),
            Some(us) => format!("timedelta(microseconds={us})"),
        };
        let _ = write!(
            out,
            "\n{name}_view = FeatureView(\n    name={},\n    entities=[{}],\n    ttl={ttl},\n    online=True,\n    source=nothing,\n    schema=[\n",
            quoted(name),
            entities.join(", ")
        );
        for (key, data_type) in keys {
            let _ =
                writeln!(out, "        Field(name={}, dtype={}),", quoted(key), dtype(data_type));
        }
        for feature in view.features() {
            let (name, dtype) = (quoted(feature.name.as_str()), dtype(&feature.data_type));
            let _ = writeln!(out, "        Field(name={name}, dtype={dtype}),");
        }
        out.push_str("    ],\n)\n");
    }
    for service in &plan.services {
        let mut features: Vec<(String, Vec<String>)> = Vec::new();
        for feature in &service.features {
            let id = feature.view.id();
            if !exported.contains(&(id.name.to_string(), id.version)) {
                continue;
            }
            let name = feature.field().name.to_string();
            match features.iter_mut().find(|(view, _)| *view == *id.name.as_str()) {
                Some((_, names)) => names.push(name),
                None => features.push((id.name.to_string(), vec![name])),
            }
        }
        let features: Vec<String> = features
            .iter()
            .map(|(view, names)| {
                let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
                format!("{view}_view[[{}]]", names.join(", "))
            })
            .collect();
        let name = service.name.as_str();
        let _ = writeln!(
            out,
            "\n{name}_service = FeatureService(\n    name={},\n    features=[{}],\n)",
            quoted(name),
            features.join(", ")
        );
    }
    out
}

/// The join keys of a view, or of those that it reads.
fn keys_of(view: &ViewReference, keys: &mut BTreeMap<String, DataType>) {
    match view {
        ViewReference::View(view) => {
            let of = view.join_keys.iter();
            keys.extend(of.map(|key| (key.name.to_string(), key.data_type.clone())));
        }
        ViewReference::OnDemand(view) => {
            for input in &view.inputs {
                if let OnDemandOrigin::Feature { view, feature: _ } = &input.from {
                    keys_of(view, keys);
                }
            }
        }
    }
}

fn quoted(text: &str) -> String {
    // Names are ASCII letters, digits and underscores.
    format!("\"{text}\"")
}

fn value_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Bool => "BOOL",
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            "INT32"
        }
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "INT64",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Binary => "BYTES",
        DataType::Date32 | DataType::Timestamp => "UNIX_TIMESTAMP",
        _ => "STRING",
    }
}

fn dtype(data_type: &DataType) -> String {
    match data_type {
        DataType::Bool => "Bool".to_owned(),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            "Int32".to_owned()
        }
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "Int64".to_owned(),
        DataType::Float32 => "Float32".to_owned(),
        DataType::Float64 => "Float64".to_owned(),
        DataType::Utf8 => "String".to_owned(),
        DataType::Binary => "Bytes".to_owned(),
        DataType::Date32 | DataType::Timestamp => "UnixTimestamp".to_owned(),
        DataType::Decimal128 { .. } => "Decimal".to_owned(),
        DataType::Struct(_) => "Map".to_owned(),
        DataType::List { item, .. } => format!("Array({})", dtype(item)),
        DataType::FixedSizeList { .. } => "Array(Float32)".to_owned(),
    }
}
