use datafusion::arrow::datatypes::Schema;
use unskew_plan::ServiceFeature;

use crate::error::BatchError;
use crate::train::TrainingJob;
use crate::train::training_set::status_name;

/// The names of the features' columns, none of which may be one of the labels'.
pub(crate) fn feature_names(
    job: &TrainingJob,
    features: &[ServiceFeature],
    labels: &Schema,
) -> Result<Vec<String>, BatchError> {
    let of = |feature: &ServiceFeature| {
        let (id, name) = (feature.view.id(), &feature.field().name);
        let is_other = |other: &ServiceFeature| {
            other.view.id().name == id.name && other.view.id().version != id.version
        };
        match job.full_feature_names {
            // Versions of one view stand side by side.
            true if features.iter().any(is_other) => format!("{}_v{}__{name}", id.name, id.version),
            true => format!("{}__{name}", id.name),
            false => name.to_string(),
        }
    };
    let names: Vec<String> = features.iter().map(of).collect();
    let columns = |name: &str| match job.statuses {
        true => vec![name.to_owned(), status_name(name)],
        false => vec![name.to_owned()],
    };
    for (at, name) in names.iter().enumerate() {
        let own = columns(name);
        let is_twice = names[..at].iter().any(|other| {
            let others = columns(other);
            own.iter().any(|column| others.contains(column))
        });
        let is_label = own.iter().any(|column| labels.column_with_name(column).is_some());
        if is_twice || is_label {
            return Err(BatchError::NameClash {
                column: name.clone(),
                which: match is_twice {
                    true => "two features of the service".to_owned(),
                    false => "a column of the labels and a feature".to_owned(),
                },
                advice: "name features by their views, too, with --full-feature-names, or rename the labels' column".to_owned(),
            });
        }
    }
    Ok(names)
}
