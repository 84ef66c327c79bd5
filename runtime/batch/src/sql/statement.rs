//! Statements before and after they are planned.

use std::ops::ControlFlow;

use datafusion::common::plan_datafusion_err;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArguments, Ident, ObjectNamePart,
    Statement as SqlStatement, Subscript, Value, visit_expressions, visit_expressions_mut,
};

/// Shows every expression of a statement.
pub(super) fn visit(statement: &Statement, see: &mut impl FnMut(&Expr) -> ControlFlow<()>) {
    match statement {
        Statement::Statement(statement) => {
            let _ = visit_expressions(statement.as_ref(), see);
        }
        Statement::Explain(explain) => visit(&explain.statement, see),
        _ => {}
    }
}

/// `f(x).field`, as expressions of definitions write it, becomes
/// `f(x)['field']`, which the planner knows.
pub(super) fn fields_by_name(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => {
            let _ = visit_expressions_mut(statement.as_mut(), |expression| {
                if let Expr::Function(function) = &*expression
                    && let Some(column) = word_of_sql(function)
                {
                    *expression = Expr::Identifier(column);
                }
                if let Expr::CompoundFieldAccess { access_chain, .. } = expression {
                    for access in access_chain {
                        if let AccessExpr::Dot(Expr::Identifier(field)) = access {
                            let name = Value::SingleQuotedString(field.value.clone());
                            let index = Expr::Value(name.with_empty_span());
                            *access = AccessExpr::Subscript(Subscript::Index { index });
                        }
                    }
                }
                ControlFlow::<()>::Continue(())
            });
        }
        Statement::Explain(explain) => fields_by_name(&mut explain.statement),
        _ => {}
    }
}

/// `user` and its like, which the parser takes for functions without an
/// argument list, and which are columns here. The time is none.
fn word_of_sql(function: &Function) -> Option<Ident> {
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let is_word = matches!(function.args, FunctionArguments::None)
        && !["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"]
            .contains(&name.value.to_lowercase().as_str());
    is_word.then(|| name.clone())
}

/// Refuses what would be taken for a table that is not there.
pub(super) fn check_statement(statement: &Statement) -> datafusion::common::Result<()> {
    match statement {
        Statement::Statement(statement)
            if matches!(statement.as_ref(), SqlStatement::CreateTable(_)) =>
        {
            Err(plan_datafusion_err!("{ONLY_VIEWS}"))
        }
        Statement::CreateExternalTable(_) => Err(plan_datafusion_err!("{ONLY_VIEWS}")),
        Statement::CopyTo(_) => Err(plan_datafusion_err!("{NO_CHANGES}")),
        _ => Ok(()),
    }
}

const ONLY_VIEWS: &str = "of CREATE and DROP only views are taken; name files by --table NAME=PATH or in FROM '...', and write one by --output F";
const NO_CHANGES: &str = "queries change no files; write the rows of a query by --output F";

/// A query answers from files and changes none; views last as long as the
/// session.
pub(super) fn check_kind(plan: &LogicalPlan) -> datafusion::common::Result<()> {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateView(_) | DdlStatement::DropView(_)) => {}
        LogicalPlan::Ddl(_) => {
            return Err(plan_datafusion_err!("{ONLY_VIEWS}"));
        }
        LogicalPlan::Copy(_) | LogicalPlan::Dml(_) => {
            return Err(plan_datafusion_err!("{NO_CHANGES}"));
        }
        LogicalPlan::Statement(_) => {
            return Err(plan_datafusion_err!(
                "this statement is not taken; options are given on the command line"
            ));
        }
        _ => {}
    }
    let options = SQLOptions::new().with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(plan)
}
