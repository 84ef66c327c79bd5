use std::collections::BTreeSet;
use std::sync::Arc;

use unskew_definition::{FeatureView, Name, Section, meant};
use unskew_expression::SqlExpression;

use crate::on_demand_view_plan::ViewReference;
use crate::resolve::Resolver;
use crate::resolve::columns::Columns;
use crate::resolve::step::StepScope;
use crate::resolve::window::emitting;
use crate::source_plan::SourcePlan;
use crate::step_plan::{ColumnPlan, StepPlan, ViewId};
use crate::view_plan::{AggregatePlan, JoinKeyPlan, ViewPlan, WindowPlan};

impl Resolver<'_> {
    pub(super) fn feature_views(&mut self) -> Vec<Arc<ViewPlan>> {
        let mut views = Vec::new();
        for view in &self.definition.sections.feature_views {
            let id = ViewId { name: view.name.clone(), version: view.version };
            let subject = format!("feature view {}", view.name);
            if self.request_sources.contains_key(view.name.as_str()) {
                let what = format!(
                    "a request source is named {}, too, so that references do not say which",
                    view.name
                );
                self.mistake(&view.place, &subject, what, "rename one of them");
            }
            let before = self.count();
            let resolved = self.feature_view(view, &id, &subject).map(Arc::new);
            let resolved = resolved.filter(|_| self.count() == before);
            self.views.insert(id, resolved.clone().map(ViewReference::View));
            views.extend(resolved);
        }
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }

    fn feature_view(&self, view: &FeatureView, id: &ViewId, subject: &str) -> Option<ViewPlan> {
        let home = view.home.as_ref();
        let unread = self.definition.unread();
        let source = self.source_of(view, subject);
        let mut columns = Columns::default();
        match &source {
            Some(source) => {
                for field in &source.fields {
                    columns.push(ColumnPlan {
                        name: field.name.clone(),
                        data_type: field.data_type.clone(),
                        nullable: field.nullable,
                    });
                }
                let name = source.name.as_str();
                unread.parts(Section::Source, name).for_each(|part| columns.add_broken(part));
                if unread.has_any_part(Section::Source, name) {
                    columns.add_any_broken();
                }
            }
            None => columns.add_any_broken(),
        }
        unread.parts(Section::View, view.name.as_str()).for_each(|part| columns.add_broken(part));
        if unread.has_any_part(Section::View, view.name.as_str()) {
            columns.add_any_broken();
        }
        let join_keys = self.join_keys(view, source.as_deref(), subject);
        let filter = view
            .filter
            .as_ref()
            .map(|text| self.condition("filter", text, &columns, home, subject));
        let scope = StepScope { subject, kind: "transform", home, references: None };
        let steps = self.steps(&view.transforms, &mut columns, &scope);

        let window = match (&view.window, view.aggregates.is_empty()) {
            (Some(window), _) => emitting(window.value),
            (None, true) => WindowPlan::Latest,
            (None, false) => WindowPlan::Trailing,
        };
        if let Some(window) = &view.window
            && view.aggregates.is_empty()
            && !columns.has_broken()
        {
            let what = "it has a window and no aggregates";
            self.mistake(&window.place, subject, what, "add \"aggregates\", or remove the window");
        }
        self.check_over(&view.aggregates, view.window.is_some(), subject);
        let mut post = match window {
            WindowPlan::Latest => columns.clone(),
            _ => self.post_columns(view, &join_keys, &columns),
        };
        let mut aggregates: Vec<AggregatePlan> = Vec::new();
        for aggregate in &view.aggregates {
            if post.has(&aggregate.name)
                && !unread.has_part(Section::View, view.name.as_str(), aggregate.name.as_str())
            {
                let subject = format!("{subject}, aggregate {}", aggregate.name);
                let what = format!("there is a column {:?} already", aggregate.name.as_str());
                self.mistake(&aggregate.place, &subject, what, "choose another name");
            }
            match self.aggregate(aggregate, &columns, home, subject) {
                Some(plan) => {
                    post.push(plan.output.clone());
                    aggregates.push(plan);
                }
                None => post.add_broken(aggregate.name.as_str()),
            }
        }
        let first_output = post.known.len();
        let scope = StepScope { subject, kind: "post-transform", home, references: None };
        let post_steps = self.steps(&view.post_transforms, &mut post, &scope);
        let usual = self.usual_features(&steps, &aggregates, &post.known[first_output..]);
        let features = self.features(view.features.as_deref(), &usual, &post, &view.place, subject);
        let source = source?;
        let filter = match filter {
            None => None,
            Some(filter) => Some(filter?),
        };
        let expressions = filter
            .iter()
            .chain(steps.iter().chain(&post_steps).flat_map(StepPlan::expressions))
            .chain(aggregates.iter().filter_map(|aggregate| aggregate.filter.as_ref()));
        let functions: BTreeSet<_> =
            expressions.flat_map(SqlExpression::functions).cloned().collect();
        Some(ViewPlan {
            id: id.clone(),
            entities: view.entities.iter().map(|entity| entity.value.clone()).collect(),
            source,
            join_keys,
            filter,
            steps,
            columns: columns.known,
            window,
            aggregates,
            post_steps,
            post_columns: post.known,
            features,
            functions: functions.into_iter().collect(),
            ttl_us: view.ttl_us,
            on_error: view.on_error,
            about: view.about.clone(),
        })
    }

    /// Every aggregate and output of a post-transform; in a latest view every
    /// output of a transform.
    fn usual_features(
        &self,
        steps: &[StepPlan],
        aggregates: &[AggregatePlan],
        post_outputs: &[ColumnPlan],
    ) -> Vec<Name> {
        let own: Vec<Name> = if aggregates.is_empty() {
            steps.iter().flat_map(StepPlan::outputs).map(|column| column.name.clone()).collect()
        } else {
            aggregates.iter().map(|aggregate| aggregate.name.clone()).collect()
        };
        own.into_iter().chain(post_outputs.iter().map(|column| column.name.clone())).collect()
    }

    fn source_of(&self, view: &FeatureView, subject: &str) -> Option<Arc<SourcePlan>> {
        let name = view.source.as_str();
        if let Some(source) = self.sources.get(name) {
            return Some(Arc::clone(source));
        }
        if self.request_sources.contains_key(name) {
            let what =
                format!("its source {name} is a request source; a feature view is made of events");
            let fix = "name a source of events, or make it an on-demand feature view";
            self.mistake(&view.source.place, subject, what, fix);
        } else if !self.definition.unread().has(Section::Source, name) {
            let fix = meant(name, self.sources.keys().map(String::as_str));
            self.mistake(&view.source.place, subject, format!("there is no source {name:?}"), fix);
        }
        None
    }

    /// Join keys, then what is not known of them; aggregates follow.
    fn post_columns(&self, view: &FeatureView, keys: &[JoinKeyPlan], columns: &Columns) -> Columns {
        let mut post = Columns::default();
        for key in keys {
            post.push(ColumnPlan {
                name: key.name.clone(),
                data_type: key.data_type.clone(),
                // A row without a key has no place in the view.
                nullable: false,
            });
        }
        let unread = self.definition.unread();
        unread.parts(Section::View, view.name.as_str()).for_each(|part| post.add_broken(part));
        let expected: usize = view
            .entities
            .iter()
            .map(|name| {
                self.entity(name).map_or(usize::MAX / 1024, |entity| entity.join_keys.len())
            })
            .sum();
        if keys.len() < expected || columns.has_any_broken() && keys.is_empty() {
            post.add_any_broken();
        }
        if unread.has_any_part(Section::View, view.name.as_str()) {
            post.add_any_broken();
        }
        post
    }

    fn entity(&self, name: &Name) -> Option<&unskew_definition::Entity> {
        self.definition.sections.entities.iter().find(|entity| entity.name == *name)
    }

    fn join_keys(
        &self,
        view: &FeatureView,
        source: Option<&SourcePlan>,
        subject: &str,
    ) -> Vec<JoinKeyPlan> {
        let unread = self.definition.unread();
        let mut keys: Vec<JoinKeyPlan> = Vec::new();
        let mut names: BTreeSet<&Name> = BTreeSet::new();
        let mut some_unknown = false;
        let mut seen = BTreeSet::new();
        for name in &view.entities {
            if !seen.insert(&name.value) {
                let what = format!("the entity {} is named twice", name.value);
                self.mistake(&name.place, subject, what, "keep one of them");
                continue;
            }
            let Some(entity) = self.entity(name) else {
                some_unknown = true;
                if !unread.has(Section::Entity, name.as_str()) {
                    let entities = &self.definition.sections.entities;
                    let known: Vec<&str> = entities.iter().map(|e| e.name.as_str()).collect();
                    let what = format!("there is no entity {:?}", name.as_str());
                    self.mistake(&name.place, subject, what, meant(name.as_str(), known));
                }
                continue;
            };
            some_unknown |= unread.has_any_part(Section::Entity, name.as_str())
                || unread.parts(Section::Entity, name.as_str()).next().is_some();
            for key in &entity.join_keys {
                if !names.insert(&key.name) {
                    let what = format!("two of its entities have the join key {}", key.name);
                    self.mistake(&name.place, subject, what, "rename one of them in its entity");
                    continue;
                }
                let mapped = view.join_keys.iter().find(|(of, _)| *of == key.name);
                let (field_name, place) = match mapped {
                    Some((_, field)) => (&field.value, &field.place),
                    None => (&key.name, &view.place),
                };
                let Some(source) = source else { continue };
                let Some(field) = source.field(field_name.as_str()) else {
                    let of = source.name.as_str();
                    if !unread.has_part(Section::Source, of, field_name.as_str())
                        && !unread.has_any_part(Section::Source, of)
                    {
                        let what = format!(
                            "the source {of} has no field {:?} for the join key {}",
                            field_name.as_str(),
                            key.name
                        );
                        let hint = meant(
                            field_name.as_str(),
                            source.fields.iter().map(|f| f.name.as_str()),
                        );
                        let fix = format!("{hint}; map it: join_keys: {{{}: field}}", key.name);
                        self.mistake(place, subject, what, fix);
                    }
                    continue;
                };
                let found = &source.fields[field].data_type;
                if *found != key.data_type {
                    let what = format!(
                        "the join key {} is {}, and the field {} of the source {} is {found}",
                        key.name, key.data_type, field_name, source.name
                    );
                    self.mistake(place, subject, what, "declare both with one type");
                }
                keys.push(JoinKeyPlan { name: key.name.clone(), data_type: found.clone(), field });
            }
        }
        for (name, field) in &view.join_keys {
            if !names.contains(name) && !some_unknown {
                let what = format!("none of its entities has a join key {:?}", name.as_str());
                self.mistake(
                    &field.place,
                    subject,
                    what,
                    meant(name.as_str(), names.iter().map(|n| n.as_str())),
                );
            }
        }
        keys
    }

    /// Entities are checked on their own, too: a view may not name them.
    pub(super) fn check_entities(&self) {
        for entity in &self.definition.sections.entities {
            let subject = format!("entity {}", entity.name);
            let mut seen = BTreeSet::new();
            for key in &entity.join_keys {
                if !seen.insert(&key.name) {
                    let what = format!("two join keys are named {}", key.name);
                    self.mistake(&key.place, &subject, what, "rename one of them");
                }
                if !key.data_type.is_scalar() {
                    let what = format!(
                        "the join key {} is {}, and should be a scalar",
                        key.name, key.data_type
                    );
                    self.mistake(
                        &key.place,
                        &subject,
                        what,
                        "name the parts of it as join keys of their own",
                    );
                }
            }
        }
    }
}
