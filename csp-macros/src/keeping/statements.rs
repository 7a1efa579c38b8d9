//! The statements of a block that make channels, channel ends and barriers.

use std::ops::Range;

use proc_macro2::{Delimiter, Group, Ident, TokenTree};

use crate::tokens::{before, count, inside, is_call, is_ident, is_one_of, is_punct};

/// A statement that makes variables, in the tokens of a block.
pub(super) struct Let {
    /// The tokens up to the `=`.
    pub(super) pattern: Range<usize>,
    pub(super) variables: Vec<Variable>,
    /// The index after the `;`.
    pub(super) end: usize,
}

/// One variable: `let writer = channel.writer();`
pub(super) struct Variable {
    pub(super) name: Ident,
    /// Whether it is a reader, so that `for x in it` takes values out of it, not ends.
    pub(super) is_reader: bool,
}

/// Returns the statements that make variables of known types. Blocks inside the tokens are not searched.
pub(super) fn lets(tokens: &[TokenTree]) -> Vec<Let> {
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let starts = match before(tokens, index) {
            None => true,
            Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
            Some(before) => is_punct(before, ';'),
        };
        if starts && is_ident(Some(token), "let") {
            found.extend(variables(tokens, index));
        }
    }
    found
}

/// Whether a body mentions the variable anywhere except in the statements that make it.
pub(super) fn is_used(name: &Ident, body: &Group) -> bool {
    count(body.stream(), &|ident| ident == name) > times_made(name, &inside(body))
}

fn times_made(name: &Ident, tokens: &[TokenTree]) -> usize {
    let statements = lets(tokens);
    let here = statements.iter().flat_map(|made| &made.variables).filter(|it| it.name == *name);
    let deeper = tokens.iter().map(|token| match token {
        TokenTree::Group(group) => times_made(name, &inside(group)),
        _ => 0,
    });
    here.count() + deeper.sum::<usize>()
}

fn variables(tokens: &[TokenTree], start: usize) -> Option<Let> {
    let end = start + tokens[start..].iter().position(|token| is_punct(token, ';'))?;
    let equals = start + tokens[start..end].iter().position(|token| is_punct(token, '='))?;
    let value = &tokens[equals + 1..end];
    let pattern = match &tokens[start + 1..equals] {
        [mutable, rest @ ..] if is_ident(Some(mutable), "mut") => rest,
        pattern => pattern,
    };
    let variables = match pattern {
        [TokenTree::Ident(name)] => vec![variable(name, value)?],
        // With a type.
        [TokenTree::Ident(name), colon, ..] if is_punct(colon, ':') => vec![variable(name, value)?],
        [TokenTree::Group(names)] if is_call(names) => {
            let [TokenTree::Group(values)] = value else { return None };
            let (names, values) = (inside(names), inside(values));
            let (names, values) = (by_comma(&names), by_comma(&values));
            if names.len() != values.len() {
                return None;
            }
            let pairs = names.iter().zip(&values);
            let variables = pairs.map(|(name, value)| match name {
                [TokenTree::Ident(name)] => variable(name, value),
                _ => None,
            });
            variables.collect::<Option<_>>()?
        }
        _ => return None,
    };
    Some(Let { pattern: start..equals, variables, end: end + 1 })
}

fn by_comma(tokens: &[TokenTree]) -> Vec<&[TokenTree]> {
    tokens.split(|token| is_punct(token, ',')).filter(|part| !part.is_empty()).collect()
}

/// Returns the variable if the type of its value is known without the statements that follow.
fn variable(name: &Ident, value: &[TokenTree]) -> Option<Variable> {
    let value = match value {
        [value @ .., dot, TokenTree::Ident(named), TokenTree::Group(call)]
            if is_punct(dot, '.') && named == "named" && is_call(call) =>
        {
            value
        }
        _ => value,
    };
    let [rest @ .., TokenTree::Ident(function), TokenTree::Group(call)] = value else {
        return None;
    };
    if !is_call(call) || !matches!(rest.last(), Some(TokenTree::Punct(_))) {
        return None;
    }
    let is_method = rest.last().is_some_and(|token| is_punct(token, '.'));
    let known = if is_method {
        is_one_of(function, &["reader", "writer", "clone", "enrol"])
    } else {
        is_one_of(function, &["new", "buffered"])
            && rest.iter().any(
                |token| matches!(token, TokenTree::Ident(ty) if is_one_of(ty, &["Channel", "Barrier"])),
            )
    };
    known.then(|| Variable { name: name.clone(), is_reader: function == "reader" })
}
