//! The features that a request names, resolved in the plan.

use unskew_definition::{Name, ServiceReference, meant};
use unskew_plan::{FeaturePlan, ServiceFeature, ViewReference};

use crate::error::{OnlineError, UnknownKind};

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// All features of a service.
    Service(&'a str),
    /// `view`, `view:feature`, each with `@vN` behind it; as Feast has it also
    /// `view@vN:feature`.
    Features(&'a [String]),
}

/// A feature that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct WantedFeature {
    pub(crate) feature: ServiceFeature,
    /// The version, where the request names one.
    pub(crate) version: Option<u32>,
}

impl Wanted<'_> {
    /// Puts what names this selection behind `key`: the same text, the same
    /// features.
    pub(crate) fn key(&self, key: &mut String) {
        match self {
            Self::Service(name) => {
                key.push('s');
                key.push_str(name);
            }
            Self::Features(references) => {
                key.push('f');
                for reference in *references {
                    key.push_str(reference);
                    key.push(',');
                }
            }
        }
    }

    /// The features, in the order asked for.
    pub(crate) fn resolve(&self, plan: &FeaturePlan) -> Result<Vec<WantedFeature>, OnlineError> {
        match self {
            Self::Service(name) => {
                let service = plan.services.iter().find(|service| service.name == **name);
                let service = service.ok_or_else(|| {
                    let names = plan.services.iter().map(|service| service.name.as_str());
                    unknown(
                        UnknownKind::Service,
                        format!("there is no feature service {name:?}"),
                        name,
                        names,
                    )
                })?;
                let wanted = |feature: &ServiceFeature| WantedFeature {
                    feature: feature.clone(),
                    version: None,
                };
                Ok(service.features.iter().map(wanted).collect())
            }
            Self::Features(references) => {
                if references.is_empty() {
                    return Err(OnlineError::Invalid(
                        "no features are asked for: give `features` or a feature service"
                            .to_owned(),
                    ));
                }
                let mut wanted = Vec::with_capacity(references.len());
                for reference in *references {
                    resolve_one(plan, reference, &mut wanted)?;
                }
                Ok(wanted)
            }
        }
    }
}

fn resolve_one(
    plan: &FeaturePlan,
    text: &str,
    wanted: &mut Vec<WantedFeature>,
) -> Result<(), OnlineError> {
    let reference: ServiceReference = match text.split_once(':') {
        // Feast puts the version behind the view.
        Some((view, feature)) if view.contains('@') && !feature.contains('@') => {
            let (view, version) = view.split_once('@').unwrap_or((view, ""));
            format!("{view}:{feature}@{version}").parse()
        }
        _ => text.parse(),
    }
    .map_err(|error| OnlineError::Invalid(format!("features: {error}")))?;
    let ServiceReference { view: name, feature, version } = reference;
    let view = view_of(plan, &name, version)?;
    let of = |at: usize| WantedFeature {
        feature: ServiceFeature { view: view.clone(), feature: at },
        version,
    };
    match feature {
        None => wanted.extend((0..view.features().len()).map(of)),
        Some(feature) => {
            let names = view.features().iter().map(|field| field.name.as_str());
            let at = names.clone().position(|known| known == feature.as_str());
            let at = at.ok_or_else(|| {
                let what = format!("the view {} has no feature {feature:?}", view.id());
                unknown(UnknownKind::Feature, what, feature.as_str(), names)
            })?;
            wanted.push(of(at));
        }
    }
    Ok(())
}

/// The view of this name: of a version, or of the greatest.
pub(crate) fn view_of(
    plan: &FeaturePlan,
    name: &Name,
    version: Option<u32>,
) -> Result<ViewReference, OnlineError> {
    let views = plan.views.iter().map(|view| ViewReference::View(view.clone()));
    let on_demand = plan.on_demand_views.iter().map(|view| ViewReference::OnDemand(view.clone()));
    let named: Vec<ViewReference> =
        views.chain(on_demand).filter(|view| view.id().name == *name).collect();
    if named.is_empty() {
        let names = plan.views.iter().map(|view| view.id.name.as_str());
        let names: Vec<&str> =
            names.chain(plan.on_demand_views.iter().map(|view| view.id.name.as_str())).collect();
        let what = format!("there is no view {:?}", name.as_str());
        return Err(unknown(UnknownKind::View, what, name.as_str(), names.iter().copied()));
    }
    let found = match version {
        None => named.iter().max_by_key(|view| view.id().version),
        Some(version) => named.iter().find(|view| view.id().version == version),
    };
    found.cloned().ok_or_else(|| {
        let mut versions: Vec<u32> = named.iter().map(|view| view.id().version).collect();
        versions.sort_unstable();
        let versions: Vec<String> = versions.iter().map(|version| format!("v{version}")).collect();
        OnlineError::Unknown {
            kind: UnknownKind::View,
            what: format!("the view {name} has no version {}", version.unwrap_or_default()),
            fix: format!("there are: {}", versions.join(", ")),
        }
    })
}

pub(crate) fn unknown<'a>(
    kind: UnknownKind,
    what: String,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> OnlineError {
    let fix = match names.clone().next() {
        None => "the project defines none".to_owned(),
        Some(_) => meant(name, names),
    };
    OnlineError::Unknown { kind, what, fix }
}
