//! Prints the choice: guards as locals, one call, and a `match` whose arms are the user's.

// From
//
//     alt! {
//         line = lines.read() => show(line),
//         after(limit) => break,
//     }
//
// this file prints
//
//     {
//         let at0 = ::csp::__private::alt::place();
//         let chosen0;
//         {
//             use ::csp::__private::alt as __alt;
//             static __SITE: __alt::Site = __alt::Site::new();
//             let sweep0 = __alt::Sweep::new(&at0);
//             {
//                 let end0 = &lines;
//                 let mut guard0 = __alt::read(end0, &at0);
//                 let mut guard1 = __alt::after(limit);
//                 let index0 = __alt::choose(
//                     &__SITE,
//                     [__alt::Guard::offer(&mut guard0), __alt::Guard::offer(&mut guard1)]
//                 );
//                 chosen0 = match index0 {
//                     Ok(index) => Ok(index),
//                     Err(termination) => Err(termination),
//                 };
//             }
//             sweep0.end();
//         }
//         match chosen0 {
//             Ok(0usize) => {
//                 let line = { at0.open() };
//                 match (show(line)) {
//                     #[allow(unreachable_code)]
//                     value0 => Ok(value0),
//                 }
//             }
//             Ok(_) => {
//                 let _ = {};
//                 match (break) {
//                     #[allow(unreachable_code)]
//                     value0 => Ok(value0),
//                 }
//             }
//             Err(termination) => Err(termination),
//         }
//     }
//
// A value that is read is in `at0` from the first: the guard stands there. What other guards leave, and what is read by a choice that is
// awaited, is moved when the guard was chosen, from the guard's place into one that outlives it. A future keeps that while the arm
// waits, and it is smaller.
//
// A guard with a precondition is an `Option`. A variable that is to be written stays where it is until its arm runs. From
//
//     alt! {
//         if credit > 0, out.write(message) => credit -= 1,
//     }
//
// this file prints, where the guard is made,
//
//     let enabled0: bool = credit > 0;
//     let end0 = if enabled0 { Some(&out) } else { None };
//     let at0 = __alt::place();
//     let mut guard0 = match end0 {
//         Some(end0) => Some({
//             let kind0 = {
//                 use __alt::Moves as _;
//                 __alt::Place(&message).kind()
//             };
//             let value0 = kind0.take(&message);
//             kind0.guard(end0, value0, &at0)
//         }),
//         None => None,
//     };
//
// and behind the choice `Guard::keep(&mut guard0, &left0)`, in the `match` of its index.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{BinOp, Expr, ExprReference, Path, Token, UnOp, spanned::Spanned};

use super::{
    Order,
    validate::{Arm, Guard},
};
use crate::spans::{across, local};

/// Prints the choice, behind the `report` of the mistakes in other arms. Rustc then checks the bodies of the arms that are left,
/// and the whole has its type.
pub(super) fn choice(
    order: Order,
    krate: &Path,
    arms: &[Arm],
    report: Option<TokenStream>,
) -> TokenStream {
    if arms.is_empty() {
        // This has any type, and the code behind it does not count as unreachable.
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
    let setups = arms.iter().enumerate().map(|(index, arm)| setup(index, arm));
    // The last guard is chosen if no other is.
    let indices: Vec<_> = (0..arms.len())
        .map(|index| match index + 1 < arms.len() {
            true => index.to_token_stream(),
            false => quote!(_),
        })
        .collect();
    let places: Vec<_> = arms.iter().enumerate().filter_map(outer_place).collect();
    let sweeps: Vec<_> =
        (0..places.len()).map(|index| numbered("sweep", index, Span::call_site())).collect();
    let chosen = numbered("chosen", 0, Span::call_site());
    let index = numbered("index", 0, Span::call_site());
    let keeps: Vec<_> = arms
        .iter()
        .enumerate()
        .filter(|(_, arm)| place_of(arm).1)
        .map(|(number, arm)| {
            let (guard, left) = (&guards[number], outer_place((number, arm)));
            quote!(::core::result::Result::Ok(#number) => {
                __alt::Guard::keep(&mut #guard, &#left);
                ::core::result::Result::Ok(#number)
            })
        })
        .collect();
    let bodies = arms
        .iter()
        .enumerate()
        .zip(&indices)
        .map(|((number, arm), at)| body(at, outer_place((number, arm)), arm, awaits));

    // A guard that is not chosen holds the user's values, and may panic when it is dropped. The value of the guard that was chosen is
    // in its place by then. It is dropped behind the guards, and its partner does not wait for ever.
    quote!({
        #report
        #(let #places = #krate::__private::alt::place();)*
        let #chosen;
        {
            // By this one name a path is wholly of this macro. Otherwise rustc has no common place for a path and its argument.
            use #krate::__private::alt as __alt;
            static __SITE: __alt::Site = __alt::Site::new();
            #(let #sweeps = __alt::Sweep::new(&#places);)*
            {
                #(#setups)*
                let #index = __alt::#choose(&__SITE, [#(__alt::Guard::offer(&mut #guards)),*]) #wait;
                #chosen = match #index {
                    #(#keeps)*
                    ::core::result::Result::Ok(index) => ::core::result::Result::Ok(index),
                    ::core::result::Result::Err(termination) => ::core::result::Result::Err(termination),
                };
            }
            #(#sweeps.end();)*
        }
        match #chosen {
            #(#bodies)*
            ::core::result::Result::Err(termination) => ::core::result::Result::Err(termination),
        }
    })
}

/// Where a guard stands, and whether it leaves something for its arm elsewhere.
fn place_of(arm: &Arm) -> (At, bool) {
    match &arm.guard {
        Guard::Read(_) if arm.awaits.is_none() => (At::Outside, false),
        Guard::Read(_) => (At::Swept, true),
        Guard::Begin(_) | Guard::WriteWith(..) => (At::Inside, true),
        Guard::Write(_, value) => (At::Inside, stays(arm, value)),
        Guard::Io(_) | Guard::Join(_) | Guard::TryJoin(_) | Guard::Descriptor(..) => {
            (At::Itself, true)
        }
        Guard::Sync(_) | Guard::Retired(_) | Guard::After(_) | Guard::At(_) | Guard::Skip => {
            (At::Itself, false)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// In a variable that outlives the guards.
    Outside,
    /// In one that goes with the guard.
    Inside,
    /// In one that goes with the guard, and does not drop what is in it.
    Swept,
    Itself,
}

/// Returns the variable that outlives the guards, if the guard has one.
fn outer_place((index, arm): (usize, &Arm)) -> Option<Ident> {
    match place_of(arm) {
        (_, true) => Some(numbered("left", index, Span::call_site())),
        (At::Outside, _) => Some(numbered("at", index, Span::call_site())),
        _ => None,
    }
}

/// Returns the name of a variable that only this expansion can mean, at the place of the user's expression for its value.
fn numbered(name: &str, index: usize, place: Span) -> Ident {
    format_ident!("{name}{index}", span = local(place))
}

/// Prints `let mut guard0 = …;`, which is an `Option` if the guard has a precondition.
fn setup(index: usize, arm: &Arm) -> TokenStream {
    let end = match &arm.guard {
        Guard::Read(end)
        | Guard::Begin(end)
        | Guard::Write(end, _)
        | Guard::WriteWith(end, _)
        | Guard::Sync(end)
        | Guard::Retired(end)
        | Guard::Join(end)
        | Guard::TryJoin(end)
        | Guard::Io(end)
        | Guard::Descriptor(_, end, _) => Some(end),
        Guard::After(_) | Guard::At(_) | Guard::Skip => None,
    };
    let variable = numbered("end", index, end.map_or_else(Span::call_site, Spanned::span));
    let reference = end.map(reference);
    let guard = numbered("guard", index, Span::call_site());
    let enabled = numbered("enabled", index, Span::call_site());
    let at = numbered("at", index, Span::call_site());
    let place = match place_of(arm).0 {
        At::Outside | At::Itself => quote!(),
        At::Inside => quote!(let #at = __alt::place();),
        At::Swept => {
            let sweep = numbered("swept", index, Span::call_site());
            quote!(let #at = __alt::place(); let #sweep = __alt::Sweep::new(&#at);)
        }
    };
    match (&arm.precondition, &reference) {
        // A `let` of its own keeps the temporaries of the end's expression, such as a `Ref` or a lock guard.
        (None, Some(reference)) => {
            let make = make(arm, &variable, &at);
            quote!(let #variable = #reference; #place let mut #guard = #make;)
        }
        (None, None) => {
            let make = make(arm, &variable, &at);
            quote!(let mut #guard = #make;)
        }
        (Some(precondition), Some(reference)) if !binds(precondition) => {
            let make = make(arm, &variable, &at);
            let enable =
                quote_spanned!(local(across(precondition).0)=> let #enabled: bool = #precondition;);
            quote! {
                #enable
                let #variable = if #enabled {
                    ::core::option::Option::Some(#reference)
                } else {
                    ::core::option::Option::None
                };
                #place
                let mut #guard = match #variable {
                    ::core::option::Option::Some(#variable) => ::core::option::Option::Some(#make),
                    ::core::option::Option::None => ::core::option::Option::None,
                };
            }
        }
        (Some(precondition), reference) => {
            let make = make(arm, reference, &at);
            quote! {
                #place
                let mut #guard = if #precondition {
                    ::core::option::Option::Some(#make)
                } else {
                    ::core::option::Option::None
                };
            }
        }
    }
}

/// Prints the call that makes a guard, at the guard's name. `end` is a reference to its end, and `place` is where it stands.
fn make(arm: &Arm, end: &impl ToTokens, place: &Ident) -> TokenStream {
    let at = local(arm.name);
    match &arm.guard {
        Guard::Read(_) => quote_spanned!(at=> __alt::read(#end, &#place)),
        Guard::Begin(_) => quote_spanned!(at=> __alt::begin(#end, &#place)),
        Guard::Write(_, variable) if stays(arm, variable) => {
            let kind = numbered("kind", 0, arm.name);
            let variable_ref = reference(variable);
            let value = numbered("value", 0, across(variable).0);
            quote_spanned!(at=> {
                let #kind = {
                    use __alt::Moves as _;
                    __alt::Place(#variable_ref).kind()
                };
                let #value = #kind.take(#variable_ref);
                #kind.guard(#end, #value, &#place)
            })
        }
        Guard::Write(_, value) => quote_spanned!(at=> __alt::write(#end, #value, &#place)),
        Guard::WriteWith(..) => quote_spanned!(at=> __alt::defer(#end, &#place)),
        Guard::Sync(_) => quote_spanned!(at=> __alt::sync(#end)),
        // All tokens stand at the end's place, so that an end of a wrong type is one error.
        Guard::Retired(place) => quote_spanned!(local(place.span())=> __alt::retired(#end)),
        Guard::Join(_) => quote_spanned!(at=> __alt::join(#end)),
        Guard::TryJoin(_) => quote_spanned!(at=> __alt::try_join(#end)),
        Guard::Io(_) => quote_spanned!(at=> __alt::io(#end)),
        Guard::Descriptor(name, _, argument) => {
            let (name, argument) = (Ident::new(name, at), argument.iter());
            quote_spanned!(at=> __alt::descriptor!(#name, #end #(, #argument)*))
        }
        Guard::After(duration) => quote_spanned!(at=> __alt::after(#duration)),
        Guard::At(instant) => quote_spanned!(at=> __alt::at(#instant)),
        Guard::Skip => quote_spanned!(at=> __alt::skip()),
    }
}

/// Prints the user's arm, behind the last steps of its guard.
fn body(
    index: &TokenStream,
    place: Option<Ident>,
    arm: &Arm,
    awaits: Option<Token![await]>,
) -> TokenStream {
    let body = &arm.body;
    let give = |place| {
        let name = if awaits.is_some() { "give_async" } else { "give" };
        Ident::new(name, place)
    };
    let wait = awaits.map(|awaits| quote!(.#awaits));
    let value = numbered("value", 0, Span::call_site());
    let open = place.map(|place| quote!(#place.open()));
    let finish = match (&arm.guard, &arm.pattern) {
        (guard, Some(pattern)) if guard.gives_a_value() => {
            quote!(let #pattern = { #open };)
        }
        // The writer waits while the arm runs.
        (Guard::Begin(_), None) => {
            let held = numbered("_held", 0, Span::call_site());
            quote!(let #held = #open;)
        }
        (Guard::Write(_, place), _) if stays(arm, place) => {
            let at = local(across(place).0);
            let give = give(at);
            quote_spanned!(at=> #open.#give(#place) #wait;)
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
                #open.#give(#made) #wait;
            }
        }
        _ => quote!(let _ = { #open };),
    };
    let (first, last) = across(body);
    let ok = quote_spanned!(local(last)=> {
        #[allow(unreachable_code)]
        #value => ::core::result::Result::Ok(#value),
    });
    // A `match`, not a call, because rustc would warn of a call that is not reached when the arm leaves.
    let result = quote_spanned!(local(first)=> match (#body) #ok);
    quote! {
        ::core::result::Result::Ok(#index) => {
            #finish
            #result
        }
    }
}

/// Whether the written value is a variable or a part of one. A variable keeps its value if the guard is not chosen, so it is
/// moved in the arm and nowhere else. Every other expression is evaluated before the choice.
fn stays(arm: &Arm, value: &Expr) -> bool {
    // The arm does not know the variables that a precondition binds.
    !arm.precondition.as_ref().is_some_and(binds) && is_place(value)
}

fn is_place(value: &Expr) -> bool {
    match value {
        // Constants, unit structs and variants are values, which the macro knows by their capitals only. A constant in small
        // letters is merely made later.
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

/// Whether a precondition is an `if let`, alone or in a chain.
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

#[cfg(test)]
mod tests {
    use super::{super::function_like, *};

    #[test]
    fn the_expansions_in_the_first_comment_are_real() {
        crate::shown::assert_function_like(include_str!("expand.rs"), |tokens| {
            function_like(Order::Fair, tokens)
        });
    }
}
