//! Prints the mistakes, a constructor that its callers can still call, and the body, which may have mistakes of its own.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{FnArg, ReturnType, Safety};

use super::{
    method,
    validate::{Verdict, is_main, makes_a_process},
};
use crate::{function::Function, options::Options};

pub(super) fn function(
    report: &TokenStream,
    options: &Options,
    verdict: &Verdict,
    function: &Function,
) -> TokenStream {
    let Function { attrs, vis, sig, body } = function;
    if is_main(sig) {
        return quote!(#report #function);
    }
    let krate = &options.krate;
    let attrs = attrs.iter().filter(|attr| !makes_a_process(attr));

    let mut inner = sig.clone();
    let associated = method::is_associated(function);
    inner.ident = match associated {
        true => method::body_name(sig),
        false => format_ident!("__csp_body"),
    };
    let inner = verdict.stands.then(|| quote!(#inner #body));
    let (inside, beside) = match associated {
        true => (
            None,
            inner.map(|inner| quote!(#[allow(warnings, clippy::all, clippy::pedantic)] #inner)),
        ),
        false => (inner, None),
    };

    let mut outer = sig.clone();
    (outer.constness, outer.asyncness, outer.safety, outer.abi) =
        (None, None, Safety::Default, None);
    outer.variadic = None;
    for (index, (input, wrong)) in outer.inputs.iter_mut().zip(&verdict.wrong_arguments).enumerate()
    {
        if let FnArg::Typed(typed) = input {
            let name = format_ident!("argument_{}", index + 1);
            *typed.pat = syn::parse_quote!(#name);
            if *wrong {
                *typed.ty = syn::parse_quote!(impl ::core::marker::Sized);
            }
        }
    }
    let result = match &outer.output {
        ReturnType::Type(_, ty) if !verdict.wrong_result => quote!(#ty),
        _ => quote!(()),
    };
    outer.output = syn::parse_quote!(-> #krate::Process<(), #result>);

    quote! {
        #report
        #(#attrs)*
        #[allow(warnings, clippy::all, clippy::pedantic)]
        #vis #outer {
            #inside
            ::core::unreachable!()
        }
        #beside
    }
}
