//! The floors of `DESIGN.md`: a module of the library uses no higher one, but where the page says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names between backticks.
fn names(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The rows of the table with this head.
fn table(head: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(root().join("DESIGN.md")).expect("the page");
    let rows = page.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').skip(1).map(str::to_owned).collect()).collect()
}

/// On which floor a module stands.
fn floors() -> BTreeMap<String, usize> {
    let rows = table("| floor |");
    let numbered = rows.iter().enumerate();
    numbered.flat_map(|(floor, row)| names(&row[0]).map(move |name| (name, floor))).collect()
}

/// Who may use what is higher, by pairs.
fn allowed() -> BTreeSet<(String, String)> {
    let rows = table("| goes up to |");
    let pairs = rows.iter().flat_map(|row| {
        names(&row[0]).flat_map(|to| names(&row[1]).map(move |from| (from, to.clone())))
    });
    pairs.collect()
}

/// The modules at the root of the crate that a file names. Not what comments and its tests say, and what macros print.
fn used(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code = code.split("#[cfg(all(test").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut used = BTreeSet::new();
    let word = |text: &str| {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        text[..end].to_owned()
    };
    for (at, _) in code.match_indices("crate::") {
        let after = &code[at + "crate::".len()..];
        if code[..at].ends_with('$') {
            continue;
        }
        match after.strip_prefix('{').and_then(|list| list.split_once("};")) {
            Some((list, _)) => used.extend(list.split([',', '{']).map(|name| word(name.trim()))),
            // A function of the front door has the name of its module.
            None if after[word(after).len()..].starts_with('(') => {}
            None => drop(used.insert(word(after))),
        }
    }
    used
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_test {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(path);
        }
    }
}

#[test]
fn a_module_uses_no_higher_one_unless_the_page_says_so() {
    let (floors, allowed) = (floors(), allowed());
    let source = root().join("csp/src");
    let (mut all, mut wrong, mut needed) = (Vec::new(), Vec::new(), BTreeSet::new());
    files(&source, &mut all);
    for file in all {
        let place = file.strip_prefix(&source).expect("it lies there");
        let first = place.iter().next().expect("a name").to_string_lossy();
        let from = first.trim_end_matches(".rs");
        if matches!(from, "lib" | "guide" | "macros" | "models") {
            continue;
        }
        let Some(here) = floors.get(from) else {
            wrong.push(format!("{from} stands on no floor"));
            continue;
        };
        for to in used(&fs::read_to_string(&file).expect("text")) {
            let pair = (from.to_owned(), to.clone());
            match floors.get(&to) {
                Some(there) if there > here && allowed.contains(&pair) => drop(needed.insert(pair)),
                Some(there) if there > here => wrong.push(format!("{} uses {to}", place.display())),
                _ => {}
            }
        }
    }
    wrong.extend(allowed.difference(&needed).map(|(from, to)| format!("{from} uses no {to}")));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(floors.len() > 30 && needed.len() > 5, "{} floors, {needed:?}", floors.len());
}

#[test]
fn what_a_file_uses_is_found() {
    let text = "use crate::{leaks, watch::{self, start}};\n// crate::comment\ncrate::network::run(crate::survey());\n\
                $crate::printed();\n#[cfg(test)]\nuse crate::tested;";
    let used = used(text);
    for name in ["leaks", "watch", "network"] {
        assert!(used.contains(name), "{name} in {used:?}");
    }
    for name in ["comment", "survey", "printed", "tested"] {
        assert!(!used.contains(name), "{name} in {used:?}");
    }
}
