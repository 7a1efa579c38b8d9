//! Decides whether a variable may leave its process. Looks at tokens only, and prints nothing.

use proc_macro2::{Delimiter, Group, Ident, TokenTree};
use syn::{Pat, Type};

use super::statements::lets;
use crate::tokens::{before, count, inside, is_call, is_ident, is_one_of, is_punct, macro_name};

/// Methods that take `&self`.
pub(super) const BORROWING: &[&str] = &[
    "read",
    "begin",
    "iter",
    "write",
    "write_with",
    "read_async",
    "begin_async",
    "write_async",
    "write_with_async",
    "sync_async",
    "poison",
    "termination",
    "clone",
    "reader",
    "writer",
    "sync",
    "enrol",
    "len",
    "is_empty",
    "get",
    "first",
    "last",
];

/// Methods that end the thing on which they are called.
const ENDING: &[&str] = &["retire", "resign"];

/// Macros whose use of their tokens is known.
pub(super) const KNOWN_MACROS: &[&str] = &[
    "alt",
    "pri_alt",
    "parallel",
    "try_parallel",
    "sequence",
    "try_sequence",
    "parallel_async",
    "try_parallel_async",
    "sequence_async",
    "try_sequence_async",
    "print",
    "println",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "write",
    "writeln",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "panic",
    "unreachable",
    "todo",
    "vec",
    "matches",
];

/// Words by which references may outlive their statement in other threads, or names mean something else.
const DANGEROUS: &[&str] =
    &["async", "unsafe", "scope", "in_place_scope", "spawn_scoped", "rayon", "macro_rules"];

/// Whether a body keeps all that a parameter binds.
pub(super) fn keeps(pattern: &Pat, ty: &Type, body: &Group) -> bool {
    let mut names = Vec::new();
    let is_reader = matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Reader"));
    bindings(pattern, &mut names) && names.iter().all(|name| is_kept(name, is_reader, body))
}

/// Whether a body keeps all variables of that name.
pub(super) fn is_kept(name: &Ident, is_reader: bool, body: &Group) -> bool {
    count(body.stream(), &|ident| is_one_of(ident, DANGEROUS)) == 0
        && Search { name, is_reader }.is_kept(&inside(body), Place::Code)
}

/// Collects the names that a simple pattern binds. Returns false if the pattern is not simple.
fn bindings(pattern: &Pat, names: &mut Vec<Ident>) -> bool {
    match pattern {
        Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => {
            names.push(pat.ident.clone());
            true
        }
        Pat::Tuple(tuple) => tuple.elems.iter().all(|pattern| bindings(pattern, names)),
        _ => false,
    }
}

/// The place of the tokens that are searched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Code,
    /// In a known macro.
    Macro,
    /// In `alt!` or `pri_alt!`.
    Choice,
    /// In a closure or an unknown macro: every variable that is mentioned here escapes.
    Anywhere,
}

impl Place {
    /// Returns the place of the tokens in `group`, which stands at `index` of `tokens`.
    fn of(self, group: &Group, tokens: &[TokenTree], index: usize) -> Place {
        let is_block = group.delimiter() == Delimiter::Brace;
        match (self, macro_name(tokens, index)) {
            (Place::Anywhere, _) => Place::Anywhere,
            (_, Some(name)) if is_one_of(name, &["alt", "pri_alt"]) => Place::Choice,
            (_, Some(name)) if is_one_of(name, KNOWN_MACROS) => Place::Macro,
            (_, Some(_)) => Place::Anywhere,
            // A block of an arm is code again.
            (Place::Choice | Place::Macro, None) if is_block => Place::Code,
            (place, None) => place,
        }
    }
}

struct Search<'a> {
    name: &'a Ident,
    is_reader: bool,
}

impl Search<'_> {
    fn is_kept(&self, tokens: &[TokenTree], place: Place) -> bool {
        let patterns: Vec<_> = match place {
            Place::Code => lets(tokens).into_iter().map(|made| made.pattern).collect(),
            _ => Vec::new(),
        };
        let closures = closures(tokens);
        tokens.iter().enumerate().all(|(index, token)| {
            let place = if closures[index] { Place::Anywhere } else { place };
            if patterns.iter().any(|pattern| pattern.contains(&index)) {
                return true;
            }
            match token {
                TokenTree::Group(group) => {
                    let (inner, place) = (inside(group), place.of(group, tokens, index));
                    self.is_ended(&inner, before(tokens, index), place)
                        || self.is_kept(&inner, place)
                }
                TokenTree::Ident(ident) if ident == self.name => {
                    self.is_harmless(tokens, index, place)
                }
                _ => true,
            }
        })
    }

    /// Whether the variable is the only argument of `drop`, or of `retired` in a choice.
    fn is_ended(&self, arguments: &[TokenTree], called: Option<&TokenTree>, place: Place) -> bool {
        let [TokenTree::Ident(only)] = arguments else { return false };
        only == self.name
            && place != Place::Anywhere
            && (is_ident(called, "drop") || place == Place::Choice && is_ident(called, "retired"))
    }

    /// Whether the variable, which is mentioned here, stays in place.
    fn is_harmless(&self, tokens: &[TokenTree], index: usize, place: Place) -> bool {
        let before = before(tokens, index);
        let is_field = before.is_some_and(|token| is_punct(token, '.')) && !is_range(tokens, index);
        if is_field || before.is_some_and(|token| is_punct(token, '\'')) {
            return true; // a field, a method or a label of the same name
        }
        if place == Place::Anywhere {
            return false;
        }
        match &tokens[index + 1..] {
            [dot, TokenTree::Ident(method), TokenTree::Group(call), ..] if is_punct(dot, '.') => {
                is_call(call) && (is_one_of(method, BORROWING) || is_one_of(method, ENDING))
            }
            [
                TokenTree::Group(element),
                dot,
                TokenTree::Ident(method),
                TokenTree::Group(call),
                ..,
            ] if element.delimiter() == Delimiter::Bracket && is_punct(dot, '.') => {
                is_call(call) && is_one_of(method, BORROWING)
            }
            // A part of a tuple.
            [
                dot,
                TokenTree::Literal(_),
                then,
                TokenTree::Ident(method),
                TokenTree::Group(call),
                ..,
            ] if is_punct(dot, '.') && is_punct(then, '.') => {
                is_call(call) && is_one_of(method, BORROWING)
            }
            [dot, ..] if is_punct(dot, '.') => is_range(tokens, index + 2) && is_borrowed(before),
            [TokenTree::Group(body), ..]
                if body.delimiter() == Delimiter::Brace && is_ident(before, "in") =>
            {
                self.is_reader
            }
            _ => is_borrowed(before),
        }
    }
}

fn is_borrowed(before: Option<&TokenTree>) -> bool {
    before.is_some_and(|token| is_punct(token, '&'))
}

/// Whether the name at `index` comes after `..`.
fn is_range(tokens: &[TokenTree], index: usize) -> bool {
    index >= 2
        && index <= tokens.len()
        && is_punct(&tokens[index - 1], '.')
        && is_punct(&tokens[index - 2], '.')
}

/// Tells of each token whether it belongs to a closure that begins among them.
fn closures(tokens: &[TokenTree]) -> Vec<bool> {
    let mut inside = vec![false; tokens.len()];
    let mut index = 0;
    while index < tokens.len() {
        let moves = is_ident(tokens.get(index), "move");
        let begins = is_punct(&tokens[index], '|') && begins_an_expression(&tokens[..index]);
        if !moves && !begins {
            index += 1;
            continue;
        }
        let begin = index;
        if moves {
            index += 1;
        }
        // The parameters, which may have commas.
        if tokens.get(index).is_some_and(|token| is_punct(token, '|')) {
            let close = tokens[index + 1..].iter().position(|token| is_punct(token, '|'));
            index = close.map_or(tokens.len(), |close| index + close + 2);
        }
        while index < tokens.len()
            && !is_punct(&tokens[index], ',')
            && !is_punct(&tokens[index], ';')
        {
            index += 1;
        }
        inside[begin..index].fill(true);
    }
    inside
}

/// Whether an expression begins behind these tokens, and no operator.
pub(super) fn begins_an_expression(before: &[TokenTree]) -> bool {
    match before.last() {
        None => true,
        // An expression may have attributes.
        Some(TokenTree::Group(_)) => before.len() > 1 && is_punct(&before[before.len() - 2], '#'),
        Some(TokenTree::Literal(_)) => false,
        Some(TokenTree::Ident(ident)) => {
            is_one_of(ident, &["return", "break", "in", "else", "match", "if", "while", "static"])
        }
        // In `a? | b` and `x as Vec<T> | y` the rest is taken for a closure, which only keeps less.
        Some(TokenTree::Punct(punct)) => punct.as_char() != '|',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &str) -> bool {
        let body: Group = syn::parse_str(&format!("{{ {body} }}")).unwrap();
        keeps(
            &Pat::parse_single.parse_str("x").unwrap(),
            &syn::parse_str("Reader<u8>").unwrap(),
            &body,
        )
    }

    use syn::parse::Parser as _;

    #[test]
    fn what_is_only_used_in_place_is_kept() {
        for body in [
            "",
            "loop { out.write(x.read()?)?; }",
            "for v in &x { out.write(v)?; }",
            "for v in x { out.write(v)?; }",
            "for v in x.iter().take(3) {}",
            "x[0].read(); x[i + 1].write(2)?; x[..2].len();",
            "x.0.read()?; let y = x.1.clone();",
            "helper(&x); helper(&x[1..]);",
            "alt! { v = x.read() => v, retired(x) => 0 }",
            "csp::alt! { v = x.read() => { let w = x.clone(); v } }",
            "parallel!(child(x.clone()), other(5))",
            "println!(\"{}\", x.read()?)",
            "if a || b { x.read(); }",
            "if a | b { x.read(); }",
            "match n { 0 | 1 => x.read(), _ => y }",
            "drop(x)",
            "x.retire();",
            "s.x = 3; 'x: loop { break 'x }",
            "a.x(3)",
            "values.map(|v| v + 1); x.read()",
            "f(|a, b| a + b, x.read())",
            "let x = c.reader();",
            "let (x, y) = (c.reader(), c.writer()); x.read()",
        ] {
            assert!(kept(body), "{body}");
        }
    }

    #[test]
    fn what_may_be_let_out_is_not() {
        for body in [
            "f(x)",
            "let y = x;",
            "x",
            "return x;",
            "Some(x)",
            "S { x }",
            "S { x: x }",
            "S { x: y }",
            "vec![x]",
            "out.write(x)?",
            "x.into_iter()",
            "x.pop()",
            "x.0.take()",
            "x.0.retire()",
            "x[0].take()",
            "f(&mut x)",
            "x = y;",
            "let x = f();",
            "match x { x => 1 }",
            "std::thread::spawn(move || x.read())",
            "std::thread::spawn(|| { x.retire() })",
            "f(|| x.read())",
            "let f = |v| x.write(v);",
            "f(|a, b| a + x.read()?)",
            "mine!(x.read())",
            "alt! { v = x.read() => x }",
            "alt! { v = y.read() => f(x) }",
            "parallel!(child(x))",
            "async { x.read() }",
            "unsafe { f(&x) }",
            "let y = &x; std::thread::scope(|s| ())",
            "(0..3).for_each(|_| drop(x))",
            "let (x, y) = pair; x.read()",
            "&x.into_iter()",
            "while let Some(x) = y.next() {}",
            "f(0..x)",
        ] {
            assert!(!kept(body), "{body}");
        }
    }
}
