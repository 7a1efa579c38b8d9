//! The fields of `self` in the body of a method. The library learns which process holds the ends in them.
//!
//! For the search each `self.field` is one name, and is kept or not as an argument is. None is kept if the object may leave as a whole.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use super::escape::{BORROWING, KNOWN_MACROS, begins_an_expression, is_kept};
use crate::tokens::{count, inside, is_call, is_ident, is_one_of, is_punct, macro_name};

/// A field that a body borrows at least once.
pub(super) struct Field {
    /// Its name, or its number.
    pub(super) member: TokenTree,
    /// Whether the body never moves it.
    pub(super) is_kept: bool,
}

/// Words by which the body may speak of another `self`, or of a field that is not always there.
const OTHERWISE: &[&str] = &["impl", "trait", "macro_rules", "cfg", "cfg_attr"];

/// Returns the fields of `self` that a body uses like channel ends.
pub(super) fn fields(body: &Group) -> Vec<Field> {
    if count(body.stream(), &|ident| is_one_of(ident, OTHERWISE)) > 0 {
        return Vec::new();
    }
    let mut joined = Joined::default();
    let body = joined.group(body, true);
    let stays = joined.stays;
    let fields = joined.members.into_iter().filter_map(|(name, member, is_known)| {
        let is_kept = stays && is_kept(&name, false, &body);
        (is_known && is_lent(&name, &inside(&body))).then_some(Field { member, is_kept })
    });
    fields.collect()
}

/// The tokens of a body with `self.field` made one name.
struct Joined {
    /// Each field: the name that stands for it, the field, and whether it is surely one, because a known macro or none surrounds it.
    members: Vec<(Ident, TokenTree, bool)>,
    /// Whether the body names `self` by itself only in `&self`.
    stays: bool,
}

impl Default for Joined {
    fn default() -> Self {
        Self { members: Vec::new(), stays: true }
    }
}

impl Joined {
    fn group(&mut self, group: &Group, is_known: bool) -> Group {
        let stream = self.tokens(&inside(group), is_known);
        let mut joined = Group::new(group.delimiter(), stream);
        joined.set_span(group.span());
        joined
    }

    fn tokens(&mut self, tokens: &[TokenTree], is_known: bool) -> TokenStream {
        let mut joined = Vec::new();
        let mut index = 0;
        while index < tokens.len() {
            if let Some(member) = member(&tokens[index..]) {
                joined.push(TokenTree::Ident(self.name(member, is_known)));
                index += 3;
                continue;
            }
            joined.push(match &tokens[index] {
                TokenTree::Group(group) => {
                    let of = macro_name(tokens, index);
                    let is_known = is_known && of.is_none_or(|name| is_one_of(name, KNOWN_MACROS));
                    TokenTree::Group(self.group(group, is_known))
                }
                token => {
                    if is_ident(Some(token), "self") {
                        self.stays &= is_lent_here(tokens, index)
                            && !tokens.get(index + 1).is_some_and(|next| is_punct(next, '.'));
                    }
                    token.clone()
                }
            });
            index += 1;
        }
        joined.into_iter().collect()
    }

    /// Returns the name that stands for a field.
    fn name(&mut self, member: &TokenTree, is_known: bool) -> Ident {
        let text = format!("__csp_self_{member}").replace("r#", "");
        let name = Ident::new(&text, Span::call_site());
        match self.members.iter_mut().find(|(known, ..)| *known == name) {
            Some((.., known)) => *known |= is_known,
            None => self.members.push((name.clone(), member.clone(), is_known)),
        }
        name
    }
}

/// Returns the field if the tokens begin with `self.field`, and no call of a method.
fn member(tokens: &[TokenTree]) -> Option<&TokenTree> {
    let [this, dot, member, rest @ ..] = tokens else { return None };
    let is_field = match member {
        TokenTree::Ident(name) => name != "await",
        TokenTree::Literal(number) => {
            number.to_string().bytes().all(|digit| digit.is_ascii_digit())
        }
        _ => false,
    };
    let is_method = match rest.first() {
        Some(TokenTree::Group(arguments)) => {
            is_call(arguments) && matches!(member, TokenTree::Ident(_))
        }
        Some(token) => is_punct(token, ':'),
        None => false,
    };
    (is_ident(Some(this), "self") && is_punct(dot, '.') && is_field && !is_method).then_some(member)
}

/// Whether tokens borrow a variable at least once. Then a reference to it is no mistake.
fn is_lent(name: &Ident, tokens: &[TokenTree]) -> bool {
    tokens.iter().enumerate().any(|(index, token)| match token {
        TokenTree::Group(group) => is_lent(name, &inside(group)),
        TokenTree::Ident(ident) if ident == name => {
            let is_borrowing = match &tokens[index + 1..] {
                [TokenTree::Group(element), ..] => element.delimiter() == Delimiter::Bracket,
                [dot, TokenTree::Ident(method), TokenTree::Group(call), ..] => {
                    is_punct(dot, '.') && is_call(call) && is_one_of(method, BORROWING)
                }
                _ => false,
            };
            is_borrowing || is_lent_here(tokens, index)
        }
        _ => false,
    })
}

/// Whether `&`, and not the operator of that sign, stands before the token.
fn is_lent_here(tokens: &[TokenTree], index: usize) -> bool {
    index > 0 && is_punct(&tokens[index - 1], '&') && begins_an_expression(&tokens[..index - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the fields of a body, with `!` behind those that it keeps.
    fn found(body: &str) -> String {
        let body: Group = syn::parse_str(&format!("{{ {body} }}")).unwrap();
        let fields = fields(&body)
            .into_iter()
            .map(|Field { member, is_kept }| format!("{member}{}", if is_kept { "!" } else { "" }));
        fields.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn fields_that_are_only_used_in_place_are_kept() {
        assert_eq!(found("self.out.write(self.input.read()?)?"), "out! input!");
        assert_eq!(found("for n in &self.input { self.count += n; }"), "input!");
        assert_eq!(
            found("alt! { n = self.0.read() => n, retired(self.1) => 0 }; self.1.len();"),
            "0! 1!"
        );
        assert_eq!(
            found("self.outs[0].write(1)?; parallel!(child(self.outs[1].clone()))"),
            "outs!"
        );
        assert_eq!(found("helper(&self); (&self).f(); self.r#in.read()"), "r#in!");
        assert_eq!(found("self.input.read()?; drop(self.out); self.out.len()"), "input! out!");
    }

    #[test]
    fn fields_that_may_be_let_out_are_not() {
        assert_eq!(found("self.out.write(1)?; f(self.out)"), "out");
        assert_eq!(found("self.input.read()?; let mine = self.out;"), "input!");
        assert_eq!(found("self.out.write(1)?; self.out = other;"), "out");
        for escape in [
            "f(self)",
            "let Self { out } = self;",
            "self.helper()",
            "&self.f()",
            "f(&mut self)",
            "a & self",
            "self.f::<u8>()",
            "Self { ..self }",
            "self.0.1.f()",
            "async { 1 }",
        ] {
            assert_eq!(found(&format!("self.out.write(1)?; {escape}")), "out", "{escape}");
        }
        assert_eq!(found("std::thread::scope(|s| self.out.write(1))"), "out");
    }

    #[test]
    fn what_may_be_no_field_of_this_object_is_left_out() {
        for body in [
            "mine!(self.out.write(1))",
            "#[cfg(a)] self.out.write(1)?;",
            "impl It { fn f(&self) { self.out.write(1); } }",
            "self.write(1)?",
            "self.count += 1",
            "self.inner.out.write(1)",
            "f(self.out)",
        ] {
            assert_eq!(found(body), "", "{body}");
        }
    }
}
