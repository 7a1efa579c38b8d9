//! A process shares nothing: the rules for the types of its arguments and of its result.

use proc_macro2::Ident;
use syn::{
    BoundLifetimes, Expr, GenericParam, Lifetime, Macro, ParenthesizedGenericArguments, Path,
    TraitBound, Type, TypeFnPtr, TypeImplTrait, TypeInfer, TypeReference,
    visit::{self, Visit},
};

use crate::diagnostics::Mistakes;

#[derive(Clone, Copy)]
pub(super) enum Role {
    Argument,
    Result,
}

/// The findings in one type.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) wrong: bool,
    /// Whether even a plain function could not have this type.
    pub(super) unusable: bool,
    /// The lifetime parameters that it uses. They are reported here, so their declarations are no mistake.
    pub(super) lifetimes: Vec<Ident>,
}

/// Judges a type. If the process is `portable`, it may run in another OS process.
pub(super) fn judge(ty: &Type, role: Role, portable: bool, mistakes: &mut Mistakes) -> Findings {
    let (bound, findings) = (Vec::new(), Findings::default());
    let mut judge = Judge { mistakes, role, portable, bound, sugar: 0, findings };
    if let Some((what, instead)) = without_size(ty) {
        judge.unusable(
            ty,
            format!("{}: {what} has no size, {} {instead}", role.rule(), role.verb()),
        );
    } else {
        judge.visit_type(ty);
    }
    judge.findings
}

impl Role {
    fn rule(self) -> &'static str {
        match self {
            Role::Argument => "a process owns its arguments",
            Role::Result => "a process's result outlives it",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Role::Argument => "pass",
            Role::Result => "return",
        }
    }
}

fn without_size(ty: &Type) -> Option<(&'static str, &'static str)> {
    match ty {
        Type::Slice(_) => Some(("a slice", "a `Vec`")),
        Type::TraitObject(_) => Some(("a trait object", "it in a `Box`")),
        Type::Path(path) if path.qself.is_none() && path.path.is_ident("str") => {
            Some(("`str`", "a `String`"))
        }
        Type::Paren(paren) => without_size(&paren.elem),
        Type::Group(group) => without_size(&group.elem),
        _ => None,
    }
}

/// The search of one type. It finds one mistake a place, and does not look inside a mistake.
struct Judge<'m> {
    mistakes: &'m mut Mistakes,
    role: Role,
    portable: bool,
    /// Lifetimes of the enclosing `for<'a>`s.
    bound: Vec<Ident>,
    /// The depth in `fn(&T)` and `Fn(&T)`, where an elided lifetime is bound too.
    sugar: usize,
    findings: Findings,
}

impl Judge<'_> {
    fn wrong(&mut self, tokens: impl quote::ToTokens, message: String) {
        self.mistakes.at(tokens, message);
        self.findings.wrong = true;
    }

    fn unusable(&mut self, tokens: impl quote::ToTokens, message: String) {
        self.wrong(tokens, message);
        self.findings.unusable = true;
    }

    fn outlives(&self, lifetime: &Lifetime) -> bool {
        lifetime.ident == "static"
            || self.bound.contains(&lifetime.ident)
            || (lifetime.ident == "_" && self.sugar > 0)
    }

    fn scope(
        &mut self,
        lifetimes: Option<&BoundLifetimes>,
        sugar: bool,
        inside: impl FnOnce(&mut Self),
    ) {
        let outside = self.bound.len();
        for param in lifetimes.iter().flat_map(|bound| &bound.lifetimes) {
            if let GenericParam::Lifetime(param) = param {
                self.bound.push(param.lifetime.ident.clone());
            }
        }
        self.sugar += usize::from(sugar);
        inside(self);
        self.sugar -= usize::from(sugar);
        self.bound.truncate(outside);
    }
}

impl<'ast> Visit<'ast> for Judge<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let outlives = match &reference.lifetime {
            Some(lifetime) => self.outlives(lifetime),
            None => self.sugar > 0,
        };
        if outlives {
            return self.visit_type(&reference.elem);
        }
        self.findings
            .lifetimes
            .extend(reference.lifetime.iter().map(|lifetime| lifetime.ident.clone()));
        self.wrong(
            reference,
            match self.role {
                Role::Argument => {
                    format!("{}: pass the value, a clone, or a channel end", self.role.rule())
                }
                Role::Result => {
                    format!("{}: return the value, it has nothing to borrow from", self.role.rule())
                }
            },
        );
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if !self.outlives(lifetime) {
            self.findings.lifetimes.push(lifetime.ident.clone());
            let reason = match self.role {
                Role::Argument => "it may outlive what",
                Role::Result => "it must not need what",
            };
            self.wrong(
                lifetime,
                format!("{}: {reason} `{lifetime}` borrows from", self.role.rule()),
            );
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        let message = match self.role {
            Role::Argument => {
                "an argument of a process has a type with a name: write `<T: Trait>` and `T`"
            }
            Role::Result => {
                "the result of a process has a type with a name: return that type, or a `Box<dyn Trait>`"
            }
        };
        self.wrong(ty, message.into());
    }

    fn visit_type_infer(&mut self, ty: &'ast TypeInfer) {
        self.unusable(
            ty,
            "a process's types are its interface: write out what `_` stands for".into(),
        );
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let first = &path.segments[0];
        if self.portable && path.leading_colon.is_none() && first.ident == "Self" {
            let message = "a process with an OS process of its own belongs to no type: write the name for `Self`";
            return self.unusable(first, message.into());
        }
        visit::visit_path(self, path);
    }

    fn visit_type_fn_ptr(&mut self, ty: &'ast TypeFnPtr) {
        self.scope(ty.lifetimes.as_ref(), true, |judge| {
            ty.inputs.iter().for_each(|input| judge.visit_type(&input.ty));
            judge.visit_return_type(&ty.output);
        });
    }

    fn visit_trait_bound(&mut self, bound: &'ast TraitBound) {
        self.scope(bound.lifetimes.as_ref(), false, |judge| judge.visit_path(&bound.path));
    }

    fn visit_parenthesized_generic_arguments(
        &mut self,
        arguments: &'ast ParenthesizedGenericArguments,
    ) {
        self.scope(None, true, |judge| {
            visit::visit_parenthesized_generic_arguments(judge, arguments)
        });
    }

    // A type borrows nothing through an expression or a macro.
    fn visit_expr(&mut self, _: &'ast Expr) {}
    fn visit_macro(&mut self, _: &'ast Macro) {}
}
