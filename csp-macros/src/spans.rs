//! Places for printed tokens: rustc shows them at the user's tokens, although they keep the macro's own hygiene.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Path, Type};

/// Returns the first and the last place of `tokens`. Rustc shows an expression that starts at the one and ends at the other at
/// all of them.
pub(crate) fn across(tokens: &impl ToTokens) -> (Span, Span) {
    let mut tokens = tokens.to_token_stream().into_iter();
    let Some(first) = tokens.next() else {
        return (Span::call_site(), Span::call_site());
    };
    let (start, end) = match &first {
        TokenTree::Group(group) => (group.span_open(), group.span_close()),
        token => (token.span(), token.span()),
    };
    let end = match tokens.last() {
        Some(TokenTree::Group(group)) => group.span_close(),
        Some(token) => token.span(),
        None => end,
    };
    (start, end)
}

/// Returns `place` with the hygiene of a local variable of the macro.
pub(crate) fn local(place: Span) -> Span {
    Span::mixed_site().located_at(place)
}

/// Returns the tokens of a path at another place, each with its own hygiene.
pub(crate) fn path_at(place: Span, path: &impl ToTokens) -> TokenStream {
    let tokens = path.to_token_stream().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(place));
        token
    });
    tokens.collect()
}

/// Prints `krate::__private::function::<ty>` at the place of the type.
pub(crate) fn path_at_type(krate: &Path, function: &str, ty: &Type) -> TokenStream {
    let (first, last) = across(ty);
    let krate = path_at(first, krate);
    let last = Span::call_site().located_at(last);
    let function = Ident::new(function, last);
    quote_spanned!(last=> #krate::__private::#function::<#ty>)
}
