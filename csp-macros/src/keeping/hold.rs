//! Prints what a body keeps: calls that tell the library which process holds an argument or a variable.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Index, Pat, Path, Type};

use super::{
    escape::{is_kept, keeps},
    fields::{Field, fields},
    statements::{Let, Variable, is_used, lets},
};
use crate::tokens::{inside, macro_name};

/// Prints that the current process holds an argument. Takes a tuple part by part, because not every part need be an end.
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

/// Prints that the current process holds the fields of the object that its body uses like channel ends. A field that is reached by
/// `Deref` is somebody else's.
pub(crate) fn hold_fields(krate: &Path, object: &Ident, body: &Group) -> TokenStream {
    let held = fields(body).into_iter().map(|Field { member, is_kept }| {
        let hold = hold(krate, &quote!(#object.#member), is_kept);
        quote!(if #krate::__private::kept::is_part(&#object, &#object.#member) #hold)
    });
    held.collect()
}

/// Returns the body, with a line behind each statement that makes a channel, an end or a barrier if the body keeps it.
pub(crate) fn marked(krate: &Path, body: &Group) -> Group {
    mark(krate, body, &inside(body)).map_or_else(|| body.clone(), |stream| regrouped(body, stream))
}

fn regrouped(group: &Group, stream: TokenStream) -> Group {
    let mut marked = Group::new(group.delimiter(), stream);
    marked.set_span(group.span());
    marked
}

/// Returns the tokens with the lines that are to be added, or `None` without any.
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
                mark(krate, body, &inside(group))
                    .map(|stream| TokenTree::Group(regrouped(group, stream)))
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
        // The line counts as a use, so rustc would no longer report a variable that is never used.
        if is_kept(name, *is_reader, body) && (is_spare(name) || is_used(name, body)) {
            marked.extend(hold(krate, name, true));
            added = true;
        }
    }
    added
}

/// Prints that the current process holds a variable, and, if `sure`, that it keeps the variable.
fn hold(krate: &Path, name: &impl ToTokens, sure: bool) -> TokenStream {
    let spare = is_spare(name);
    quote! {
        {
            #[allow(unused_imports)]
            use #krate::__private::kept::Otherwise as _;
            #krate::__private::kept::Kept(&#name)
                .hold(#krate::__private::kept::How { sure: #sure, spare: #spare });
        }
    }
}

/// Whether the name says that the variable is not to be used.
fn is_spare(name: &impl ToTokens) -> bool {
    name.to_token_stream().to_string().starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::*;

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
