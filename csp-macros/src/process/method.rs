//! Methods: a body that names `self` or `Self` cannot stand inside its constructor, so it stands beside it.

// A function inside another can name neither `self` nor `Self`, nor the generics of the `impl`. From
//
//     #[process]
//     fn send(self, n: u64) -> csp::Result {
//         Ok(self.out.write(n)?)
//     }
//
// the files of this folder print
//
//     fn send(self, n: u64) -> ::csp::Process<(Self, u64,), csp::Result>
//     where
//     {
//         static __CSP_DEFINITION: ::csp::__private::Definition = ::csp::__private::Definition::new("send");
//         ::csp::__private::process(
//             &__CSP_DEFINITION,
//             (::csp::__private::argument::<Self>(self), ::csp::__private::argument::<u64>(n),),
//             ::csp::__private::Code::new(|(this, n,)| {
//                 if ::csp::__private::kept::is_part(&this, &this.out) {
//                     #[allow(unused_imports)]
//                     use ::csp::__private::kept::Otherwise as _;
//                     ::csp::__private::kept::Kept(&this.out)
//                         .hold(::csp::__private::kept::How { sure: true, spare: false });
//                 }
//                 {
//                     #[allow(unused_imports)]
//                     use ::csp::__private::kept::Otherwise as _;
//                     ::csp::__private::kept::Kept(&n)
//                         .hold(::csp::__private::kept::How { sure: false, spare: false });
//                 }
//                 ::csp::__private::result::<csp::Result>(
//                     Self::__csp_body_of_send_for_inherent_impls_only(this, n)
//                 )
//             }),
//         )
//     }
//     #[doc(hidden)]
//     #[allow(dead_code)]
//     #[inline]

use proc_macro2::{Delimiter, Ident, Span, TokenTree};
use quote::{ToTokens, format_ident};
use syn::{Signature, ext::IdentExt};

use crate::{
    function::Function,
    tokens::{inside, is_one_of, is_punct, mentions},
};

/// Whether the function belongs to a type, as far as its tokens show it.
pub(super) fn is_associated(function: &Function) -> bool {
    let self_type = Ident::new("Self", Span::call_site());
    function.sig.receiver().is_some()
        || mentions(function.sig.to_token_stream(), &self_type)
        || names_self_type(&inside(&function.body))
}

/// Returns the name of the function beside the constructor that has the body. Rustc shows it if the `impl` is one of a trait, which
/// this macro does not see: "method `…` is not a member of trait". So the name gives the reason.
pub(super) fn body_name(sig: &Signature) -> Ident {
    // With these spans no lint complains of the name, because the macro wrote it.
    let place = Span::call_site().located_at(sig.ident.span());
    format_ident!("__csp_body_of_{}_for_inherent_impls_only", sig.ident.unraw(), span = place)
}

/// Whether tokens of a body name `Self`. That of a type, trait or `impl` inside the body is another.
fn names_self_type(tokens: &[TokenTree]) -> bool {
    const ITEMS: &[&str] = &["impl", "trait", "struct", "enum", "union"];
    let mut index = 0;
    while index < tokens.len() {
        match &tokens[index] {
            TokenTree::Ident(ident) if ident == "Self" => return true,
            TokenTree::Ident(ident) if is_one_of(ident, ITEMS) && is_item(tokens, index) => {
                let is_end = |token: &TokenTree| match token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    token => is_punct(token, ';'),
                };
                let length = tokens[index..].iter().position(is_end);
                index = length.map_or(tokens.len(), |length| index + length);
            }
            TokenTree::Group(group) if names_self_type(&inside(group)) => return true,
            _ => {}
        }
        index += 1;
    }
    false
}

/// Whether an item begins at `index`, and not the call of a method `union`.
fn is_item(tokens: &[TokenTree], index: usize) -> bool {
    match tokens.get(index + 1) {
        Some(TokenTree::Ident(_)) => true,
        Some(token) => is_punct(token, '<'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, attribute};
    use proc_macro2::TokenStream;

    #[test]
    fn the_expansion_in_the_first_comment_is_real() {
        crate::shown::assert_attribute(include_str!("method.rs"), |_, options, item| {
            attribute(Kind::Process, options, item)
        });
    }

    fn is_beside(item: &str) -> bool {
        let expansion = attribute(Kind::Process, TokenStream::new(), item.parse().unwrap());
        expansion.to_string().contains("Self :: __csp_body_of_f_")
    }

    #[test]
    fn what_names_self_stands_beside_its_constructor() {
        for item in [
            "fn f(self) {}",
            "fn f(mut self: Box<Self>) {}",
            "fn f(all: Vec<Self>) {}",
            "fn f() -> Self { loop {} }",
            "fn f<T>(x: T) where Self: Into<T> {}",
            "fn f() { let it = [Self::new()]; }",
            "fn f() { struct It(u8); impl It {} Self::new() }",
            "fn f() { a.union(&b); Self::new() }",
        ] {
            assert!(is_beside(item), "{item}");
        }
        for item in [
            "fn f() {}",
            "fn f() { struct It(Option<Box<Self>>); }",
            "fn f() { if x { impl It for You { fn it() -> Self { Self } } } }",
            "fn f() { impl<T> It for You<T> { fn it() -> Self { Self } } g() }",
        ] {
            assert!(!is_beside(item), "{item}");
        }
    }
}
