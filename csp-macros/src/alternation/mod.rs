//! `alt!` and `pri_alt!`.
//!
//! An arm is the user's own code in the user's own function, so it may `break`, `return` and `?`. Therefore no closure
//! contains any of it. When it runs, nothing borrows the ends any more.

mod expand;
mod model;
mod validate;

use proc_macro2::TokenStream;
use syn::parse::Parser;

use crate::diagnostics::Mistakes;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Fair,
    Priority,
}

pub(crate) fn function_like(order: Order, tokens: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let alternation = match model::parse.parse2(tokens) {
        Ok((alternation, None)) => alternation,
        Ok((alternation, Some(error))) => {
            mistakes.push(error);
            alternation
        }
        Err(error) => return error.into_compile_error(),
    };
    let krate = alternation.krate.clone();
    let unfinished = mistakes.any();
    let arms = validate::arms(order, alternation, unfinished, &mut mistakes);
    expand::choice(order, &krate, &arms, mistakes.report())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(guards: &str) -> String {
        function_like(Order::Priority, guards.parse().unwrap()).to_string()
    }

    fn mistakes(guards: &str) -> usize {
        expand(guards).matches("compile_error").count()
    }

    #[test]
    fn an_arm_is_told_from_the_next_as_in_a_match() {
        for arms in [
            "a.read() => 1",
            "a.read() => 1,",
            "a.read() => {} b.read() => {}",
            "a.read() => {}, b.read() => {},",
            "a.read() => if c { 1 } else { 2 } b.read() => match x { _ => 3 } c.read() => loop {}",
            "x = a.read() => S { x }, (y, _) = a[i].read() => y == z, P { q, .. } = s.a.read() => q?,",
            "if a == S { b }, x = c.read() => || x, if !d || e, f().read() => return, skip => break 'l 3",
            "if let Some(a) = &b && c, (S(x) | T(x)) = a.read() => x as u8, retired(a) => x.y().z,",
            "crate = a::b; x @ y = (*c).begin() => unsafe { d }.e, h.write(|| i) => j = k,",
        ] {
            assert_eq!(mistakes(arms), 0, "{arms}: {}", expand(arms));
        }
        for arms in [
            "a.read() => 1 b.read() => 2",
            "a.read() => {}.b c.read() => 2",
            "a.read()",
            "=> 3",
            "if a.read() => 1",
        ] {
            assert_eq!(mistakes(arms), 1, "{arms}: {}", expand(arms));
        }
    }

    #[test]
    fn what_is_a_variable_is_moved_in_the_arm_and_nowhere_else() {
        for variable in ["x", "self.x", "x.0.y", "*x", "(x)", "(*self.x).y"] {
            assert!(expand(&format!("a.write({variable}) => 1")).contains("give"), "{variable}");
        }
        for value in
            ["X", "m::x", "S::X", "f()", "x.f()", "x[0]", "-x", "x + 1", "f().x", "&x", "None"]
        {
            assert!(!expand(&format!("a.write({value}) => 1")).contains("give"), "{value}");
        }
    }

    #[test]
    fn mistakes_are_independent() {
        let arms = "#[a] x = a.read()? => x, x = b.write() => x, skip => 1, c.recv() if d => 2, late(e) => 3, 4 => 4";
        assert_eq!(mistakes(arms), 8);
    }
}
