//! The attributes of a process: those of its constructor, and those of its body.

use quote::ToTokens;
use syn::{Attribute, parse_quote};

use crate::tokens::{count, is_one_of};

const LINTS: &[&str] = &["allow", "expect", "warn", "deny", "forbid"];

/// Returns the attributes that concern the constructor, and those that concern the body. If the body stands beside the
/// constructor, then conditions and lints concern both.
pub(super) fn split(attrs: Vec<Attribute>, beside: bool) -> (Vec<Attribute>, Vec<Attribute>) {
    let (mut constructor, mut body): (Vec<_>, Vec<_>) =
        attrs.into_iter().partition(concerns_the_constructor);
    if beside {
        let shared: Vec<_> =
            constructor.iter().filter(|attr| concerns_both(attr)).cloned().collect();
        if shared.iter().any(|attr| mentions(attr, &["expect"])) {
            // An expectation for both functions is met in one of them.
            let allowed: Attribute = parse_quote!(#[allow(unfulfilled_lint_expectations)]);
            constructor.push(allowed.clone());
            body.push(allowed);
        }
        body.extend(shared);
    }
    (constructor, body)
}

/// Whether an attribute concerns the constructor. Documentation, conditions, lints and deprecation do, and lints reach a body
/// inside it. All other attributes, such as `inline` or another macro, concern the body.
fn concerns_the_constructor(attr: &Attribute) -> bool {
    const OTHERS: &[&str] = &["doc", "cfg", "cfg_attr", "deprecated", "must_use"];
    is_one(attr, OTHERS) || is_one(attr, LINTS)
}

fn concerns_both(attr: &Attribute) -> bool {
    is_one(attr, &["cfg"])
        || is_one(attr, LINTS)
        || is_one(attr, &["cfg_attr"]) && mentions(attr, LINTS)
}

fn is_one(attr: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attr.path().is_ident(name))
}

fn mentions(attr: &Attribute, names: &[&str]) -> bool {
    count(attr.meta.to_token_stream(), &|ident| is_one_of(ident, names)) > 0
}
