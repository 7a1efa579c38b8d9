//! Prints the constructor: the user's function, under another name, inside one that makes a process of it.

// From
//
//     #[process(stack = "64 KiB")]
//     fn sum(numbers: Reader<u64>) -> u64 {
//         numbers.iter().sum()
//     }
//
// this file prints
//
//     fn sum(numbers: Reader<u64>) -> ::csp::Process<(Reader<u64>,), u64>
//     where
//     {
//         #[inline]
//         #[allow(
//             clippy::needless_pass_by_value, clippy::missing_const_for_fn,
//             clippy::too_many_arguments, clippy::fn_params_excessive_bools, clippy::too_many_lines,
//             clippy::manual_async_fn
//         )]
//         fn __csp_body(numbers: Reader<u64>) -> u64 {
//             numbers.iter().sum()
//         }
//         static __CSP_DEFINITION: ::csp::__private::Definition =
//             ::csp::__private::Definition::new("sum").stack(65536);
//         ::csp::__private::process(
//             &__CSP_DEFINITION,
//             (::csp::__private::argument::<Reader<u64>>(numbers),),
//             ::csp::__private::Code::new(|(numbers,)| {
//                 {
//                     #[allow(unused_imports)]
//                     use ::csp::__private::kept::Otherwise as _;
//                     ::csp::__private::kept::Kept(&numbers)
//                         .hold(::csp::__private::kept::How { sure: true, spare: false });
//                 }
//                 ::csp::__private::result::<u64>(__csp_body(numbers))
//             }),
//         )
//     }
//
// The code of a process that may run in another OS process also packs and unpacks. From
//
//     #[multiprocess]
//     fn sum(numbers: Vec<u64>) -> u64 {
//         numbers.iter().sum()
//     }
//
// this file prints, behind the body of the code,
//
//     |(numbers,): &(Vec<u64>,), to| {
//         {
//             let _ = ::csp::__private::argument_received::<Vec<u64>>(
//                 &mut ::csp::__private::asking()
//             );
//             ::csp::__private::argument_sent::<Vec<u64>>(numbers, to)
//         }?;
//         Ok(())
//     },
//     |from| Ok((::csp::__private::argument_received::<Vec<u64>>(from)?,)),
//     ::csp::__private::result_sent::<u64>, ::csp::__private::result_received::<u64>

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Attribute, FnArg, GenericParam, Path, ReceiverKind, ReturnType, Signature, Token, Type,
    ext::IdentExt,
};

use super::{
    Kind, attributes,
    body::{self, is_never, result},
    method,
    parameter::Parameter,
    portability,
};
use crate::{
    diagnostics::Mistakes,
    function::Function,
    keeping,
    options::Options,
    spans::{across, path_at_type},
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
    let associated = !portable && method::is_associated(&function);
    let Function { attrs, vis, sig, body } = function;
    let (outer, inner) = attributes::split(attrs, associated);
    let parameters = sig.inputs.iter().enumerate().map(Parameter::new).collect();
    let constructor = Constructor { krate, associated, sig, body, parameters };

    let signature = constructor.signature();
    let code = if portable { constructor.portable_code() } else { constructor.code() };
    let function = constructor.function(&inner);
    let (inside, beside) = match associated {
        true => (None, Some(quote!(#[doc(hidden)] #[allow(dead_code)] #function))),
        false => (Some(function), None),
    };
    let block = constructor.block(inside.as_ref(), definition, &code);
    quote!(#(#outer)* #vis #signature #block #beside)
}

/// A function, and the parts of its constructor.
struct Constructor<'a> {
    krate: &'a Path,
    /// Whether the function with the body stands beside the constructor, and not inside.
    associated: bool,
    /// The signature and the body as the user wrote them.
    sig: Signature,
    body: Group,
    parameters: Vec<Parameter>,
}

impl Constructor<'_> {
    /// Returns the body's name. It is not the user's, so that a process that names itself in its body gets the constructor.
    fn body_name(&self) -> Ident {
        match self.associated {
            true => method::body_name(&self.sig),
            false => Ident::new("__csp_body", self.sig.ident.span()),
        }
    }

    fn names(&self) -> impl Iterator<Item = &Ident> {
        self.parameters.iter().map(|parameter| &parameter.name)
    }

    fn types(&self) -> impl Iterator<Item = &Type> {
        self.parameters.iter().map(|parameter| &parameter.ty)
    }

    fn is_async(&self) -> bool {
        self.sig.asyncness.is_some()
    }

    /// Prints the constructor up to its block.
    fn signature(&self) -> TokenStream {
        let Constructor { krate, sig, parameters, .. } = self;
        let Signature { fn_token, ident, generics, .. } = sig;
        let declared = parameters.iter().map(|parameter| &parameter.declared);
        let (types, result) = (self.types(), result(&sig.output));
        let where_clause = match &generics.where_clause {
            Some(clause) => clause.to_token_stream(),
            None => Token![where](end(sig)).to_token_stream(),
        };
        quote! {
            #fn_token #ident #generics (#(#declared),*) -> #krate::Process<(#(#types,)*), #result> #where_clause
        }
    }

    /// Prints the statements that say which arguments the process holds.
    fn held_arguments(&self) -> TokenStream {
        let held = self.sig.inputs.iter().zip(self.names()).map(|(input, name)| match input {
            FnArg::Typed(typed) => {
                let name = name.to_token_stream();
                keeping::hold_argument(self.krate, &name, &typed.pat, &typed.ty, &self.body)
            }
            FnArg::Receiver(receiver) if matches!(receiver.kind, ReceiverKind::Value) => {
                keeping::hold_fields(self.krate, name, &self.body)
            }
            // An object in a box or an `Arc` may be somebody else's as well.
            FnArg::Receiver(_) => TokenStream::new(),
        });
        held.collect()
    }

    /// Prints the expression that runs the body, with the bound of its result.
    fn call(&self) -> TokenStream {
        let (body_name, turbofish, names) = (self.body_name(), self.turbofish(), self.names());
        let path = self.associated.then(|| quote!(Self::));
        let call = quote!(#path #body_name #turbofish (#(#names),*));
        match &self.sig.output {
            ReturnType::Type(_, ty) if !is_never(ty) => {
                let function = if self.is_async() { "result_async" } else { "result" };
                bounded(self.krate, function, ty, &call)
            }
            ReturnType::Type(..) if self.is_async() => quote! {
                async move {
                    #[allow(unreachable_code)]
                    {
                        let never: ::core::convert::Infallible = #call.await;
                        never
                    }
                }
            },
            _ => call,
        }
    }

    /// Prints the code of a process that stays in its OS process.
    fn code(&self) -> TokenStream {
        let (krate, names) = (self.krate, self.names());
        let (held, call) = (self.held_arguments(), self.call());
        let new = if self.is_async() { quote!(awaiting) } else { quote!(new) };
        quote!(#krate::__private::Code::#new(|(#(#names,)*)| { #held #call }))
    }

    /// Prints the code of a process that may run in another OS process, with what packs and unpacks its arguments and result.
    fn portable_code(&self) -> TokenStream {
        let Constructor { krate, sig, .. } = self;
        let (names, types): (Vec<_>, Vec<_>) = (self.names().collect(), self.types().collect());
        let (held, call) = (self.held_arguments(), self.call());
        let put = names.iter().zip(&types).map(|(name, ty)| {
            // This function asks the type how it is to be packed.
            let received = path_at_type(krate, "argument_received", ty);
            let sent = bounded(krate, "argument_sent", ty, &quote!(#name, to));
            quote!({
                let _ = #received(&mut #krate::__private::asking());
                #sent
            })
        });
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
        let name = sig.ident.unraw().to_string();
        let signature = sig.to_token_stream().to_string();
        let mistakes = portability::mistakes(&types, &sig.output);
        let body_name = self.body_name();
        let instance = self.turbofish().map(|turbofish| quote!(#body_name #turbofish));
        let whole = quote!((#(#types,)*));
        let result = result(&sig.output);
        quote! {
            #krate::__private::portable! {
                [#mistakes] [#instance] #name, #signature,
                |(#(#names,)*): #whole| -> #result { #held #call },
                |(#(#names,)*): &#whole, to| { #(#put?;)* ::core::result::Result::Ok(()) },
                |from| ::core::result::Result::Ok((#(#take?,)*)),
                #give, #get
            }
        }
    }

    /// Prints the user's function, under the name of the body.
    fn function(&self, attrs: &[Attribute]) -> TokenStream {
        let krate = self.krate;
        let mut sig = self.sig.clone();
        sig.ident = self.body_name();
        let function = body::function(krate, &sig, &keeping::marked(krate, &self.body));
        // The arguments are then in the frame that the process waits in.
        let inlined = !attrs.iter().any(|attr| attr.path().is_ident("inline"));
        let inlined = inlined.then(|| quote!(#[inline]));
        quote! {
            #(#attrs)*
            #inlined
            // A process dictates some of these, and clippy reports the others at the constructor.
            #[allow(
                clippy::needless_pass_by_value, clippy::missing_const_for_fn,
                clippy::too_many_arguments, clippy::fn_params_excessive_bools, clippy::too_many_lines,
                clippy::manual_async_fn
            )]
            #function
        }
    }

    /// Prints the constructor's block: the user's function, unless it stands beside, and the process that is made of it.
    fn block(
        &self,
        function: Option<&TokenStream>,
        definition: &TokenStream,
        code: &TokenStream,
    ) -> Group {
        let krate = self.krate;
        let owned = self
            .parameters
            .iter()
            .map(|Parameter { given, ty, .. }| bounded(krate, "argument", ty, given));
        let mut block = Group::new(
            Delimiter::Brace,
            quote! {
                #function
                static __CSP_DEFINITION: #krate::__private::Definition = #definition;
                #krate::__private::process(
                    &__CSP_DEFINITION,
                    (#(#owned,)*),
                    #code,
                )
            },
        );
        // The constructor's signature and body end at the same places as the user's, so that lints see a function of the user.
        block.set_span(self.body.span());
        block
    }

    fn turbofish(&self) -> Option<TokenStream> {
        let params = self.sig.generics.params.iter().filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        });
        let params: Vec<_> = params.collect();
        (!params.is_empty()).then(|| quote!(::<#(#params),*>))
    }
}

/// Returns the place at which a signature without a `where` clause ends.
fn end(sig: &Signature) -> Span {
    match &sig.output {
        ReturnType::Type(_, ty) => across(ty).1,
        ReturnType::Default => sig.paren_token.span.close(),
    }
}

fn definition(kind: Kind, options: &Options, function: &Function) -> TokenStream {
    let Options { name, on, stack, daemon, on_panic, on_error, krate, .. } = options;
    let limits = [
        ("cpu_time", options.cpu_time),
        ("wall_time", options.wall_time),
        ("memory", options.memory),
    ];
    let name = name.clone().unwrap_or_else(|| function.sig.ident.unraw().to_string());
    let mut definition = quote!(#krate::__private::Definition::new(#name));
    if kind == Kind::Multiprocess {
        definition.extend(quote!(.multiprocess()));
    }
    if let Some(backend) = backend(krate, on.as_ref(), options.isolated.as_ref()) {
        definition.extend(quote!(.on(#backend)));
    }
    if let Some(bytes) = stack.map(proc_macro2::Literal::u64_unsuffixed) {
        definition.extend(quote!(.stack(#bytes)));
    }
    for (limit, amount) in limits {
        if let Some(amount) = amount.map(proc_macro2::Literal::u64_unsuffixed) {
            let limit = Ident::new(limit, Span::call_site());
            definition.extend(quote!(.#limit(#amount)));
        }
    }
    if *daemon {
        definition.extend(quote!(.daemon()));
    }
    if let Some(fate) = on_panic {
        definition.extend(quote!(.on_panic(#krate::__private::EndsFate::#fate)));
    }
    if let Some(fate) = on_error {
        definition.extend(quote!(.on_error(#krate::__private::EndsFate::#fate)));
    }
    definition
}

/// Prints the backend that is asked for. Only the library knows whether it is compiled in, so the library gets the mistake too.
fn backend(krate: &Path, on: Option<&Ident>, isolated: Option<&Ident>) -> Option<TokenStream> {
    let word = isolated.or(on)?;
    let (name, what, feature) = match word.to_string().as_str() {
        "Cores" => ("on_cores", "`on = cores`", "the feature `cores` of csp"),
        "Thread" => ("thread", "`on = thread`", "the feature `threads` of csp"),
        "Subprocess" => ("subprocess", "`on = subprocess`", SUBPROCESS),
        "isolated" => ("subprocess", "`isolated`", SUBPROCESS),
        // Another backend stands in for coroutines.
        _ => return Some(quote!(#krate::Backend::#word)),
    };
    let mut mistake = Mistakes::default();
    mistake.at(word, format!("{what} asks for what is not compiled in: enable {feature}"));
    let (name, mistake) = (Ident::new(name, Span::call_site()), mistake.report());
    Some(quote!(#krate::__private::#name!(#mistake)))
}

const SUBPROCESS: &str = "the feature `subprocess` of csp, which is for Linux";

/// Prints `krate::__private::function::<ty>(value)` at the place of the type, where rustc reports the bounds of that function.
fn bounded(krate: &Path, function: &str, ty: &Type, value: &impl ToTokens) -> TokenStream {
    let path = path_at_type(krate, function, ty);
    quote_spanned!(Span::call_site().located_at(across(ty).1)=> #path(#value))
}

#[cfg(test)]
mod tests {
    use super::super::attribute;
    use super::*;

    #[test]
    fn the_expansions_in_the_first_comment_are_real() {
        crate::shown::assert_attribute(include_str!("expand.rs"), |name, options, item| {
            let multiprocess = name == "multiprocess";
            let kind = if multiprocess { Kind::Multiprocess } else { Kind::Process };
            attribute(kind, options, item)
        });
    }
}
