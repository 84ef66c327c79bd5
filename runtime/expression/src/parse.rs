use sqlparser::ast::Expr;
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::error::ExpressionError;

/// Bytes of one text.
const MAX_TEXT_BYTES: usize = 64 << 10;
/// Words, numbers and signs of one text, which bounds how deep it can nest.
const MAX_TOKENS: usize = 4000;
/// How deep the parser may recurse.
const MAX_RECURSION: usize = 60;

/// Parses the text of one expression, to its end.
pub(crate) fn parse(sql: &str) -> Result<Expr, ExpressionError> {
    let start = Location { line: 1, column: 1 };
    if sql.len() > MAX_TEXT_BYTES {
        return Err(error(
            start,
            format!("the text has {} bytes; at most {MAX_TEXT_BYTES} are allowed", sql.len()),
        ));
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|e| error(e.location, format!("{}; complete or remove it", e.message)))?;
    let words: Vec<&TokenWithSpan> =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let Some(last) = words.last() else {
        return Err(error(start, "the text is empty; write an expression".to_owned()));
    };
    if words.len() > MAX_TOKENS {
        return Err(error(
            start,
            format!(
                "the text has {} words and signs; at most {MAX_TOKENS} are allowed: split it into several steps",
                words.len()
            ),
        ));
    }
    let end = last.span.end;
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(MAX_RECURSION)
        .with_tokens_with_locations(tokens.clone());
    if let Token::Word(word) = &words[0].token
        && word.quote_style.is_none()
        && matches!(word.keyword, Keyword::SELECT | Keyword::WITH)
    {
        return Err(error(
            words[0].span.start,
            "this is a query; write the expression alone, without SELECT and FROM".to_owned(),
        ));
    }
    let parsed = parser.parse_expr().map_err(|e| {
        let at = parser.peek_token_no_skip().span.start;
        let at = if at.line == 0 { end } else { at };
        syntax(e, at)
    })?;
    let next = parser.peek_token();
    let at = next.span.start;
    match &next.token {
        Token::EOF => Ok(parsed),
        Token::SemiColon => Err(error(at, "an expression has no semicolon; remove it".to_owned())),
        Token::Word(word) if word.keyword == Keyword::AS => Err(error(
            at,
            "an alias has no place here: the output is named by the definition; remove `AS ...`"
                .to_owned(),
        )),
        Token::Word(word)
            if matches!(word.keyword, Keyword::FROM | Keyword::WHERE | Keyword::GROUP) =>
        {
            Err(error(
                at,
                format!(
                    "{} has no place in an expression; a view's `source`, `filter` and `aggregates` say that",
                    word.value
                ),
            ))
        }
        Token::Comma => {
            Err(error(at, "one text is one expression; give each output its own text".to_owned()))
        }
        other => Err(error(
            at,
            format!("expected an operator or the end of the text, found `{other}`{QUOTING}"),
        )),
    }
}

const QUOTING: &str = "; a column whose name is a word of SQL stands in double quotes";

fn syntax(e: ParserError, at: Location) -> ExpressionError {
    let message = match e {
        ParserError::RecursionLimitExceeded => {
            "nested too deeply; split it into several steps".to_owned()
        }
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
            // The parser adds its own position, which ours replaces.
            let text = text.split(" at Line: ").next().unwrap_or_default();
            let text = text
                .strip_prefix("Expected: ")
                .map_or_else(|| text.to_owned(), |rest| format!("expected {rest}"));
            format!("{text}{QUOTING}")
        }
    };
    error(at, message)
}

pub(crate) fn error(at: Location, message: String) -> ExpressionError {
    ExpressionError { line: at.line.max(1), character: at.column.max(1), message }
}
