//! The law finds what it is to find: small houses, each with one mistake.

use super::reading::{Prose, has_no_subject, sentences};
use super::{House, Lists, figures, judge};

const NOTHING: Lists<'_> = Lists {
    circles: &[],
    both_ways: &[],
    long: &[],
    full: &[],
    features: &[],
    names: &[],
    sentences: &[],
};

const CLEAN: [(&str, &str); 6] = [
    ("lib.rs", "mod low;\nmod high;\npub use high::door;\n"),
    (
        "low/mod.rs",
        "//! Floor 1. The ground.\n\nmod stone;\nmod sand;\n\npub(crate) use self::stone::Stone;\n",
    ),
    ("low/stone.rs", "//! Stones.\n\npub(crate) struct Stone;\n"),
    ("low/sand.rs", "use super::Stone;\n\npub(super) fn grind(_: Stone) {}\n"),
    ("high/mod.rs", "//! Floor 2. The roof.\n\npub mod door;\n"),
    (
        "high/door.rs",
        "use crate::low::Stone;\n\npub fn knock() -> &'static str {\n    \"crate::high::nobody\"\n}\n",
    ),
];

/// Returns the clean house, in which these files stand instead or besides.
fn with(files: &[(&str, &str)]) -> House {
    let mut house = House::default();
    for (place, text) in CLEAN.iter().chain(files) {
        house.files.insert((*place).to_owned(), (*text).to_owned());
    }
    house
}

#[track_caller]
fn finds(house: &House, lists: Lists<'_>, what: &str) {
    let wrong = judge(house, lists);
    assert!(wrong.len() == 1 && wrong[0].contains(what), "{what}: {wrong:#?}");
}

#[track_caller]
fn is_clean(house: &House, lists: Lists<'_>) {
    let wrong = judge(house, lists);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_clean_house_is_clean() {
    is_clean(&with(&[]), NOTHING);
    let page = figures(&with(&[]));
    assert!(page.contains("2 (2), 2"), "{page}");
}

#[test]
fn an_arrow_that_goes_up_is_found_however_it_is_written() {
    let ways = [
        "use crate::high::door;\n",
        "use crate::high::door::knock as rap;\n",
        "use crate::{high::{door::*, door}};\n",
        "fn up() { crate::high::door::knock(); }\n",
        "fn up() { super::super::high::door::knock(); }\n",
        "fn up() { use crate::high; high::door::knock(); }\n",
        "use crate::high;\nfn up() -> impl Fn() { || drop(high::door::knock()) }\n",
        "mod inner {\n    use super::super::super::high::door;\n}\n",
        "macro_rules! up { () => { crate::high::door::knock() } }\n",
        "#[cfg(not(test))]\nuse crate::high::door;\n",
    ];
    for way in ways {
        let house = with(&[("low/sand.rs", way)]);
        let wrong = judge(&house, NOTHING);
        assert!(
            wrong
                .iter()
                .any(|wrong| wrong
                    .contains("low/sand.rs uses high/door.rs, from floor 1 to floor 2")),
            "{way}: {wrong:#?}"
        );
    }
    let not = [
        "// use crate::high::door;\n",
        "/// [`door`](crate::high::door)\nfn up() {}\n",
        "const UP: &str = r#\"crate::high::door\"#;\n",
        "#[cfg(test)]\nmod tests {\n    use crate::high::door;\n}\n",
        "struct Sand;\nimpl Sand {\n    pub(in crate::high::door) fn grind() {}\n}\n",
        "fn up<'a>(_: &'a ()) -> char {\n    '\"'\n}\n",
    ];
    for text in not {
        is_clean(&with(&[("low/sand.rs", text)]), NOTHING);
    }
}

#[test]
fn what_a_face_shows_is_followed_to_where_it_is_written() {
    let face = "//! Floor 1. The ground.\n\nmod stone;\nmod sand;\n\npub(crate) use crate::high::door;\npub(crate) use self::stone::Stone;\n";
    let house = with(&[("low/mod.rs", face), ("low/sand.rs", "use super::door;\n")]);
    finds(&house, NOTHING, "low/sand.rs uses high/door.rs");
}

#[test]
fn a_visibility_uses_nothing() {
    let face = "//! Floor 1. The ground.\n\nmod stone;\nmod sand;\n\npub(crate) use self::stone::Stone;\nfn dig() {\n    sand::Sand::grind();\n}\n";
    let sand = "pub(super) struct Sand;\nimpl Sand {\n    pub(super) fn grind() {}\n}\n";
    is_clean(&with(&[("low/mod.rs", face), ("low/sand.rs", sand)]), NOTHING);
    let sand = "pub(super) struct Sand(super::Stone);\nimpl Sand {\n    pub(super) fn grind() {\n        super::dig();\n    }\n}\n";
    finds(&with(&[("low/mod.rs", face), ("low/sand.rs", sand)]), NOTHING, "low/mod.rs");
}

#[test]
fn a_receiver_does_not_name_the_stand_in_of_its_own_file() {
    let face = "//! Floor 1. The ground.\n\nmod stone;\n#[cfg(sandy)]\nmod sand;\n#[cfg(not(sandy))]\n#[path = \"none.rs\"]\nmod sand;\n\npub(crate) use self::stone::Stone;\n";
    let sand = "struct Sand;\nimpl Sand {\n    fn grind(&self) {}\n}\n";
    let files = [("low/mod.rs", face), ("low/sand.rs", sand), ("low/none.rs", sand)];
    is_clean(&with(&files), NOTHING);
}

#[test]
fn a_room_without_a_floor_is_found() {
    finds(
        &with(&[(
            "low/mod.rs",
            "//! The ground.\n\nmod stone;\nmod sand;\npub(crate) use self::stone::Stone;\n",
        )]),
        NOTHING,
        "low/mod.rs says no floor",
    );
    let lib = "mod low;\nmod high;\nmod hut;\n";
    finds(
        &with(&[("lib.rs", lib), ("hut.rs", "//! Alone.\n")]),
        NOTHING,
        "hut.rs stands in no room",
    );
}

#[test]
fn a_circle_of_files_is_found_unless_it_is_listed() {
    let house = with(&[("low/stone.rs", "use super::sand::grind;\n\npub(crate) struct Stone;\n")]);
    finds(&house, NOTHING, "a circle of files: [\"low/sand.rs\", \"low/stone.rs\"]");
    is_clean(&house, Lists { circles: &[&["low/sand.rs", "low/stone.rs"]], ..NOTHING });
    finds(
        &with(&[]),
        Lists { circles: &[&["low/sand.rs", "low/stone.rs"]], ..NOTHING },
        "off the list",
    );
    // A part of a listed circle is a smaller one, and listed as such.
    let larger: &[&[&str]] = &[&["low/mod.rs", "low/sand.rs", "low/stone.rs"]];
    assert_eq!(judge(&house, Lists { circles: larger, ..NOTHING }).len(), 2);
}

#[test]
fn two_rooms_of_one_floor_that_use_each_other_are_found() {
    let house = with(&[
        ("lib.rs", "mod low;\nmod high;\nmod beside;\n"),
        ("beside/mod.rs", "//! Floor 1. Beside.\n\nmod well;\nmod shed;\n"),
        ("beside/well.rs", "use crate::low::Stone;\n"),
        ("beside/shed.rs", "pub(crate) struct Shed;\n"),
        ("low/sand.rs", "use crate::beside::shed::Shed;\n"),
    ]);
    finds(&house, NOTHING, "two rooms use each other: (\"beside\", \"low\")");
    is_clean(&house, Lists { both_ways: &[("beside", "low")], ..NOTHING });
}

#[test]
fn a_full_folder_and_a_long_file_are_found() {
    let mut house = with(&[]);
    for index in 0..9 {
        house.files.insert(format!("low/grain{index}.rs"), String::new());
    }
    is_clean(&house, NOTHING);
    house.files.insert("low/grain.rs".to_owned(), String::new());
    finds(&house, NOTHING, "13 entries in low/");
    is_clean(&house, Lists { full: &[("low", 13)], ..NOTHING });

    let lines = |count: usize| "const ONE: u8 = 1;\n".repeat(count);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(400));
    is_clean(&with(&[("low/sand.rs", &(lines(600) + &tests))]), NOTHING);
    let house = with(&[("low/sand.rs", &lines(650))]);
    finds(&house, NOTHING, "low/sand.rs has 650 lines");
    is_clean(&house, Lists { long: &[("low/sand.rs", 650)], ..NOTHING });
    finds(&house, Lists { long: &[("low/sand.rs", 640)], ..NOTHING }, "has grown");
    finds(&house, Lists { long: &[("low/sand.rs", 700)], ..NOTHING }, "say so in the list");
    finds(&with(&[]), Lists { long: &[("low/sand.rs", 700)], ..NOTHING }, "off the list");
}

#[test]
fn a_feature_is_read_only_where_the_list_says() {
    let house = with(&[("low/sand.rs", "#[cfg(feature = \"threads\")]\nfn only_there() {}\n")]);
    finds(&house, NOTHING, "features are read: \"low/sand.rs\"");
    is_clean(&house, Lists { features: &["low/sand.rs"], ..NOTHING });
    finds(&with(&[]), Lists { features: &["low/sand.rs"], ..NOTHING }, "off the list");
}

#[test]
fn a_type_name_for_two_things_is_found() {
    let house = with(&[("high/door.rs", "pub enum Stone {\n    Red,\n}\n")]);
    finds(&house, NOTHING, "the type name Stone stands for two things");
    is_clean(&house, Lists { names: &["Stone"], ..NOTHING });
    finds(&with(&[]), Lists { names: &["Stone"], ..NOTHING }, "off the list");
    // What stands in for another file has the same names.
    let stand_in = "//! Floor 1. The ground.\n\n#[cfg(unix)]\nmod stone;\n#[cfg(not(unix))]\n#[path = \"none.rs\"]\nmod stone;\nmod sand;\npub(crate) use self::stone::Stone;\n";
    is_clean(
        &with(&[("low/mod.rs", stand_in), ("low/none.rs", "pub(crate) struct Stone;\n")]),
        NOTHING,
    );
}

#[test]
fn sentences_without_a_subject_are_counted_by_kind() {
    let text = "//! Who waits is asked.\n//! The rest goes on. Of these one stays; the rest goes.\n\n// Whoever reads this: a comment.\nfn wait() {}\n\n/// ```\n/// // What is code is none.\n/// ```\nfn run() {}\n";
    let mut house = with(&[("low/sand.rs", text)]);
    house
        .guide
        .push("# Who\n\nWho reads is told.\n\n| What | is a table |\n\n- Of a list\n".to_owned());
    house.design.push("The lock is held.\nWhat is said goes on here.\n".to_owned());
    let most = |docs, comments, guide, design| {
        [
            (Prose::Docs, docs),
            (Prose::Comments, comments),
            (Prose::Guide, guide),
            (Prose::Design, design),
        ]
    };
    is_clean(&house, Lists { sentences: &most(2, 1, 2, 1), ..NOTHING });
    finds(&house, Lists { sentences: &most(1, 1, 2, 1), ..NOTHING }, "2 sentences of Docs");
    finds(&house, Lists { sentences: &most(2, 0, 2, 1), ..NOTHING }, "1 sentences of Comments");
    // Fewer are welcome.
    is_clean(&house, Lists { sentences: &most(2, 1, 3, 1), ..NOTHING });
    finds(&house, Lists { sentences: &most(2, 1, 2, 0), ..NOTHING }, "1 sentences of Design");
}

#[test]
fn a_paragraph_falls_into_its_sentences() {
    let paragraph = "The lock is taken. `Core` waits, e.g. for it: Who else? It is 1.5 ms. *Done*.";
    let all = [
        "The lock is taken.",
        "`Core` waits, e.g. for it:",
        "Who else?",
        "It is 1.5 ms.",
        "*Done*.",
    ];
    assert_eq!(sentences(paragraph), all);
    assert!(
        has_no_subject("`What` is first.")
            && !has_no_subject("Who is it?")
            && !has_no_subject("Office hours.")
    );
}
