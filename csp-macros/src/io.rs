//! `#[csp::io]`: the body of a function, in a closure that `csp::io` calls.

// From
//
//     #[io]
//     fn load(path: &str) -> Vec<u8> {
//         read(path)
//     }
//
// this file prints
//
//     fn load(path: &str) -> Vec<u8> {
//         ::csp::io(move || -> Vec<u8> { read(path) })
//     }

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{ReturnType, Type, visit::Visit};

use crate::{
    diagnostics::Mistakes,
    function::{self, Function},
    options::Options,
};

pub(crate) fn attribute(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let options = Options::of_io(options, &mut mistakes);
    let function = function::parse(
        item.clone(),
        &mut mistakes,
        "a blocking call has a body: it is what blocks",
        "a blocking call is a function: only that is called",
    );
    let Some(function) = function else {
        let report = mistakes.report();
        return quote!(#report #item);
    };
    if let Some(asyncness) = function.sig.asyncness {
        mistakes.at(asyncness, "a blocking call is not `async`: that never blocks");
    }
    if let Some(constness) = function.sig.constness {
        mistakes.at(constness, "a blocking call is not `const`: only a running program waits");
    }
    match mistakes.report() {
        None => expand(&options, function),
        // The function stays as the user wrote it.
        Some(report) => quote!(#report #function),
    }
}

fn expand(options: &Options, function: Function) -> TokenStream {
    let krate = &options.krate;
    let Function { attrs, vis, sig, body } = function;
    // A type without a name is left to be inferred.
    let output = match &sig.output {
        ReturnType::Default => Some(quote!(-> ())),
        ReturnType::Type(_, output) => nameable(output).then(|| quote!(-> #output)),
    };
    let call = Ident::new("io", Span::call_site());
    let body = match output {
        Some(output) => quote!(move || #output #body),
        None => quote!(move || #body),
    };
    quote! {
        #(#attrs)*
        #vis #sig {
            #krate::#call(#body)
        }
    }
}

fn nameable(output: &Type) -> bool {
    struct Opaque(bool);
    impl<'a> Visit<'a> for Opaque {
        fn visit_type_impl_trait(&mut self, _: &'a syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut opaque = Opaque(matches!(output, Type::Never(_)));
    opaque.visit_type(output);
    !opaque.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(item: &str) -> String {
        attribute(TokenStream::new(), item.parse().unwrap()).to_string()
    }

    #[test]
    fn the_expansion_in_the_first_comment_is_real() {
        crate::shown::assert_attribute(include_str!("io.rs"), |_, options, item| {
            attribute(options, item)
        });
    }

    #[test]
    fn the_signature_stays_and_the_body_is_called() {
        let expansion = expand("pub fn f<T: Send>(&self, x: &T) -> u8 { x.y()? }");
        assert!(
            expansion.contains("pub fn f < T : Send > (& self , x : & T) -> u8 {"),
            "{expansion}"
        );
        assert!(expansion.contains(":: csp :: io (move || -> u8 { x . y () ? })"), "{expansion}");
        assert!(expand("fn f() {}").contains("(move || -> () { })"));
        assert!(expand("fn f() -> Vec<impl Tr> { g() }").contains("(move || { g () })"));
    }

    #[test]
    fn what_never_blocks_is_no_blocking_call() {
        for (item, mistakes) in
            [("async fn f() {}", 1), ("const fn f() {}", 1), ("struct S;", 1), ("fn f();", 1)]
        {
            assert_eq!(expand(item).matches("compile_error").count(), mistakes, "{item}");
        }
    }
}
