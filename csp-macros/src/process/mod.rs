//! `#[process]` and `#[multiprocess]`.

mod attributes;
mod body;
mod expand;
mod fallback;
mod method;
mod ownership;
mod parameter;
mod portability;
mod validate;

use proc_macro2::TokenStream;

use crate::{diagnostics::Mistakes, function, options::Options};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Process,
    Multiprocess,
}

pub(crate) fn attribute(kind: Kind, options: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let options = match kind {
        Kind::Process => Options::of_process(options, &mut mistakes),
        Kind::Multiprocess => Options::of_multiprocess(options, &mut mistakes),
    };
    let function = function::parse(
        item.clone(),
        &mut mistakes,
        "a process has a body: it is what runs",
        "a process is a function: only that has a body to run",
    );
    let Some(function) = function else {
        let report = mistakes.report();
        return quote::quote!(#report #item);
    };
    let portable = kind == Kind::Multiprocess
        || options.on.as_ref().is_some_and(|backend| backend == "Subprocess");
    let verdict = validate::function(&function, portable, &mut mistakes);
    match mistakes.report() {
        None => expand::function(kind, portable, &options, function),
        Some(report) => fallback::function(&report, &options, &verdict, &function),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(options: &str, item: &str) -> String {
        attribute(Kind::Process, options.parse().unwrap(), item.parse().unwrap()).to_string()
    }

    /// Counts the complaints. `tests/macros/ui` shows that each stands at its own token.
    fn mistakes(item: &str) -> usize {
        expand("", item).matches("compile_error").count()
    }

    #[test]
    fn a_type_is_free_of_what_it_would_borrow_from() {
        for owned in [
            "u8",
            "&'static str",
            "Reader<&'static [u8]>",
            "fn(&str) -> &str",
            "for<'a> fn(&'a str) -> &'a str",
            "Box<dyn Fn(&str) -> Option<&str> + Send + 'static>",
            "Box<dyn for<'a> Fn(&'a str, Cow<'a, str>) -> Cow<'a, str> + Send>",
            "[u8; { let x: &u8 = &3; *x as usize }]",
            "<T as Trait<'static>>::Item",
        ] {
            assert_eq!(mistakes(&format!("fn f(x: {owned}) -> {owned} {{}}")), 0, "{owned}");
        }
        for borrowed in [
            "&u8",
            "&'a u8",
            "&mut [u8]",
            "(u8, Vec<&u8>)",
            "Cow<'_, str>",
            "Ref<'a>",
            "fn(u8) -> &'a u8",
            "Box<dyn Fn(u8) -> u8 + 'a>",
            "Box<dyn Trait<'_>>",
            "<T as Trait<'a>>::Item",
            "&&u8",
        ] {
            assert_eq!(mistakes(&format!("fn f(x: {borrowed}) {{}}")), 1, "argument {borrowed}");
            assert_eq!(mistakes(&format!("fn f() -> {borrowed} {{}}")), 1, "result {borrowed}");
        }
    }

    #[test]
    fn a_lifetime_parameter_is_a_mistake_where_it_is_used_else_where_it_is_declared() {
        assert_eq!(mistakes("fn f<'a>(x: &'a u8) {}"), 1);
        assert_eq!(mistakes("fn f<'a>(x: u8) {}"), 1);
        assert_eq!(mistakes("fn f<'a, 'b>(x: &'a u8, y: Cow<'a, str>) {}"), 3);
    }

    #[test]
    fn mistakes_are_independent() {
        assert_eq!(
            mistakes("const unsafe extern \"C\" fn f(&self, x: &u8, y: impl Tr, z: _) -> &u8 {}"),
            8
        );
    }

    #[test]
    fn a_condition_on_an_argument_gives_a_constructor_for_each_outcome() {
        let expansion = expand("", "fn f(#[cfg(a)] x: u8, y: u8, #[cfg(b)] #[cfg(c)] z: u8) {}");
        for outcome in [
            "# [cfg (all (a))] # [cfg (all (b , c))] fn f (x : u8 , y : u8 , z : u8) ",
            "# [cfg (all (a))] # [cfg (not (all (b , c)))] fn f (x : u8 , y : u8) ",
            "# [cfg (not (all (a)))] # [cfg (all (b , c))] fn f (y : u8 , z : u8) ",
            "# [cfg (not (all (a)))] # [cfg (not (all (b , c)))] fn f (y : u8) ",
        ] {
            assert!(expansion.contains(outcome), "{outcome} in {expansion}");
        }
    }
}
