use unskew_definition::{FeatureReference, Name};

use crate::error::ExpressionError;

/// A text in which every reference has become a quoted identifier of the same
/// length, so that positions stay true, and the references in their order,
/// each once.
pub(crate) struct Extracted {
    pub(crate) sql: String,
    pub(crate) references: Vec<FeatureReference>,
}

/// What the quoted identifier of a reference begins with: no [`Name`] does.
const MARK: char = '{';

/// Takes the references out of `text`, leaving texts in quotes and comments
/// alone.
pub(crate) fn extract(text: &str) -> Result<Extracted, ExpressionError> {
    let mut sql = String::with_capacity(text.len());
    let mut references = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '\'' | '"' => quoted(rest, c),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '{' if rest.starts_with("{{") => {
                let wrong = |message: String| error_at(text, text.len() - rest.len(), message);
                let Some(end) = rest.find("}}") else {
                    return Err(wrong("this {{ has no }}; close it: {{view.feature}}".to_owned()));
                };
                let inside = &rest[2..end];
                let reference = parse(inside).map_err(wrong)?;
                sql.push('"');
                sql.push(MARK);
                sql.push_str(inside);
                sql.push_str("}\"");
                if !references.contains(&reference) {
                    references.push(reference);
                }
                rest = &rest[end + 2..];
                continue;
            }
            _ => c.len_utf8(),
        };
        let (taken, left) = rest.split_at(skipped);
        sql.push_str(taken);
        rest = left;
    }
    Ok(Extracted { sql, references })
}

/// The reference that the identifier `ident` stands for.
pub(crate) fn of_identifier(ident: &str) -> Option<FeatureReference> {
    parse(ident.strip_prefix(MARK)?.strip_suffix('}')?).ok()
}

/// The length of the quoted text at the start of `rest`, to its end if it has
/// none: the parser then says so.
fn quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return at + 1,
            }
        }
    }
    rest.len()
}

fn parse(inside: &str) -> Result<FeatureReference, String> {
    let form = || {
        format!(
            "{{{{{inside}}}}} is no reference; write {{{{view.feature}}}} or {{{{view.feature@v2}}}}"
        )
    };
    let (view, feature) = inside.trim().split_once('.').ok_or_else(form)?;
    let (feature, version) = match feature.split_once("@v") {
        Some((feature, version)) => {
            let plain = version.bytes().all(|b| b.is_ascii_digit());
            let version = version.parse().ok().filter(|_| plain).ok_or_else(form)?;
            (feature, Some(version))
        }
        None => (feature, None),
    };
    let name = |text: &str| Name::new(text.trim()).map_err(|error| format!("{}: {error}", form()));
    Ok(FeatureReference { view: name(view)?, feature: name(feature)?, version })
}

/// An error at a byte of `text`.
pub(crate) fn error_at(text: &str, byte: usize, message: String) -> ExpressionError {
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    ExpressionError {
        line: before.matches('\n').count() as u64 + 1,
        character: before[line_start..].chars().count() as u64 + 1,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_identifiers_of_the_same_length() {
        let text = "{{user_orders.spend_7d}} + {{ v.f@v2 }} -- {{no}}\n || '{{a.b}}' /* {{ */";
        let Extracted { sql, references } = extract(text).unwrap();
        assert_eq!(sql.len(), text.len());
        assert_eq!(
            sql,
            "\"{user_orders.spend_7d}\" + \"{ v.f@v2 }\" -- {{no}}\n || '{{a.b}}' /* {{ */"
        );
        let shown: Vec<_> = references.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["user_orders:spend_7d", "v:f@v2"]);
        assert_eq!(of_identifier("{ v.f@v2 }").as_ref(), references.get(1));
        assert_eq!(of_identifier("v"), None);
    }

    #[test]
    fn wrong_references_say_where() {
        for (text, character) in [
            ("1 + {{a.b", 5),
            ("{{}}", 1),
            ("{{a}}", 1),
            ("é + {{a.b c}}", 5),
            ("{{a.b@vx}}", 1),
            ("{{a.b@v+1}}", 1),
        ] {
            let error = extract(text).map(|e| e.sql).unwrap_err();
            assert_eq!((error.line, error.character), (1, character), "{error}");
        }
    }
}
