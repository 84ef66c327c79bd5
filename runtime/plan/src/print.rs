//! The plan as text, for people: `unskew explain`. The same plan always gives
//! the same text, in which every default is written out.

use std::fmt::{self, Display, Formatter};

use unskew_column::text::ColumnPrinter;
use unskew_definition::{About, BadRows, format_duration};

use crate::FeaturePlan;
use crate::on_demand_view_plan::{OnDemandOrigin, OnDemandViewPlan, ServicePlan};
use crate::source_plan::{RequestSourcePlan, SourceField, SourcePlan};
use crate::step_plan::{ColumnPlan, StepPlan};
use crate::view_plan::{AggregateFunctionPlan, AggregatePlan, FeatureField, JoinKeyPlan, ViewPlan};

impl Display for FeaturePlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { sources, request_sources, views, on_demand_views, services, lineage: _ } = self;
        let mut first = true;
        let mut part = |f: &mut Formatter<'_>, part: &dyn Display| {
            if !std::mem::take(&mut first) {
                writeln!(f)?;
            }
            part.fmt(f)
        };
        sources.iter().try_for_each(|source| part(f, source))?;
        request_sources.iter().try_for_each(|source| part(f, source))?;
        views.iter().try_for_each(|view| part(f, view))?;
        on_demand_views.iter().try_for_each(|view| part(f, view))?;
        services.iter().try_for_each(|service| part(f, service))
    }
}

fn about(f: &mut Formatter<'_>, about: &About, indent: &str) -> fmt::Result {
    let About { description, owner, tags } = about;
    // What people write may have several lines; here each has one.
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !description.is_empty() {
        writeln!(f, "{indent}description {}", line(description))?;
    }
    if !owner.is_empty() {
        writeln!(f, "{indent}owner {}", line(owner))?;
    }
    tags.iter()
        .try_for_each(|(key, value)| writeln!(f, "{indent}tag {} = {}", line(key), line(value)))
}

fn mark(nullable: bool) -> &'static str {
    if nullable { "?" } else { "" }
}

fn fields(f: &mut Formatter<'_>, fields: &[SourceField]) -> fmt::Result {
    for SourceField { name, column, data_type, nullable } in fields {
        write!(f, "  field {name} {data_type}{}", mark(*nullable))?;
        if column != name.as_str() {
            write!(f, " from column {column:?}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

impl Display for SourcePlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            fields: all,
            event_timestamp,
            created_timestamp,
            broker_timestamp,
            partition,
            offset,
            event_id,
            out_of_orderness_us,
            max_future_skew_us,
            allowed_lateness_us,
            bad_rows,
            files,
            kafka,
            push,
        } = self;
        writeln!(f, "source {name}")?;
        fields(f, all)?;
        for (role, at) in [
            ("event_timestamp", Some(*event_timestamp)),
            ("created_timestamp", *created_timestamp),
            ("broker_timestamp", *broker_timestamp),
            ("partition", *partition),
            ("offset", *offset),
            ("event_id", *event_id),
        ] {
            if let Some(at) = at {
                writeln!(f, "  {role} {}", all[at].name)?;
            }
        }
        writeln!(f, "  out_of_orderness {}", format_duration(*out_of_orderness_us))?;
        writeln!(f, "  max_future_skew {}", format_duration(*max_future_skew_us))?;
        writeln!(f, "  allowed_lateness {}", format_duration(*allowed_lateness_us))?;
        let bad_rows = match bad_rows {
            BadRows::DeadLetter => "dead_letter",
            BadRows::Refuse => "refuse",
        };
        writeln!(f, "  bad_rows {bad_rows}")?;
        files.iter().try_for_each(|file| writeln!(f, "  files {file:?}"))?;
        if let Some(kafka) = kafka {
            write!(f, "  kafka topic {}", kafka.topic)?;
            kafka.brokers.iter().try_for_each(|broker| write!(f, " {broker:?}"))?;
            writeln!(f)?;
        }
        if *push {
            writeln!(f, "  push")?;
        }
        Ok(())
    }
}

impl Display for RequestSourcePlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, fields: all } = self;
        writeln!(f, "request source {name}")?;
        fields(f, all)
    }
}

impl Display for ColumnPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.name, self.data_type, mark(self.nullable))
    }
}

/// A text of SQL on one line.
fn sql(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn steps(
    f: &mut Formatter<'_>,
    word: &str,
    steps: &[StepPlan],
    columns: &[ColumnPlan],
) -> fmt::Result {
    for (i, step) in steps.iter().enumerate() {
        let number = i + 1;
        match step {
            StepPlan::Sql { outputs } => {
                writeln!(f, "  {word} {number} sql")?;
                for (column, expression) in outputs {
                    writeln!(f, "    {column} = {}", sql(expression.text()))?;
                }
            }
            StepPlan::Module { module, transform, signature, inputs, outputs } => {
                writeln!(f, "  {word} {number} {module}.{transform}")?;
                for (input, at) in signature.inputs.iter().zip(inputs) {
                    let (name, kind, null) = (&input.name, &input.data_type, mark(input.nullable));
                    writeln!(f, "    argument {name} {kind}{null} = {}", columns[*at].name)?;
                }
                for (output, column) in signature.outputs.iter().zip(outputs) {
                    writeln!(f, "    {column} = output {}", output.name)?;
                }
            }
        }
    }
    Ok(())
}

impl Display for JoinKeyPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.data_type)
    }
}

impl Display for AggregateFunctionPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(function) => function.fmt(f),
            Self::Module { module, aggregate, signature: _ } => write!(f, "{module}.{aggregate}"),
        }
    }
}

fn aggregate(
    f: &mut Formatter<'_>,
    aggregate: &AggregatePlan,
    columns: &[ColumnPlan],
) -> fmt::Result {
    let AggregatePlan { name: _, function, inputs, filter, over, output } = aggregate;
    let inputs: Vec<&str> = inputs.iter().map(|at| columns[*at].name.as_str()).collect();
    write!(f, "  aggregate {output} = {function}({})", inputs.join(", "))?;
    if let Some(filter) = filter {
        write!(f, " where {}", sql(filter.text()))?;
    }
    if let Some(over) = over {
        write!(f, " over {over}")?;
    }
    writeln!(f)
}

fn features(f: &mut Formatter<'_>, all: &[FeatureField], columns: &[ColumnPlan]) -> fmt::Result {
    for feature in all {
        let FeatureField { name, column, data_type, nullable, default: _, about: of } = feature;
        write!(f, "  feature {name} {data_type}{}", mark(*nullable))?;
        if columns[*column].name != *name {
            write!(f, " = {}", columns[*column].name)?;
        }
        if let Some(json) = feature.default_json() {
            write!(f, " default {json}")?;
        }
        writeln!(f)?;
        about(f, of, "    ")?;
    }
    Ok(())
}

impl FeatureField {
    /// Its default as JSON, where it has one.
    pub fn default_json(&self) -> Option<String> {
        let array = self.default.as_ref()?;
        let mut json = Vec::new();
        ColumnPrinter::new(array).ok()?.print_json(0, &mut json);
        String::from_utf8(json).ok()
    }
}

impl Display for ViewPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            entities,
            source,
            join_keys,
            filter,
            steps: row_steps,
            columns,
            window,
            aggregates,
            post_steps,
            post_columns,
            features: served,
            functions,
            ttl_us,
            on_error,
            about: of,
        } = self;
        writeln!(f, "feature view {id}")?;
        about(f, of, "  ")?;
        let entities: Vec<&str> = entities.iter().map(|entity| entity.as_str()).collect();
        writeln!(f, "  entities {}", entities.join(", "))?;
        writeln!(f, "  source {}", source.name)?;
        for key in join_keys {
            write!(f, "  join key {key}")?;
            let field = &source.fields[key.field].name;
            if *field != key.name {
                write!(f, " = {field}")?;
            }
            writeln!(f)?;
        }
        if let Some(filter) = filter {
            writeln!(f, "  filter {}", sql(filter.text()))?;
        }
        steps(f, "transform", row_steps, columns)?;
        writeln!(f, "  window {window}")?;
        aggregates.iter().try_for_each(|each| aggregate(f, each, columns))?;
        steps(f, "post-transform", post_steps, post_columns)?;
        functions.iter().try_for_each(|function| writeln!(f, "  calls {function}"))?;
        features(f, served, post_columns)?;
        match ttl_us {
            Some(ttl) => writeln!(f, "  ttl {}", format_duration(*ttl))?,
            None => writeln!(f, "  ttl none")?,
        }
        writeln!(f, "  on_error {on_error}")
    }
}

impl Display for OnDemandViewPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            inputs,
            steps: row_steps,
            columns,
            features: served,
            functions,
            on_error,
            about: of,
        } = self;
        writeln!(f, "on-demand feature view {id}")?;
        about(f, of, "  ")?;
        for input in inputs {
            write!(f, "  input {}", input.column)?;
            match &input.from {
                OnDemandOrigin::Feature { view, feature } => {
                    let (id, feature) = (view.id(), &view.features()[*feature].name);
                    writeln!(f, " = {}:{feature}@v{}", id.name, id.version)?;
                }
                OnDemandOrigin::Request { source, field } => {
                    writeln!(f, " = {}:{}", source.name, source.fields[*field].name)?;
                }
                OnDemandOrigin::RequestTimestamp => writeln!(f)?,
            }
        }
        steps(f, "transform", row_steps, columns)?;
        functions.iter().try_for_each(|function| writeln!(f, "  calls {function}"))?;
        features(f, served, columns)?;
        writeln!(f, "  on_error {on_error}")
    }
}

impl Display for ServicePlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, features, about: of } = self;
        writeln!(f, "feature service {name}")?;
        about(f, of, "  ")?;
        for feature in features {
            let (id, field) = (feature.view.id(), feature.field());
            let null = mark(field.nullable || field.default.is_none());
            writeln!(f, "  {}:{}@v{} {}{null}", id.name, field.name, id.version, field.data_type)?;
        }
        Ok(())
    }
}
