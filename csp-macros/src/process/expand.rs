//! Prints the constructor: the user's function, under another name, inside one that makes a process of it.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, FnArg, GenericParam, Pat, Path, ReturnType, Signature, Token, Type, ext::IdentExt,
    parse_quote, spanned::Spanned,
};

use super::{Kind, portability};
use crate::{
    function::Function,
    keeping,
    options::Options,
    spans::{across, local, path_at},
};

pub(super) fn function(
    kind: Kind,
    portable: bool,
    options: &Options,
    function: Function,
) -> TokenStream {
    let definition = definition(kind, options, &function);
    function
        .configured()
        .into_iter()
        .map(|function| constructor(&options.krate, &definition, portable, function))
        .collect()
}

fn constructor(
    krate: &Path,
    definition: &TokenStream,
    portable: bool,
    function: Function,
) -> TokenStream {
    let Function { attrs, vis, mut sig, body } = function;
    let (outer, inner): (Vec<_>, Vec<_>) = attrs.into_iter().partition(concerns_the_constructor);

    let name = sig.ident.clone();
    let name_text = name.unraw().to_string();
    let generics = sig.generics.clone();
    let (fn_token, where_clause) = (sig.fn_token, &generics.where_clause);
    let parameters: Vec<_> = sig.inputs.iter().enumerate().filter_map(parameter).collect();
    let (names, types): (Vec<_>, Vec<_>) = parameters.iter().cloned().unzip();
    let result = result(&sig.output);
    let inputs = sig.inputs.iter().zip(&names).filter_map(|(input, name)| match input {
        FnArg::Typed(typed) => Some((typed, name)),
        FnArg::Receiver(_) => None,
    });
    let held: TokenStream = inputs
        .map(|(typed, name)| {
            keeping::hold_argument(krate, &name.to_token_stream(), &typed.pat, &typed.ty, &body)
        })
        .collect();
    let marked = keeping::marked(krate, &body);
    let place = body.span();

    let signature = sig.to_token_stream().to_string();
    // Another name, so that a process that names itself in its body gets the constructor.
    sig.ident = Ident::new("__csp_body", name.span());
    let body_fn = &sig.ident;
    let is_async = sig.asyncness.is_some();
    let turbofish = turbofish(&generics.params);
    let owned = parameters.iter().map(|(name, ty)| {
        let mut name = name.clone();
        name.set_span(name.span().located_at(ty.span()));
        bounded(krate, "argument", ty, &name)
    });
    let call = quote!(#body_fn #turbofish (#(#names),*));
    let returned = match &sig.output {
        ReturnType::Type(_, ty) if !is_never(ty) => {
            let function = if is_async { "result_async" } else { "result" };
            bounded(krate, function, ty, &call)
        }
        ReturnType::Type(..) if is_async => quote! {
            async move {
                #[allow(unreachable_code)]
                {
                    let never: ::core::convert::Infallible = #call.await;
                    never
                }
            }
        },
        _ => call,
    };

    let body = quote!({ #held #returned });
    let code = if portable {
        let whole = quote!((#(#types,)*));
        let put = parameters
            .iter()
            .map(|(name, ty)| bounded(krate, "argument_sent", ty, &quote!(#name, to)));
        let take = types.iter().map(|ty| bounded(krate, "argument_received", ty, &quote!(from)));
        let (give, get) = match &sig.output {
            ReturnType::Type(_, ty) if is_never(ty) => {
                (quote!(#krate::__private::never), quote!(#krate::__private::none))
            }
            ReturnType::Type(_, ty) => {
                (path_at_type(krate, "result_sent", ty), path_at_type(krate, "result_received", ty))
            }
            ReturnType::Default => (
                quote!(#krate::__private::result_sent::<()>),
                quote!(#krate::__private::result_received::<()>),
            ),
        };
        let mistakes = portability::mistakes(&types, &sig.output);
        let instance = turbofish.as_ref().map(|turbofish| quote!(#body_fn #turbofish));
        quote! {
            #krate::__private::portable! {
                [#mistakes] [#instance] #name_text, #signature,
                |(#(#names,)*): #whole| -> #result #body,
                |(#(#names,)*): &#whole, to| { #(#put?;)* ::core::result::Result::Ok(()) },
                |from| ::core::result::Result::Ok((#(#take?,)*)),
                #give, #get
            }
        }
    } else {
        let new = if is_async { quote!(awaiting) } else { quote!(new) };
        quote!(#krate::__private::Code::#new(|(#(#names,)*)| #body))
    };

    let function = held_once(&sig, &marked).unwrap_or_else(|| quote!(#sig #marked));
    // Its arguments are then in the frame that it waits in.
    let inlined = !inner.iter().any(|attr| attr.path().is_ident("inline"));
    let inlined = inlined.then(|| quote!(#[inline]));
    let mut block = Group::new(
        Delimiter::Brace,
        quote! {
            #(#inner)*
            #inlined
            // What the process dictates is no fault of the body, and what the constructor shares with it is reported there.
            #[allow(
                clippy::needless_pass_by_value, clippy::missing_const_for_fn,
                clippy::too_many_arguments, clippy::fn_params_excessive_bools, clippy::too_many_lines,
                clippy::manual_async_fn
            )]
            #function
            #krate::__private::process(
                &const { #definition },
                (#(#owned,)*),
                #code,
            )
        },
    );
    // Where the user's signature and body end, the constructor's end too, so that lints see a function of the user's.
    block.set_span(place);
    let where_clause = match where_clause {
        Some(clause) => clause.to_token_stream(),
        None => Token![where](end(&sig)).to_token_stream(),
    };

    quote! {
        #(#outer)*
        #vis #fn_token #name #generics (#(#names: #types),*) -> #krate::Process<(#(#types,)*), #result> #where_clause #block
    }
}

/// An `async fn` as a function that gives an `async` block, which has its arguments where it captured them. As rustc
/// prints an `async fn`, each argument lies in the future twice: as it came, and in a variable. They are dropped in the
/// same order as there. None: it is no `async fn`, or has an argument that the block would not have whole or would not
/// mention, of which rustc may have something to say.
fn held_once(sig: &Signature, body: &Group) -> Option<TokenStream> {
    let mut sig = sig.clone();
    sig.asyncness.take()?;
    let ty = match &sig.output {
        ReturnType::Type(_, ty) if is_never(ty) => return None,
        output => result(output),
    };
    let names: Option<Vec<_>> = sig
        .inputs
        .iter()
        .map(|input| match input {
            FnArg::Typed(typed) => match &*typed.pat {
                Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => Some(&pat.ident),
                _ => None,
            },
            FnArg::Receiver(_) => None,
        })
        .collect();
    // Captured in this order, and so dropped.
    let names: Vec<_> = names?.into_iter().rev().cloned().collect();
    if !names.iter().all(|name| mentions(body.stream(), name)) {
        return None;
    }
    sig.output = parse_quote!(-> impl ::core::future::Future<Output = #ty>);
    let whole = (!names.is_empty()).then(|| quote!(let _ = (#(&#names,)*);));
    Some(quote!(#sig { async move { #whole #body } }))
}

fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Ident(ident) => ident == *name,
        _ => false,
    })
}

/// Where a signature without a `where` clause ends.
fn end(sig: &Signature) -> Span {
    match &sig.output {
        ReturnType::Type(_, ty) => across(ty).1,
        ReturnType::Default => sig.paren_token.span.close(),
    }
}

fn definition(kind: Kind, options: &Options, function: &Function) -> TokenStream {
    let Options { name, on, stack, daemon, on_panic, krate, .. } = options;
    let name = name.clone().unwrap_or_else(|| function.sig.ident.unraw().to_string());
    let mut definition = quote!(#krate::__private::Definition::new(#name));
    if kind == Kind::Multiprocess {
        definition.extend(quote!(.multiprocess()));
    }
    if let Some(backend) = on {
        definition.extend(quote!(.on(#krate::Backend::#backend)));
    }
    if let Some(bytes) = stack.map(proc_macro2::Literal::u64_unsuffixed) {
        definition.extend(quote!(.stack(#bytes)));
    }
    if *daemon {
        definition.extend(quote!(.daemon()));
    }
    if let Some(outcome) = on_panic {
        definition.extend(quote!(.on_panic(#krate::__private::OnPanic::#outcome)));
    }
    definition
}

/// Documentation, conditions, lints, deprecation concern whoever uses the constructor (and lints reach the body inside it);
/// everything else, such as `inline` or another macro, is about the body as written.
fn concerns_the_constructor(attr: &Attribute) -> bool {
    const THESE: &[&str] = &[
        "doc",
        "cfg",
        "cfg_attr",
        "allow",
        "expect",
        "warn",
        "deny",
        "forbid",
        "deprecated",
        "must_use",
    ];
    THESE.iter().any(|name| attr.path().is_ident(name))
}

/// The constructor's parameter: the user's name where the pattern is one, else a name that only this expansion can mean.
fn parameter((index, input): (usize, &FnArg)) -> Option<(Ident, Type)> {
    let FnArg::Typed(typed) = input else {
        return None;
    };
    let name = match &*typed.pat {
        Pat::Ident(pat) if pat.subpat.is_none() => {
            let mut name = pat.ident.clone();
            name.set_span(local(name.span()));
            name
        }
        pattern => format_ident!("argument_{}", index + 1, span = local(pattern.span())),
    };
    Some((name, (*typed.ty).clone()))
}

/// `!` is no type to put between angle brackets yet; its stand-in is what it coerces to.
fn result(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) if is_never(ty) => quote!(::core::convert::Infallible),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    }
}

fn is_never(ty: &Type) -> bool {
    match ty {
        Type::Never(_) => true,
        Type::Paren(paren) => is_never(&paren.elem),
        Type::Group(group) => is_never(&group.elem),
        _ => false,
    }
}

fn turbofish<'a>(params: impl IntoIterator<Item = &'a GenericParam>) -> Option<TokenStream> {
    let params: Vec<_> = params
        .into_iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    (!params.is_empty()).then(|| quote!(::<#(#params),*>))
}

/// `krate::__private::function::<ty>(value)`, spanned as the type is: there rustc reports the bounds of that function.
fn bounded(krate: &Path, function: &str, ty: &Type, value: &impl ToTokens) -> TokenStream {
    let path = path_at_type(krate, function, ty);
    quote_spanned!(Span::call_site().located_at(across(ty).1)=> #path(#value))
}

/// `krate::__private::function::<ty>`, spanned likewise.
fn path_at_type(krate: &Path, function: &str, ty: &Type) -> TokenStream {
    let (first, last) = across(ty);
    let krate = path_at(first, krate);
    let last = Span::call_site().located_at(last);
    let function = Ident::new(function, last);
    quote_spanned!(last=> #krate::__private::#function::<#ty>)
}
