use std::collections::BTreeSet;

use serde_json::value::RawValue;
use unskew_column::text::ColumnBuilder;
use unskew_definition::{About, DataType, DefaultValue, Feature, Name, Place, Placed};

use arrow::array::ArrayRef;

use crate::resolve::columns::Columns;
use crate::resolve::{Found, Resolver};
use crate::view_plan::FeatureField;

impl Resolver<'_> {
    /// What a view serves: the features that were written, or `usual` columns.
    pub(super) fn features(
        &self,
        written: Option<&[Feature]>,
        usual: &[Name],
        columns: &Columns,
        place: &Place,
        subject: &str,
    ) -> Vec<FeatureField> {
        let Some(written) = written else {
            if usual.is_empty() && !columns.has_broken() {
                self.mistake(
                    place,
                    subject,
                    "it serves nothing",
                    "name columns under \"features\": [{name: amount}]",
                );
            }
            return usual.iter().filter_map(|name| self.usual_feature(name, columns)).collect();
        };
        if written.is_empty() && self.count() == 0 {
            self.mistake(
                place,
                subject,
                "\"features\" is empty",
                "name a column, or leave the key out to serve all",
            );
        }
        let mut seen = BTreeSet::new();
        let mut features = Vec::with_capacity(written.len());
        for feature in written {
            let subject = format!("{subject}, feature {}", feature.name);
            if !seen.insert(&feature.name) {
                let what = format!("two features are named {}", feature.name);
                self.mistake(&feature.place, &subject, what, "rename one of them");
            }
            let (name, place) = match &feature.column {
                Some(Placed { value, place }) => (value, place),
                None => (&feature.name, &feature.place),
            };
            let at = match columns.find(name) {
                Found::Known(at) => at,
                Found::Broken => continue,
                Found::Missing(what, fix) => {
                    self.mistake(place, &subject, what, fix);
                    continue;
                }
            };
            let column = &columns.known[at];
            if let Some(declared) = &feature.data_type
                && declared.value != column.data_type
            {
                let what = format!(
                    "it is declared as {}, and its column is {}",
                    declared.value, column.data_type
                );
                let fix =
                    format!("declare it as {}, or convert the column in a step", column.data_type);
                self.mistake(&declared.place, &subject, what, fix);
            }
            let default = feature
                .default
                .as_ref()
                .and_then(|default| self.default(default, &column.data_type, &subject));
            features.push(FeatureField {
                name: feature.name.clone(),
                column: at,
                data_type: column.data_type.clone(),
                nullable: column.nullable,
                default,
                about: feature.about.clone(),
            });
        }
        features
    }

    fn usual_feature(&self, name: &Name, columns: &Columns) -> Option<FeatureField> {
        let Found::Known(at) = columns.find(name) else { return None };
        let column = &columns.known[at];
        Some(FeatureField {
            name: name.clone(),
            column: at,
            data_type: column.data_type.clone(),
            nullable: column.nullable,
            default: None,
            about: About::default(),
        })
    }

    /// A default as an array of one row.
    fn default(
        &self,
        default: &Placed<DefaultValue>,
        data_type: &DataType,
        subject: &str,
    ) -> Option<ArrayRef> {
        let json = default.as_json();
        let mut builder = ColumnBuilder::new(data_type, 1);
        let pushed = serde_json::from_str::<&RawValue>(json)
            .map_err(|error| error.to_string())
            .and_then(|raw| builder.push_json(raw).map_err(|error| error.to_string()));
        match pushed {
            Ok(()) => Some(builder.finish()),
            Err(error) => {
                let what = format!("its default does not fit: {error}");
                self.mistake(
                    &default.place,
                    subject,
                    what,
                    format!("write a value of {data_type}"),
                );
                None
            }
        }
    }
}
