//! `#[process]` and `#[multiprocess]`.

mod expand;
mod fallback;
mod ownership;
mod validate;

use proc_macro2::TokenStream;

use crate::{diagnostics::Mistakes, function::Item, options::Options};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Process,
    Multiprocess,
}

pub(crate) fn attribute(kind: Kind, options: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let options = Options::of_process(options, &mut mistakes);
    let function = match syn::parse2(item.clone()) {
        Ok(Item::Function(function)) => Some(function),
        Ok(Item::Bodiless(sig)) => {
            mistakes.at(sig, "a process has a body: it is what runs");
            None
        }
        Ok(Item::Other(first)) => {
            mistakes.at(first, "a process is a function: only that has a body to run");
            None
        }
        Err(error) => {
            mistakes.push(error);
            None
        }
    };
    let Some(function) = function else {
        let report = mistakes.report();
        return quote::quote!(#report #item);
    };
    let verdict = validate::function(&function, &mut mistakes);
    match mistakes.report() {
        None => expand::function(kind, &options, *function),
        Some(report) => fallback::function(&report, &options, &verdict, &function),
    }
}
