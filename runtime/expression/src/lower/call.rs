//! Calls of transforms: `f(x)`, `module.f(x)`, `f(argument => x)`.

use arrow::datatypes::{DataType as ArrowType, Field as ArrowField};
use sqlparser::ast::Expr;

use super::function::Arguments;
use super::{Lowering, Result_, names};
use crate::catalog::{Callable, FunctionRef};
use crate::error::ExpressionError;
use crate::representation::internal_type;
use crate::tree::{Call, Expression, Node, columns_of};

impl Lowering<'_> {
    pub(super) fn call(
        &self,
        expr: &Expr,
        module: Option<&str>,
        name: &str,
        arguments: Arguments<'_>,
    ) -> Result_ {
        let Callable { module, signature } = self.resolve(expr, module, name)?;
        let inputs = &signature.inputs;
        let takes = || {
            let inputs: Vec<String> = inputs
                .iter()
                .map(|input| {
                    let mark = if input.nullable { "?" } else { "" };
                    format!("{}: {}{mark}", input.name, input.data_type)
                })
                .collect();
            format!("{name}({})", inputs.join(", "))
        };
        let mut given: Vec<Option<&Expr>> = vec![None; inputs.len()];
        if arguments.positional.len() > inputs.len() {
            return Err(self.error(
                expr,
                format!("{} arguments are given to {}", arguments.positional.len(), takes()),
            ));
        }
        for (slot, value) in given.iter_mut().zip(&arguments.positional) {
            *slot = Some(value);
        }
        for (argument, value) in &arguments.named {
            let at = inputs.iter().position(|input| input.name.as_str() == argument.value);
            let Some(at) = at else {
                let known = inputs.iter().map(|input| input.name.as_str());
                return Err(self.error(
                    expr,
                    format!(
                        "{} has no argument {:?}{}",
                        takes(),
                        argument.value,
                        names::hint(&argument.value, known)
                    ),
                ));
            };
            if given[at].replace(value).is_some() {
                return Err(self.error(
                    expr,
                    format!("argument {} of {name} is given twice; give it once", argument.value),
                ));
            }
        }
        let mut values = Vec::with_capacity(inputs.len());
        for (input, value) in inputs.iter().zip(given) {
            let Some(value) = value else {
                return Err(self.error(
                    expr,
                    format!("argument {} is missing: it is {}", input.name, takes()),
                ));
            };
            let lowered = self.expression(value)?;
            let wanted = internal_type(&input.data_type);
            values.push(self.argument(value, lowered, &wanted, || {
                format!("argument {} of {name}", input.name)
            })?);
        }
        // A null in an argument that takes none makes all outputs null.
        let null_goes_through =
            inputs.iter().zip(&values).any(|(input, value)| !input.nullable && value.nullable);
        let (data_type, nullable) = match signature.outputs.as_slice() {
            [one] => (internal_type(&one.data_type), one.nullable || null_goes_through),
            several => {
                let fields = several
                    .iter()
                    .map(|o| ArrowField::new(o.name.as_str(), internal_type(&o.data_type), true))
                    .collect();
                (ArrowType::Struct(fields), false)
            }
        };
        let call = Call {
            function: FunctionRef { module: module.clone(), transform: signature.name.clone() },
            inputs: inputs.clone(),
            outputs: signature.outputs.clone(),
        };
        let mut calls = self.calls.borrow_mut();
        calls.push(call);
        Ok(Expression {
            data_type,
            nullable,
            fallible: true,
            columns: columns_of(&values),
            node: Node::Call { at: calls.len() - 1, arguments: values },
        })
    }

    fn resolve(
        &self,
        expr: &Expr,
        module: Option<&str>,
        name: &str,
    ) -> Result<Callable<'_>, ExpressionError> {
        let of_module = |callable: &&Callable<'_>| {
            module.is_none_or(|module| callable.module.as_str() == module)
        };
        let found: Vec<&Callable<'_>> = self
            .callables
            .iter()
            .filter(of_module)
            .filter(|callable| callable.signature.name.as_str() == name)
            .collect();
        match found.as_slice() {
            [one] => Ok(**one),
            [] => {
                let module = module.unwrap_or_default();
                let message = if self.callables.iter().any(|c| c.module.as_str() == module) {
                    let known = || {
                        self.callables.iter().filter(of_module).map(|c| c.signature.name.as_str())
                    };
                    format!(
                        "module {module} has no transform {name:?}{}; it has {}",
                        names::hint(name, known()),
                        names::listed(known())
                    )
                } else {
                    let mut modules: Vec<&str> =
                        self.callables.iter().map(|c| c.module.as_str()).collect();
                    modules.sort_unstable();
                    modules.dedup();
                    format!(
                        "there is no module {module:?} here{}; modules: {}",
                        names::hint(module, modules.iter().copied()),
                        names::listed(modules.iter().copied())
                    )
                };
                Err(self.error(expr, message))
            }
            several => {
                let ways: Vec<String> =
                    several.iter().map(|c| format!("{}.{name}(...)", c.module)).collect();
                Err(self.error(
                    expr,
                    format!("several modules have a transform {name}; write {}", ways.join(" or ")),
                ))
            }
        }
    }
}
