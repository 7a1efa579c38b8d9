//! Reads Rust text as far as the law of the floors needs it: modules, imports, paths, names of types, and sentences.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Name,
    Sign,
    Comment,
    Literal,
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    kind: Kind,
    text: &'a str,
    line: usize,
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Returns where the literal ends that begins with a quotation mark at `from`.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += 1 + usize::from(bytes[at] == b'\\');
    }
    (at + 1).min(bytes.len())
}

/// Returns where the token ends that begins at `at`, and its kind. Spaces have none.
fn token(text: &str, at: usize) -> (usize, Option<Kind>) {
    let bytes = text.as_bytes();
    let rest = &text[at..];
    let run = |is: fn(u8) -> bool| {
        bytes[at..].iter().position(|&byte| !is(byte)).map_or(bytes.len(), |n| at + n)
    };
    if bytes[at].is_ascii_whitespace() {
        return (run(|byte| byte.is_ascii_whitespace()), None);
    }
    if rest.starts_with("//") {
        return (rest.find('\n').map_or(text.len(), |n| at + n), Some(Kind::Comment));
    }
    if rest.starts_with("/*") {
        return (rest.find("*/").map_or(text.len(), |n| at + n + 2), Some(Kind::Comment));
    }
    if bytes[at] == b'"' {
        return (string_end(bytes, at), Some(Kind::Literal));
    }
    if bytes[at] == b'\'' {
        // A lifetime has no second quotation mark.
        let letter = rest[1..].chars().next().map_or(0, char::len_utf8);
        let end = if rest[1..].starts_with('\\') {
            rest[3..].find('\'').map(|n| at + n + 4)
        } else {
            rest[1 + letter..].starts_with('\'').then_some(at + letter + 2)
        };
        let lifetime = 1 + bytes[at + 1..].iter().take_while(|&&byte| is_name(byte)).count();
        return (end.unwrap_or(at + lifetime), Some(Kind::Literal));
    }
    if is_name(bytes[at]) {
        let end = run(is_name);
        let (name, after) = (&text[at..end], &text[end..]);
        let quoted = after.trim_start_matches('#').starts_with('"');
        if quoted && matches!(name, "r" | "br" | "cr") {
            let marks = after.len() - after.trim_start_matches('#').len();
            let close = format!("\"{}", "#".repeat(marks));
            let body = end + marks + 1;
            let length = text[body..].find(&close).map_or(text.len() - body, |n| n + close.len());
            return (body + length, Some(Kind::Literal));
        }
        if after.starts_with('"') && matches!(name, "b" | "c") {
            return (string_end(bytes, end), Some(Kind::Literal));
        }
        let kind = if bytes[at].is_ascii_digit() { Kind::Literal } else { Kind::Name };
        return (end, Some(kind));
    }
    let two = ["::", "->", "=>"].iter().any(|sign| rest.starts_with(sign));
    (at + 1 + usize::from(two), Some(Kind::Sign))
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < text.len() {
        let (end, kind) = token(text, at);
        let text = &text[at..end];
        found.extend(kind.map(|kind| Token { kind, text, line }));
        line += text.matches('\n').count();
        at = end;
    }
    found
}

/// A path as it is written.
pub(super) type Path = Vec<String>;

/// An import: what it names, and by which name. No name: all that is there.
#[derive(Clone, Debug)]
pub(super) struct Import {
    pub(super) path: Path,
    pub(super) name: Option<String>,
    pub(super) is_shown: bool,
}

/// A child in a file of its own.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) name: String,
    pub(super) file: Option<String>,
    pub(super) attributes: String,
}

/// What stands in one module.
#[derive(Clone, Debug, Default)]
pub(super) struct Module {
    pub(super) file: String,
    pub(super) path: Path,
    pub(super) imports: Vec<Import>,
    pub(super) mentions: BTreeSet<Path>,
    pub(super) names: BTreeSet<String>,
    pub(super) types: BTreeSet<String>,
    pub(super) children: Vec<Child>,
}

/// What one file holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) modules: Vec<Module>,
    pub(super) lines: usize,
    pub(super) reads_features: bool,
}

/// Returns the index behind the bracket that closes the one at `from`.
fn behind(tokens: &[Token<'_>], from: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(from) {
        match (token.kind, token.text) {
            (Kind::Sign, "(" | "[" | "{") => depth += 1,
            (Kind::Sign, ")" | "]" | "}") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

fn imports(
    tokens: &[Token<'_>],
    mut at: usize,
    before: &Path,
    is_shown: bool,
    found: &mut Vec<Import>,
) -> usize {
    let mut path = before.clone();
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = imports(tokens, at, &path, is_shown, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token.text == ","));
                }
                return at + 1;
            }
            "*" => {
                found.push(Import { path, name: None, is_shown });
                return at + 1;
            }
            "::" => at += 1,
            "as" => {
                let name = tokens.get(at + 1).map(|token| token.text.to_owned());
                found.push(Import { path, name, is_shown });
                return at + 2;
            }
            _ if token.kind == Kind::Name => {
                if token.text != "self" || path.is_empty() {
                    path.push(token.text.to_owned());
                }
                at += 1;
                if !tokens.get(at).is_some_and(|token| matches!(token.text, "::" | "as")) {
                    let name = path.last().cloned();
                    found.push(Import { path, name, is_shown });
                    return at;
                }
            }
            _ => return at,
        }
    }
    at
}

const BEFORE_AN_ITEM: [&str; 5] = ["unsafe", "async", "default", "const", "extern"];
const KEYWORDS: [&str; 7] = ["unsafe", "async", "extern", "fn", "trait", "impl", "struct"];

struct Reader<'a> {
    tokens: Vec<Token<'a>>,
    modules: Vec<Module>,
    test_lines: usize,
}

impl Reader<'_> {
    /// Reads the items from `at` to `end` as those of a module.
    fn read(&mut self, mut at: usize, end: usize, mut module: Module) {
        while at < end {
            let begin = at;
            let (mut attributes, mut is_shown) = (String::new(), false);
            while at < end && self.tokens[at].text == "#" {
                let open = at + 1 + usize::from(self.text(at + 1) == "!");
                let close = behind(&self.tokens, open);
                attributes.extend(self.tokens[open..close].iter().map(|token| token.text));
                at = close;
            }
            if self.text(at) == "pub" {
                is_shown = true;
                at += 1;
                if self.text(at) == "(" {
                    at = behind(&self.tokens, at);
                }
            }
            let stop = self.end_of_item(at, end);
            if attributes.contains("[cfg(test)]") || attributes.contains("[cfg(all(test") {
                if self.text(at) == "mod" && self.text(at + 2) == ";" {
                    let name = self.text(at + 1).to_owned();
                    module.children.push(Child { name, file: path_of(&attributes), attributes });
                }
                self.test_lines += self.tokens[stop - 1].line + 1 - self.tokens[begin].line;
                at = stop;
                continue;
            }
            match self.text(at) {
                "use" => {
                    imports(&self.tokens, at + 1, &Path::new(), is_shown, &mut module.imports);
                }
                "mod" if self.text(at + 2) == ";" => {
                    let name = self.text(at + 1).to_owned();
                    module.children.push(Child { name, file: path_of(&attributes), attributes });
                }
                "mod" => {
                    let name = self.text(at + 1).to_owned();
                    let path = module.path.iter().cloned().chain([name.clone()]).collect();
                    module.names.insert(name);
                    let inner = Module { file: module.file.clone(), path, ..Module::default() };
                    self.read(at + 3, stop - 1, inner);
                }
                _ => self.item(at, stop, &mut module),
            }
            at = stop.max(begin + 1);
        }
        self.modules.push(module);
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    /// Returns the index behind the item at `from`.
    fn end_of_item(&self, from: usize, end: usize) -> usize {
        let is_value = matches!(self.text(from), "const" | "static");
        let is_function = matches!(self.text(from + 1), "fn" | "unsafe" | "async");
        let ends_with_brace =
            !matches!(self.text(from), "use" | "type") && (!is_value || is_function);
        let mut at = from;
        while at < end {
            match self.text(at) {
                ";" => return at + 1,
                "{" => {
                    at = behind(&self.tokens, at);
                    if ends_with_brace {
                        return at;
                    }
                }
                "(" | "[" => at = behind(&self.tokens, at),
                _ => at += 1,
            }
        }
        end
    }

    /// Notes the name of an item, and the paths in it.
    fn item(&mut self, from: usize, end: usize, module: &mut Module) {
        let mut at = from;
        // `const fn`, but not `const NAME`.
        while at + 1 < end
            && BEFORE_AN_ITEM.contains(&self.text(at))
            && KEYWORDS.contains(&self.text(at + 1))
        {
            at += 1;
        }
        let (keyword, name) = (self.text(at).to_owned(), self.text(at + 1).to_owned());
        if matches!(&*keyword, "struct" | "enum" | "union" | "trait" | "type") {
            module.types.insert(name.clone());
        }
        if matches!(
            &*keyword,
            "struct" | "enum" | "union" | "trait" | "type" | "fn" | "const" | "static"
        ) {
            module.names.insert(name);
        }
        while at < end {
            let token = self.tokens[at];
            let before = if at > 0 { self.text(at - 1) } else { "" };
            let names_viewers = before == "(" && at > 1 && self.text(at - 2) == "pub";
            if names_viewers && matches!(token.text, "in" | "super" | "self" | "crate") {
                // `pub(super)` names the modules that may see something, and uses nothing.
                while at < end && self.text(at) != ")" {
                    at += 1;
                }
            } else if token.kind != Kind::Name || matches!(before, "." | "::" | "$") {
                at += 1;
            } else if token.text == "use"
                && matches!(before, "{" | ";" | "}" | "]")
                && self.tokens[at + 1].kind == Kind::Name
            {
                at = imports(&self.tokens, at + 1, &Path::new(), false, &mut module.imports);
            } else {
                let mut path = vec![token.text.to_owned()];
                while at + 2 < end
                    && self.text(at + 1) == "::"
                    && self.tokens[at + 2].kind == Kind::Name
                {
                    path.push(self.text(at + 2).to_owned());
                    at += 2;
                }
                at += 1;
                // A function at the root of the crate has the name of a module. A receiver has none.
                let is_root =
                    path.len() == 2 && path[0] == "crate" && matches!(self.text(at), "(" | "!");
                if !is_root && path != ["self"] {
                    module.mentions.insert(path);
                }
            }
        }
    }
}

/// Returns the file that `#[path = "…"]` names.
fn path_of(attributes: &str) -> Option<String> {
    let (_, after) = attributes.split_once("[path=\"")?;
    after.split('"').next().map(str::to_owned)
}

/// Reads a file of the module at `path`. Tests in it are left out.
pub(super) fn read(file: &str, path: &Path, text: &str) -> Content {
    let all = tokens(text);
    let code: Vec<_> = all.into_iter().filter(|token| token.kind != Kind::Comment).collect();
    let reads_features =
        code.windows(3).any(|three| three[0].text == "feature" && three[1].text == "=");
    let end = code.len();
    let mut reader = Reader { tokens: code, modules: Vec::new(), test_lines: 0 };
    reader.read(0, end, Module { file: file.to_owned(), path: path.clone(), ..Module::default() });
    let lines = text.lines().count() - reader.test_lines;
    Content { modules: reader.modules, lines, reads_features }
}

/// What a sentence stands in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Prose {
    Comments,
    Docs,
    Guide,
    Design,
}

/// Returns the paragraphs of a page. Code, tables and headings are none.
pub(super) fn paragraphs<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let (mut found, mut now, mut is_code) = (Vec::new(), String::new(), false);
    for line in lines.map(str::trim) {
        let fence = line.starts_with("```");
        is_code ^= fence;
        let apart = line.is_empty() || line.starts_with(['#', '|', '<']);
        if is_code || fence || apart || line.starts_with("- ") || line.starts_with("* ") {
            found.push(std::mem::take(&mut now));
        }
        if !(is_code || fence || apart) {
            now += line.trim_start_matches(['-', '*', ' ']);
            now.push(' ');
        }
    }
    found.push(now);
    found.retain(|paragraph| !paragraph.trim().is_empty());
    found
}

/// Returns the comments and the documentation of a Rust file, a paragraph each.
pub(super) fn comments(text: &str) -> Vec<(Prose, String)> {
    let (mut blocks, mut last) = (Vec::<(Prose, usize, Vec<&str>)>::new(), 0);
    for token in tokens(text).iter().filter(|token| token.kind == Kind::Comment) {
        let doc = token.text.strip_prefix("///").or_else(|| token.text.strip_prefix("//!"));
        let (kind, said) = match doc {
            Some(said) => (Prose::Docs, said),
            None => (Prose::Comments, token.text.trim_start_matches('/')),
        };
        match blocks.last_mut() {
            Some((of, _, lines)) if *of == kind && token.line == last + 1 => lines.push(said),
            _ => blocks.push((kind, token.line, vec![said])),
        }
        last = token.line;
    }
    let each = blocks.into_iter().flat_map(|(kind, _, lines)| {
        paragraphs(lines.into_iter()).into_iter().map(move |paragraph| (kind, paragraph))
    });
    each.collect()
}

/// Returns the sentences of a paragraph.
pub(super) fn sentences(paragraph: &str) -> Vec<&str> {
    let (mut found, mut begin) = (Vec::new(), 0);
    for (at, letter) in paragraph.char_indices() {
        let after = &paragraph[at + letter.len_utf8()..];
        let next = after.trim_start().chars().next();
        let begins = next.is_none_or(|next| next.is_uppercase() || matches!(next, '`' | '[' | '*'));
        if matches!(letter, '.' | '?' | '!' | ':') && after.starts_with(' ') && begins {
            found.push(paragraph[begin..=at].trim());
            begin = at + 1;
        }
    }
    found.push(paragraph[begin..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

const NO_SUBJECT: [&str; 7] = ["Who", "Whoever", "Whom", "Whose", "What", "Whatever", "Of"];

/// Whether a sentence begins with a pronoun or a genitive instead of a noun. Questions may.
pub(super) fn has_no_subject(sentence: &str) -> bool {
    let first =
        sentence.split(|letter: char| !letter.is_alphanumeric()).find(|word| !word.is_empty());
    first.is_some_and(|first| NO_SUBJECT.contains(&first)) && !sentence.ends_with('?')
}

/// Returns the groups of nodes that reach each other, of more than one node.
pub(super) fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reached = |from: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(node) = next.pop() {
            for to in arrows.get(&node).into_iter().flatten() {
                if seen.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        seen
    };
    let all: BTreeMap<&String, BTreeSet<String>> =
        arrows.keys().map(|node| (node, reached(node))).collect();
    let mut found = BTreeSet::new();
    for (node, there) in &all {
        let group: BTreeSet<String> = there
            .iter()
            .filter(|other| all.get(other).is_some_and(|back| back.contains(*node)))
            .cloned()
            .collect();
        if group.len() > 1 {
            found.insert(group);
        }
    }
    found.into_iter().collect()
}
