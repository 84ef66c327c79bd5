//! Aggregates, those of modules and the built-in ones, as aggregate functions
//! of SQL.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, FieldRef};
use arrow::row::SortField;
use datafusion::common::{DataFusionError, Result, ScalarValue, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;
use unskew_column::{Conversion, arrow_name};
use unskew_definition::{DataType, Name};
use unskew_executor::{
    AggregateKernel, BuiltInAggregate, ErrorPolicy, ModuleAggregate, fitting_type,
};

use crate::sql::argument::{call_form, check_argument, check_count};
use crate::sql::built_in_aggregate::{BuiltIn, Given, Parameter};
use crate::sql::group_states::Fold;
use crate::sql::kernel_accumulator::{KernelGroup, KernelGroups};
use crate::sql::row_failures::RowFailures;

/// Folds rows by the kernel of the executor, in as many stages as the query
/// has.
#[derive(Clone)]
pub(crate) struct AggregateFunction {
    name: String,
    /// `module.aggregate`, as failures are counted.
    label: String,
    aliases: Vec<String>,
    kind: Kind,
    policy: ErrorPolicy,
    failures: RowFailures,
    signature: Signature,
}

#[derive(Clone)]
enum Kind {
    Module(ModuleAggregate),
    BuiltIn(&'static BuiltIn),
}

impl AggregateFunction {
    /// An aggregate of a module.
    pub(crate) fn of_module(
        name: String,
        label: String,
        aggregate: ModuleAggregate,
        policy: ErrorPolicy,
        failures: RowFailures,
    ) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        let (aliases, kind) = (Vec::new(), Kind::Module(aggregate));
        Self { name, label, aliases, kind, policy, failures, signature }
    }

    /// A built-in one.
    pub(crate) fn built_in(
        built_in: &'static BuiltIn,
        policy: ErrorPolicy,
        failures: RowFailures,
    ) -> Self {
        Self {
            name: built_in.name.to_owned(),
            label: built_in.name.to_owned(),
            aliases: built_in.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            kind: Kind::BuiltIn(built_in),
            policy,
            failures,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    /// The kernel for what is given, with the parameter where it is known.
    fn kernel(
        &self,
        given: &[ArrowType],
        parameter: Option<&Given>,
    ) -> Result<Arc<dyn AggregateKernel>> {
        match &self.kind {
            Kind::Module(aggregate) => Ok(Arc::new(aggregate.clone())),
            Kind::BuiltIn(built_in) => {
                let any = built_in.any_parameter();
                let function = (built_in.function)(parameter.unwrap_or(&any));
                let Some(found) = given.first() else {
                    return plan_err!("{} is called as {}", self.name, built_in.form());
                };
                let output = Name::new("value").expect("a constant name is a name");
                let refused = |reason: String| {
                    DataFusionError::Plan(format!("{}: {reason}", built_in.form()))
                };
                let input = input_type(found).ok_or_else(|| {
                    refused(format!(
                        "it takes scalars, not {}; take a part of it",
                        arrow_name(found)
                    ))
                })?;
                let kernel = BuiltInAggregate::new(function, Some(&input), output)
                    .map_err(|error| refused(error.to_string()))?;
                Ok(Arc::new(kernel))
            }
        }
    }

    fn fold(&self, arguments: &AccumulatorArgs<'_>) -> Result<Arc<Fold>> {
        if arguments.is_distinct {
            return not_impl_err!(
                "{}(DISTINCT ...) beside other aggregates; take SELECT DISTINCT in a subquery first, or count_distinct(value)",
                self.name
            );
        }
        let given: Vec<ArrowType> =
            arguments.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let parameter = match &self.kind {
            Kind::BuiltIn(built_in) => {
                let constant = arguments.exprs.get(1).and_then(|expr| {
                    expr.downcast_ref::<Literal>().map(|literal| literal.value().clone())
                });
                Some(built_in.parameter_of(constant.as_ref())?)
            }
            Kind::Module(_) => None,
        };
        let kernel = self.kernel(&given, parameter.as_ref())?;
        let conversions = kernel.inputs().iter().zip(&given).map(|(input, found)| {
            Conversion::between(found, &input.data_type).ok_or_else(|| {
                DataFusionError::Plan(format!(
                    "{}: argument {} is {}, and what is given is {}",
                    self.name,
                    input.name,
                    input.data_type,
                    arrow_name(found)
                ))
            })
        });
        let conversions = conversions.collect::<Result<Vec<_>>>()?;
        let order = match (self.needs_order(), arguments.order_bys) {
            (false, _) => None,
            (true, []) => {
                return plan_err!("{} needs an order: {}", self.name, self.form());
            }
            (true, by) => {
                let fields = by.iter().map(|sort| {
                    let data_type = sort.expr.data_type(arguments.schema)?;
                    Ok(SortField::new_with_options(data_type, sort.options))
                });
                Some((given.len(), fields.collect::<Result<Vec<_>>>()?))
            }
        };
        Ok(Arc::new(Fold {
            name: self.label.clone(),
            kernel,
            conversions,
            order,
            policy: self.policy.clone(),
            failures: self.failures.clone(),
        }))
    }

    fn needs_order(&self) -> bool {
        match &self.kind {
            Kind::Module(_) => false,
            Kind::BuiltIn(built_in) => (built_in.function)(&built_in.any_parameter()).needs_order(),
        }
    }

    fn form(&self) -> String {
        match &self.kind {
            Kind::Module(aggregate) => call_form(&self.name, aggregate.inputs()),
            Kind::BuiltIn(built_in) => built_in.form(),
        }
    }
}

/// The type as which values are folded; nulls alone count as whole numbers.
fn input_type(found: &ArrowType) -> Option<DataType> {
    match found {
        ArrowType::Null => Some(DataType::Int64),
        ArrowType::Dictionary(_, values) => input_type(values),
        _ => fitting_type(found),
    }
}

impl AggregateUDFImpl for AggregateFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[ArrowType]) -> Result<ArrowType> {
        Ok(self.kernel(given, None)?.output().data_type.to_arrow())
    }

    /// Nothing is cast before it arrives: conversions are the executor's.
    fn coerce_types(&self, given: &[ArrowType]) -> Result<Vec<ArrowType>> {
        match &self.kind {
            Kind::Module(aggregate) => {
                let inputs = aggregate.inputs();
                check_count(&self.name, inputs, given.len())?;
                for (input, found) in inputs.iter().zip(given) {
                    let field = Arc::new(ArrowField::new("given", found.clone(), true));
                    check_argument(&self.name, inputs, input, &field, None)?;
                }
            }
            Kind::BuiltIn(built_in) => {
                let wanted = if built_in.parameter == Parameter::None { 1 } else { 2 };
                if given.len() != wanted {
                    return plan_err!(
                        "{} is called as {}; {} arguments are given",
                        self.name,
                        built_in.form(),
                        given.len()
                    );
                }
                self.kernel(given, None)?;
            }
        }
        Ok(given.to_vec())
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format!("{}[state]", arguments.name);
        Ok(vec![Arc::new(ArrowField::new(name, ArrowType::Binary, true))])
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(KernelGroup::new(self.fold(&arguments)?)?))
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        !arguments.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(KernelGroups::new(self.fold(&arguments)?)?))
    }

    /// Rows bring the columns of their ORDER BY along, so that any order of
    /// arrival gives the same.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        match self.needs_order() {
            true => AggregateOrderSensitivity::Beneficial,
            false => AggregateOrderSensitivity::Insensitive,
        }
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        _is_ordered: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn default_value(&self, data_type: &ArrowType) -> Result<ScalarValue> {
        ScalarValue::try_from(data_type)
    }
}

impl fmt::Debug for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregateFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for AggregateFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for AggregateFunction {}

impl Hash for AggregateFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
