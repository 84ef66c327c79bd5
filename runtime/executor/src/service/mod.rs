//! A feature service: questions in, the answers of all its features out,
//! whatever views they come from.

mod answers;
mod on_demand;
mod questions;
mod row_warning;
mod service_operator;
mod view;
mod view_rows;

pub use answers::{FeatureAnswers, ViewAnswers};
pub use on_demand::OnDemandOperator;
pub use questions::Questions;
pub use row_warning::RowWarning;
pub use service_operator::{ServiceAnswers, ServiceFeatureAnswers, ServiceOperator};
pub use view::ViewOperator;
pub use view_rows::ViewRows;

pub(crate) use view_rows::{Contents, Instants, SeenRows};
