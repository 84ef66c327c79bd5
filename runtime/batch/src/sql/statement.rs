//! Statements before and after they are planned.

use std::ops::ControlFlow;

use datafusion::common::plan_datafusion_err;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Subscript, Value, visit_expressions, visit_expressions_mut,
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

/// A query answers from files and changes none; views last as long as the
/// session.
pub(super) fn check_kind(plan: &LogicalPlan) -> datafusion::common::Result<()> {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateView(_) | DdlStatement::DropView(_)) => {}
        LogicalPlan::Ddl(_) => {
            return Err(plan_datafusion_err!(
                "of CREATE and DROP only views are taken; name files by --table NAME=PATH or in FROM '...', and write one by --output F"
            ));
        }
        LogicalPlan::Copy(_) | LogicalPlan::Dml(_) => {
            return Err(plan_datafusion_err!(
                "queries change no files; write the rows of a query by --output F"
            ));
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
