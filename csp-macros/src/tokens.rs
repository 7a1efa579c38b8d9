//! Questions about tokens that nobody has parsed.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// Returns the tokens between the delimiters of `group`.
pub(crate) fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// Whether one of the tokens, however deep, is `name`.
pub(crate) fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    count(tokens, &|ident| ident == name) > 0
}

/// Counts the identifiers for which `is` holds, at any depth.
pub(crate) fn count(tokens: TokenStream, is: &impl Fn(&Ident) -> bool) -> usize {
    let found = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(ident) => usize::from(is(&ident)),
        TokenTree::Group(group) => count(group.stream(), is),
        _ => 0,
    });
    found.sum()
}

/// Returns the name of the macro that is called with the group at `index`.
pub(crate) fn macro_name(tokens: &[TokenTree], index: usize) -> Option<&Ident> {
    match tokens[..index] {
        [.., TokenTree::Ident(ref name), ref bang] if is_punct(bang, '!') => Some(name),
        _ => None,
    }
}

/// Returns the token in front of the one at `index`.
pub(crate) fn before(tokens: &[TokenTree], index: usize) -> Option<&TokenTree> {
    index.checked_sub(1).map(|before| &tokens[before])
}

pub(crate) fn is_one_of(ident: &Ident, names: &[&str]) -> bool {
    names.iter().any(|name| ident == name)
}

/// Whether the group can be the arguments of a call.
pub(crate) fn is_call(group: &Group) -> bool {
    group.delimiter() == Delimiter::Parenthesis
}

pub(crate) fn is_ident(token: Option<&TokenTree>, name: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == name)
}

pub(crate) fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}
