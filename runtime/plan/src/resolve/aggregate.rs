use unskew_aggregate::{AggregateFunction, ListSize, Quantile};
use unskew_definition::{
    Aggregate, AggregateFunctionName, DataType, Name, Place, Placed, listed, meant,
};

use crate::aggregate_types::{output_type, value_kind};
use crate::resolve::columns::Columns;
use crate::resolve::step::Function;
use crate::resolve::window::default_hop_us;
use crate::resolve::{Found, Resolver};
use crate::step_plan::ColumnPlan;
use crate::view_plan::{AggregateFunctionPlan, AggregatePlan, TrailingWindow};

/// What an aggregate comes to, apart from its name and rows.
struct Resolved {
    function: AggregateFunctionPlan,
    inputs: Vec<usize>,
    data_type: DataType,
    nullable: bool,
}

impl Resolver<'_> {
    /// `None` where it has a mistake.
    pub(super) fn aggregate(
        &self,
        aggregate: &Aggregate,
        columns: &Columns,
        home: Option<&Name>,
        view: &str,
    ) -> Option<AggregatePlan> {
        let subject = format!("{view}, aggregate {}", aggregate.name);
        let filter = aggregate
            .filter
            .as_ref()
            .map(|text| self.condition("where", text, columns, home, &subject));
        let over = aggregate.over.as_ref().map(|over| TrailingWindow {
            size_us: over.size_us,
            hop_us: over.hop_us.unwrap_or_else(|| default_hop_us(over.size_us)),
        });
        let place = &aggregate.place;
        let resolved = match &aggregate.function {
            AggregateFunctionName::BuiltIn { function, column, q, n, k } => {
                let counts = [("n", n), ("k", k)];
                let found = self.function_of(function, q, &counts, place, &subject);
                let at = match column {
                    None => Some(None),
                    Some(column) => match columns.find(column) {
                        Found::Known(at) => Some(Some(at)),
                        Found::Broken => None,
                        Found::Missing(what, fix) => {
                            self.mistake(&column.place, &subject, what, fix);
                            None
                        }
                    },
                };
                let column_place = column.as_ref().map_or(place, |column| &column.place);
                self.built_in(found?, at?, columns, column_place, &subject)
            }
            AggregateFunctionName::Module { aggregate: name, module, inputs } => {
                let (module, signature) = match self.module_aggregate(name, module.as_ref(), home) {
                    Found::Known(found) => found,
                    Found::Broken => return None,
                    Found::Missing(what, fix) => {
                        self.mistake(&name.place, &subject, what, fix);
                        return None;
                    }
                };
                let takes = Function {
                    what: "aggregate",
                    name: &signature.name,
                    inputs: &signature.inputs,
                };
                let inputs = self.arguments(&takes, inputs, columns, place, &subject)?;
                Some(Resolved {
                    function: AggregateFunctionPlan::Module {
                        module: module.clone(),
                        aggregate: signature.name.clone(),
                        signature: signature.clone(),
                    },
                    inputs,
                    data_type: signature.output.data_type.clone(),
                    nullable: signature.output.nullable,
                })
            }
        };
        let filter = match filter {
            None => None,
            Some(filter) => Some(filter?),
        };
        let Resolved { function, inputs, data_type, nullable } = resolved?;
        let output = ColumnPlan { name: aggregate.name.clone(), data_type, nullable };
        Some(AggregatePlan { name: aggregate.name.clone(), function, inputs, filter, over, output })
    }

    /// A built-in function with its parameters.
    fn function_of(
        &self,
        name: &Placed<String>,
        q: &Option<Placed<f64>>,
        counts: &[(&str, &Option<Placed<u32>>); 2],
        place: &Place,
        subject: &str,
    ) -> Option<AggregateFunction> {
        let names = AggregateFunction::names();
        if !names.contains(&name.as_str()) {
            let shown: String = name.chars().take(60).collect();
            let fix = match usual_name(&shown.to_lowercase()) {
                Some(usual) => format!("did you mean {usual:?}?"),
                None => format!(
                    "{}; a module's aggregate stands under \"aggregate\"",
                    meant(&shown, names.iter().copied())
                ),
            };
            self.mistake(&name.place, subject, format!("there is no aggregate {shown:?}"), fix);
            return None;
        }
        let needs = match name.as_str() {
            "percentile" => Some("q"),
            "last_n" => Some("n"),
            "top_k" | "most_frequent" => Some("k"),
            _ => None,
        };
        let given = [("q", q.as_ref().map(|q| &q.place))].into_iter().chain(
            counts.iter().map(|(key, value)| (*key, value.as_ref().map(|value| &value.place))),
        );
        for (key, given) in given {
            if let Some(place) = given
                && needs != Some(key)
            {
                let fix = needs
                    .map_or("remove it".to_owned(), |needs| format!("write {needs:?} instead"));
                self.mistake(place, subject, format!("{} takes no {key:?}", name.value), fix);
            }
        }
        let missing = |key: &str, example: &str| {
            let what = format!("{} needs {key:?}", name.value);
            self.mistake(place, subject, what, format!("add it, such as {key}: {example}"));
        };
        match needs {
            None => AggregateFunction::from_name(name),
            Some("q") => {
                let Some(q) = q else {
                    missing("q", "0.95");
                    return None;
                };
                match Quantile::from_f64(q.value) {
                    Ok(quantile) => Some(AggregateFunction::Percentile { q: quantile }),
                    Err(error) => {
                        self.mistake(&q.place, subject, format!("\"q\": {error}"), "");
                        None
                    }
                }
            }
            Some(key) => {
                let Some(count) =
                    counts.iter().find(|(of, _)| *of == key).and_then(|(_, c)| c.as_ref())
                else {
                    missing(key, "10");
                    return None;
                };
                let Some(size) = ListSize::new(count.value.into()) else {
                    let what = format!(
                        "{key:?} is {}, and at most {} are listed",
                        count.value,
                        unskew_aggregate::MAX_LIST_ITEMS
                    );
                    self.mistake(&count.place, subject, what, "write a smaller number");
                    return None;
                };
                Some(match name.as_str() {
                    "last_n" => AggregateFunction::LastN { n: size },
                    "top_k" => AggregateFunction::TopK { k: size },
                    _ => AggregateFunction::MostFrequent { k: size },
                })
            }
        }
    }

    fn built_in(
        &self,
        function: AggregateFunction,
        at: Option<usize>,
        columns: &Columns,
        place: &Place,
        subject: &str,
    ) -> Option<Resolved> {
        let column = at.map(|at| &columns.known[at]);
        // `count` of a column looks at nothing but whether there is a value.
        if function == AggregateFunction::Count {
            return Some(Resolved {
                function: AggregateFunctionPlan::BuiltIn(function),
                inputs: at.into_iter().collect(),
                data_type: DataType::Int64,
                nullable: false,
            });
        }
        let kind = match column {
            None => None,
            Some(column) => match value_kind(&column.data_type) {
                Some(kind) => Some(kind),
                None => {
                    let what = format!(
                        "{} takes scalars, and the column {} is {}",
                        function.name(),
                        column.name,
                        column.data_type
                    );
                    self.mistake(place, subject, what, "take a value out of it in a step before");
                    return None;
                }
            },
        };
        match unskew_aggregate::Aggregate::new(function, kind) {
            Ok(resolved) => {
                let data_type = output_type(resolved.output());
                Some(Resolved {
                    function: AggregateFunctionPlan::BuiltIn(function),
                    inputs: at.into_iter().collect(),
                    data_type,
                    nullable: resolved.is_nullable(),
                })
            }
            Err(error) => {
                let what = match column {
                    Some(column) => format!("the column {} does not fit: {error}", column.name),
                    None => error.to_string(),
                };
                let fix = match column {
                    Some(_) => "",
                    None => "add \"column\"",
                };
                self.mistake(place, subject, what, fix);
                None
            }
        }
    }

    /// Either no aggregate has `over` (and the view has a window), or all do.
    pub(super) fn check_over(&self, aggregates: &[Aggregate], emits: bool, subject: &str) {
        let trailing = aggregates.iter().any(|aggregate| aggregate.over.is_some());
        let without: Vec<&str> = aggregates
            .iter()
            .filter(|aggregate| aggregate.over.is_none())
            .map(|aggregate| aggregate.name.as_str())
            .collect();
        for aggregate in aggregates {
            let subject = format!("{subject}, aggregate {}", aggregate.name);
            match (&aggregate.over, emits) {
                (Some(over), true) => self.mistake(
                    &over.place,
                    &subject,
                    "it has \"over\", and its view a window: a view has either one window that emits or trailing windows",
                    "remove \"over\", or the view's \"window\"",
                ),
                (None, false) => {
                    let what = if trailing {
                        format!("it has no \"over\", and other aggregates of the view have one (without: {})", listed(without.iter().copied()))
                    } else {
                        "it has no window".to_owned()
                    };
                    let fix = "add over: {size: 7d} to it, or a \"window\" to the view";
                    self.mistake(&aggregate.place, &subject, what, fix);
                }
                _ => {}
            }
        }
    }
}

/// What people call aggregates elsewhere.
fn usual_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "average" | "mean" => "avg",
        "median" | "quantile" | "p50" | "p90" | "p95" | "p99" | "approx_percentile" => "percentile",
        "std" | "stdev" | "stddev_samp" => "stddev",
        "var" | "var_samp" => "variance",
        "var_pop" => "variance_pop",
        "distinct" | "nunique" | "unique" | "distinct_count" => "count_distinct",
        "approx_count_distinct" | "approx_unique" | "hll" => "approx_distinct",
        "mode" => "most_frequent",
        "minimum" => "min",
        "maximum" => "max",
        "total" => "sum",
        "latest" => "last",
        _ => return None,
    })
}
