use std::collections::BTreeSet;

use unskew_definition::{
    AggregateSignature, Definition, ModuleFunctions, Name, Placed, TransformSignature, meant,
};
use unskew_expression::{Callable, FunctionCatalog};

use crate::resolve::{Found, Resolver};

/// The transforms that a view's SQL may call: those of the module in whose
/// document the view stands come first, and hide those of other modules.
pub(super) struct Functions<'a>(Vec<Callable<'a>>);

impl<'a> Functions<'a> {
    pub(super) fn of(definition: &'a Definition, home: Option<&Name>) -> Self {
        let own: BTreeSet<&Name> = home
            .and_then(|home| definition.modules.get(home))
            .map(|module| module.transforms.iter().map(|transform| &transform.name).collect())
            .unwrap_or_default();
        let mut callables = Vec::new();
        for (module, functions) in &definition.modules {
            for signature in &functions.transforms {
                if home == Some(module) || !own.contains(&signature.name) {
                    callables.push(Callable { module, signature });
                }
            }
        }
        Self(callables)
    }
}

impl FunctionCatalog for Functions<'_> {
    fn callables(&self) -> Vec<Callable<'_>> {
        self.0.clone()
    }
}

/// A function and the module that has it.
type InModule<'a, T> = (&'a Name, &'a T);

impl<'a> Resolver<'a> {
    pub(super) fn transform(
        &self,
        name: &Placed<Name>,
        module: Option<&Placed<Name>>,
        home: Option<&Name>,
    ) -> Found<InModule<'a, TransformSignature>> {
        self.function(
            "transform",
            name,
            module,
            home,
            |functions| &functions.transforms,
            |t| &t.name,
        )
    }

    pub(super) fn module_aggregate(
        &self,
        name: &Placed<Name>,
        module: Option<&Placed<Name>>,
        home: Option<&Name>,
    ) -> Found<InModule<'a, AggregateSignature>> {
        self.function(
            "aggregate",
            name,
            module,
            home,
            |functions| &functions.aggregates,
            |a| &a.name,
        )
    }

    /// Looks in the module that was named; else in the document's own, else in
    /// the only one that has it.
    fn function<T: 'a>(
        &self,
        what: &str,
        name: &Name,
        module: Option<&Placed<Name>>,
        home: Option<&Name>,
        of: impl Fn(&'a ModuleFunctions) -> &'a Vec<T>,
        name_of: impl Fn(&'a T) -> &'a Name,
    ) -> Found<InModule<'a, T>> {
        let definition: &'a Definition = self.definition;
        let unread = definition.unread();
        let modules = &definition.modules;
        let in_module =
            |functions: &'a ModuleFunctions| of(functions).iter().find(|f| name_of(f) == name);
        if let Some(named) = module {
            let Some((module, functions)) = modules.get_key_value(&named.value) else {
                if unread.has_module(named.as_str()) {
                    return Found::Broken;
                }
                let names = modules.keys().map(Name::as_str);
                return Found::Missing(
                    format!("there is no module {:?}", named.as_str()),
                    format!(
                        "{}; modules are named under [modules] in unskew.toml",
                        meant(named.as_str(), names)
                    ),
                );
            };
            return match in_module(functions) {
                Some(found) => Found::Known((module, found)),
                None => {
                    let names = of(functions).iter().map(|f| name_of(f).as_str());
                    Found::Missing(
                        format!("the module {module} has no {what} {:?}", name.as_str()),
                        meant(name.as_str(), names),
                    )
                }
            };
        }
        if let Some(found) = home
            .and_then(|home| modules.get_key_value(home))
            .and_then(|(module, functions)| Some((module, in_module(functions)?)))
        {
            return Found::Known(found);
        }
        let having: Vec<InModule<'a, T>> = modules
            .iter()
            .filter_map(|(module, functions)| Some((module, in_module(functions)?)))
            .collect();
        match having.as_slice() {
            [(module, found)] => Found::Known((module, found)),
            [] if unread.has_any_module() => Found::Broken,
            [] => {
                let names: Vec<&str> = modules
                    .values()
                    .flat_map(|functions| of(functions).iter().map(|f| name_of(f).as_str()))
                    .collect();
                let fix = if modules.is_empty() {
                    "the project has no module; name one under [modules] in unskew.toml".to_owned()
                } else {
                    meant(name.as_str(), names)
                };
                Found::Missing(
                    format!("no module has {} {what} {:?}", article(what), name.as_str()),
                    fix,
                )
            }
            several => {
                let names: Vec<&str> = several.iter().map(|(module, _)| module.as_str()).collect();
                Found::Missing(
                    format!(
                        "several modules have {} {what} {:?}: {}",
                        article(what),
                        name.as_str(),
                        names.join(", ")
                    ),
                    format!("name one of them: {{{what}: {name}, module: {}}}", names[0]),
                )
            }
        }
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with('a') { "an" } else { "a" }
}
