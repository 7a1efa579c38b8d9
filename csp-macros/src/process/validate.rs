//! The rules of a process.

use syn::{Attribute, FnArg, GenericParam, ReceiverKind, ReturnType, Safety, Signature};

use super::ownership::{self, Findings, Role};
use crate::{
    diagnostics::Mistakes,
    function::{Function, attributes, is_cfg},
};

/// Each `#[cfg]` of an argument doubles what is printed.
const MOST_CFGS: usize = 4;

/// The facts about the mistakes that `fallback` needs.
pub(super) struct Verdict {
    /// Tells of each argument whether no caller can get it right.
    pub(super) wrong_arguments: Vec<bool>,
    pub(super) wrong_result: bool,
    /// Whether the function could stand as a plain one.
    pub(super) stands: bool,
}

/// Judges a function. If it is `portable`, it may run in another OS process.
pub(super) fn function(function: &Function, portable: bool, mistakes: &mut Mistakes) -> Verdict {
    attrs(function, mistakes);
    qualifiers(function, portable, mistakes);
    let arguments: Vec<_> =
        function.sig.inputs.iter().map(|input| argument(input, portable, mistakes)).collect();
    let result = match &function.sig.output {
        ReturnType::Type(_, ty) => ownership::judge(ty, Role::Result, portable, mistakes),
        ReturnType::Default => Findings::default(),
    };
    for param in &function.sig.generics.params {
        if let GenericParam::Lifetime(param) = param {
            let mut reported =
                arguments.iter().chain([&result]).flat_map(|findings| &findings.lifetimes);
            if !reported.any(|lifetime| *lifetime == param.lifetime.ident) {
                mistakes.at(
                    param,
                    "a process has no lifetime parameter: it may outlive the process that started it",
                );
            }
        }
    }
    Verdict {
        stands: !result.unusable
            && function.sig.variadic.is_none()
            && !arguments.iter().any(|argument| argument.unusable),
        wrong_arguments: arguments.into_iter().map(|argument| argument.wrong).collect(),
        wrong_result: result.wrong,
    }
}

fn attrs(function: &Function, mistakes: &mut Mistakes) {
    for attr in function.attrs.iter().filter(|attr| makes_a_process(attr)) {
        mistakes.at(attr, "a function is made a process once: this attribute is one too many");
    }
}

/// Whether `attr` is one of these macros, as far as its name tells.
pub(super) fn makes_a_process(attr: &Attribute) -> bool {
    let name = attr.path().segments.last().map(|segment| segment.ident.to_string());
    matches!(name.as_deref(), Some("process" | "multiprocess"))
}

fn qualifiers(function: &Function, portable: bool, mistakes: &mut Mistakes) {
    let sig = &function.sig;
    if let Some(constness) = sig.constness {
        mistakes.at(
            constness,
            "a process is not `const`: it communicates, which only a running program does",
        );
    }
    if let Some(asyncness) = sig.asyncness.filter(|_| portable) {
        mistakes.at(
            asyncness,
            "a process with an OS process of its own is not `async`: it has that to itself, so it may wait",
        );
    }
    if let Safety::Unsafe(unsafety) = &sig.safety {
        mistakes.at(unsafety, "a process is not `unsafe`: its caller only makes it, and the library that runs it promises nothing");
    }
    if let Some(abi) = &sig.abi {
        mistakes.at(abi, "a process is not `extern`: only the library calls its body");
    }
    if let Some(variadic) = &sig.variadic {
        mistakes.at(variadic, "a process has a fixed number of arguments: pass a `Vec`");
    }
    if is_main(sig) {
        mistakes.at(
            &sig.ident,
            "`main` is not a process to be made: the system starts it, mark it `#[csp::main]`",
        );
    }
    let conditional = sig.inputs.iter().filter(|input| attributes(input).iter().any(is_cfg));
    for input in conditional.skip(MOST_CFGS) {
        mistakes.at(
            input,
            format!("a process has at most {MOST_CFGS} arguments with `#[cfg]`: each doubles what it expands to"),
        );
    }
}

/// Whether the function is the program's, as far as its name tells.
pub(super) fn is_main(sig: &Signature) -> bool {
    sig.ident == "main" && sig.receiver().is_none()
}

fn argument(input: &FnArg, portable: bool, mistakes: &mut Mistakes) -> Findings {
    let receiver = match input {
        FnArg::Typed(typed) => {
            return ownership::judge(&typed.ty, Role::Argument, portable, mistakes);
        }
        FnArg::Receiver(receiver) => receiver,
    };
    let message = match &receiver.kind {
        _ if portable => {
            "a process with an OS process of its own belongs to no object: pass what it needs of `self` as arguments"
        }
        ReceiverKind::Typed(_, ty) => {
            return ownership::judge(ty, Role::Argument, portable, mistakes);
        }
        ReceiverKind::Reference(..) => "a process owns its arguments: take `self` by value",
        _ => return Findings::default(),
    };
    mistakes.at(receiver, message);
    Findings { wrong: true, ..Findings::default() }
}
