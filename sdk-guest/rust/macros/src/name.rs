//! Names as the manifest allows them.

use proc_macro2::Span;
use syn::{Error, Ident, LitStr, Result};

const MAX_LENGTH: usize = 128;

/// A name, and where it stands.
#[derive(Clone)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Name {
    pub(crate) fn of_ident(ident: &Ident) -> Result<Self> {
        let text = ident.to_string();
        let text = text.strip_prefix("r#").unwrap_or(&text).to_owned();
        Self::checked(text, ident.span())
    }

    pub(crate) fn of_literal(literal: &LitStr) -> Result<Self> {
        Self::checked(literal.value(), literal.span())
    }

    fn checked(text: String, span: Span) -> Result<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        let fits = first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits && text.len() <= MAX_LENGTH {
            return Ok(Self { text, span });
        }
        Err(Error::new(
            span,
            format!(
                "{text:?} is not a name that Unskew allows: use ASCII letters, digits and underscores, beginning with a letter or underscore, at most {MAX_LENGTH}"
            ),
        ))
    }
}

/// Refuses the second of two equal names.
pub(crate) fn check_distinct(what: &str, names: &[Name]) -> Result<()> {
    for (i, name) in names.iter().enumerate() {
        if names[..i].iter().any(|n| n.text == name.text) {
            return Err(Error::new(name.span, format!("two {what} are named {}", name.text)));
        }
    }
    Ok(())
}

/// `WeightedMean` as `weighted_mean`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before: Option<char> = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        if c.is_uppercase() {
            let begins = match before {
                None | Some('_') => false,
                Some(b) if b.is_uppercase() => rest.peek().is_some_and(|n| n.is_lowercase()),
                Some(_) => true,
            };
            if begins {
                snake.push('_');
            }
            snake.extend(c.to_lowercase());
        } else {
            snake.push(c);
        }
        before = Some(c);
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_become_snake_case() {
        for (camel, snake) in [
            ("WeightedMean", "weighted_mean"),
            ("HTTPErrors", "http_errors"),
            ("Top3", "top3"),
            ("Sum_Of", "sum_of"),
            ("rate", "rate"),
        ] {
            assert_eq!(snake_case(camel), snake);
        }
    }
}
