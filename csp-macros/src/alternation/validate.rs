//! The rules of an alternation. A wrong guard is left out with its arm, and the others go on.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::{Expr, ExprCall, ExprMethodCall, Pat, Token, parse_quote, spanned::Spanned};

use super::{
    Order,
    model::{self, Alternation},
};
use crate::diagnostics::Mistakes;

/// An arm with a valid guard.
pub(super) struct Arm {
    pub(super) precondition: Option<Expr>,
    pub(super) pattern: Option<Pat>,
    pub(super) guard: Guard,
    /// The `await` of a guard in an `async` process.
    pub(super) awaits: Option<Token![await]>,
    /// The place of the word that names the guard: `read`, `after`.
    pub(super) name: Span,
    pub(super) body: Expr,
}

pub(super) enum Guard {
    Read(Expr),
    Begin(Expr),
    Write(Expr, Expr),
    WriteWith(Expr, Expr),
    Sync(Expr),
    Retired(Expr),
    Join(Expr),
    TryJoin(Expr),
    Io(Expr),
    /// An operation of a descriptor, by its name, and its argument.
    Descriptor(&'static str, Expr, Option<Expr>),
    After(Expr),
    At(Expr),
    Skip,
}

/// Judges the arms, of which some could not be read if the alternation is `unfinished`.
pub(super) fn arms(
    order: Order,
    alternation: Alternation,
    unfinished: bool,
    mistakes: &mut Mistakes,
) -> Vec<Arm> {
    let count = alternation.arms.len();
    if count == 0 && !unfinished {
        mistakes.at(
            Ident::new("_", Span::call_site()),
            "an alternation has a guard: without one it would wait for ever",
        );
    }
    let arms = alternation.arms.into_iter().enumerate();
    let arms: Vec<Arm> = arms
        .filter_map(|(index, arm)| {
            self::arm(order, index + 1 == count && !unfinished, arm, mistakes)
        })
        .collect();
    if arms.iter().any(|arm| arm.awaits.is_some()) {
        for arm in arms.iter().filter(|arm| arm.awaits.is_none() && arm.guard.communicates()) {
            mistakes.at(
                Ident::new("_", arm.name),
                "all guards of an alternation await or none does: another here does",
            );
        }
    }
    arms
}

impl Guard {
    pub(super) fn gives_a_value(&self) -> bool {
        matches!(
            self,
            Self::Read(_)
                | Self::Begin(_)
                | Self::Join(_)
                | Self::TryJoin(_)
                | Self::Io(_)
                | Self::Descriptor(..)
        )
    }

    fn communicates(&self) -> bool {
        !matches!(self, Self::Retired(_) | Self::After(_) | Self::At(_) | Self::Io(_) | Self::Skip)
    }
}

fn arm(order: Order, last: bool, arm: model::Arm, mistakes: &mut Mistakes) -> Option<Arm> {
    for attr in &arm.attrs {
        mistakes.at(attr, "a guard has no attributes: it stands or falls with the others");
    }
    if let Some(misplaced) = &arm.misplaced {
        mistakes.at(
            misplaced,
            "a precondition stands before its guard: write `if condition, guard => …`",
        );
    }
    let (form, awaits) = without_await(&arm.guard);
    let (guard, name) = match guard(form, awaits) {
        Ok(guard) => guard,
        Err((tokens, message)) => {
            mistakes.at(tokens, message);
            return None;
        }
    };
    let (precondition, pattern, body) = (arm.precondition, arm.pattern, arm.body);
    let mut checked = Arm { precondition, pattern, guard, awaits, name, body };
    if let Some(pattern) = &checked.pattern
        && !checked.guard.gives_a_value()
    {
        mistakes.at(pattern, "only an input gives a value: there is nothing to bind");
        // The body may use the variables that were not bound.
        checked.pattern = None;
        checked.body = parse_quote!(::core::unreachable!());
    }
    if matches!(checked.guard, Guard::Skip) {
        if order == Order::Fair {
            mistakes.at(
                &arm.guard,
                "`skip` stands only in `pri_alt!`: it is always ready, and a fair choice would come to it",
            );
        } else if !last {
            mistakes.at(
                &arm.guard,
                "`skip` stands last: it is always ready, so no guard after it is ever chosen",
            );
        }
    }
    Some(checked)
}

type Wrong = (proc_macro2::TokenStream, String);

fn wrong<T>(tokens: impl ToTokens, message: impl Into<String>) -> Result<T, Wrong> {
    Err((tokens.into_token_stream(), message.into()))
}

/// Separates a guard from its `.await`.
fn without_await(expr: &Expr) -> (&Expr, Option<Token![await]>) {
    match expr {
        Expr::Await(awaits) => (&awaits.base, Some(awaits.await_token)),
        Expr::Group(group) => without_await(&group.expr),
        other => (other, None),
    }
}

fn guard(expr: &Expr, awaits: Option<Token![await]>) -> Result<(Guard, Span), Wrong> {
    match expr {
        Expr::MethodCall(call) => Ok((communication(call, awaits)?, call.method.span())),
        Expr::Call(call) => Ok((condition(call)?, call.func.span())),
        Expr::Path(path) if path.path.is_ident("skip") => Ok((Guard::Skip, path.span())),
        Expr::Path(path) if path.path.is_ident("default") => default(expr),
        Expr::Infer(_) => default(expr),
        Expr::Group(group) => guard(&group.expr, awaits),
        Expr::Try(attempt) => wrong(
            attempt.question_token,
            "a guard has no `?`: the alternation ends as a whole, put the `?` behind it",
        ),
        _ => wrong(
            expr,
            "a guard is `end.read()`, `end.write(value)`, `after(duration)`, …: this is none",
        ),
    }
}

fn default<T>(expr: &Expr) -> Result<T, Wrong> {
    wrong(
        expr,
        "an alternation waits until a guard is ready: for one that does not wait, put `skip` last in a `pri_alt!`",
    )
}

fn communication(call: &ExprMethodCall, awaits: Option<Token![await]>) -> Result<Guard, Wrong> {
    if let Some(turbofish) = &call.turbofish {
        return wrong(turbofish, "a guard has no type arguments: its channel has the type");
    }
    let end = || (*call.receiver).clone();
    let arguments: Vec<_> = call.args.iter().cloned().collect();
    let method = call.method.to_string();
    let (name, is_async) = match method.strip_suffix("_async") {
        Some(name) => (name, true),
        None => (&*method, false),
    };
    const KNOWN: &[&str] = &[
        "read",
        "begin",
        "sync",
        "write",
        "write_with",
        "join",
        "try_join",
        "accept",
        "readable",
        "writable",
        "recv_from",
    ];
    if KNOWN.contains(&name) {
        match (is_async, awaits) {
            (true, None) => {
                return wrong(
                    &call.method,
                    format!(
                        "in an `async` process a guard awaits: write `.await` behind `{method}(…)`"
                    ),
                );
            }
            (false, Some(awaits)) => {
                return wrong(
                    awaits,
                    format!(
                        "a guard that awaits has its awaiting form: write `{name}_async(…).await`"
                    ),
                );
            }
            _ => {}
        }
    }
    let (form, takes) = match (name, &*arguments) {
        ("read", []) => return Ok(Guard::Read(end())),
        ("begin", []) => return Ok(Guard::Begin(end())),
        ("sync", []) => return Ok(Guard::Sync(end())),
        ("join", []) => return Ok(Guard::Join(end())),
        ("try_join", []) => return Ok(Guard::TryJoin(end())),
        ("write", [value]) => return Ok(Guard::Write(end(), value.clone())),
        ("write_with", [value]) => return Ok(Guard::WriteWith(end(), value.clone())),
        ("accept", []) => return Ok(Guard::Descriptor("accept", end(), None)),
        ("readable", []) => return Ok(Guard::Descriptor("readable", end(), None)),
        ("writable", []) => return Ok(Guard::Descriptor("writable", end(), None)),
        ("recv_from", [buffer]) => {
            return Ok(Guard::Descriptor("recv_from", end(), Some(buffer.clone())));
        }
        ("accept" | "readable" | "writable", _) => ("()", "nothing"),
        ("recv_from", _) => ("(&mut buffer)", "a buffer"),
        ("read" | "begin" | "sync" | "join" | "try_join", _) => ("()", "nothing"),
        ("write", _) => ("(value)", "one value"),
        ("write_with", _) => ("(|| value)", "one closure"),
        _ => {
            return wrong(
                &call.method,
                format!(
                    "a guard is `read`, `begin`, `write`, `write_with`, `sync`, `join` or `try_join`, or of a socket `accept`, `readable`, `writable` or `recv_from`: `{method}` is none"
                ),
            );
        }
    };
    let place: &dyn ToTokens = if arguments.is_empty() { &call.method } else { &call.args };
    wrong(place, format!("`{method}` takes {takes}: write `end.{method}{form}`"))
}

fn condition(call: &ExprCall) -> Result<Guard, Wrong> {
    let name = match &*call.func {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    };
    let takes = match name.as_deref() {
        Some("after") => "a duration",
        Some("at") => "an instant",
        Some("retired") => "a channel end",
        Some("io") => "a `Call`",
        Some("skip") => return wrong(call, "`skip` takes nothing: write `skip` alone"),
        _ => {
            return wrong(
                &call.func,
                "a condition is `after(duration)`, `at(instant)`, `retired(end)`, `io(call)` or `skip`: this is none",
            );
        }
    };
    let name = name.unwrap_or_default();
    match (&*name, call.args.first(), call.args.len()) {
        ("after", Some(duration), 1) => Ok(Guard::After(duration.clone())),
        ("at", Some(instant), 1) => Ok(Guard::At(instant.clone())),
        ("io", Some(Expr::Closure(closure)), 1) => wrong(
            closure,
            "a call that is not chosen goes on, so it is kept outside: `let call = csp::io::Call::new(…)`, and here `io(call)`",
        ),
        ("io", Some(call), 1) => Ok(Guard::Io(call.clone())),
        (_, Some(end), 1) => Ok(Guard::Retired(end.clone())),
        _ => wrong(call, format!("`{name}` takes {takes}: this is not one argument")),
    }
}
