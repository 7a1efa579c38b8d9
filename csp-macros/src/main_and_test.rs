//! `#[csp::main]` and `#[csp::test]`: small enough for one file.

// From
//
//     #[main(leaks = allow)]
//     fn main() {
//         work()
//     }
//
// this file prints
//
//     fn main() {
//         fn __csp_body() {
//             work()
//         }
//         ::csp::__private::main(
//             ::csp::__private::Main {
//                 dump_on_signal: false, allow_leaks: true, cores: ::core::option::Option::None
//             },
//             __csp_body,
//         )
//     }
//
// and from
//
//     #[test]
//     fn works() {
//         work()
//     }
//
// it prints
//
//     #[::core::prelude::v1::test]
//     fn works() {
//         fn __csp_body() {
//             work()
//         }
//         ::csp::__private::test(
//             ::core::concat!(::core::module_path!(), "::", ::core::stringify!(works)),
//             ::csp::__private::Test {
//                 limit: ::csp::__private::Duration::from_millis(60000u64),
//                 allow_leaks: false,
//                 cores: ::core::option::Option::None,
//             },
//             __csp_body,
//         )
//     }

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{LitInt, Path, Safety};

use crate::{
    diagnostics::Mistakes,
    function::{self, Function},
    keeping,
    options::Options,
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Main => "main",
            Kind::Test => "a test",
        }
    }

    fn starter(self) -> &'static str {
        match self {
            Kind::Main => "the system",
            Kind::Test => "the test runner",
        }
    }
}

pub(crate) fn attribute(kind: Kind, options: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let options = match kind {
        Kind::Main => Options::of_main(options, &mut mistakes),
        Kind::Test => Options::of_test(options, &mut mistakes),
    };
    let (name, starter) = (kind.name(), kind.starter());
    let function = function::parse(
        item.clone(),
        &mut mistakes,
        format!("{name} has a body: it is what {starter} starts"),
        format!("{name} is a function: only that can be started"),
    );
    let Some(function) = function else {
        let report = mistakes.report();
        return quote!(#report #item);
    };
    validate(kind, &function, &mut mistakes);
    match mistakes.report() {
        None => expand(kind, &options, function),
        Some(report) => fallback(&report, function),
    }
}

fn validate(kind: Kind, function: &Function, mistakes: &mut Mistakes) {
    let sig = &function.sig;
    let (name, starter) = (kind.name(), kind.starter());
    if let Some(constness) = sig.constness {
        mistakes.at(
            constness,
            format!("{name} is not `const`: it communicates, which only a running program does"),
        );
    }
    if let Some(asyncness) = sig.asyncness {
        mistakes.at(
            asyncness,
            format!("{name} is not `async`: it waits where it reads and writes, without `await`"),
        );
    }
    if let Safety::Unsafe(unsafety) = &sig.safety {
        mistakes.at(
            unsafety,
            format!("{name} is not `unsafe`: {starter} promises nothing when it starts it"),
        );
    }
    if let Some(abi) = &sig.abi {
        mistakes.at(abi, format!("{name} is not `extern`: only the library calls its body"));
    }
    if !sig.generics.params.is_empty() {
        mistakes.at(
            &sig.generics,
            format!("{name} has no generic parameters: no caller could choose them"),
        );
    }
    if let Some(clause) = &sig.generics.where_clause {
        mistakes.at(clause, format!("{name} has no `where` clause: it has no generic parameters"));
    }
    let nothing = match kind {
        Kind::Main => "the command line's are in `std::env::args()`",
        Kind::Test => "the test runner has nothing to pass",
    };
    if !sig.inputs.is_empty() {
        mistakes.at(&sig.inputs, format!("{name} has no arguments: {nothing}"));
    }
    if let Some(variadic) = &sig.variadic {
        mistakes.at(variadic, format!("{name} has no arguments: {nothing}"));
    }
}

fn expand(kind: Kind, options: &Options, function: Function) -> TokenStream {
    let Options { dump_on_signal, allow_leaks, cores, limit, krate, .. } = options;
    let cores = self::cores(krate, cores.as_ref());
    let Function { attrs, vis, sig, body } = function;
    let mut inner = sig.clone();
    inner.ident = format_ident!("__csp_body");
    let body_fn = &inner.ident;
    let body = keeping::marked(krate, &body);
    if kind == Kind::Main {
        return quote! {
            #(#attrs)*
            #vis #sig {
                #inner #body
                #krate::__private::main(
                    #krate::__private::Main {
                        dump_on_signal: #dump_on_signal, allow_leaks: #allow_leaks, cores: #cores
                    },
                    #body_fn,
                )
            }
        };
    }
    let (fn_token, name) = (&sig.fn_token, &sig.ident);
    let limit = limit.unwrap_or(LIMIT);
    quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis #fn_token #name() {
            #inner #body
            #krate::__private::test(
                ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)),
                #krate::__private::Test {
                    limit: #krate::__private::Duration::from_millis(#limit),
                    allow_leaks: #allow_leaks,
                    cores: #cores,
                },
                #body_fn,
            )
        }
    }
}

/// Prints how many cores coroutines are to use. Only the library knows whether they can use more than one, so it gets the mistake
/// too.
fn cores(krate: &Path, number: Option<&LitInt>) -> TokenStream {
    let Some(number) = number else { return quote!(::core::option::Option::None) };
    let mut mistake = Mistakes::default();
    mistake
        .at(number, "`cores` asks for what is not compiled in: enable the feature `cores` of csp");
    let mistake = mistake.report();
    quote!(#krate::__private::cores!((::core::option::Option::Some(#number)) #mistake))
}

/// The default of the milliseconds that a test may take.
const LIMIT: u64 = 60_000;

/// Prints a function that can be started, and the body, which may have mistakes of its own.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expansions_in_the_first_comment_are_real() {
        crate::shown::assert_attribute(include_str!("main_and_test.rs"), |name, options, item| {
            let kind = if name == "main" { Kind::Main } else { Kind::Test };
            attribute(kind, options, item)
        });
    }
}
