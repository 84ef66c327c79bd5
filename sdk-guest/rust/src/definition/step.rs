use std::panic::Location;

use super::json::Object;
use crate::transform::Transform;

/// One row-wise step of a view. Made by [`sql`], [`call`] and [`call_of`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Step {
    place: &'static Location<'static>,
    kind: Kind,
    first: Object,
    second: Object,
}

#[derive(Clone, Debug)]
enum Kind {
    /// `first` are its outputs.
    Sql,
    /// `first` are its inputs, `second` its outputs.
    Transform { name: String, module: Option<String> },
}

/// A column made by a SQL expression over those before it.
#[track_caller]
#[inline(never)]
pub fn sql(output: &str, expression: &str) -> Step {
    let first = Object::default().with(output, expression);
    Step { place: Location::caller(), kind: Kind::Sql, first, second: Object::default() }
}

/// A call of a transform of this module: `call::<order_value>()`.
#[track_caller]
#[inline(never)]
pub fn call<T: Transform>() -> Step {
    transform(Location::caller(), T::NAME, None)
}

/// A call of a transform of another module of the project.
#[track_caller]
#[inline(never)]
pub fn call_of(module: &str, transform_name: &str) -> Step {
    transform(Location::caller(), transform_name, Some(module))
}

fn transform(place: &'static Location<'static>, name: &str, module: Option<&str>) -> Step {
    let kind = Kind::Transform { name: name.to_owned(), module: module.map(str::to_owned) };
    Step { place, kind, first: Object::default(), second: Object::default() }
}

impl Step {
    /// Another column of the same SQL step, which sees only what was before it.
    ///
    /// # Panics
    /// If it is a call: its outputs are those of the transform.
    #[inline(never)]
    pub fn and(mut self, output: &str, expression: &str) -> Self {
        assert!(matches!(self.kind, Kind::Sql), "`and` adds a column to a step made by `sql`");
        self.first.set(output, expression);
        self
    }

    /// The column of an argument, where it has another name.
    ///
    /// # Panics
    /// If it is SQL, which names its columns itself.
    #[inline(never)]
    pub fn input(mut self, argument: &str, column: &str) -> Self {
        assert!(matches!(self.kind, Kind::Transform { .. }), "`input` belongs to a call");
        self.first.set(argument, column);
        self
    }

    /// The column of an output, where it shall have another name.
    ///
    /// # Panics
    /// If it is SQL, which names its outputs itself.
    #[inline(never)]
    pub fn output(mut self, output: &str, column: &str) -> Self {
        assert!(matches!(self.kind, Kind::Transform { .. }), "`output` belongs to a call");
        self.second.set(output, column);
        self
    }

    #[inline(never)]
    pub(super) fn into_object(self) -> Object {
        let Self { place, kind, first, second } = self;
        let object = match kind {
            Kind::Sql => Object::default().with("sql", first),
            Kind::Transform { name, module } => {
                let mut object = Object::default().with("transform", name);
                if let Some(module) = module {
                    object.set("module", module);
                }
                object.with_any("inputs", first).with_any("outputs", second)
            }
        };
        object.at(place)
    }
}
