//! The chapters of `csp::guide` show programs of `examples/guide`, their output, and pictures made by `picture`. This test
//! checks that they are the same. `CSP_BLESS=1 cargo test -p csp-examples --test guide` writes them anew.

mod picture;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns a program of the guide. The chapters show the library without the feature `cores`, which the examples have.
fn on_one_core(program: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guide"));
    command.arg(program).env("CSP_CORES", "1");
    command
}

/// Returns the block that must follow a marker.
fn wanted(marker: &str) -> String {
    let (kind, what) = marker.split_once(' ').unwrap_or_else(|| panic!("{marker}: of what?"));
    match kind.trim_end_matches(':') {
        "program" => {
            let file = root().join("examples/guide").join(what).with_extension("rs");
            let program = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{what}: {e}"));
            format!("```rust\n{program}```\n")
        }
        "output" => {
            let output = on_one_core(what).output();
            let output = output.expect("the program starts");
            assert!(output.status.success(), "{what}: {output:?}");
            format!("```text\n{}```\n", String::from_utf8(output.stdout).expect("text"))
        }
        "errors" => {
            let output = on_one_core(what).output();
            let output = output.expect("the program starts");
            format!("```text\n{}```\n", String::from_utf8(output.stderr).expect("text"))
        }
        "picture" => picture::svg(what),
        "function" => {
            let (file, item) = what.split_once(' ').unwrap_or_else(|| panic!("{what}: which?"));
            let path = root().join("examples").join(file).with_extension("rs");
            let program = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
            // The doc tests have no axum.
            format!("```rust,ignore\n{}```\n", item_of(&program, item))
        }
        _ => {
            panic!("a marker begins with program, output, errors, function or picture: {marker}")
        }
    }
}

/// Returns the item of a program that begins in this way, with what stands right above it.
fn item_of(program: &str, begin: &str) -> String {
    let mut item = String::new();
    for line in program.split_inclusive('\n') {
        if line.trim().is_empty() {
            item.clear();
        } else {
            item += line;
        }
        if item.contains(&format!("{begin} ")) || item.contains(&format!("{begin}(")) {
            // Its last line.
            let rest = &program[program.find(&item).expect("it is there")..];
            let end = rest.find("\n}\n").expect("an item ends");
            return rest[..end + "\n}\n".len()].to_owned();
        }
    }
    panic!("there is no `{begin}`");
}

/// Returns the text with everything between `<!-- marker -->` and `<!-- end -->` made anew.
fn renewed(text: &str) -> String {
    let mut new = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("<!-- ") {
        let (before, marked) = rest.split_at(start);
        let (marker, after) = marked["<!-- ".len()..].split_once(" -->").expect("a marker ends");
        let (_, after) = after.split_once("<!-- end -->").expect("what is marked ends");
        new += &format!("{before}<!-- {marker} -->\n\n{}\n<!-- end -->", wanted(marker));
        rest = after;
    }
    new + rest
}

#[test]
fn the_guide_shows_what_the_programs_are_and_print() {
    let bless = std::env::var_os("CSP_BLESS").is_some();
    let folder = root().join("csp/src/guide");
    let mut chapters = 0;
    for chapter in fs::read_dir(folder).expect("a guide") {
        let file = chapter.expect("a chapter").path();
        if file.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("text");
        let new = renewed(&text);
        if bless {
            fs::write(&file, &new).expect("a chapter that may be written");
        }
        assert!(
            bless || text == new,
            "{} is not what it shows: run with CSP_BLESS=1",
            file.display()
        );
        chapters += 1;
    }
    assert!(chapters > 8, "{chapters} chapters were found");
}

#[test]
fn a_picture_has_a_box_a_process() {
    let svg = picture::svg("producer | jobs | worker[0] worker[1] … | results | consumer < more");
    assert_eq!(svg.matches("<rect").count(), 4);
    assert_eq!(svg.matches("<text").count(), 5 + 2 + 1);
    // Each line and its arrow head.
    assert_eq!(svg.matches("<path").count(), 2 * (3 + 3 + 1));
}
