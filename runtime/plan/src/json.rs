//! The plan as JSON, for programs: the same that [`std::fmt::Display`] prints,
//! with lengths of time in microseconds.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use unskew_definition::About;

use crate::FeaturePlan;
use crate::on_demand_view_plan::{OnDemandOrigin, OnDemandViewPlan, ServicePlan};
use crate::source_plan::{RequestSourcePlan, SourcePlan};
use crate::step_plan::{ColumnPlan, StepPlan};
use crate::view_plan::{AggregateFunctionPlan, FeatureField, ViewPlan};

impl FeaturePlan {
    /// The plan as JSON.
    pub fn to_json(&self) -> Value {
        let Self { sources, request_sources, views, on_demand_views, services, lineage } = self;
        json!({
            "sources": sources.iter().map(|s| source(s)).collect::<Vec<_>>(),
            "request_sources": request_sources.iter().map(|s| request_source(s)).collect::<Vec<_>>(),
            "feature_views": views.iter().map(|v| view(v)).collect::<Vec<_>>(),
            "on_demand_feature_views": on_demand_views.iter().map(|v| on_demand(v)).collect::<Vec<_>>(),
            "feature_services": services.iter().map(|s| service(s)).collect::<Vec<_>>(),
            "lineage": lineage,
        })
    }
}

impl Serialize for FeaturePlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn source(source: &SourcePlan) -> Value {
    let SourcePlan {
        name,
        fields,
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
    } = source;
    let field = |at: Option<usize>| at.map(|at| fields[at].name.clone());
    json!({
        "name": name,
        "fields": fields,
        "event_timestamp": fields[*event_timestamp].name,
        "created_timestamp": field(*created_timestamp),
        "broker_timestamp": field(*broker_timestamp),
        "partition": field(*partition),
        "offset": field(*offset),
        "event_id": field(*event_id),
        "out_of_orderness_us": out_of_orderness_us,
        "max_future_skew_us": max_future_skew_us,
        "allowed_lateness_us": allowed_lateness_us,
        "bad_rows": bad_rows,
        "files": files,
        "kafka": kafka,
        "push": push,
    })
}

fn request_source(source: &RequestSourcePlan) -> Value {
    let RequestSourcePlan { name, fields } = source;
    json!({"name": name, "fields": fields})
}

fn step(step: &StepPlan, columns: &[ColumnPlan]) -> Value {
    match step {
        StepPlan::Sql { outputs } => {
            let output = |(column, expression): &(ColumnPlan, unskew_expression::SqlExpression)| json!({"column": column, "sql": expression.text()});
            json!({"sql": outputs.iter().map(output).collect::<Vec<_>>()})
        }
        StepPlan::Module { module, transform, signature, inputs, outputs } => json!({
            "module": module,
            "transform": transform,
            "signature": signature,
            "inputs": inputs.iter().map(|at| &columns[*at].name).collect::<Vec<_>>(),
            "outputs": outputs,
        }),
    }
}

fn features(features: &[FeatureField], columns: &[ColumnPlan]) -> Vec<Value> {
    let feature = |feature: &FeatureField| {
        let FeatureField { name, column, data_type, nullable, default: _, about } = feature;
        let default: Option<Value> =
            feature.default_json().and_then(|json| serde_json::from_str(&json).ok());
        let mut value = json!({
            "name": name,
            "column": columns[*column].name,
            "type": data_type,
            "nullable": nullable,
            "default": default,
        });
        with_about(&mut value, about);
        value
    };
    features.iter().map(feature).collect()
}

fn with_about(value: &mut Value, about: &About) {
    let About { description, owner, tags } = about;
    if !description.is_empty() {
        value["description"] = json!(description);
    }
    if !owner.is_empty() {
        value["owner"] = json!(owner);
    }
    if !tags.is_empty() {
        value["tags"] = json!(tags);
    }
}

fn view(view: &ViewPlan) -> Value {
    let ViewPlan {
        id,
        entities,
        source,
        join_keys,
        filter,
        steps,
        columns,
        window,
        aggregates,
        post_steps,
        post_columns,
        features: served,
        functions,
        ttl_us,
        on_error,
        about,
    } = view;
    let key = |key: &crate::JoinKeyPlan| json!({"name": key.name, "type": key.data_type, "field": source.fields[key.field].name});
    let aggregate = |aggregate: &crate::AggregatePlan| {
        let function = match &aggregate.function {
            AggregateFunctionPlan::BuiltIn(function) => json!({"function": function.to_string()}),
            AggregateFunctionPlan::Module { module, aggregate, signature } => {
                json!({"module": module, "aggregate": aggregate, "signature": signature})
            }
        };
        let mut value = json!({
            "name": aggregate.name,
            "inputs": aggregate.inputs.iter().map(|at| &columns[*at].name).collect::<Vec<_>>(),
            "where": aggregate.filter.as_ref().map(|filter| filter.text()),
            "over": aggregate.over,
            "output": aggregate.output,
        });
        if let (Value::Object(value), Value::Object(function)) = (&mut value, function) {
            value.extend(function);
        }
        value
    };
    let functions: Vec<String> = functions.iter().map(ToString::to_string).collect();
    let mut value = json!({
        "name": id.name,
        "version": id.version,
        "entities": entities,
        "source": source.name,
        "join_keys": join_keys.iter().map(key).collect::<Vec<_>>(),
        "filter": filter.as_ref().map(|filter| filter.text()),
        "transforms": steps.iter().map(|s| step(s, columns)).collect::<Vec<_>>(),
        "columns": columns,
        "window": window,
        "aggregates": aggregates.iter().map(aggregate).collect::<Vec<_>>(),
        "post_transforms": post_steps.iter().map(|s| step(s, post_columns)).collect::<Vec<_>>(),
        "post_columns": post_columns,
        "features": features(served, post_columns),
        "functions": functions,
        "ttl_us": ttl_us,
        "on_error": on_error,
    });
    with_about(&mut value, about);
    value
}

fn on_demand(view: &OnDemandViewPlan) -> Value {
    let OnDemandViewPlan {
        id,
        inputs,
        steps,
        columns,
        features: served,
        functions,
        on_error,
        about,
    } = view;
    let input = |input: &crate::OnDemandInputPlan| {
        let from = match &input.from {
            OnDemandOrigin::Feature { view, feature } => {
                let (id, feature) = (view.id(), &view.features()[*feature].name);
                format!("{}:{feature}@v{}", id.name, id.version)
            }
            OnDemandOrigin::Request { source, field } => {
                format!("{}:{}", source.name, source.fields[*field].name)
            }
            OnDemandOrigin::RequestTimestamp => crate::REQUEST_TIMESTAMP.to_owned(),
        };
        json!({"column": input.column, "from": from})
    };
    let functions: Vec<String> = functions.iter().map(ToString::to_string).collect();
    let mut value = json!({
        "name": id.name,
        "version": id.version,
        "inputs": inputs.iter().map(input).collect::<Vec<_>>(),
        "transforms": steps.iter().map(|s| step(s, columns)).collect::<Vec<_>>(),
        "columns": columns,
        "features": features(served, columns),
        "functions": functions,
        "on_error": on_error,
    });
    with_about(&mut value, about);
    value
}

fn service(service: &ServicePlan) -> Value {
    let ServicePlan { name, features, about } = service;
    let feature = |feature: &crate::ServiceFeature| {
        let (id, field) = (feature.view.id(), feature.field());
        json!({
            "view": id.name,
            "version": id.version,
            "feature": field.name,
            "type": field.data_type,
        })
    };
    let mut value = json!({
        "name": name,
        "features": features.iter().map(feature).collect::<Vec<_>>(),
    });
    with_about(&mut value, about);
    value
}
