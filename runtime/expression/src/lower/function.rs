use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, FieldRef};
use datafusion_common::ScalarValue;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::type_coercion::functions::fields_with_udf;
use datafusion_expr::{Operator, ReturnFieldArgs, ScalarUDF};
use datafusion_physical_expr::ScalarFunctionExpr;
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectNamePart,
};

use super::coerce::{Kind, kind};
use super::{Lowering, Result_, names, shown};
use crate::allowed::{self, Allowed, Nulls};
use crate::error::ExpressionError;
use crate::native::Native;
use crate::operation::{Making, operation, reason};
use crate::representation::{normal_type, shown_type};
use crate::tree::Expression;

/// The arguments of a call as they stand in the text.
pub(super) struct Arguments<'a> {
    pub(super) positional: Vec<&'a Expr>,
    pub(super) named: Vec<(&'a Ident, &'a Expr)>,
}

impl Lowering<'_> {
    pub(super) fn function(&self, expr: &Expr, function: &Function) -> Result_ {
        let parts: Option<Vec<&Ident>> =
            function.name.0.iter().map(ObjectNamePart::as_ident).collect();
        let arguments = self.arguments(expr, function)?;
        match parts.as_deref() {
            Some([name]) => self.unqualified(expr, name, arguments),
            Some([module, name]) => self.call(expr, Some(&module.value), &name.value, arguments),
            _ => Err(self.error(
                expr,
                format!(
                    "{} is no function; write function(...) or module.transform(...)",
                    function.name
                ),
            )),
        }
    }

    /// `module.transform(...)`.
    pub(super) fn function_of(&self, expr: &Expr, module: &Ident, function: &Function) -> Result_ {
        let arguments = self.arguments(expr, function)?;
        match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => {
                self.call(expr, Some(&module.value), &name.value, arguments)
            }
            _ => {
                Err(self.error(expr, format!("{expr} is no function; write module.transform(...)")))
            }
        }
    }

    fn unqualified(&self, expr: &Expr, name: &Ident, arguments: Arguments<'_>) -> Result_ {
        let lower = name.value.to_lowercase();
        let built_in = allowed::is_allowed(&lower);
        if !built_in && self.callables.iter().any(|c| c.signature.name.as_str() == name.value) {
            return self.call(expr, None, &name.value, arguments);
        }
        if !built_in {
            let mut known: Vec<&str> = Vec::new();
            for name in allowed::names() {
                known.push(name);
            }
            for callable in &self.callables {
                known.push(callable.signature.name.as_str());
            }
            let message = match allowed::refusal(&lower) {
                Some(reason) => format!("the function {lower} is not taken: {reason}"),
                None => format!(
                    "there is no function {:?}{}; docs/sql.md lists the built-in ones",
                    name.value,
                    names::hint(&name.value, known.into_iter())
                ),
            };
            return Err(self.error(expr, message));
        }
        if let Some((named, _)) = arguments.named.first() {
            return Err(self.error(
                expr,
                format!("{lower} is built in and takes its arguments in their order; leave out `{named} =>`"),
            ));
        }
        self.named(expr, &lower, &arguments.positional)
    }

    /// A built-in function by its name in small letters.
    pub(super) fn apply_named(
        &self,
        expr: &Expr,
        name: &str,
        arguments: Vec<Expression>,
    ) -> Result_ {
        match allowed::find(name).expect("a built-in function") {
            Allowed::Coalesce => self.coalesce(expr, arguments),
            Allowed::Modulo => {
                let [left, right] = self.exactly(expr, name, arguments)?;
                self.arithmetic(expr, left, Operator::Modulo, right)
            }
            Allowed::NullIf => {
                let [left, right] = self.exactly(expr, name, arguments)?;
                let equal = self.compare(expr, left.clone(), Operator::Eq, right)?;
                self.native_of(expr, &crate::native::NULL_IF, vec![left, equal])
            }
            Allowed::Alike(udf) => {
                if arguments.is_empty() {
                    return Err(self.error(expr, format!("{name} takes at least one value")));
                }
                let all: Vec<&Expression> = arguments.iter().collect();
                let common = self.common_of(expr, &format!("the values of {name}"), &all)?;
                if matches!(kind(&common), Kind::List | Kind::Struct | Kind::Interval | Kind::Null)
                {
                    return Err(self
                        .error(expr, format!("{name} does not compare {}", shown_type(&common))));
                }
                let arguments = arguments
                    .into_iter()
                    .map(|argument| self.cast_to(expr, argument, &common, false))
                    .collect::<Result<_, _>>()?;
                self.datafusion(expr, name, udf, Nulls::Never, arguments)
            }
            Allowed::Native(native) => self.native_of(expr, native, arguments),
            Allowed::DataFusion(udf, nulls) => self.datafusion(expr, name, udf, nulls, arguments),
        }
    }

    fn exactly<const N: usize>(
        &self,
        expr: &Expr,
        name: &str,
        arguments: Vec<Expression>,
    ) -> Result<[Expression; N], ExpressionError> {
        let given = arguments.len();
        arguments.try_into().map_err(|_| {
            self.error(expr, format!("{name} takes {N} arguments, and is given {given}"))
        })
    }

    /// One of our own functions, which says itself what it takes.
    fn native_of(
        &self,
        expr: &Expr,
        native: &'static Native,
        arguments: Vec<Expression>,
    ) -> Result_ {
        let types: Vec<ArrowType> = arguments.iter().map(|a| a.data_type.clone()).collect();
        let literals: Vec<Option<&ScalarValue>> =
            arguments.iter().map(Expression::as_literal).collect();
        let (wanted, yields) = (native.resolve)(&types, &literals)
            .map_err(|reason| self.error(expr, format!("{}: {reason}", native.name)))?;
        let mut cast = Vec::with_capacity(arguments.len());
        for (at, (argument, wanted)) in arguments.into_iter().zip(&wanted).enumerate() {
            // The resolver has chosen types that its arguments may become.
            let argument =
                match kind(&argument.data_type) == kind(wanted) || argument.is_null_literal() {
                    true => self.cast_to(expr, argument, wanted, false)?,
                    false => self.argument(expr, argument, wanted, || {
                        format!("argument {} of {}", at + 1, native.name)
                    })?,
                };
            cast.push(argument);
        }
        self.native(expr, native, cast, yields)
    }

    pub(super) fn native(
        &self,
        expr: &Expr,
        native: &'static Native,
        arguments: Vec<Expression>,
        yields: ArrowType,
    ) -> Result_ {
        let nullable = native.makes_nulls || arguments.iter().any(|argument| argument.nullable);
        self.scalar_function(
            expr,
            Arc::new(native.udf(&yields)),
            arguments,
            yields,
            nullable,
            native.fallible,
        )
    }

    /// A function of DataFusion.
    fn datafusion(
        &self,
        expr: &Expr,
        name: &str,
        udf: Arc<ScalarUDF>,
        nulls: Nulls,
        arguments: Vec<Expression>,
    ) -> Result_ {
        let wrong = |reason: String| self.error(expr, format!("{name}: {reason}"));
        let fields: Vec<FieldRef> = arguments
            .iter()
            .enumerate()
            .map(|(i, a)| Arc::new(ArrowField::new(format!("a{i}"), a.data_type.clone(), true)))
            .collect();
        let given = || {
            let types: Vec<String> = arguments.iter().map(|a| shown_type(&a.data_type)).collect();
            if types.is_empty() { "no arguments".to_owned() } else { types.join(", ") }
        };
        let takes = || match allowed::form(name) {
            Some(form) => format!("write {form}; it is given {}", given()),
            None => format!("it does not take {}", given()),
        };
        let coerced = fields_with_udf(&fields, udf.as_ref()).map_err(|_| wrong(takes()))?;
        for (argument, field) in arguments.iter().zip(&coerced) {
            let (from, to) = (kind(&argument.data_type), kind(field.data_type()));
            // DataFusion would print a number to have a text; we ask for a cast.
            if from != to && from != Kind::Null {
                return Err(wrong(takes()));
            }
        }
        let arguments = arguments
            .into_iter()
            .zip(&coerced)
            .map(|(argument, field)| {
                let to = field.data_type();
                // Views and large forms hold the same values.
                let plain = normal_type(to);
                let argument = self.cast_to(expr, argument, &plain, false)?;
                self.cast_to(expr, argument, to, false)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let literals: Vec<Option<&ScalarValue>> =
            arguments.iter().map(Expression::as_literal).collect();
        let arg_fields: Vec<FieldRef> = arguments
            .iter()
            .enumerate()
            .map(|(i, a)| Arc::new(ArrowField::new(format!("a{i}"), a.data_type.clone(), true)))
            .collect();
        let returned = udf
            .return_field_from_args(ReturnFieldArgs {
                arg_fields: &arg_fields,
                scalar_arguments: &literals,
            })
            .map_err(|error| wrong(reason(&error)))?;
        let nullable = match nulls {
            Nulls::OfArguments => arguments.iter().any(|argument| argument.nullable),
            Nulls::Never => arguments.iter().all(|argument| argument.nullable),
            Nulls::Any => true,
        };
        let yields = returned.data_type().clone();
        self.scalar_function(expr, udf, arguments, yields, nullable, true)
    }

    fn scalar_function(
        &self,
        expr: &Expr,
        udf: Arc<ScalarUDF>,
        arguments: Vec<Expression>,
        yields: ArrowType,
        nullable: bool,
        fallible: bool,
    ) -> Result_ {
        let shown = shown(expr);
        let making = Making { data_type: normal_type(&yields), nullable, fallible, shown: &shown };
        operation(arguments, making, |operands, _| {
            let returns = Arc::new(ArrowField::new("value", yields, true));
            let name = udf.name().to_owned();
            let options = Arc::new(ConfigOptions::default());
            Ok(Arc::new(ScalarFunctionExpr::new(&name, udf, operands, returns, options)))
        })
        .map_err(|error| self.error(expr, reason(&error)))
    }

    /// The arguments, where the call has no more than arguments.
    fn arguments<'e>(
        &self,
        expr: &Expr,
        function: &'e Function,
    ) -> Result<Arguments<'e>, ExpressionError> {
        let Function {
            name,
            uses_odbc_syntax: _,
            parameters,
            args,
            filter,
            null_treatment,
            over,
            within_group,
        } = function;
        let wrong = |message: String| Err(self.error(expr, message));
        if over.is_some() {
            return wrong(format!(
                "{name}(...) OVER is a window function, and an expression sees one row; windows and aggregates are declared in the view"
            ));
        }
        if filter.is_some() || !within_group.is_empty() || null_treatment.is_some() {
            return wrong(format!(
                "{name}(...) with FILTER, WITHIN GROUP or NULLS is an aggregate, and an expression sees one row; declare it in the view's `aggregates`"
            ));
        }
        if !matches!(parameters, FunctionArguments::None) {
            return wrong(format!("{name} takes one list of arguments"));
        }
        let list = match args {
            FunctionArguments::None => {
                return Ok(Arguments { positional: Vec::new(), named: Vec::new() });
            }
            FunctionArguments::Subquery(_) => {
                return wrong("an expression sees one row: subqueries are not taken".to_owned());
            }
            FunctionArguments::List(list) => list,
        };
        if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return wrong(format!(
                "{name}(...) with DISTINCT, ORDER BY or LIMIT is an aggregate, and an expression sees one row; declare it in the view's `aggregates`"
            ));
        }
        let mut arguments = Arguments { positional: Vec::new(), named: Vec::new() };
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value))
                    if arguments.named.is_empty() =>
                {
                    arguments.positional.push(value);
                }
                FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => {
                    return wrong(format!("{name}: arguments by name stand behind those by place"));
                }
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => {
                    arguments.named.push((name, value));
                }
                _ => {
                    let aggregate = allowed::refusal(&name.to_string().to_lowercase());
                    return match aggregate {
                        Some(reason) => {
                            wrong(format!("the function {name} is not taken: {reason}"))
                        }
                        None => wrong(format!("{name}: `*` is no value; name the columns")),
                    };
                }
            }
        }
        Ok(arguments)
    }
}
