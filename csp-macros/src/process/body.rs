//! Prints the user's function. If its result may be an error, the result is looked at before the arguments are dropped.

// A function drops its arguments before its caller sees what it returns. So the body becomes a closure that borrows the arguments, or
// takes those that the body moves. From
//
//     #[process]
//     fn copy(input: Reader<u64>, out: Writer<u64>) -> csp::Result {
//         loop {
//             out.write(input.read()?)?;
//         }
//     }
//
// this file prints
//
//     fn __csp_body(input: Reader<u64>, out: Writer<u64>) -> csp::Result {
//         let returned = ::csp::__private::body(|| -> csp::Result {
//             loop {
//                 out.write(input.read()?)?;
//             }
//         });
//         {
//             use ::csp::__private::Decides as _;
//             (&&&&&&&::csp::__private::ProcessResult(&returned)).decide();
//         }
//         returned
//     }
//
// The body of an `async fn` becomes an `async` block. Such a block cannot say its type, so a `return` that is never reached does.
// From
//
//     #[process]
//     async fn first(input: Reader<u64>) -> csp::Result<u64> {
//         input.read_async().await
//     }
//
// this file prints
//
//     fn __csp_body(input: Reader<u64>) -> impl ::core::future::Future<Output = csp::Result<u64> > {
//         async move {
//             let _ = (&input,);
//             let returned = async {
//                 if false {
//                     return ::csp::__private::of_type::<csp::Result<u64> >();
//                 }
//                 input.read_async().await
//             }.await;
//             {
//                 use ::csp::__private::Decides as _;
//                 (&&&&&&&::csp::__private::ProcessResult(&returned)).decide();
//             }
//             returned
//         }
//     }

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{FnArg, Pat, Path, ReturnType, Signature, Type, parse_quote};

use crate::{
    spans::{across, local, path_at, path_at_type},
    tokens::{inside, is_punct, mentions},
};

/// Prints the function with this signature and body.
pub(super) fn function(krate: &Path, sig: &Signature, body: &Group) -> TokenStream {
    let (attributes, statements) = inner_attributes(body);
    let is_async = sig.asyncness.is_some();
    let typed = is_async.then(|| typed(krate, &sig.output)).flatten();
    let mentioned = statements.clone();
    let statements = match &sig.output {
        ReturnType::Type(_, ty) if may_fail(ty) => {
            // Rustc names the arguments in its messages only if the block is the user's, not the macro's.
            let place = body.span();
            let ran = match is_async {
                true => {
                    let block = braced(body, quote!(#typed #statements));
                    let block = quote_spanned!(place=> async #block);
                    quote!(#block.await)
                }
                false => {
                    let block = braced(body, statements);
                    let closure = quote_spanned!(place=> || -> #ty #block);
                    quote!(#krate::__private::body(#closure))
                }
            };
            decided(krate, ty, &ran)
        }
        _ => quote!(#typed #statements),
    };
    let (sig, statements) = match held_once(sig, &mentioned) {
        Some((sig, whole)) => {
            // The statements stand in this block. Around a block of theirs, rustc would find its braces unnecessary.
            let block = braced(body, quote!(#whole #statements));
            (sig, quote!(async move #block))
        }
        None => (sig.clone(), statements),
    };
    let block = braced(body, quote!(#attributes #statements));
    quote!(#sig #block)
}

/// Prints statements in braces that stand where those of `body` do.
fn braced(body: &Group, statements: TokenStream) -> Group {
    let mut group = Group::new(Delimiter::Brace, statements);
    group.set_span(body.span());
    group
}

/// Returns the `#![…]` at the beginning of a body, and all that comes behind them.
fn inner_attributes(body: &Group) -> (TokenStream, TokenStream) {
    let tokens = inside(body);
    let is_attr = |tokens: &&[TokenTree]| matches!(tokens, [sign, bang, TokenTree::Group(_)] if is_punct(sign, '#') && is_punct(bang, '!'));
    let attrs = 3 * tokens.chunks(3).take_while(is_attr).count();
    let (attrs, statements) = tokens.split_at(attrs);
    (attrs.iter().cloned().collect(), statements.iter().cloned().collect())
}

/// Prints what looks at the result of `ran` and then returns it.
fn decided(krate: &Path, ty: &Type, ran: &TokenStream) -> TokenStream {
    let returned = Ident::new("returned", local(Span::call_site()));
    // A bound that the type does not meet is a mistake at the type, and is reported there once.
    let (first, last) = across(ty);
    let (first, last) = (Span::call_site().located_at(first), Span::call_site().located_at(last));
    let krate_there = path_at(first, krate);
    let mut looked = Group::new(
        Delimiter::Parenthesis,
        quote_spanned!(first=> &&&&&&&#krate_there::__private::ProcessResult(&#returned)),
    );
    looked.set_span(first);
    let decide = quote_spanned!(last=> .decide());
    quote! {
        let #returned = #ran;
        {
            use #krate::__private::Decides as _;
            #looked #decide;
        }
        #returned
    }
}

/// Prints a statement that tells rustc the type of the `async` block around it, because a block cannot say it.
fn typed(krate: &Path, output: &ReturnType) -> Option<TokenStream> {
    let ReturnType::Type(_, ty) = output else { return None };
    let of_type = path_at_type(krate, "of_type", ty);
    let place = Span::call_site().located_at(across(ty).1);
    (!is_never(ty)).then(|| quote_spanned!(place=> if false { return #of_type(); }))
}

/// Returns the signature of an `async fn` as a function that returns an `async` block, which keeps its arguments where it captured
/// them, and the first statement of that block. In the future of an `async fn` each argument lies twice: as an argument, and as a
/// variable. The order of drops is the same.
///
/// Returns `None` if the function is no `async fn`, or has an argument that the block would not capture whole. It also returns
/// `None` if the body does not mention an argument, because rustc may warn of that.
fn held_once(sig: &Signature, body: &TokenStream) -> Option<(Signature, Option<TokenStream>)> {
    let mut sig = sig.clone();
    sig.asyncness.take()?;
    let ty = match &sig.output {
        ReturnType::Type(_, ty) if is_never(ty) => return None,
        output => result(output),
    };
    let names: Option<Vec<_>> = sig
        .inputs
        .iter()
        .map(|input| match input {
            FnArg::Typed(typed) => match &*typed.pat {
                Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => {
                    Some(pat.ident.clone())
                }
                _ => None,
            },
            FnArg::Receiver(receiver) => Some(Ident::new("self", receiver.self_token.span)),
        })
        .collect();
    // The block captures its arguments in this order, and drops them so.
    let names: Vec<_> = names?.into_iter().rev().collect();
    if !names.iter().all(|name| mentions(body.clone(), name)) {
        return None;
    }
    sig.output = parse_quote!(-> impl ::core::future::Future<Output = #ty>);
    let whole = (!names.is_empty()).then(|| quote!(let _ = (#(&#names,)*);));
    Some((sig, whole))
}

/// Returns the type of the result. `!` cannot stand between angle brackets yet, so `Infallible` stands in for it.
pub(super) fn result(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) if is_never(ty) => quote!(::core::convert::Infallible),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    }
}

pub(super) fn is_never(ty: &Type) -> bool {
    match ty {
        Type::Never(_) => true,
        Type::Paren(paren) => is_never(&paren.elem),
        Type::Group(group) => is_never(&group.elem),
        _ => false,
    }
}

/// Whether a type may be a `Result`, as far as its tokens tell. Any other name may be an alias.
fn may_fail(ty: &Type) -> bool {
    const NONE: &[&str] = &[
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16",
        "u32", "u64", "u128", "usize", "String", "Vec", "Option",
    ];
    match ty {
        Type::Paren(paren) => may_fail(&paren.elem),
        Type::Group(group) => may_fail(&group.elem),
        Type::Path(path) => {
            let last = path.path.segments.last();
            !last.is_some_and(|last| NONE.iter().any(|name| last.ident == name))
        }
        Type::Macro(_) | Type::Verbatim(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, attribute};
    use super::*;

    fn expand(item: &str) -> String {
        attribute(Kind::Process, TokenStream::new(), item.parse().unwrap()).to_string()
    }

    #[test]
    fn the_expansions_in_the_first_comment_are_real() {
        crate::shown::assert_attribute(include_str!("body.rs"), |_, options, item| {
            attribute(Kind::Process, options, item)
        });
    }

    #[test]
    fn only_a_result_that_may_be_an_error_is_looked_at() {
        for result in
            ["csp::Result", "io::Result<()>", "Result<u8, E>", "Alias", "T", "<T as U>::V", "m!()"]
        {
            assert!(expand(&format!("fn f() -> {result} {{ a }}")).contains("decide"), "{result}");
            assert!(
                expand(&format!("async fn f() -> {result} {{ a }}")).contains("decide"),
                "{result}"
            );
        }
        for result in [
            "()",
            "!",
            "u8",
            "Vec<io::Result<()>>",
            "Option<T>",
            "(T, U)",
            "[T; 3]",
            "&'static T",
            "fn() -> T",
        ] {
            assert!(!expand(&format!("fn f() -> {result} {{ a }}")).contains("decide"), "{result}");
            assert!(
                !expand(&format!("async fn f() -> {result} {{ a }}")).contains("decide"),
                "{result}"
            );
        }
    }

    #[test]
    fn inner_attributes_stay_in_front() {
        let expansion = expand("fn f() -> T { #![allow(unused)] #![deny(a)] a }");
        assert!(
            expansion.contains("-> T { #! [allow (unused)] #! [deny (a)] let returned"),
            "{expansion}"
        );
    }
}
