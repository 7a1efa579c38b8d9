//! `#[csp::main]`: small enough for one file.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Safety;

use crate::{
    diagnostics::Mistakes,
    function::{Function, Item},
    keeping,
    options::Options,
};

pub(crate) fn attribute(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let options = Options::of_main(options, &mut mistakes);
    let function = match syn::parse2(item.clone()) {
        Ok(Item::Function(function)) => Some(function),
        Ok(Item::Bodiless(sig)) => {
            mistakes.at(sig, "main has a body: it is what the system starts");
            None
        }
        Ok(Item::Other(first)) => {
            mistakes.at(first, "main is a function: only that can be started");
            None
        }
        Err(error) => {
            mistakes.push(error);
            None
        }
    };
    let Some(function) = function else {
        let report = mistakes.report();
        return quote!(#report #item);
    };
    validate(&function, &mut mistakes);
    match mistakes.report() {
        None => expand(&options, *function),
        Some(report) => fallback(&report, *function),
    }
}

fn validate(function: &Function, mistakes: &mut Mistakes) {
    let sig = &function.sig;
    if let Some(constness) = sig.constness {
        mistakes.at(
            constness,
            "main is not `const`: it communicates, which only a running program does",
        );
    }
    if let Some(asyncness) = sig.asyncness {
        mistakes.at(
            asyncness,
            "main is not `async`: it waits where it reads and writes, without `await`",
        );
    }
    if let Safety::Unsafe(unsafety) = &sig.safety {
        mistakes
            .at(unsafety, "main is not `unsafe`: the system promises nothing when it starts it");
    }
    if let Some(abi) = &sig.abi {
        mistakes.at(abi, "main is not `extern`: only the library calls its body");
    }
    if !sig.generics.params.is_empty() {
        mistakes.at(
            &sig.generics,
            "main has no generic parameters: nobody calls it who could choose them",
        );
    }
    if let Some(clause) = &sig.generics.where_clause {
        mistakes.at(clause, "main has no `where` clause: it has no generic parameters");
    }
    if !sig.inputs.is_empty() {
        mistakes
            .at(&sig.inputs, "main has no arguments: the command line's are in `std::env::args()`");
    }
    if let Some(variadic) = &sig.variadic {
        mistakes
            .at(variadic, "main has no arguments: the command line's are in `std::env::args()`");
    }
}

fn expand(options: &Options, function: Function) -> TokenStream {
    let krate = &options.krate;
    let Function { attrs, vis, sig, body } = function;
    let mut inner = sig.clone();
    inner.ident = format_ident!("__csp_body");
    let body_fn = &inner.ident;
    let body = keeping::marked(krate, &body);
    quote! {
        #(#attrs)*
        #vis #sig {
            #inner #body
            #krate::__private::main(#body_fn)
        }
    }
}

/// A `main` that the system can start, and the body, which may have mistakes of its own.
fn fallback(report: &TokenStream, function: Function) -> TokenStream {
    let Function { attrs, vis, sig, body } = function;
    let mut inner = sig.clone();
    inner.ident = format_ident!("__csp_body");
    let inner = inner.variadic.is_none().then(|| quote!(#inner #body));
    let (fn_token, name, output) = (sig.fn_token, sig.ident, sig.output);
    quote! {
        #report
        #(#attrs)*
        #[allow(warnings, clippy::all, clippy::pedantic)]
        #vis #fn_token #name() #output {
            #inner
            ::core::unreachable!()
        }
    }
}
