//! Prints the choice: guards as locals, one call, and a `match` whose arms are the user's.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{BinOp, Expr, ExprReference, Path, Token, UnOp, spanned::Spanned};

use super::{
    Order,
    validate::{Arm, Guard},
};
use crate::spans::{across, local};

/// `report`: what was wrong with other arms; those that are left are printed beside it, so that their bodies are checked and the
/// whole has its type.
pub(super) fn choice(
    order: Order,
    krate: &Path,
    arms: &[Arm],
    report: Option<TokenStream>,
) -> TokenStream {
    if arms.is_empty() {
        // Of any type, and nothing after it is unreachable.
        return quote!({
            #report
            ::core::result::Result::<_, #krate::Termination>::Ok((|| ::core::unreachable!())())
        });
    }
    let awaits = arms.iter().find_map(|arm| arm.awaits);
    let choose = match (order, awaits) {
        (Order::Fair, None) => quote!(choose),
        (Order::Priority, None) => quote!(first),
        (Order::Fair, Some(_)) => quote!(choose_async),
        (Order::Priority, Some(_)) => quote!(first_async),
    };
    let wait = awaits.map(|awaits| quote!(.#awaits));
    let guards: Vec<_> =
        (0..arms.len()).map(|index| numbered("guard", index, Span::call_site())).collect();
    let types: Vec<_> = (0..arms.len()).map(|index| format_ident!("Value{index}")).collect();
    let variants: Vec<_> = (0..arms.len()).map(|index| format_ident!("Guard{index}")).collect();
    let setups = arms.iter().enumerate().map(|(index, arm)| setup(index, arm));
    // The last is chosen if no other is.
    let indices = (0..arms.len()).map(|index| match index + 1 < arms.len() {
        true => index.to_token_stream(),
        false => quote!(_),
    });
    let bodies = arms.iter().zip(&variants).map(|(arm, variant)| body(variant, arm, awaits));

    quote!({
        #report
        enum __Chosen<#(#types),*> {
            #(#variants(#types)),*
        }
        match {
            // One name, so that all of a path is of this macro: else rustc has no common place for a path and its argument.
            use #krate::__private::alt as __alt;
            static __SITE: __alt::Site = __alt::Site::new();
            #(#setups)*
            let chosen = __alt::#choose(&__SITE, [#(__alt::Guard::offer(&mut #guards)),*]) #wait;
            match chosen {
                #(::core::result::Result::Ok(#indices) => {
                    ::core::result::Result::Ok(__Chosen::#variants(__alt::Guard::value(#guards)))
                })*
                ::core::result::Result::Err(termination) => ::core::result::Result::Err(termination),
            }
        } {
            #(#bodies)*
            ::core::result::Result::Err(termination) => ::core::result::Result::Err(termination),
        }
    })
}

/// A local that only this expansion can mean, shown where the user wrote what it holds.
fn numbered(name: &str, index: usize, place: Span) -> Ident {
    format_ident!("{name}{index}", span = local(place))
}

/// Makes the guard: `let mut guard0 = …;`, an `Option` if it has a precondition.
fn setup(index: usize, arm: &Arm) -> TokenStream {
    let end = match &arm.guard {
        Guard::Read(end)
        | Guard::Begin(end)
        | Guard::Write(end, _)
        | Guard::WriteWith(end, _)
        | Guard::Sync(end)
        | Guard::Retired(end)
        | Guard::Io(end) => Some(end),
        Guard::After(_) | Guard::At(_) | Guard::Skip => None,
    };
    let variable = numbered("end", index, end.map_or_else(Span::call_site, Spanned::span));
    let reference = end.map(reference);
    let guard = numbered("guard", index, Span::call_site());
    let enabled = numbered("enabled", index, Span::call_site());
    match (&arm.precondition, &reference) {
        // A `let` of its own keeps what the end's expression makes on the way, a `Ref` or a lock guard.
        (None, Some(reference)) => {
            let make = make(arm, &variable);
            quote!(let #variable = #reference; let mut #guard = #make;)
        }
        (None, None) => {
            let make = make(arm, &variable);
            quote!(let mut #guard = #make;)
        }
        (Some(precondition), Some(reference)) if !binds(precondition) => {
            let make = make(arm, &variable);
            let enable =
                quote_spanned!(local(across(precondition).0)=> let #enabled: bool = #precondition;);
            quote! {
                #enable
                let #variable = if #enabled {
                    ::core::option::Option::Some(#reference)
                } else {
                    ::core::option::Option::None
                };
                let mut #guard = match #variable {
                    ::core::option::Option::Some(#variable) => ::core::option::Option::Some(#make),
                    ::core::option::Option::None => ::core::option::Option::None,
                };
            }
        }
        (Some(precondition), reference) => {
            let make = make(arm, reference);
            quote! {
                let mut #guard = if #precondition {
                    ::core::option::Option::Some(#make)
                } else {
                    ::core::option::Option::None
                };
            }
        }
    }
}

/// `end` is a reference to it. What is printed stands where the guard says what it is.
fn make(arm: &Arm, end: &impl ToTokens) -> TokenStream {
    let at = local(arm.name);
    match &arm.guard {
        Guard::Read(_) => quote_spanned!(at=> __alt::read(#end)),
        Guard::Begin(_) => quote_spanned!(at=> __alt::begin(#end)),
        Guard::Write(_, variable) if stays(arm, variable) => {
            let kind = numbered("kind", 0, arm.name);
            let place = reference(variable);
            let value = numbered("value", 0, across(variable).0);
            quote_spanned!(at=> {
                let #kind = {
                    use __alt::Moves as _;
                    __alt::Place(#place).kind()
                };
                let #value = #kind.take(#place);
                #kind.guard(#end, #value)
            })
        }
        Guard::Write(_, value) => quote_spanned!(at=> __alt::write(#end, #value)),
        Guard::WriteWith(..) => quote_spanned!(at=> __alt::defer(#end)),
        Guard::Sync(_) => quote_spanned!(at=> __alt::sync(#end)),
        // All of it at the end, so that one that is none is one error.
        Guard::Retired(place) => quote_spanned!(local(place.span())=> __alt::retired(#end)),
        Guard::Io(_) => quote_spanned!(at=> __alt::io(#end)),
        Guard::After(duration) => quote_spanned!(at=> __alt::after(#duration)),
        Guard::At(instant) => quote_spanned!(at=> __alt::at(#instant)),
        Guard::Skip => quote_spanned!(at=> __alt::skip()),
    }
}

/// The user's arm, after what is left to do for its guard.
fn body(variant: &Ident, arm: &Arm, awaits: Option<Token![await]>) -> TokenStream {
    let body = &arm.body;
    let give = |place| {
        let name = if awaits.is_some() { "give_async" } else { "give" };
        Ident::new(name, place)
    };
    let wait = awaits.map(|awaits| quote!(.#awaits));
    let value = numbered("value", 0, Span::call_site());
    let finish = match (&arm.guard, &arm.pattern) {
        (Guard::Read(_) | Guard::Begin(_) | Guard::Io(_), Some(pattern)) => {
            quote!(let #pattern = { #value };)
        }
        // Its writer waits as long as the arm runs.
        (Guard::Begin(_), None) => {
            let held = numbered("_held", 0, Span::call_site());
            quote!(let #held = #value;)
        }
        (Guard::Write(_, place), _) if stays(arm, place) => {
            let at = local(across(place).0);
            let give = give(at);
            quote_spanned!(at=> #value.#give(#place) #wait;)
        }
        (Guard::WriteWith(_, make), _) => {
            let (first, last) = across(make);
            let name = numbered("make", 0, first);
            let made = quote_spanned!(local(last)=> #name());
            let give = give(local(first));
            // A closure that changes what it captures is called through a variable that may change.
            quote_spanned! {local(first)=>
                #[allow(unused_mut)]
                let mut #name = #make;
                #value.#give(#made) #wait;
            }
        }
        _ => quote!(let _ = { #value };),
    };
    let (first, last) = across(body);
    let ok = quote_spanned!(local(last)=> {
        #[allow(unreachable_code)]
        #value => ::core::result::Result::Ok(#value),
    });
    // A `match`, not a call: of a call that is not reached, where the arm leaves, there would be warnings.
    let result = quote_spanned!(local(first)=> match (#body) #ok);
    quote! {
        ::core::result::Result::Ok(__Chosen::#variant(#value)) => {
            #finish
            #result
        }
    }
}

/// Whether what is written is a variable or a part of one: that keeps its value if the guard is not chosen, so it is moved in the
/// arm and nowhere else. Whatever else is written is a value of its own, made before the choice.
fn stays(arm: &Arm, value: &Expr) -> bool {
    // What a precondition binds is not known in the arm.
    !arm.precondition.as_ref().is_some_and(binds) && is_place(value)
}

fn is_place(value: &Expr) -> bool {
    match value {
        // Constants, unit structs and variants are values; by convention, which the macro has nothing better than, they are
        // written in capitals. A constant in small letters is merely made later.
        Expr::Path(path) => path
            .path
            .get_ident()
            .is_some_and(|ident| !ident.to_string().starts_with(char::is_uppercase)),
        Expr::Field(field) => is_place(&field.base),
        Expr::Unary(unary) => matches!(unary.op, UnOp::Deref(_)) && is_place(&unary.expr),
        Expr::Paren(paren) => is_place(&paren.expr),
        Expr::Group(group) => is_place(&group.expr),
        _ => false,
    }
}

/// `if let`, alone or in a chain.
fn binds(precondition: &Expr) -> bool {
    match precondition {
        Expr::Let(_) => true,
        Expr::Binary(binary) => {
            matches!(binary.op, BinOp::And(_)) && (binds(&binary.left) || binds(&binary.right))
        }
        Expr::Group(group) => binds(&group.expr),
        _ => false,
    }
}

fn reference(place: &Expr) -> ExprReference {
    ExprReference {
        attrs: Vec::new(),
        and_token: Token![&](across(place).0),
        mutability: None,
        expr: Box::new(place.clone()),
    }
}
