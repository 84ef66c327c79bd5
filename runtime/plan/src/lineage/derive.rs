use std::collections::BTreeSet;

use unskew_expression::SqlExpression;

use crate::FeaturePlan;
use crate::lineage::{EdgeKind, Lineage, LineageEdge, LineageNode};
use crate::on_demand_view_plan::{OnDemandOrigin, OnDemandViewPlan};
use crate::step_plan::{StepPlan, ViewId};
use crate::view_plan::{FeatureField, ViewPlan, WindowPlan};

impl Lineage {
    pub(crate) fn of(plan: &FeaturePlan) -> Self {
        let FeaturePlan {
            sources: _,
            request_sources: _,
            views,
            on_demand_views,
            services,
            lineage: _,
        } = plan;
        let mut edges = Edges::default();
        views.iter().for_each(|view| edges.feature_view(view));
        on_demand_views.iter().for_each(|view| edges.on_demand_view(view));
        for service in services {
            let to = LineageNode::Service { service: service.name.clone() };
            for feature in &service.features {
                let from = LineageNode::Feature {
                    view: feature.view.id().clone(),
                    feature: feature.field().name.clone(),
                };
                edges.add(from, to.clone(), EdgeKind::Value);
            }
        }
        Self { edges: edges.0.into_iter().collect() }
    }
}

#[derive(Default)]
struct Edges(BTreeSet<LineageEdge>);

impl Edges {
    fn add(&mut self, from: LineageNode, to: LineageNode, kind: EdgeKind) {
        self.0.insert(LineageEdge { from, to, kind });
    }

    /// What an expression reads, where `nodes` says what each column is.
    fn expression(
        &mut self,
        expression: &SqlExpression,
        nodes: &[LineageNode],
        to: &LineageNode,
        kind: EdgeKind,
    ) {
        for path in expression.field_paths() {
            let part = path.field.as_ref().map(|field| field.as_str());
            self.add(part_of(&nodes[path.column], part), to.clone(), kind);
        }
    }

    /// Steps, whose outputs join the nodes.
    fn steps(&mut self, steps: &[StepPlan], nodes: &mut Vec<LineageNode>, view: &ViewId) {
        for step in steps {
            let made: Vec<LineageNode> =
                step.outputs().map(|column| column_node(view, column.name.as_str())).collect();
            match step {
                StepPlan::Sql { outputs } => {
                    for ((_, expression), to) in outputs.iter().zip(&made) {
                        self.expression(expression, nodes, to, EdgeKind::Value);
                    }
                }
                StepPlan::Module { inputs, .. } => {
                    for to in &made {
                        for at in inputs {
                            self.add(nodes[*at].clone(), to.clone(), EdgeKind::Value);
                        }
                    }
                }
            }
            nodes.extend(made);
        }
    }

    fn feature_view(&mut self, view: &ViewPlan) {
        let source = &view.source;
        let field = |at: usize| LineageNode::SourceField {
            source: source.name.clone(),
            field: source.fields[at].name.as_str().to_owned(),
        };
        let mut nodes: Vec<LineageNode> = (0..source.fields.len()).map(field).collect();
        self.steps(&view.steps, &mut nodes, &view.id);
        let mut post: Vec<LineageNode> = match view.window {
            WindowPlan::Latest => nodes.clone(),
            _ => view.join_keys.iter().map(|key| field(key.field)).collect(),
        };
        for aggregate in &view.aggregates {
            let to = column_node(&view.id, aggregate.name.as_str());
            for at in &aggregate.inputs {
                self.add(nodes[*at].clone(), to.clone(), EdgeKind::Value);
            }
            if let Some(filter) = &aggregate.filter {
                self.expression(filter, &nodes, &to, EdgeKind::Filter);
            }
            post.push(to);
        }
        self.steps(&view.post_steps, &mut post, &view.id);
        self.features(&view.id, &view.features, &post);
        let times = [
            Some(source.event_timestamp),
            source.created_timestamp,
            source.broker_timestamp,
            source.partition,
            source.offset,
        ];
        for feature in &view.features {
            let to = feature_node(&view.id, feature);
            if let Some(filter) = &view.filter {
                self.expression(filter, &nodes, &to, EdgeKind::Filter);
            }
            if let Some(at) = source.event_id {
                self.add(field(at), to.clone(), EdgeKind::Filter);
            }
            for key in &view.join_keys {
                self.add(field(key.field), to.clone(), EdgeKind::Key);
            }
            for at in times.into_iter().flatten() {
                self.add(field(at), to.clone(), EdgeKind::Time);
            }
        }
    }

    fn on_demand_view(&mut self, view: &OnDemandViewPlan) {
        let origin = |from: &OnDemandOrigin| match from {
            OnDemandOrigin::Feature { view, feature } => {
                feature_node(view.id(), &view.features()[*feature])
            }
            OnDemandOrigin::Request { source, field } => LineageNode::SourceField {
                source: source.name.clone(),
                field: source.fields[*field].name.as_str().to_owned(),
            },
            OnDemandOrigin::RequestTimestamp => LineageNode::RequestTimestamp,
        };
        let mut nodes: Vec<LineageNode> =
            view.inputs.iter().map(|input| origin(&input.from)).collect();
        self.steps(&view.steps, &mut nodes, &view.id);
        self.features(&view.id, &view.features, &nodes);
    }

    fn features(&mut self, view: &ViewId, features: &[FeatureField], nodes: &[LineageNode]) {
        for feature in features {
            self.add(nodes[feature.column].clone(), feature_node(view, feature), EdgeKind::Value);
        }
    }
}

fn column_node(view: &ViewId, column: &str) -> LineageNode {
    LineageNode::Column { view: view.clone(), column: column.to_owned() }
}

fn feature_node(view: &ViewId, feature: &FeatureField) -> LineageNode {
    LineageNode::Feature { view: view.clone(), feature: feature.name.clone() }
}

/// A field inside of a struct column. Of a feature or a request's moment it is
/// the whole: they have no parts of their own.
fn part_of(node: &LineageNode, part: Option<&str>) -> LineageNode {
    match (node, part) {
        (LineageNode::SourceField { source, field }, Some(part)) => {
            LineageNode::SourceField { source: source.clone(), field: format!("{field}.{part}") }
        }
        (LineageNode::Column { view, column }, Some(part)) => {
            LineageNode::Column { view: view.clone(), column: format!("{column}.{part}") }
        }
        _ => node.clone(),
    }
}
