//! Processes of laws and their twins that await: these macros turn a function that waits into an `async fn` that does the same.
//!
//! A law is written once, as a program that waits. These attributes replace those of the library, and give each process a twin.
//! `csp_tests::awaits` decides which of the two a call makes. The twin has the same tokens, except that waits are replaced: `end.read()`
//! becomes `end.read_async().await`, and so on. A wait in a closure has no such form, so laws use loops instead.

mod awaiting;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::{FnArg, GenericParam, Ident, ItemFn, ReceiverKind, ReturnType, parse_macro_input};

use awaiting::awaiting;

/// Expands to `csp::process`, and a twin.
#[proc_macro_attribute]
pub fn process(options: TokenStream, item: TokenStream) -> TokenStream {
    twins(quote!(process), options.into(), parse_macro_input!(item)).into()
}

/// Expands to `csp::multiprocess`, and a twin, which is an `async` `csp::process`.
#[proc_macro_attribute]
pub fn multiprocess(options: TokenStream, item: TokenStream) -> TokenStream {
    twins(quote!(multiprocess), options.into(), parse_macro_input!(item)).into()
}

/// Gives a twin to a function that waits on behalf of processes. They call it by `wait_for!(function(…))`.
#[proc_macro_attribute]
pub fn awaitable(_: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as ItemFn);
    let ItemFn { attrs, vis, sig, block, .. } = &item;
    let mut twin = sig.clone();
    twin.asyncness = Some(Default::default());
    twin.ident = format_ident!("{}_async", sig.ident);
    let body = body(quote!(#block));
    quote!(#item #(#attrs)* #vis #twin #body).into()
}

/// Makes a process of a closure without arguments, or its twin.
#[proc_macro]
pub fn in_place(closure: TokenStream) -> TokenStream {
    let closure = Tokens::from(closure);
    let twin = awaiting(closure.clone());
    quote! {
        if ::csp_tests::awaits() {
            #[allow(unused_imports)]
            use ::csp_tests::Iterate as _;
            ::csp_tests::run_async(async #twin).erased()
        } else {
            ::csp_tests::run(#closure).erased()
        }
    }
    .into()
}

fn body(block: Tokens) -> Tokens {
    let block = awaiting(block);
    quote!({
        #[allow(unused_imports)]
        use ::csp_tests::Iterate as _;
        #block
    })
}

/// Returns the constructor of the process or its twin.
fn twins(attribute: Tokens, options: Tokens, item: ItemFn) -> Tokens {
    if let Some(FnArg::Receiver(_)) = item.sig.inputs.first() {
        return method(attribute, options, item);
    }
    let ItemFn { attrs, vis, sig, block, .. } = item;
    let (name, generics, bounds) = (&sig.ident, &sig.generics, &sig.generics.where_clause);
    let types: Vec<_> = sig
        .inputs
        .iter()
        .map(|input| match input {
            FnArg::Typed(input) => &input.ty,
            FnArg::Receiver(_) => unreachable!("it comes first"),
        })
        .collect();
    let arguments: Vec<_> = (0..types.len()).map(|n| format_ident!("argument_{n}")).collect();
    let parameters: Vec<&Ident> = generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(parameter) => Some(&parameter.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    let result = match &sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, result) => quote!(#result),
    };
    let call = quote!(#name::<#(#parameters),*>(#(#arguments),*));
    let mut twin = sig.clone();
    twin.asyncness = Some(Default::default());
    let body = body(quote!(#block));
    quote! {
        #(#attrs)*
        #vis fn #name #generics (#(#arguments: #types),*) -> ::csp::Process<(#(#types,)*), #result> #bounds {
            if ::csp_tests::awaits() {
                #[::csp::process(#options)]
                #twin #body
                #call
            } else {
                #[::csp::#attribute(#options)]
                #sig #block
                #call
            }
        }
    }
}

/// Returns the method that makes the process or its twin, and the two. They stand beside it, because functions in a method cannot name
/// `self`.
fn method(attribute: Tokens, options: Tokens, item: ItemFn) -> Tokens {
    let ItemFn { attrs, vis, sig, block, .. } = item;
    let name = &sig.ident;
    let options = match options.to_string().contains("name") {
        true => options,
        false => {
            let step = name.to_string();
            quote!(name = #step, #options)
        }
    };
    let (mut waits, mut awaits, mut chooses) = (sig.clone(), sig.clone(), sig.clone());
    waits.ident = format_ident!("{name}_that_waits");
    awaits.ident = format_ident!("{name}_that_awaits");
    awaits.asyncness = Some(Default::default());
    let (waiting, awaiting) = (&waits.ident, &awaits.ident);
    let (mut arguments, mut types) = (Vec::new(), Vec::new());
    for (n, input) in chooses.inputs.iter_mut().enumerate() {
        match input {
            FnArg::Receiver(receiver) => {
                receiver.mutability = None;
                types.push(match &receiver.kind {
                    ReceiverKind::Typed(_, ty) => quote!(#ty),
                    _ => quote!(Self),
                });
                arguments.push(quote!(self));
            }
            FnArg::Typed(typed) => {
                let argument = format_ident!("argument_{n}");
                *typed.pat = syn::parse_quote!(#argument);
                let ty = &typed.ty;
                types.push(quote!(#ty));
                arguments.push(quote!(#argument));
            }
        }
    }
    let result = match &sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, result) => quote!(#result),
    };
    chooses.output = syn::parse_quote!(-> ::csp::Process<(#(#types,)*), #result>);
    let body = body(quote!(#block));
    quote! {
        #(#attrs)*
        #vis #chooses {
            if ::csp_tests::awaits() {
                Self::#awaiting(#(#arguments),*)
            } else {
                Self::#waiting(#(#arguments),*)
            }
        }

        #[::csp::process(#options)]
        #awaits #body

        #[::csp::#attribute(#options)]
        #waits #block
    }
}
