//! Checks that the expansions in comments at the heads of files are those that the macros print.
//!
//! Such a comment has indented blocks in pairs: a macro's input, and what the macro prints of it, whole or in part.
//! Paths to the variants of `Result` and `Option` are shortened.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Checks the expansions in `file` of attributes, by `expand`, which gets an attribute's name, its options and the item.
pub(crate) fn assert_attribute(
    file: &str,
    expand: impl Fn(&str, TokenStream, TokenStream) -> TokenStream,
) {
    assert_shown(file, |input| {
        let mut item = input.into_iter();
        let Some(TokenTree::Group(attribute)) = item.nth(1) else { panic!("an attribute") };
        let mut attribute = attribute.stream().into_iter();
        let name = attribute.next().unwrap().to_string();
        let options = match attribute.next() {
            Some(TokenTree::Group(options)) => options.stream(),
            _ => TokenStream::new(),
        };
        expand(&name, options, item.collect())
    });
}

/// Checks the expansions in `file` of a function-like macro, by `expand`, which gets what stands between the delimiters.
pub(crate) fn assert_function_like(file: &str, expand: impl Fn(TokenStream) -> TokenStream) {
    assert_shown(file, |input| {
        let Some(TokenTree::Group(group)) = input.into_iter().nth(2) else { panic!("a call") };
        expand(group.stream())
    });
}

fn assert_shown(file: &str, expand: impl Fn(TokenStream) -> TokenStream) {
    let blocks = blocks(file);
    assert!(!blocks.is_empty() && blocks.len().is_multiple_of(2), "{blocks:?}");
    for pair in blocks.chunks(2) {
        let printed = words(expand(pair[0].parse().unwrap()));
        let shown = words(pair[1].parse().unwrap());
        assert!(
            printed.windows(shown.len()).any(|part| part == shown),
            "shown:\n{}\n\nprinted:\n{}",
            shown.join(" "),
            printed.join(" "),
        );
    }
}

/// Returns the indented blocks of the comments, without the comment signs.
fn blocks(file: &str) -> Vec<String> {
    const INDENTED: &str = "//     ";
    let lines: Vec<_> = file.lines().collect();
    let runs = lines.chunk_by(|a, b| a.starts_with(INDENTED) == b.starts_with(INDENTED));
    let code = |line: &&str| line.strip_prefix(INDENTED).map(|code| format!("{code}\n"));
    runs.map(|run| run.iter().filter_map(code).collect::<String>())
        .filter(|block| !block.is_empty())
        .collect()
}

/// Returns the tokens as words, without regard to spaces.
fn words(tokens: TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    push_words(tokens, &mut words);
    shortened(words)
}

fn push_words(tokens: TokenStream, words: &mut Vec<String>) {
    for token in tokens {
        let TokenTree::Group(group) = token else {
            words.push(token.to_string());
            continue;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        words.push(open.to_owned());
        push_words(group.stream(), words);
        words.push(close.to_owned());
    }
    words.retain(|word| !word.is_empty());
}

fn shortened(words: Vec<String>) -> Vec<String> {
    const PREFIXES: [&str; 2] =
        [": : core : : result : : Result : :", ": : core : : option : : Option : :"];
    let mut text = format!(" {} ", words.join(" "));
    for prefix in PREFIXES {
        text = text.replace(&format!(" {prefix} "), " ");
    }
    text.split_whitespace().map(str::to_owned).collect()
}
