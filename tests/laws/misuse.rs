//! The guide's table of mistakes (`csp/src/guide/misuse.md`) has a row for each mistake, and names tests that exist.

use std::path::{Path, PathBuf};

fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rows() -> Vec<Vec<String>> {
    let page = tests().join("../csp/src/guide/misuse.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| mistake"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// Returns the mistake in a name such as `laws/defects::name` or `ui/name`.
fn mistake(name: &str) -> Option<String> {
    let (file, function) = name.split_once("::").unwrap_or((name, ""));
    let folder = if file.starts_with("ui/") { "macros" } else { "" };
    let path = tests().join(folder).join(Path::new(file).with_extension("rs"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Some(format!("{name}: there is no {}", path.display()));
    };
    if file.starts_with("ui/") {
        let there = path.with_extension("stderr").exists();
        return (!there).then(|| format!("{name}: nothing is expected of it"));
    }
    (!text.contains(&format!("fn {function}(")))
        .then(|| format!("{name}: there is no such function"))
}

#[test]
fn every_row_names_tests_that_exist() {
    let mut wrong = Vec::new();
    let mut named = 0;
    for row in rows() {
        let shown_by = row.last().expect("a cell");
        if row.iter().any(|cell| cell.starts_with("**"))
            || shown_by.is_empty()
            || shown_by == "shown by"
        {
            continue;
        }
        let names: Vec<_> = shown_by.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            wrong.push(format!("no test: {row:?}"));
        }
        named += names.len();
        wrong.extend(names.into_iter().filter_map(mistake));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(named >= 60, "only {named} names were found");
    assert!(mistake("laws/defects::nobody").is_some() && mistake("ui/nothing").is_some());
}

#[test]
fn every_defect_has_a_row() {
    let rows = rows();
    for number in 1..=31 {
        let of_it = rows.iter().filter(|row| row[0] == number.to_string()).count();
        assert_eq!(of_it, 1, "defect {number}");
    }
}
