//! The model: a function as the user wrote it. The signature is parsed, and the body stays the user's own tokens.

use std::fmt::Display;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, FnArg, LitStr, Meta, Signature, Token, Visibility,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::diagnostics::Mistakes;

#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
}

/// Returns the function on which an attribute stands. `bodiless` and `other` are the mistakes of an item that is none.
pub(crate) fn parse(
    item: TokenStream,
    mistakes: &mut Mistakes,
    bodiless: impl Display,
    other: impl Display,
) -> Option<Function> {
    match syn::parse2(item) {
        Ok(Item::Function(function)) => return Some(*function),
        Ok(Item::Bodiless(sig)) => mistakes.at(sig, bodiless),
        Ok(Item::Other(first)) => mistakes.at(first, other),
        Err(error) => mistakes.push(error),
    }
    None
}

/// The item on which an attribute stands.
enum Item {
    Function(Box<Function>),
    /// `fn f();`, which only a trait may have.
    Bodiless(Box<Signature>),
    /// The first token after attributes and visibility.
    Other(TokenTree),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Item> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        if !is_function(input) {
            let first = input.parse()?;
            input.parse::<TokenStream>()?;
            return Ok(Item::Other(first));
        }
        let sig = input.parse()?;
        if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            return Ok(Item::Bodiless(Box::new(sig)));
        }
        let tokens: TokenTree = input.parse()?;
        let span = tokens.span();
        let body = body(tokens).ok_or_else(|| syn::Error::new(span, "expected a body"))?;
        Ok(Item::Function(Box::new(Function { attrs, vis, sig, body })))
    }
}

/// Returns the group in braces, also if a macro wrote `$body` for a `$body:block`.
fn body(tokens: TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = tokens else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => body(group.stream().into_iter().next()?),
        _ => None,
    }
}

/// Whether the item is a function: only qualifiers stand in front of its `fn`.
fn is_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    loop {
        if ahead.peek(Token![fn]) {
            return true;
        }
        let qualifier = ahead.peek(Token![const])
            || ahead.peek(Token![async])
            || ahead.peek(Token![unsafe])
            || ahead.peek(Token![extern])
            || ahead.peek(LitStr);
        if !qualifier || ahead.parse::<TokenTree>().is_err() {
            return false;
        }
    }
}

impl Function {
    /// Returns the function once for each outcome of its arguments' `#[cfg]`s, under the condition of that outcome. The
    /// elements of a tuple type cannot have a `#[cfg]`, so an argument has to be gone before the tuple is printed.
    pub(crate) fn configured(mut self) -> Vec<Function> {
        let conditional =
            self.sig.inputs.iter().position(|input| attributes(input).iter().any(is_cfg));
        let Some(index) = conditional else {
            return vec![self];
        };
        let mut without = self.clone();
        without.sig.inputs = without
            .sig
            .inputs
            .into_pairs()
            .enumerate()
            .filter_map(|(i, pair)| (i != index).then_some(pair))
            .collect::<Punctuated<FnArg, Token![,]>>();

        let attrs = attributes_mut(&mut self.sig.inputs[index]);
        let (cfgs, others) = std::mem::take(attrs).into_iter().partition::<Vec<_>, _>(is_cfg);
        *attrs = others;
        let conditions: Vec<_> = cfgs.iter().map(condition).collect();
        self.attrs.push(syn::parse_quote!(#[cfg(all(#(#conditions),*))]));
        without.attrs.push(syn::parse_quote!(#[cfg(not(all(#(#conditions),*)))]));

        let mut variants = self.configured();
        variants.extend(without.configured());
        variants
    }
}

pub(crate) fn attributes(input: &FnArg) -> &[Attribute] {
    match input {
        FnArg::Receiver(receiver) => &receiver.attrs,
        FnArg::Typed(typed) => &typed.attrs,
    }
}

fn attributes_mut(input: &mut FnArg) -> &mut Vec<Attribute> {
    match input {
        FnArg::Receiver(receiver) => &mut receiver.attrs,
        FnArg::Typed(typed) => &mut typed.attrs,
    }
}

pub(crate) fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
}

fn condition(cfg: &Attribute) -> TokenStream {
    match &cfg.meta {
        Meta::List(list) => list.tokens.clone(),
        other => other.to_token_stream(),
    }
}

/// Prints the user's tokens, with the body untouched.
impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Function { attrs, vis, sig, body } = self;
        tokens.extend(quote!(#(#attrs)* #vis #sig #body));
    }
}
