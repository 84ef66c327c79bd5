use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::name::{Name, NameError};

/// A feature of a view, written `view:feature` or `view:feature@vN`; or a
/// field of a request source, written `source:field`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct FeatureReference {
    /// The view (or request source).
    pub view: Name,
    /// The feature (or field).
    pub feature: Name,
    /// The view's version; without it the greatest.
    pub version: Option<u32>,
}

/// A view (all its features) or one feature of it, each with an optional
/// version: `view`, `view@v2`, `view:feature`, `view:feature@v2`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "String")]
pub struct ServiceReference {
    /// The view.
    pub view: Name,
    /// The feature; without it all of the view's.
    pub feature: Option<Name>,
    /// The view's version; without it the greatest.
    pub version: Option<u32>,
}

/// Why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseReferenceError {
    /// There is no `:` between view and feature.
    #[error(
        "{0:?} names no feature; write it as `view:feature`, with `@v2` behind it for a version"
    )]
    NoFeature(String),
    /// A part is no name.
    #[error("{text:?} is no reference: {source}")]
    Name {
        /// what was written
        text: String,
        /// what is wrong with the part
        source: NameError,
    },
    /// What stands behind `@` is no version.
    #[error("{0:?} has no version behind its `@`; write it as `@v2`, with a number from 1")]
    Version(String),
}

impl FromStr for ServiceReference {
    type Err = ParseReferenceError;
    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        let shown = || text.chars().take(200).collect::<String>();
        let (path, version) = match text.split_once('@') {
            None => (text, None),
            Some((path, version)) => {
                let number = version.strip_prefix('v').filter(|digits| {
                    !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
                });
                let number = number.and_then(|digits| digits.parse().ok());
                (path, Some(number.ok_or_else(|| ParseReferenceError::Version(shown()))?))
            }
        };
        let name = |part: &str| {
            Name::new(part).map_err(|source| ParseReferenceError::Name { text: shown(), source })
        };
        let (view, feature) = match path.split_once(':') {
            None => (name(path)?, None),
            Some((view, feature)) => (name(view)?, Some(name(feature)?)),
        };
        Ok(Self { view, feature, version })
    }
}

impl FromStr for FeatureReference {
    type Err = ParseReferenceError;
    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        let ServiceReference { view, feature, version } = text.parse()?;
        match feature {
            Some(feature) => Ok(Self { view, feature, version }),
            None => Err(ParseReferenceError::NoFeature(text.chars().take(200).collect())),
        }
    }
}

impl fmt::Display for FeatureReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { view, feature, version } = self;
        write!(f, "{view}:{feature}")?;
        version.map_or(Ok(()), |version| write!(f, "@v{version}"))
    }
}

impl fmt::Display for ServiceReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { view, feature, version } = self;
        view.fmt(f)?;
        if let Some(feature) = feature {
            write!(f, ":{feature}")?;
        }
        version.map_or(Ok(()), |version| write!(f, "@v{version}"))
    }
}

impl From<FeatureReference> for String {
    fn from(reference: FeatureReference) -> Self {
        reference.to_string()
    }
}

impl From<ServiceReference> for String {
    fn from(reference: ServiceReference) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_print_as_they_parse() {
        for text in ["orders", "orders@v2", "orders:spend", "orders:spend@v12"] {
            assert_eq!(text.parse::<ServiceReference>().unwrap().to_string(), text);
        }
        assert_eq!("a:b@v3".parse::<FeatureReference>().unwrap().version, Some(3));
        for bad in
            ["", "a:", ":b", "a:b:c", "a@", "a@2", "a@v0", "a@v-1", "a@v01", "a@v1@v2", "a b"]
        {
            assert!(bad.parse::<ServiceReference>().is_err(), "{bad:?} was accepted");
        }
        assert!("a".parse::<FeatureReference>().is_err());
    }
}
