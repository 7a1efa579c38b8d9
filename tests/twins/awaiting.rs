//! Finds the operations that wait in tokens, within `alt!` and other macros as well as outside.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};

/// Methods without an argument that wait.
const WITHOUT: &[&str] =
    &["read", "begin", "sync", "fall_in", "join", "try_join", "choose", "run", "try_run", "iter"];
/// Methods with one argument that wait. An `Alternation`'s `write` has more arguments.
const WITH: &[&str] = &["write", "write_with"];
/// Methods that wait, with any arguments.
const LIMITED: &[&str] = &["read_timeout", "read_until", "write_timeout", "write_until"];
/// Functions of `csp` that wait.
const FUNCTIONS: &[&str] = &["sleep", "sleep_until", "shutdown"];
/// Macros of `csp` that wait.
const MACROS: &[&str] = &["parallel", "try_parallel", "sequence", "try_sequence"];

/// Returns the tokens with each wait replaced by an `.await`.
pub(crate) fn awaiting(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    let mut at = 0;
    while at < tokens.len() {
        let (before, rest) = tokens.split_at(at);
        let (made, taken) = method(rest)
            .or_else(|| function(before, rest))
            .or_else(|| macro_call(before, rest))
            .or_else(|| helper(rest))
            .or_else(|| guard(rest))
            .or_else(|| each(rest))
            .unwrap_or_else(|| (other(&rest[0]), 1));
        made.to_tokens(&mut out);
        at += taken;
    }
    out
}

fn other(token: &TokenTree) -> TokenStream {
    match token {
        TokenTree::Group(group) => within(group).into_token_stream(),
        token => token.to_token_stream(),
    }
}

fn within(group: &Group) -> Group {
    let mut twin = Group::new(group.delimiter(), awaiting(group.stream()));
    twin.set_span(group.span());
    twin
}

fn is(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn parenthesised(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => Some(group),
        _ => None,
    }
}

/// Returns `name` with `_async` behind it, and with the path of the library unless a path stands before it.
fn renamed(before: &[TokenTree], name: &Ident, root: TokenStream) -> TokenStream {
    let name = format_ident!("{name}_async", span = name.span());
    if is(before.last(), ':') { quote!(#name) } else { quote!(#root::#name) }
}

/// Finds `.read()` and its like.
fn method(rest: &[TokenTree]) -> Option<(TokenStream, usize)> {
    let [dot, TokenTree::Ident(name), arguments, ..] = rest else { return None };
    let arguments = parenthesised(arguments)?;
    let known = match arguments.stream().into_iter().collect::<Vec<_>>()[..] {
        [] => WITHOUT,
        [ref value @ .., _] if !value.iter().any(|token| is(Some(token), ',')) => WITH,
        _ => &[],
    };
    let waits = known.iter().chain(LIMITED).any(|known| name == known);
    if !is(Some(dot), '.') || !waits {
        return None;
    }
    let (name, arguments) = (format_ident!("{name}_async", span = name.span()), within(arguments));
    Some((quote!(.#name #arguments.await), 3))
}

/// Finds `sleep(…)` and its like.
fn function(before: &[TokenTree], rest: &[TokenTree]) -> Option<(TokenStream, usize)> {
    let [TokenTree::Ident(name), arguments, ..] = rest else { return None };
    let arguments = parenthesised(arguments)?;
    let root = match &*name.to_string() {
        name if FUNCTIONS.contains(&name) => quote!(::csp),
        "settle" => quote!(::csp_tests),
        _ => return None,
    };
    if is(before.last(), '.') {
        return None;
    }
    let (name, arguments) = (renamed(before, name, root), within(arguments));
    Some((quote!(#name #arguments.await), 2))
}

/// Macros of processes in place within a process. They replace their waits themselves.
const OWN: &[&str] = &["in_place", "start", "start_waiting", "placed"];

/// Finds `parallel!(…)` and its like.
fn macro_call(before: &[TokenTree], rest: &[TokenTree]) -> Option<(TokenStream, usize)> {
    let [TokenTree::Ident(name), mark, TokenTree::Group(arguments), ..] = rest else { return None };
    if !is(Some(mark), '!') {
        return None;
    }
    if name == "caught" {
        let tokens = awaiting(arguments.stream());
        return Some((quote!(::csp_tests::caught_async(async { #tokens }).await), 3));
    }
    if OWN.contains(&&*name.to_string()) {
        return Some((quote!(#name!#arguments), 3));
    }
    if !MACROS.contains(&&*name.to_string()) {
        return None;
    }
    let (name, arguments) = (renamed(before, name, quote!(::csp)), within(arguments));
    Some((quote!(#name!#arguments.await), 3))
}

/// Finds `wait_for!(function(…))`.
fn helper(rest: &[TokenTree]) -> Option<(TokenStream, usize)> {
    let [TokenTree::Ident(name), mark, TokenTree::Group(call), ..] = rest else { return None };
    if name != "wait_for" || !is(Some(mark), '!') {
        return None;
    }
    let call: Vec<_> = call.stream().into_iter().collect();
    let [path @ .., TokenTree::Ident(name), TokenTree::Group(arguments)] = &call[..] else {
        return None;
    };
    let (name, arguments) = (format_ident!("{name}_async", span = name.span()), within(arguments));
    Some((quote!(#(#path)* #name #arguments.await), 3))
}

/// Guards without a method: `retired(end) =>`, and the guards of time. A choice with no other guards awaits by these.
const GUARDS: &[&str] = &["retired", "after", "at"];

/// Finds `retired(end) =>` and its like.
fn guard(rest: &[TokenTree]) -> Option<(TokenStream, usize)> {
    let [TokenTree::Ident(name), arguments, equals, more, ..] = rest else { return None };
    let arguments = parenthesised(arguments)?;
    let arm = is(Some(equals), '=') && is(Some(more), '>');
    (GUARDS.contains(&&*name.to_string()) && arm).then(|| (quote!(#name #arguments.await), 2))
}

/// Finds `for value in &reader { … }`.
fn each(rest: &[TokenTree]) -> Option<(TokenStream, usize)> {
    let [TokenTree::Ident(name), rest @ ..] = rest else { return None };
    let word = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "in");
    let (pattern, rest) = rest.split_at(rest.iter().position(word)?);
    let brace = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let (reader, rest) = rest.split_at(rest.iter().position(brace)?);
    let [_in, and, reader @ ..] = reader else { return None };
    if name != "for" || !is(Some(and), '&') || pattern.iter().any(brace) {
        return None;
    }
    let (body, taken) = (other(&rest[0]), 1 + pattern.len() + 2 + reader.len() + 1);
    Some((quote!(while let Ok(#(#pattern)*) = (#(#reader)*).read_async().await #body), taken))
}
