//! The options in the parentheses of an attribute. They are parsed entry by entry, so that each may be wrong on its own.

use proc_macro2::{Ident, Punct, Span, TokenStream, TokenTree};
use syn::{LitInt, LitStr, Path, ext::IdentExt, parse::Parser, parse_quote};

use crate::diagnostics::Mistakes;

/// An option as written: `key` or `key = value`.
struct Entry {
    key: Ident,
    value: Option<TokenStream>,
}

/// The options of an attribute, judged. A wrong option is left at its default.
pub(crate) struct Options {
    pub(crate) name: Option<String>,
    /// A variant of `csp::Backend`, at the place of the user's word.
    pub(crate) on: Option<Ident>,
    /// The word by which a `#[multiprocess]` refuses to run in place.
    pub(crate) isolated: Option<Ident>,
    pub(crate) stack: Option<u64>,
    pub(crate) daemon: bool,
    /// Variants of `EndsFate`.
    pub(crate) on_panic: Option<Ident>,
    pub(crate) on_error: Option<Ident>,
    /// Limits of an OS process, in milliseconds.
    pub(crate) cpu_time: Option<u64>,
    pub(crate) wall_time: Option<u64>,
    /// The same, in bytes.
    pub(crate) memory: Option<u64>,
    /// An option of `main`.
    pub(crate) dump_on_signal: bool,
    /// An option of `main` and tests: leaks are not reported.
    pub(crate) allow_leaks: bool,
    /// An option of `main` and tests: how many cores coroutines use.
    pub(crate) cores: Option<LitInt>,
    /// An option of tests, in milliseconds.
    pub(crate) limit: Option<u64>,
    /// The path of the library.
    pub(crate) krate: Path,
}

const PROCESS: &[&str] = &[
    "name",
    "on",
    "stack",
    "daemon",
    "on_panic",
    "on_error",
    "cpu_time",
    "wall_time",
    "memory",
    "crate",
];
const MULTIPROCESS: &[&str] = &[
    "name",
    "on",
    "isolated",
    "stack",
    "daemon",
    "on_panic",
    "on_error",
    "cpu_time",
    "wall_time",
    "memory",
    "crate",
];
const PATH: &[&str] = &["crate"];
const MAIN: &[&str] = &["cores", "dump_on_signal", "leaks", "crate"];
const TEST: &[&str] = &["cores", "limit", "leaks", "crate"];

impl Options {
    pub(crate) fn of_process(tokens: TokenStream, mistakes: &mut Mistakes) -> Options {
        Options::judge(tokens, PROCESS, unknown_of_process, mistakes)
    }

    pub(crate) fn of_multiprocess(tokens: TokenStream, mistakes: &mut Mistakes) -> Options {
        Options::judge(tokens, MULTIPROCESS, unknown_of_multiprocess, mistakes)
    }

    pub(crate) fn of_main(tokens: TokenStream, mistakes: &mut Mistakes) -> Options {
        Options::judge(tokens, MAIN, unknown_of_main, mistakes)
    }

    pub(crate) fn of_io(tokens: TokenStream, mistakes: &mut Mistakes) -> Options {
        Options::judge(tokens, PATH, unknown_of_io, mistakes)
    }

    pub(crate) fn of_test(tokens: TokenStream, mistakes: &mut Mistakes) -> Options {
        Options::judge(tokens, TEST, unknown_of_test, mistakes)
    }

    fn judge(
        tokens: TokenStream,
        known: &[&str],
        unknown: fn(&str) -> String,
        mistakes: &mut Mistakes,
    ) -> Options {
        let mut options = Options {
            name: None,
            on: None,
            isolated: None,
            stack: None,
            daemon: false,
            on_panic: None,
            on_error: None,
            cpu_time: None,
            wall_time: None,
            memory: None,
            dump_on_signal: false,
            allow_leaks: false,
            cores: None,
            limit: None,
            krate: parse_quote!(::csp),
        };
        let mut seen = Vec::new();
        for Entry { key, value } in entries(tokens, mistakes) {
            let name = key.to_string();
            if !known.contains(&&*name) {
                mistakes.at(&key, unknown(&name));
                continue;
            }
            if seen.contains(&name) {
                mistakes.at(&key, format!("an option is given once: `{name}` is already given"));
                continue;
            }
            match (&*name, value) {
                ("daemon", None) => options.daemon = true,
                ("daemon", Some(value)) => {
                    mistakes.at(value, "`daemon` takes no value: a process is one or is not");
                }
                ("isolated", None) => options.isolated = Some(key),
                ("isolated", Some(value)) => {
                    mistakes
                        .at(value, "`isolated` takes no value: an OS process is a must or is not");
                }
                ("dump_on_signal", None) => options.dump_on_signal = true,
                ("dump_on_signal", Some(value)) => {
                    mistakes.at(value, "`dump_on_signal` takes no value: signals dump or do not");
                }
                (_, None) => {
                    mistakes.at(&key, format!("an option has a value: write `{}`", example(&name)))
                }
                ("name", Some(value)) => options.name = self::name(&value, mistakes),
                ("on", Some(value)) => options.on = backend(&value, mistakes),
                ("stack", Some(value)) => options.stack = stack(&value, mistakes),
                ("leaks", Some(value)) => options.allow_leaks = leaks(&value, mistakes),
                ("cores", Some(value)) => options.cores = cores(&value, mistakes),
                ("limit", Some(value)) => options.limit = limit(&value, mistakes),
                ("cpu_time", Some(value)) => options.cpu_time = limit(&value, mistakes),
                ("wall_time", Some(value)) => options.wall_time = limit(&value, mistakes),
                ("memory", Some(value)) => options.memory = memory(&value, mistakes),
                ("on_panic", Some(value)) => options.on_panic = fate(&value, "a panic", mistakes),
                ("on_error", Some(value)) => options.on_error = fate(&value, "an error", mistakes),
                (_, Some(value)) => match Path::parse_mod_style.parse2(value.clone()) {
                    Ok(path) => options.krate = path,
                    Err(_) => mistakes.at(
                        value,
                        "`crate` is the path of the library: write `crate = some::path`",
                    ),
                },
            }
            seen.push(name);
        }
        if let (Some(isolated), Some(backend)) = (&options.isolated, &options.on)
            && backend != "Subprocess"
        {
            mistakes.at(
                isolated,
                "a process runs on one backend: `isolated` asks for an OS process, and `on` for another",
            );
        }
        options
    }
}

fn unknown_of_multiprocess(name: &str) -> String {
    format!("a process has no option `{name}`: it has {}", list(MULTIPROCESS))
}

fn unknown_of_process(name: &str) -> String {
    if name == "isolated" {
        return "`isolated` is an option of `#[multiprocess]`: with `on = subprocess` a process is isolated anyway".into();
    }
    format!("a process has no option `{name}`: it has {}", list(PROCESS))
}

fn unknown_of_main(name: &str) -> String {
    let reason = if PROCESS.contains(&name) {
        "it runs on the thread that the system started"
    } else {
        "there is no other"
    };
    format!(
        "main takes the options `cores`, `dump_on_signal`, `leaks` and `crate`, and not `{name}`: {reason}"
    )
}

fn unknown_of_test(name: &str) -> String {
    format!("a test has no option `{name}`: it has {}", list(TEST))
}

fn unknown_of_io(name: &str) -> String {
    let reason = if PROCESS.contains(&name) { "it is no process" } else { "there is no other" };
    format!("a blocking call takes the option `crate` and not `{name}`: {reason}")
}

fn list(options: &[&str]) -> String {
    let options: Vec<_> = options.iter().map(|option| format!("`{option}`")).collect();
    options.join(", ")
}

fn example(name: &str) -> &'static str {
    match name {
        "name" => r#"name = "worker""#,
        "on" => "on = thread",
        "stack" => r#"stack = "64 KiB""#,
        "on_panic" => "on_panic = retire",
        "cores" => "cores = 4",
        "on_error" => "on_error = retire",
        "leaks" => "leaks = allow",
        "limit" => r#"limit = "90 s""#,
        "cpu_time" => r#"cpu_time = "10 s""#,
        "wall_time" => r#"wall_time = "90 s""#,
        "memory" => r#"memory = "512 MiB""#,
        _ => "crate = some::path",
    }
}

/// Returns the entries that can be read. The others are mistakes.
fn entries(tokens: TokenStream, mistakes: &mut Mistakes) -> Vec<Entry> {
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let mut entries = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while tokens.peek().is_some() {
        let mut entry = TokenStream::new();
        let mut comma = None;
        for token in tokens.by_ref() {
            if is_comma(&token) {
                comma = Some(token);
                break;
            }
            entry.extend([token]);
        }
        if entry.is_empty() {
            mistakes.at(
                comma,
                "options are separated by one comma: there is no option before this one",
            );
            continue;
        }
        match parse_entry.parse2(entry) {
            Ok(entry) => entries.push(entry),
            Err(error) => mistakes.push(error),
        }
    }
    entries
}

fn parse_entry(input: syn::parse::ParseStream<'_>) -> syn::Result<Entry> {
    const FORM: &str = "an option is `key` or `key = value`: this is neither";
    let rest = input.fork();
    let malformed =
        |_| syn::Error::new_spanned(rest.parse::<TokenStream>().unwrap_or_default(), FORM);
    let key = input.call(Ident::parse_any).map_err(malformed)?;
    if input.is_empty() {
        return Ok(Entry { key, value: None });
    }
    let equals: Punct = input.parse().map_err(malformed)?;
    let value: TokenStream = input.parse()?;
    if equals.as_char() != '=' || value.is_empty() {
        return Err(malformed(syn::Error::new(Span::call_site(), FORM)));
    }
    Ok(Entry { key, value: Some(value) })
}

fn name(value: &TokenStream, mistakes: &mut Mistakes) -> Option<String> {
    let Ok(name) = syn::parse2::<LitStr>(value.clone()) else {
        mistakes.at(value, r#"a name is a string: write `name = "worker"`"#);
        return None;
    };
    let name = name.value();
    if name.is_empty() || name.contains('/') {
        mistakes.at(
            value,
            "a name is one step of a path such as `main/worker[3]`: it is not empty and has no `/`",
        );
        return None;
    }
    Some(name)
}

fn backend(value: &TokenStream, mistakes: &mut Mistakes) -> Option<Ident> {
    const BACKENDS: &[(&str, &str)] = &[
        ("coroutine", "Coroutine"),
        ("cores", "Cores"),
        ("thread", "Thread"),
        ("subprocess", "Subprocess"),
    ];
    let rule = "a process runs on a `coroutine`, on one of all `cores`, on a `thread` or in a `subprocess`";
    variant(value, BACKENDS, rule, mistakes)
}

fn fate(value: &TokenStream, what: &str, mistakes: &mut Mistakes) -> Option<Ident> {
    const FATES: &[(&str, &str)] = &[("poison", "Poison"), ("retire", "Retire")];
    let rule = format!("{what} makes a process `poison` or `retire` its ends");
    variant(value, FATES, &rule, mistakes)
}

fn leaks(value: &TokenStream, mistakes: &mut Mistakes) -> bool {
    const WORDS: &[(&str, &str)] = &[("allow", "allow")];
    variant(value, WORDS, "leaks are reported or `allow`ed", mistakes).is_some()
}

/// Returns the variant of one of `words`, at the place of the user's word.
fn variant(
    value: &TokenStream,
    words: &[(&str, &str)],
    rule: &str,
    mistakes: &mut Mistakes,
) -> Option<Ident> {
    if let Ok(word) = syn::parse2::<Ident>(value.clone()) {
        if let Some((_, variant)) = words.iter().find(|(known, _)| word == known) {
            return Some(Ident::new(variant, word.span()));
        }
        mistakes.at(value, format!("{rule}: `{word}` is unknown"));
    } else {
        mistakes.at(value, format!("{rule}: write the word, without quotes"));
    }
    None
}

fn cores(value: &TokenStream, mistakes: &mut Mistakes) -> Option<LitInt> {
    let number = syn::parse2::<LitInt>(value.clone()).ok();
    let number = number.filter(|number| number.base10_parse::<u32>().is_ok_and(|n| n > 0));
    if number.is_none() {
        mistakes.at(value, "the cores to use are a whole number from 1 on: write `cores = 4`");
    }
    number
}

/// Returns milliseconds.
fn limit(value: &TokenStream, mistakes: &mut Mistakes) -> Option<u64> {
    let Ok(limit) = syn::parse2::<LitStr>(value.clone()) else {
        mistakes.at(value, r#"a limit is a string with its unit: write `limit = "90 s"`"#);
        return None;
    };
    let rule = "a limit is a whole number of ms, s or min";
    let milliseconds = milliseconds(&limit.value());
    milliseconds.map_err(|reason| mistakes.at(value, format!("{rule}: {reason}"))).ok()
}

fn milliseconds(limit: &str) -> Result<u64, String> {
    match quantity(limit, &[("ms", 1), ("s", 1_000), ("min", 60_000)])? {
        0 => Err("nothing is done in no time".into()),
        milliseconds => Ok(milliseconds),
    }
}

fn stack(value: &TokenStream, mistakes: &mut Mistakes) -> Option<u64> {
    let Ok(size) = syn::parse2::<LitStr>(value.clone()) else {
        mistakes.at(value, r#"a stack size is a string with its unit: write `stack = "64 KiB"`"#);
        return None;
    };
    let rule = "a stack size is a whole number of B, KiB or MiB";
    let bytes = bytes(&size.value());
    bytes.map_err(|reason| mistakes.at(value, format!("{rule}: {reason}"))).ok()
}

fn bytes(size: &str) -> Result<u64, String> {
    match quantity(size, &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20)])? {
        0 => Err("a body cannot run on none".into()),
        // A 32-bit target can address no more, and a 64-bit target has no use for more.
        bytes if bytes <= u64::from(u32::MAX) => Ok(bytes),
        _ => Err(format!("`{}` is more than 4095 MiB", size.trim())),
    }
}

fn memory(value: &TokenStream, mistakes: &mut Mistakes) -> Option<u64> {
    let Ok(size) = syn::parse2::<LitStr>(value.clone()) else {
        mistakes.at(value, r#"a size is a string with its unit: write `memory = "512 MiB"`"#);
        return None;
    };
    let rule = "a size is a whole number of B, KiB, MiB or GiB";
    let units = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let bytes = match quantity(&size.value(), &units) {
        Ok(0) => Err("an OS process cannot run on none".into()),
        bytes => bytes,
    };
    bytes.map_err(|reason| mistakes.at(value, format!("{rule}: {reason}"))).ok()
}

/// Reads a whole number of one of the units, each given with its worth. A number that is too large becomes the largest.
fn quantity(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = (text[..digits].replace('_', ""), text[digits..].trim());
    if number.is_empty() {
        return Err(format!("`{text}` does not start with a number"));
    }
    let number: u64 = number.parse().unwrap_or(u64::MAX);
    match units.iter().find(|(known, _)| *known == unit) {
        Some((_, worth)) => Ok(number.saturating_mul(*worth)),
        None if unit.is_empty() => Err(format!("`{text}` has no unit")),
        None => Err(format!("`{unit}` is no unit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_size_is_a_whole_number_of_a_unit() {
        assert_eq!(bytes("512 B"), Ok(512));
        assert_eq!(bytes("64 KiB"), Ok(65_536));
        assert_eq!(bytes(" 64KiB "), Ok(65_536));
        assert_eq!(bytes("1_024 KiB"), Ok(1 << 20));
        assert_eq!(bytes("4095 MiB"), Ok(4095 << 20));
        for wrong in
            ["", "64", "KiB", "64 kB", "1.5 MiB", "0 B", "4096 MiB", "99999999999999999999 B"]
        {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_a_whole_number_of_a_unit() {
        assert_eq!(milliseconds("90 s"), Ok(90_000));
        assert_eq!(milliseconds("1_500ms"), Ok(1_500));
        assert_eq!(milliseconds(" 2 min "), Ok(120_000));
        for wrong in ["", "90", "s", "90 sec", "1.5 s", "0 s"] {
            assert!(milliseconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_wrong_option_is_reported_and_the_others_hold() {
        let mut mistakes = Mistakes::default();
        let tokens =
            "name = 3, on = thread, on = coroutine, stack = \"2 MiB\", colour = red, daemon, = 4";
        let options = Options::of_process(tokens.parse().unwrap(), &mut mistakes);
        assert_eq!(mistakes.messages().len(), 4);
        assert_eq!((options.name, options.on.unwrap().to_string()), (None, "Thread".to_owned()));
        assert_eq!((options.stack, options.daemon), (Some(2 << 20), true));
    }
}
