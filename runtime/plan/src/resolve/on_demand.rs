use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use unskew_definition::{
    DataType, FeatureReference, Name, OnDemandFeatureView, OnError, Place, Section, Step, meant,
};
use unskew_expression::{ReferenceResolver, SqlExpression};

use crate::on_demand_view_plan::{
    OnDemandInputPlan, OnDemandOrigin, OnDemandViewPlan, REQUEST_TIMESTAMP, ViewReference,
};
use crate::resolve::columns::Columns;
use crate::resolve::order::in_order;
use crate::resolve::step::StepScope;
use crate::resolve::{Found, Resolver};
use crate::step_plan::{ColumnPlan, StepPlan, ViewId};

impl Resolver<'_> {
    pub(super) fn on_demand_views(&mut self) -> Vec<Arc<OnDemandViewPlan>> {
        let mut views: Vec<&OnDemandFeatureView> =
            self.definition.sections.on_demand_feature_views.iter().collect();
        views.sort_by_key(|view| id_of(view));
        for view in &views {
            // Until it is resolved it is there by name.
            self.views.insert(id_of(view), None);
        }
        let at: BTreeMap<ViewId, usize> =
            views.iter().enumerate().map(|(i, view)| (id_of(view), i)).collect();
        let needs: Vec<Vec<usize>> = views
            .iter()
            .map(|view| {
                let read = references(view).into_iter().filter_map(|(reference, _)| {
                    match self.view_id(reference.view.as_str(), reference.version) {
                        Found::Known(id) => at.get(&id).copied(),
                        _ => None,
                    }
                });
                read.collect()
            })
            .collect();
        let (order, cycles) = in_order(&needs);
        for cycle in cycles {
            let name = |node: &usize| {
                let view = views[*node];
                let versions = views.iter().filter(|other| other.name == view.name).count();
                if versions > 1 { id_of(view).to_string() } else { view.name.to_string() }
            };
            let mut path: Vec<String> = cycle.iter().map(name).collect();
            path.push(name(&cycle[0]));
            let first = views[cycle[0]];
            let what =
                format!("on-demand views read each other in a circle: {}", path.join(" -> "));
            let subject = format!("on-demand feature view {}", first.name);
            self.mistake(&first.place, &subject, what, "take one of them out of the circle");
        }
        let ordered: BTreeSet<usize> = order.iter().copied().collect();
        let mut plans = Vec::new();
        for node in order {
            let before = self.count();
            let plan = self.on_demand_view(views[node]).filter(|_| self.count() == before);
            let plan = plan.map(Arc::new);
            self.views.insert(id_of(views[node]), plan.clone().map(ViewReference::OnDemand));
            plans.extend(plan);
        }
        // What is on a circle has its other mistakes told, too.
        for (node, view) in views.iter().enumerate() {
            if !ordered.contains(&node) {
                self.on_demand_view(view);
            }
        }
        plans
    }

    fn on_demand_view(&self, view: &OnDemandFeatureView) -> Option<OnDemandViewPlan> {
        let subject = format!("on-demand feature view {}", view.name);
        let unread = self.definition.unread();
        if self.request_sources.contains_key(view.name.as_str()) {
            let what = format!(
                "a request source is named {}, too, so that references do not say which",
                view.name
            );
            self.mistake(&view.place, &subject, what, "rename one of them");
        }
        let mut columns = Columns::default();
        let mut inputs: Vec<OnDemandInputPlan> = Vec::new();
        let mut resolved: BTreeMap<FeatureReference, usize> = BTreeMap::new();
        let mut failed: BTreeSet<FeatureReference> = BTreeSet::new();
        for (name, reference) in &view.inputs {
            if *name == *REQUEST_TIMESTAMP {
                let what = format!(
                    "an input is named {REQUEST_TIMESTAMP}, as the column that every on-demand view has"
                );
                self.mistake(
                    &reference.place,
                    &subject,
                    what,
                    "choose another name, or leave it out",
                );
                continue;
            }
            match self.origin(reference, &reference.place, &format!("{subject}, input {name}")) {
                Some((from, data_type, nullable)) => {
                    let column = ColumnPlan { name: name.clone(), data_type, nullable };
                    resolved.entry(reference.value.clone()).or_insert(inputs.len());
                    columns.push(column.clone());
                    inputs.push(OnDemandInputPlan { column, from });
                }
                None => {
                    columns.add_broken(name.as_str());
                    failed.insert(reference.value.clone());
                }
            }
        }
        // Features that only SQL names become columns under names of their own.
        let mut in_sql: BTreeMap<FeatureReference, usize> = BTreeMap::new();
        for (reference, place) in sql_references(view) {
            if in_sql.contains_key(&reference) || failed.contains(&reference) {
                continue;
            }
            if let Some(at) = resolved.get(&reference) {
                in_sql.insert(reference, *at);
                continue;
            }
            match self.origin(&reference, &place, &subject) {
                Some((from, data_type, nullable)) => {
                    let name = own_name(&reference, view, &columns);
                    let column = ColumnPlan { name, data_type, nullable };
                    in_sql.insert(reference, inputs.len());
                    columns.push(column.clone());
                    inputs.push(OnDemandInputPlan { column, from });
                }
                None => {
                    failed.insert(reference);
                }
            }
        }
        if let Ok(name) = Name::new(REQUEST_TIMESTAMP) {
            let column = ColumnPlan { name, data_type: DataType::Timestamp, nullable: false };
            columns.push(column.clone());
            inputs.push(OnDemandInputPlan { column, from: OnDemandOrigin::RequestTimestamp });
        }
        unread.parts(Section::View, view.name.as_str()).for_each(|part| columns.add_broken(part));
        if unread.has_any_part(Section::View, view.name.as_str()) {
            columns.add_any_broken();
        }
        if !failed.is_empty() {
            columns.add_any_broken();
        }
        let references = InSql(in_sql);
        let scope = StepScope {
            subject: &subject,
            kind: "transform",
            home: view.home.as_ref(),
            references: Some(&references),
        };
        let steps = self.steps(&view.transforms, &mut columns, &scope);
        let usual: Vec<Name> =
            steps.iter().flat_map(StepPlan::outputs).map(|column| column.name.clone()).collect();
        let features =
            self.features(view.features.as_deref(), &usual, &columns, &view.place, &subject);
        let functions: BTreeSet<_> = steps
            .iter()
            .flat_map(StepPlan::expressions)
            .flat_map(SqlExpression::functions)
            .cloned()
            .collect();
        Some(OnDemandViewPlan {
            id: id_of(view),
            inputs,
            steps,
            columns: columns.known,
            features,
            functions: functions.into_iter().collect(),
            on_error: view.on_error,
            about: view.about.clone(),
        })
    }

    /// What a reference holds, its type and whether it may be null.
    fn origin(
        &self,
        reference: &FeatureReference,
        place: &Place,
        subject: &str,
    ) -> Option<(OnDemandOrigin, DataType, bool)> {
        let name = reference.view.as_str();
        let is_view = self.views.keys().any(|id| id.name == reference.view);
        if !is_view && let Some(source) = self.request_sources.get(name) {
            if reference.version.is_some() {
                let what = format!("{reference}: a request source has no versions");
                self.mistake(place, subject, what, "leave out what begins with @");
                return None;
            }
            let field = source.fields.iter().position(|field| field.name == reference.feature);
            let Some(field) = field else {
                let unread = self.definition.unread();
                if !unread.has_part(Section::Source, name, reference.feature.as_str())
                    && !unread.has_any_part(Section::Source, name)
                {
                    let names = source.fields.iter().map(|field| field.name.as_str());
                    let what = format!(
                        "the request source {name} has no field {:?}",
                        reference.feature.as_str()
                    );
                    self.mistake(place, subject, what, meant(reference.feature.as_str(), names));
                }
                return None;
            };
            let found = &source.fields[field];
            let from = OnDemandOrigin::Request { source: Arc::clone(source), field };
            return Some((from, found.data_type.clone(), found.nullable));
        }
        if !is_view && self.sources.contains_key(name) {
            let what = format!(
                "{reference}: {name} is a source of events; an on-demand view reads features of views and fields of request sources"
            );
            self.mistake(place, subject, what, "make a feature view of it, and name its feature");
            return None;
        }
        if !is_view && self.definition.unread().has(Section::Source, name) {
            return None;
        }
        match self.feature(reference) {
            Found::Known((view, feature)) => {
                let field = &view.features()[feature];
                // A default leaves no nulls where it replaces errors, too; a
                // value that is null stays so.
                let replaced = field.default.is_some() && view.on_error() == OnError::Default;
                let nullable = field.nullable || !replaced;
                let data_type = field.data_type.clone();
                Some((OnDemandOrigin::Feature { view, feature }, data_type, nullable))
            }
            Found::Broken => None,
            Found::Missing(what, fix) => {
                self.mistake(place, subject, format!("{reference}: {what}"), fix);
                None
            }
        }
    }
}

fn id_of(view: &OnDemandFeatureView) -> ViewId {
    ViewId { name: view.name.clone(), version: view.version }
}

/// What the SQL of a view names as `{{view.feature}}`. Texts that are wrong
/// are told of when they are analyzed.
fn sql_references(view: &OnDemandFeatureView) -> Vec<(FeatureReference, Place)> {
    let mut found = Vec::new();
    for step in &view.transforms {
        let Step::Sql(step) = step else { continue };
        for (_, text) in &step.outputs {
            let references = SqlExpression::references_of(text).unwrap_or_default();
            found.extend(references.into_iter().map(|found| (found, text.place.clone())));
        }
    }
    found
}

/// Everything that a view reads.
fn references(view: &OnDemandFeatureView) -> Vec<(FeatureReference, Place)> {
    let inputs = view.inputs.iter();
    let inputs = inputs.map(|(_, reference)| (reference.value.clone(), reference.place.clone()));
    inputs.chain(sql_references(view)).collect()
}

/// A name that no column of the view has or gets.
fn own_name(reference: &FeatureReference, view: &OnDemandFeatureView, columns: &Columns) -> Name {
    let later = |name: &Name| {
        view.transforms.iter().any(|step| match step {
            Step::Sql(step) => step.outputs.iter().any(|(output, _)| output == name),
            Step::Module(step) => step.outputs.iter().any(|(_, output)| output.value == *name),
        })
    };
    let whole = format!("{}__{}", reference.view, reference.feature);
    // Two names of full length are too long for one.
    let stem: String = whole.chars().take(100).collect();
    let mut number = reference.version.unwrap_or(0);
    loop {
        let text = if number == 0 { stem.clone() } else { format!("{stem}_{number}") };
        match Name::new(text) {
            Ok(name) if !columns.has(&name) && !later(&name) => return name,
            _ => number += 1,
        }
    }
}

struct InSql(BTreeMap<FeatureReference, usize>);

impl ReferenceResolver for InSql {
    fn resolve(&self, reference: &FeatureReference) -> Result<usize, String> {
        let found = self.0.get(reference).copied();
        found.ok_or_else(|| format!("there is no feature {reference}"))
    }
}
