//! Finds types that cannot be made anew in another OS process, as far as the tokens show it. The mistakes are handed to the
//! library as tokens, because only its features tell whether they matter.

use proc_macro2::TokenStream;
use syn::{Expr, ReturnType, Type, TypeFnPtr, TypeReference, visit::Visit};

use crate::diagnostics::Mistakes;

/// Returns `compile_error!`s for mistakes that rustc would explain by lifetimes that nobody wrote.
pub(super) fn mistakes(arguments: &[&Type], output: &ReturnType) -> Option<TokenStream> {
    let mut references = References::default();
    arguments.iter().for_each(|ty| references.visit_type(ty));
    references.visit_return_type(output);
    references.mistakes.report()
}

#[derive(Default)]
struct References {
    mistakes: Mistakes,
}

impl<'ast> Visit<'ast> for References {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let instead = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "a `String`",
            Type::Slice(_) => "a `Vec`",
            _ => "the value itself",
        };
        self.mistakes.at(
            reference,
            format!("a value for another OS process is made anew there, and has nothing to borrow from: pass {instead}"),
        );
    }

    // The arguments of a function type go nowhere, and an expression is a number.
    fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
    fn visit_expr(&mut self, _: &'ast Expr) {}
    fn visit_parenthesized_generic_arguments(
        &mut self,
        _: &'ast syn::ParenthesizedGenericArguments,
    ) {
    }
}
