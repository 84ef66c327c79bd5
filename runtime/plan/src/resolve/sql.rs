use unskew_definition::{DataType, Name, SqlText};
use unskew_expression::{NoReferences, ReferenceResolver, SqlExpression};

use crate::resolve::Resolver;
use crate::resolve::columns::Columns;
use crate::resolve::functions::Functions;

impl Resolver<'_> {
    /// Types a SQL text over columns; `None` where it has a mistake, or cannot
    /// be judged because of one elsewhere.
    pub(super) fn sql(
        &self,
        text: &SqlText,
        columns: &Columns,
        home: Option<&Name>,
        references: Option<&dyn ReferenceResolver>,
        subject: &str,
    ) -> Option<SqlExpression> {
        if columns.may_name_broken(text) {
            return None;
        }
        let functions = Functions::of(self.definition, home);
        let references = references.unwrap_or(&NoReferences);
        let analyzed =
            SqlExpression::analyze_with_references(text, &columns.fields(), &functions, references);
        match analyzed {
            Ok(expression) => Some(expression),
            Err(error) => {
                // What is missing may be what could not be read.
                let unread_function =
                    self.definition.unread().has_any_module() && text.contains('(');
                if !columns.has_any_broken() && !unread_function {
                    let shown: String = text.chars().take(200).collect();
                    self.mistake(&text.place, subject, format!("in {shown:?}: {error}"), "");
                }
                None
            }
        }
    }

    /// A SQL text that decides which rows count.
    pub(super) fn condition(
        &self,
        key: &str,
        text: &SqlText,
        columns: &Columns,
        home: Option<&Name>,
        subject: &str,
    ) -> Option<SqlExpression> {
        let expression = self.sql(text, columns, home, None, &format!("{subject}, {key}"))?;
        if *expression.data_type() == DataType::Bool {
            return Some(expression);
        }
        let what = format!("{key:?} is {}, and should be bool", expression.data_type());
        self.mistake(&text.place, subject, what, "write a condition, such as amount > 0");
        None
    }
}
