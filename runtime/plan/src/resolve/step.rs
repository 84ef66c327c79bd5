use unskew_column::converts;
use unskew_definition::{DataType, Field, ModuleStep, Name, Place, Placed, Step, meant};
use unskew_expression::ReferenceResolver;

use crate::resolve::columns::Columns;
use crate::resolve::{Found, Resolver};
use crate::step_plan::{ColumnPlan, StepPlan};

/// Where steps stand.
pub(super) struct StepScope<'a> {
    /// The view, for messages.
    pub(super) subject: &'a str,
    /// `transform` or `post-transform`.
    pub(super) kind: &'a str,
    pub(super) home: Option<&'a Name>,
    pub(super) references: Option<&'a dyn ReferenceResolver>,
}

impl Resolver<'_> {
    /// Resolves steps one after the other; their outputs join the columns.
    pub(super) fn steps(
        &self,
        steps: &[Step],
        columns: &mut Columns,
        scope: &StepScope<'_>,
    ) -> Vec<StepPlan> {
        let mut resolved = Vec::with_capacity(steps.len());
        for (i, step) in steps.iter().enumerate() {
            let subject = format!("{}, {} {}", scope.subject, scope.kind, i + 1);
            match step {
                Step::Sql(step) => {
                    let mut outputs = Vec::new();
                    let mut broken = Vec::new();
                    for (name, text) in &step.outputs {
                        let subject = format!("{subject}, column {name}");
                        self.is_new(name, columns, &text.place, &subject);
                        let expression =
                            self.sql(text, columns, scope.home, scope.references, &subject);
                        match expression {
                            Some(expression) => {
                                let column = ColumnPlan {
                                    name: name.clone(),
                                    data_type: expression.data_type().clone(),
                                    nullable: expression.nullable(),
                                };
                                outputs.push((column, expression));
                            }
                            None => broken.push(name),
                        }
                    }
                    outputs.iter().for_each(|(column, _)| columns.push(column.clone()));
                    broken.into_iter().for_each(|name| columns.add_broken(name.as_str()));
                    resolved.push(StepPlan::Sql { outputs });
                }
                Step::Module(step) => {
                    let step = self.module_step(step, columns, scope, &subject);
                    resolved.extend(step);
                }
            }
        }
        resolved
    }

    fn is_new(&self, name: &Name, columns: &Columns, place: &Place, subject: &str) {
        if columns.has(name) {
            let what = format!("there is a column {:?} already", name.as_str());
            self.mistake(place, subject, what, "choose another name; no column replaces another");
        }
    }

    fn module_step(
        &self,
        step: &ModuleStep,
        columns: &mut Columns,
        scope: &StepScope<'_>,
        subject: &str,
    ) -> Option<StepPlan> {
        let (module, signature) =
            match self.transform(&step.transform, step.module.as_ref(), scope.home) {
                Found::Known(found) => found,
                found => {
                    if let Found::Missing(what, fix) = found {
                        self.mistake(&step.transform.place, subject, what, fix);
                    }
                    // Outputs that keep their names are not known either.
                    columns.add_any_broken();
                    return None;
                }
            };
        let function =
            Function { what: "transform", name: &signature.name, inputs: &signature.inputs };
        let inputs = self.arguments(&function, &step.inputs, columns, &step.place, subject);
        let known = signature.outputs.iter().map(|output| output.name.as_str());
        for (i, (output, column)) in step.outputs.iter().enumerate() {
            if known.clone().all(|name| *output != *name) {
                let what =
                    format!("the transform {} has no output {:?}", signature.name, output.as_str());
                self.mistake(&column.place, subject, what, meant(output.as_str(), known.clone()));
            }
            if step.outputs[..i].iter().any(|(earlier, _)| earlier == output) {
                let what = format!("the output {:?} is named twice", output.as_str());
                self.mistake(&column.place, subject, what, "keep one of them");
            }
        }
        // A null in an argument that is never null makes the outputs null.
        let skips = inputs
            .iter()
            .flatten()
            .zip(&signature.inputs)
            .any(|(at, input)| !input.nullable && columns.known[*at].nullable);
        let mut outputs: Vec<ColumnPlan> = Vec::new();
        for output in &signature.outputs {
            let renamed = step.outputs.iter().find(|(name, _)| *name == output.name);
            let (name, place) = match renamed {
                Some((_, Placed { value, place })) => (value, place),
                None => (&output.name, &step.place),
            };
            self.is_new(name, columns, place, subject);
            if outputs.iter().any(|earlier| earlier.name == *name) {
                let what = format!("two outputs become the column {:?}", name.as_str());
                self.mistake(
                    place,
                    subject,
                    what,
                    "give one of them another name under \"outputs\"",
                );
            }
            outputs.push(ColumnPlan {
                name: name.clone(),
                data_type: output.data_type.clone(),
                nullable: output.nullable || skips,
            });
        }
        outputs.iter().for_each(|column| columns.push(column.clone()));
        Some(StepPlan::Module {
            module: module.clone(),
            transform: signature.name.clone(),
            signature: signature.clone(),
            inputs: inputs?,
            outputs,
        })
    }

    /// The column of each argument; `None` where one of them has a mistake.
    pub(super) fn arguments(
        &self,
        function: &Function<'_>,
        mapping: &[(Name, Placed<Name>)],
        columns: &Columns,
        place: &Place,
        subject: &str,
    ) -> Option<Vec<usize>> {
        let Function { what, name, inputs } = function;
        let mut fine = true;
        for (argument, column) in mapping {
            let mut known = inputs.iter().map(|input| input.name.as_str());
            if known.all(|name| *argument != *name) {
                let names = inputs.iter().map(|input| input.name.as_str());
                let said = format!("the {what} {name} has no argument {:?}", argument.as_str());
                self.mistake(&column.place, subject, said, meant(argument.as_str(), names));
                fine = false;
            }
        }
        let mut found = Vec::with_capacity(inputs.len());
        for input in *inputs {
            let mapped = mapping.iter().find(|(argument, _)| *argument == input.name);
            let (column, place) = match mapped {
                Some((_, Placed { value, place })) => (value, place),
                None => (&input.name, place),
            };
            let at = match columns.find(column) {
                Found::Known(at) => at,
                Found::Broken => {
                    fine = false;
                    continue;
                }
                Found::Missing(missing, fix) => {
                    let said =
                        format!("{missing} for the argument {} of the {what} {name}", input.name);
                    let fix = match mapped {
                        Some(_) => fix,
                        None => {
                            format!("{fix}; map it under \"inputs\": {{{}: column}}", input.name)
                        }
                    };
                    self.mistake(place, subject, said, fix);
                    fine = false;
                    continue;
                }
            };
            let column = &columns.known[at];
            if !converts(&column.data_type.to_arrow(), &input.data_type) {
                let said = format!(
                    "the argument {} of the {what} {name} is {}, and the column {} is {}",
                    input.name, input.data_type, column.name, column.data_type
                );
                self.mistake(place, subject, said, conversion_fix(column, input));
                fine = false;
            }
            found.push(at);
        }
        fine.then_some(found)
    }
}

/// What takes arguments.
pub(super) struct Function<'a> {
    /// `transform` or `aggregate`.
    pub(super) what: &'a str,
    pub(super) name: &'a Name,
    pub(super) inputs: &'a [Field],
}

fn conversion_fix(column: &ColumnPlan, input: &Field) -> String {
    let is_integer = column.data_type.to_arrow().is_integer();
    let why = if input.data_type.is_float() && is_integer {
        "whole numbers never become floats by themselves: "
    } else if matches!(
        (&column.data_type, &input.data_type),
        (DataType::Float64, DataType::Float32)
    ) {
        "it would be rounded: "
    } else {
        ""
    };
    format!(
        "{why}convert it in a step before, {{sql: {{{0}_converted: \"CAST({0} AS {1})\"}}}}, or declare the argument as {2}",
        column.name, input.data_type, column.data_type
    )
}
