//! Which of its arguments and variables a body keeps: never moves, and lends to nobody who might keep them.
//!
//! The library takes a process for the holder of a channel end only where it can't have let the end out; then it can tell that
//! nobody else will ever write, read or end the channel. What is found here is a promise, so everything that is not surely
//! harmless counts as letting out: a name alone, a method that is not known, a closure, a macro that is not known. A name that
//! stands for several variables is kept if all of them are.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Index, Pat, Path, Type};

/// These take `&self`.
const BORROWING: &[&str] = &[
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

/// These end what they are called on.
const ENDING: &[&str] = &["retire", "resign"];

/// What these do with their tokens is known.
const MACROS: &[&str] = &[
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

/// Where these stand, references may outlive the statement in other threads, or names mean something else.
const DANGEROUS: &[&str] =
    &["async", "unsafe", "scope", "in_place_scope", "spawn_scoped", "rayon", "macro_rules"];

/// One variable: `let writer = channel.writer();`
struct Variable {
    name: Ident,
    /// It is a reader, so that `for x in it` takes values, not ends, out of it.
    is_reader: bool,
}

/// A statement that makes variables, in the tokens of a block.
struct Let {
    /// Up to the `=`.
    pattern: std::ops::Range<usize>,
    variables: Vec<Variable>,
    /// After the `;`.
    end: usize,
}

/// Whether a body keeps all that a parameter binds.
fn keeps(pattern: &Pat, ty: &Type, body: &Group) -> bool {
    let mut names = Vec::new();
    let is_reader = matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Reader"));
    bindings(pattern, &mut names) && names.iter().all(|name| is_kept(name, is_reader, body))
}

/// The names that a simple pattern binds; false if it is not simple.
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

/// The body, with a line behind each statement that makes a channel, an end or a barrier which the body then keeps.
pub(crate) fn marked(krate: &Path, body: &Group) -> Group {
    let tokens: Vec<_> = body.stream().into_iter().collect();
    mark(krate, body, &tokens).map_or_else(|| body.clone(), |stream| regrouped(body, stream))
}

fn regrouped(group: &Group, stream: TokenStream) -> Group {
    let mut marked = Group::new(group.delimiter(), stream);
    marked.set_span(group.span());
    marked
}

/// None: nothing is to be added.
fn mark(krate: &Path, body: &Group, tokens: &[TokenTree]) -> Option<TokenStream> {
    let mut lets = lets(tokens).into_iter().peekable();
    let mut marked = Vec::new();
    let mut changed = false;
    for (index, token) in tokens.iter().enumerate() {
        if let Some(made) = lets.next_if(|made| made.end == index) {
            changed |= add(krate, body, &made, &mut marked);
        }
        let inner = match token {
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Brace && macro_name(tokens, index).is_none() =>
            {
                let inner: Vec<_> = group.stream().into_iter().collect();
                mark(krate, body, &inner).map(|stream| TokenTree::Group(regrouped(group, stream)))
            }
            _ => None,
        };
        changed |= inner.is_some();
        marked.push(inner.unwrap_or_else(|| token.clone()));
    }
    if let Some(made) = lets.next() {
        changed |= add(krate, body, &made, &mut marked);
    }
    changed.then(|| marked.into_iter().collect())
}

fn add(krate: &Path, body: &Group, made: &Let, marked: &mut Vec<TokenTree>) -> bool {
    let mut added = false;
    for Variable { name, is_reader } in &made.variables {
        // One that is never used would no longer be reported.
        if is_kept(name, *is_reader, body)
            && (name.to_string().starts_with('_') || is_mentioned(name, body))
        {
            marked.extend(hold(krate, name, true));
            added = true;
        }
    }
    added
}

/// Says that the current process holds what is in an argument; of a tuple, part by part, for some parts may be no ends.
pub(crate) fn hold_argument(
    krate: &Path,
    argument: &TokenStream,
    pattern: &Pat,
    ty: &Type,
    body: &Group,
) -> TokenStream {
    let Type::Tuple(tuple) = ty else {
        return hold(krate, argument, keeps(pattern, ty, body));
    };
    let patterns: Vec<&Pat> = match pattern {
        Pat::Tuple(pattern) if pattern.elems.len() == tuple.elems.len() => {
            pattern.elems.iter().collect()
        }
        pattern => vec![pattern; tuple.elems.len()],
    };
    let parts = tuple.elems.iter().zip(patterns).enumerate().map(|(index, (ty, pattern))| {
        let index = Index::from(index);
        hold_argument(krate, &quote!(#argument.#index), pattern, ty, body)
    });
    parts.collect()
}

/// Says that the current process holds what is in a variable. `sure`: and keeps it.
pub(crate) fn hold(krate: &Path, name: &impl ToTokens, sure: bool) -> TokenStream {
    let spare = name.to_token_stream().to_string().starts_with('_');
    quote! {
        {
            #[allow(unused_imports)]
            use #krate::__private::kept::Otherwise as _;
            #krate::__private::kept::Kept(&#name)
                .hold(#krate::__private::kept::How { sure: #sure, spare: #spare });
        }
    }
}

fn is_kept(name: &Ident, is_reader: bool, body: &Group) -> bool {
    let tokens: Vec<_> = body.stream().into_iter().collect();
    !mentions(&tokens, &|ident| DANGEROUS.iter().any(|dangerous| ident == dangerous))
        && Search { name, is_reader }.is_kept(&tokens, Place::Code)
}

fn is_mentioned(name: &Ident, body: &Group) -> bool {
    let tokens: Vec<_> = body.stream().into_iter().collect();
    let bound = |tokens: &[TokenTree]| {
        lets(tokens).iter().flat_map(|made| &made.variables).filter(|v| v.name == *name).count()
    };
    count(&tokens, name) > bound_anywhere(&tokens, &bound)
}

fn count(tokens: &[TokenTree], name: &Ident) -> usize {
    tokens
        .iter()
        .map(|token| match token {
            TokenTree::Ident(ident) => usize::from(ident == name),
            TokenTree::Group(group) => count(&group.stream().into_iter().collect::<Vec<_>>(), name),
            _ => 0,
        })
        .sum()
}

fn bound_anywhere(tokens: &[TokenTree], bound: &impl Fn(&[TokenTree]) -> usize) -> usize {
    let inner = tokens.iter().map(|token| match token {
        TokenTree::Group(group) => {
            bound_anywhere(&group.stream().into_iter().collect::<Vec<_>>(), bound)
        }
        _ => 0,
    });
    bound(tokens) + inner.sum::<usize>()
}

fn mentions(tokens: &[TokenTree], is: &impl Fn(&Ident) -> bool) -> bool {
    tokens.iter().any(|token| match token {
        TokenTree::Ident(ident) => is(ident),
        TokenTree::Group(group) => mentions(&group.stream().into_iter().collect::<Vec<_>>(), is),
        _ => false,
    })
}

/// What the tokens are that are searched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Code,
    /// Of a macro that is known.
    Macro,
    /// Of `alt!` or `pri_alt!`.
    Choice,
    /// Of a macro that is not known, or of a closure: a variable that is mentioned is let out.
    Anywhere,
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
                    let inner: Vec<_> = group.stream().into_iter().collect();
                    let inside = match (place, macro_name(tokens, index)) {
                        (Place::Anywhere, _) => Place::Anywhere,
                        (_, Some(name)) if name == "alt" || name == "pri_alt" => Place::Choice,
                        (_, Some(name)) if MACROS.iter().any(|known| name == known) => Place::Macro,
                        (_, Some(_)) => Place::Anywhere,
                        // A block of an arm is code again.
                        (Place::Choice | Place::Macro, None)
                            if group.delimiter() == Delimiter::Brace =>
                        {
                            Place::Code
                        }
                        (place, None) => place,
                    };
                    is_ended(&inner, self.name, tokens, index, inside)
                        || self.is_kept(&inner, inside)
                }
                TokenTree::Ident(ident) if ident == self.name => {
                    self.is_harmless(tokens, index, place)
                }
                _ => true,
            }
        })
    }

    /// Whether the variable, mentioned here, stays where it is.
    fn is_harmless(&self, tokens: &[TokenTree], index: usize, place: Place) -> bool {
        let before = index.checked_sub(1).map(|before| &tokens[before]);
        let is_field = before.is_some_and(|token| is_punct(token, '.')) && !is_range(tokens, index);
        if is_field || before.is_some_and(|token| is_punct(token, '\'')) {
            return true; // another thing of that name: a field, a method, a label
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

/// `drop(it)`, and `retired(it)` of a choice: here the name may stand alone.
fn is_ended(
    inner: &[TokenTree],
    name: &Ident,
    tokens: &[TokenTree],
    index: usize,
    place: Place,
) -> bool {
    let [TokenTree::Ident(only)] = inner else { return false };
    let called = index.checked_sub(1).map(|before| &tokens[before]);
    only == name
        && place != Place::Anywhere
        && (is_ident(called, "drop") || place == Place::Choice && is_ident(called, "retired"))
}

/// The name of the macro that is called with the group at `index`.
fn macro_name(tokens: &[TokenTree], index: usize) -> Option<&Ident> {
    match tokens[..index] {
        [.., TokenTree::Ident(ref name), ref bang] if is_punct(bang, '!') => Some(name),
        _ => None,
    }
}

/// Which tokens belong to a closure that begins among them.
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

/// Whether what follows these tokens is the beginning of an expression, and no operator.
fn begins_an_expression(before: &[TokenTree]) -> bool {
    match before.last() {
        None => true,
        // Behind an attribute one may begin.
        Some(TokenTree::Group(_)) => before.len() > 1 && is_punct(&before[before.len() - 2], '#'),
        Some(TokenTree::Literal(_)) => false,
        Some(TokenTree::Ident(ident)) => {
            is_one_of(ident, &["return", "break", "in", "else", "match", "if", "while", "static"])
        }
        // Of `a? | b` and of `x as Vec<T> | y` at worst too much is taken for a closure.
        Some(TokenTree::Punct(punct)) => punct.as_char() != '|',
    }
}

/// Statements in a block that make what may be kept.
fn lets(tokens: &[TokenTree]) -> Vec<Let> {
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let starts = match index.checked_sub(1).map(|before| &tokens[before]) {
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

fn variables(tokens: &[TokenTree], start: usize) -> Option<Let> {
    let end = start + tokens[start..].iter().position(|token| is_punct(token, ';'))?;
    let equals = start + tokens[start..end].iter().position(|token| is_punct(token, '='))?;
    let value = &tokens[equals + 1..end];
    let pattern = &tokens[start + 1..equals];
    let pattern = match pattern {
        [mutable, rest @ ..] if is_ident(Some(mutable), "mut") => rest,
        _ => pattern,
    };
    let variables = match pattern {
        // With a type or without.
        [TokenTree::Ident(name)] => vec![variable(name, value)?],
        [TokenTree::Ident(name), colon, ..] if is_punct(colon, ':') => vec![variable(name, value)?],
        [TokenTree::Group(names)] if names.delimiter() == Delimiter::Parenthesis => {
            let [TokenTree::Group(values)] = value else { return None };
            let names: Vec<_> = names.stream().into_iter().collect();
            let values: Vec<_> = values.stream().into_iter().collect();
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

/// The type of what is made here is known without what follows.
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
                |token| matches!(token, TokenTree::Ident(ty) if ty == "Channel" || ty == "Barrier"),
            )
    };
    known.then(|| Variable { name: name.clone(), is_reader: function == "reader" })
}

fn is_one_of(ident: &Ident, names: &[&str]) -> bool {
    names.iter().any(|name| ident == name)
}

fn is_call(group: &Group) -> bool {
    group.delimiter() == Delimiter::Parenthesis
}

fn is_ident(token: Option<&TokenTree>, name: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == name)
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

/// Whether the name at `index` comes after `..`.
fn is_range(tokens: &[TokenTree], index: usize) -> bool {
    index >= 2
        && index <= tokens.len()
        && is_punct(&tokens[index - 1], '.')
        && is_punct(&tokens[index - 2], '.')
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

    #[test]
    fn what_a_body_makes_and_keeps_is_marked() {
        let count = |body: &str| {
            let body: Group = syn::parse_str(&format!("{{ {body} }}")).unwrap();
            marked(&syn::parse_quote!(csp), &body).to_string().matches("Kept").count()
        };
        assert_eq!(count("let a = Channel::new(); a.reader()"), 1);
        assert_eq!(
            count("let mut a = 3 * csp::Channel::<u8>::buffered(2).named(\"a\"); a[0].reader()"),
            1
        );
        assert_eq!(
            count("let (a, b) = (Channel::new(), Channel::new()); p(a.reader(), b.writer())"),
            2
        );
        assert_eq!(count("loop { if y { let b = Barrier::new(); p(b.enrol()); } }"), 1);
        assert_eq!(count("let _a = c.writer();"), 1);
        assert_eq!(count("let a = c.writer();"), 0, "it is reported as unused");
        assert_eq!(count("let a = Channel::new(); f(a)"), 0);
        assert_eq!(count("let a = Default::default(); f(&a)"), 0, "its type may not be known yet");
        assert_eq!(count("let a: Reader<u8> = c.reader(); a.read()"), 1);
        assert_eq!(count("mine! { let a = c.reader(); a.read() }"), 0);
    }
}
