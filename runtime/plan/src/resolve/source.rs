use std::collections::BTreeSet;
use std::sync::Arc;

use unskew_definition::{
    DataType, EventSource, Name, Placed, RequestSource, Section, Source, SourceField as Written,
    meant,
};

use crate::on_demand_view_plan::REQUEST_TIMESTAMP;
use crate::resolve::Resolver;
use crate::source_plan::{RequestSourcePlan, SourceField, SourcePlan};

impl Resolver<'_> {
    pub(super) fn sources(&mut self) -> (Vec<Arc<SourcePlan>>, Vec<Arc<RequestSourcePlan>>) {
        for source in &self.definition.sections.sources {
            let name = source.name().as_str().to_owned();
            match source {
                Source::Event(source) => {
                    let plan = Arc::new(self.event_source(source));
                    self.sources.insert(name, plan);
                }
                Source::Request(source) => {
                    let plan = Arc::new(self.request_source(source));
                    self.request_sources.insert(name, plan);
                }
            }
        }
        (self.sources.values().cloned().collect(), self.request_sources.values().cloned().collect())
    }

    fn request_source(&self, source: &RequestSource) -> RequestSourcePlan {
        let subject = format!("source {}", source.name);
        for field in &source.fields {
            if field.name == *REQUEST_TIMESTAMP {
                let what = format!(
                    "a field is named {REQUEST_TIMESTAMP}, as the column that every on-demand view has"
                );
                self.mistake(&field.place, &subject, what, "choose another name");
            }
        }
        RequestSourcePlan {
            name: source.name.clone(),
            fields: self.fields(&source.fields, &subject),
        }
    }

    fn fields(&self, fields: &[Written], subject: &str) -> Vec<SourceField> {
        let mut seen = BTreeSet::new();
        for field in fields {
            if !seen.insert(&field.name) {
                let what = format!("two fields are named {}", field.name);
                self.mistake(
                    &field.place,
                    subject,
                    what,
                    "rename one of them; \"column\" says its name in files",
                );
            }
        }
        let field = |field: &Written| SourceField {
            name: field.name.clone(),
            column: field.column.clone(),
            data_type: field.data_type.clone(),
            nullable: field.nullable,
        };
        fields.iter().map(field).collect()
    }

    fn event_source(&self, source: &EventSource) -> SourcePlan {
        let subject = format!("source {}", source.name);
        let fields = self.fields(&source.fields, &subject);
        let timestamp = |data_type: &DataType| *data_type == DataType::Timestamp;
        let integer = |data_type: &DataType| data_type.to_arrow().is_integer();
        let role =
            |role: &str, name: &Placed<Name>, wanted: &str, fits: &dyn Fn(&DataType) -> bool| {
                self.role(source, &subject, role, name, wanted, fits)
            };
        let optional = |key: &str,
                        name: &Option<Placed<Name>>,
                        wanted: &str,
                        fits: &dyn Fn(&DataType) -> bool| {
            name.as_ref().and_then(|name| role(key, name, wanted, fits))
        };
        if source.partition.is_some() != source.offset.is_some() {
            let (there, missing) = if source.offset.is_none() {
                ("partition", "offset")
            } else {
                ("offset", "partition")
            };
            let what = format!("it has {there:?} and no {missing:?}");
            self.mistake(
                &source.place,
                &subject,
                what,
                format!("name the field of {missing:?}, or leave both out"),
            );
        }
        SourcePlan {
            name: source.name.clone(),
            event_timestamp: role(
                "event_timestamp",
                &source.event_timestamp,
                "timestamp",
                &timestamp,
            )
            .unwrap_or_default(),
            created_timestamp: optional(
                "created_timestamp",
                &source.created_timestamp,
                "timestamp",
                &timestamp,
            ),
            broker_timestamp: optional(
                "broker_timestamp",
                &source.broker_timestamp,
                "timestamp",
                &timestamp,
            ),
            partition: optional("partition", &source.partition, "an integer", &integer),
            offset: optional("offset", &source.offset, "an integer", &integer),
            event_id: optional("event_id", &source.event_id, "a scalar", &DataType::is_scalar),
            fields,
            out_of_orderness_us: source.out_of_orderness_us,
            max_future_skew_us: source.max_future_skew_us,
            allowed_lateness_us: source.allowed_lateness_us,
            bad_rows: source.bad_rows,
            files: source.files.iter().map(|file| file.value.clone()).collect(),
            kafka: source.kafka.clone(),
            push: source.push,
        }
    }

    /// The field that a key of the source names.
    fn role(
        &self,
        source: &EventSource,
        subject: &str,
        role: &str,
        name: &Placed<Name>,
        wanted: &str,
        fits: &dyn Fn(&DataType) -> bool,
    ) -> Option<usize> {
        let Some(at) = source.fields.iter().position(|field| field.name == name.value) else {
            let unread = self.definition.unread();
            if !unread.has_part(Section::Source, source.name.as_str(), name.as_str())
                && !unread.has_any_part(Section::Source, source.name.as_str())
            {
                let names = source.fields.iter().map(|field| field.name.as_str());
                let what =
                    format!("{role:?} names the field {:?}, which is not there", name.as_str());
                self.mistake(&name.place, subject, what, meant(name.as_str(), names));
            }
            return None;
        };
        let data_type = &source.fields[at].data_type;
        if !fits(data_type) {
            let what = format!(
                "{role:?} names the field {}, which is {data_type}, and should be {wanted}",
                name.value
            );
            self.mistake(
                &name.place,
                subject,
                what,
                "declare the field's type so; text in files is read as any type",
            );
        }
        Some(at)
    }
}
