//! The parameters of a constructor.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{
    FnArg, Pat, PatType, Receiver, ReceiverKind, Type, parse_quote_spanned, spanned::Spanned,
};

use crate::spans::local;

/// A parameter of the constructor, which is an argument of the process.
pub(super) struct Parameter {
    /// The parameter as the constructor declares it.
    pub(super) declared: TokenStream,
    /// Its name in the constructor.
    pub(super) given: Ident,
    /// Its name in the code of the process.
    pub(super) name: Ident,
    pub(super) ty: Type,
}

impl Parameter {
    pub(super) fn new((index, input): (usize, &FnArg)) -> Parameter {
        match input {
            FnArg::Typed(typed) => Parameter::typed(index, typed),
            FnArg::Receiver(receiver) => Parameter::receiver(receiver),
        }
    }

    /// Its name is the user's if the pattern is a name, else one that only this expansion can mean.
    fn typed(index: usize, PatType { pat, ty, .. }: &PatType) -> Parameter {
        let name = match &**pat {
            Pat::Ident(pat) if pat.subpat.is_none() => {
                let mut name = pat.ident.clone();
                name.set_span(local(name.span()));
                name
            }
            pattern => format_ident!("argument_{}", index + 1, span = local(pattern.span())),
        };
        let mut given = name.clone();
        given.set_span(given.span().located_at(ty.span()));
        Parameter { declared: quote!(#name: #ty), given, name, ty: (**ty).clone() }
    }

    /// A closure has no `self`, so the code of the process calls it `this`.
    fn receiver(receiver: &Receiver) -> Parameter {
        let Receiver { self_token, kind, .. } = receiver;
        let place = self_token.span;
        let (declared, ty) = match kind {
            ReceiverKind::Typed(colon, ty) => (quote!(#self_token #colon #ty), (**ty).clone()),
            _ => (quote!(#self_token), parse_quote_spanned!(place=> Self)),
        };
        let given = Ident::new("self", place.located_at(ty.span()));
        Parameter { declared, given, name: Ident::new("this", local(place)), ty }
    }
}
