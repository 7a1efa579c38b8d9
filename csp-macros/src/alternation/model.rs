//! The model: `if precondition, pattern = guard => arm`, again and again.

use syn::{
    Attribute, Expr, Pat, Path, Token,
    parse::{ParseStream, discouraged::Speculative},
    parse_quote,
};

pub(super) struct Alternation {
    /// The path of the library.
    pub(super) krate: Path,
    pub(super) arms: Vec<Arm>,
}

pub(super) struct Arm {
    pub(super) attrs: Vec<Attribute>,
    pub(super) precondition: Option<Expr>,
    /// `if` after the guard, as in a `match`.
    pub(super) misplaced: Option<Token![if]>,
    pub(super) pattern: Option<Pat>,
    /// An expression, of which `validate` makes a guard.
    pub(super) guard: Expr,
    pub(super) body: Expr,
}

/// Returns the arms that could be read, and the error that stopped the reading.
pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<(Alternation, Option<syn::Error>)> {
    let mut alternation = Alternation { krate: parse_quote!(::csp), arms: Vec::new() };
    if input.peek(Token![crate]) && input.peek2(Token![=]) {
        input.parse::<Token![crate]>()?;
        input.parse::<Token![=]>()?;
        alternation.krate = input.call(Path::parse_mod_style)?;
        input.parse::<Token![;]>()?;
    }
    while !input.is_empty() {
        match arm(input) {
            Ok(arm) => alternation.arms.push(arm),
            Err(error) => {
                // The rest could only be misread.
                input.parse::<proc_macro2::TokenStream>()?;
                return Ok((alternation, Some(error)));
            }
        }
    }
    Ok((alternation, None))
}

fn arm(input: ParseStream<'_>) -> syn::Result<Arm> {
    let attrs = input.call(Attribute::parse_outer)?;
    let mut precondition = None;
    if input.peek(Token![if]) {
        input.parse::<Token![if]>()?;
        precondition = Some(input.parse()?);
        input.parse::<Token![,]>()?;
    }
    let pattern = pattern(input)?;
    let guard = input.parse()?;
    let misplaced: Option<Token![if]> = input.parse()?;
    if misplaced.is_some() {
        precondition = Some(input.parse()?);
    }
    if !input.peek(Token![=>]) {
        return Err(input.error("a guard has an arm: `=> expression` is missing before this"));
    }
    input.parse::<Token![=>]>()?;
    let body = input.call(Expr::parse_with_earlier_boundary_rule)?;
    let comma: Option<Token![,]> = input.parse()?;
    if comma.is_none() && !ends_itself(&body) && !input.is_empty() {
        return Err(input.error("an arm ends with a comma: it is missing before this"));
    }
    Ok(Arm { attrs, precondition, misplaced, pattern, guard, body })
}

/// Reads `pattern =`, if that comes next.
fn pattern(input: ParseStream<'_>) -> syn::Result<Option<Pat>> {
    let ahead = input.fork();
    let Ok(pattern) = ahead.call(Pat::parse_multi_with_leading_vert) else {
        return Ok(None);
    };
    if !ahead.peek(Token![=]) || ahead.peek(Token![=>]) || ahead.peek(Token![==]) {
        return Ok(None);
    }
    ahead.parse::<Token![=]>()?;
    input.advance_to(&ahead);
    Ok(Some(pattern))
}

/// Whether a comma may be left out, as in a `match`.
fn ends_itself(body: &Expr) -> bool {
    matches!(
        body,
        Expr::Block(_)
            | Expr::Const(_)
            | Expr::ForLoop(_)
            | Expr::If(_)
            | Expr::Loop(_)
            | Expr::Match(_)
            | Expr::TryBlock(_)
            | Expr::Unsafe(_)
            | Expr::While(_)
    )
}
