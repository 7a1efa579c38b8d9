//! The house: each folder of `csp/src` stands on a floor, which the first line of its `mod.rs` says, and uses no higher one.
//!
//! The lists at the end of this file name what does not keep to a rule yet. They may only shrink. To see the figures of the house:
//! `cargo test -p csp-tests --test laws floors::the_figures -- --nocapture`.

mod planted;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path as Place;

use self::reading::{Content, Import, Module, Path, Prose};

/// All texts of a crate, by their places in `csp/src`, and the pages about it.
#[derive(Clone, Default)]
struct House {
    files: BTreeMap<String, String>,
    guide: Vec<String>,
    design: Vec<String>,
}

/// What is allowed although it breaks a rule.
#[derive(Clone, Copy)]
struct Lists<'a> {
    circles: &'a [&'a [&'a str]],
    both_ways: &'a [(&'a str, &'a str)],
    long: &'a [(&'a str, usize)],
    full: &'a [(&'a str, usize)],
    features: &'a [&'a str],
    names: &'a [&'a str],
    sentences: &'a [(Prose, usize)],
}

const MOST_LINES: usize = 600;
const MOST_ENTRIES: usize = 12;

fn root() -> std::path::PathBuf {
    let usual = Place::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os("CSP_HOUSE").map_or(usual, Into::into)
}

fn gather(folder: &Place, top: &Place, ending: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, top, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            let place =
                path.strip_prefix(top).expect("it lies there").to_string_lossy().into_owned();
            found.insert(place, fs::read_to_string(&path).expect("text"));
        }
    }
}

fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl House {
    fn of_this_repository() -> Self {
        let mut house = Self::default();
        let source = root().join("csp/src");
        gather(&source, &source, "rs", &mut house.files);
        let mut pages = BTreeMap::new();
        gather(&source, &source, "md", &mut pages);
        for (place, page) in pages {
            let kind =
                if place.starts_with("guide/") { &mut house.guide } else { &mut house.design };
            kind.push(page);
        }
        let mut pages = BTreeMap::new();
        gather(&root().join("design"), &root(), "md", &mut pages);
        house.design.extend(pages.into_values());
        house
    }

    /// Returns the floor that a folder says it stands on.
    fn floor(&self, folder: &str) -> Option<usize> {
        let text = self.files.get(&format!("{folder}/mod.rs"))?;
        let first = text.lines().next()?.trim_start_matches(['/', '!']).trim();
        first.strip_prefix("Floor ")?.split('.').next()?.parse().ok()
    }

    /// Returns what stands in the files, without the tests. A file may be that of several modules.
    fn read(&self) -> Plan {
        let mut plan = Plan::default();
        let mut next = vec![("lib.rs".to_owned(), Path::new(), String::new())];
        while let Some((file, path, attributes)) = next.pop() {
            let Some(text) = self.files.get(&file) else { continue };
            if is_apart(&file)
                || attributes.contains("cfg(test)")
                || attributes.contains("cfg(all(test")
            {
                plan.tests.insert(file);
                continue;
            }
            let content = reading::read(&file, &path, text);
            let inside = file.ends_with("/mod.rs") || file == "lib.rs";
            let base = if inside {
                folder_of(&file).to_owned()
            } else {
                file.trim_end_matches(".rs").to_owned()
            };
            let outer = content.modules.last().expect("the file's own");
            for child in &outer.children {
                let under = |folder: &str, name: &str| match folder {
                    "" => name.to_owned(),
                    _ => format!("{folder}/{name}"),
                };
                let place = match &child.file {
                    Some(place) => under(folder_of(&file), place),
                    None => Some(under(&base, &format!("{}.rs", child.name)))
                        .filter(|place| self.files.contains_key(place))
                        .unwrap_or_else(|| under(&base, &format!("{}/mod.rs", child.name))),
                };
                let path = path.iter().chain([&child.name]).cloned().collect();
                next.push((place, path, child.attributes.clone()));
            }
            for module in &content.modules {
                plan.modules.entry(module.path.clone()).or_default().push(module.clone());
            }
            if attributes.contains("cfg(not(") && attributes.contains("path=") {
                plan.stand_ins.insert(file.clone());
            }
            plan.contents.insert(file, content);
        }
        plan
    }
}

/// The models and the guide are used by nothing else.
fn is_apart(file: &str) -> bool {
    file.starts_with("models/") || file.starts_with("guide/")
}

#[derive(Default)]
struct Plan {
    modules: BTreeMap<Path, Vec<Module>>,
    contents: BTreeMap<String, Content>,
    tests: BTreeSet<String>,
    stand_ins: BTreeSet<String>,
}

impl Plan {
    /// Returns the full path of what is written in a module. No path: it belongs to another crate, or to the module itself.
    fn absolute(&self, module: &Module, written: &[String], depth: usize) -> Option<Path> {
        let (first, mut rest) = (written.first()?, &written[1..]);
        let mut base = match &**first {
            "crate" => Path::new(),
            "self" => module.path.clone(),
            "super" => module.path[..module.path.len().checked_sub(1)?].to_vec(),
            _ => return self.by_name(module, written, depth),
        };
        while rest.first().is_some_and(|next| next == "super") {
            base.pop()?;
            rest = &rest[1..];
        }
        Some(base.iter().chain(rest).cloned().collect())
    }

    fn by_name(&self, module: &Module, written: &[String], depth: usize) -> Option<Path> {
        let (first, rest) = (&written[0], &written[1..]);
        let own: Path = module.path.iter().chain(written).cloned().collect();
        if self.modules.contains_key(&own[..=module.path.len()]) && !rest.is_empty() {
            return Some(own);
        }
        if depth > 8 || module.names.contains(first) {
            return None;
        }
        if let Some(import) =
            module.imports.iter().find(|import| import.name.as_ref() == Some(first))
        {
            if import.path.first() == Some(first) {
                return None;
            }
            let path = self.absolute(module, &import.path, depth + 1)?;
            return Some(path.iter().chain(rest).cloned().collect());
        }
        let all = module.imports.iter().filter(|import| import.name.is_none());
        all.filter_map(|import| self.absolute(module, &import.path, depth + 1)).find_map(|there| {
            let modules = self.modules.get(&there).into_iter().flatten();
            modules
                .filter(|other| other.path != module.path)
                .find_map(|other| self.by_name(other, written, depth + 1))
        })
    }

    /// Adds the files in which what `path` names is written. Names that a module only shows are followed.
    fn files_of(&self, path: &[String], depth: usize, found: &mut BTreeSet<String>) {
        let known =
            (0..=path.len()).rev().find(|&length| self.modules.contains_key(&path[..length]));
        let Some(length) = known.filter(|_| depth < 8) else { return };
        let rest = &path[length..];
        for module in &self.modules[&path[..length]] {
            let name = rest.first();
            let shown = |import: &&Import| name.is_some() && import.name.as_ref() == name;
            if name.is_none_or(|name| module.names.contains(name)) {
                found.insert(module.file.clone());
                continue;
            }
            let before = found.len();
            let through = module
                .imports
                .iter()
                .filter(shown)
                .chain(module.imports.iter().filter(|import| import.name.is_none()));
            for import in through {
                let Some(there) = self.absolute(module, &import.path, 0) else { continue };
                let rest = if import.name.is_none() { rest } else { &rest[1..] };
                if there != path {
                    self.files_of(
                        &there.iter().chain(rest).cloned().collect::<Path>(),
                        depth + 1,
                        found,
                    );
                }
            }
            // A macro, or a variant.
            if found.len() == before && !module.imports.iter().any(|import| shown(&import)) {
                found.insert(module.file.clone());
            }
        }
    }

    /// Returns which file uses which others.
    fn arrows(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut arrows = BTreeMap::<String, BTreeSet<String>>::new();
        for module in self.modules.values().flatten().filter(|module| module.file != "lib.rs") {
            let is_face = module.file.ends_with("/mod.rs");
            let imported = module.imports.iter().filter(|import| !(is_face && import.is_shown));
            let imported =
                imported.filter(|import| import.name.is_some()).map(|import| &import.path);
            let mut found = BTreeSet::new();
            for written in imported.chain(&module.mentions) {
                if let Some(path) = self.absolute(module, written, 0)
                    && !path.is_empty()
                {
                    self.files_of(&path, 0, &mut found);
                    // Of a file and its stand-in, only one is there: that in which this one lies.
                    if found.iter().any(|to| is_within(&module.file, to)) {
                        found.retain(|to| !self.stand_ins.contains(to));
                    }
                }
            }
            found.retain(|to| *to != module.file && to != "lib.rs");
            arrows.entry(module.file.clone()).or_default().extend(found);
        }
        arrows
    }
}

/// Whether a file lies in the folder of a `mod.rs`.
fn is_within(file: &str, face: &str) -> bool {
    face.ends_with("/mod.rs") && file.starts_with(face.trim_end_matches("mod.rs"))
}

fn arrows_between(
    arrows: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeMap<(String, String), Vec<String>> {
    let mut between = BTreeMap::<_, Vec<_>>::new();
    for (from, targets) in arrows {
        for to in targets.iter().filter(|to| folder_of(to) != folder_of(from)) {
            let rooms = (folder_of(from).to_owned(), folder_of(to).to_owned());
            between.entry(rooms).or_default().push(format!("{from} uses {to}"));
        }
    }
    between
}

/// Whether one folder lies in the other.
fn are_nested(one: &str, other: &str) -> bool {
    let within =
        |inner: &str, outer: &str| outer.is_empty() || inner.starts_with(&format!("{outer}/"));
    within(one, other) || within(other, one)
}

/// Says what a list of exceptions and the truth have not in common.
fn compare<T: Ord + std::fmt::Debug>(
    rule: &str,
    truth: &BTreeSet<T>,
    list: &BTreeSet<T>,
    wrong: &mut Vec<String>,
) {
    wrong.extend(truth.difference(list).map(|new| format!("{rule}: {new:?}")));
    wrong.extend(list.difference(truth).map(|gone| format!("take {gone:?} off the list: {rule}")));
}

/// Returns the names of types that stand for several things, with the files. A stand-in has the names of what it stands for.
fn double_names(plan: &Plan) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut names = BTreeMap::<&str, BTreeSet<&str>>::new();
    for module in
        plan.modules.values().flatten().filter(|module| !plan.stand_ins.contains(&module.file))
    {
        for name in &module.types {
            names.entry(name).or_default().insert(&module.file);
        }
    }
    names.retain(|_, files| files.len() > 1);
    names
}

/// What is known of the sentences of one kind of prose.
#[derive(Default)]
struct Sentences {
    without_subject: usize,
    with_semicolon: usize,
    words: Vec<usize>,
}

fn sentences(house: &House) -> BTreeMap<Prose, Sentences> {
    let mut all = BTreeMap::<Prose, Sentences>::new();
    let of_pages = |pages: &[String], kind| {
        let paragraphs = pages.iter().flat_map(|page| reading::paragraphs(page.lines()));
        paragraphs.map(|paragraph| (kind, paragraph)).collect::<Vec<_>>()
    };
    let comments = house.files.values().flat_map(|text| reading::comments(text));
    let pages = of_pages(&house.guide, Prose::Guide)
        .into_iter()
        .chain(of_pages(&house.design, Prose::Design));
    for (kind, paragraph) in comments.chain(pages) {
        let of_kind = all.entry(kind).or_default();
        for sentence in reading::sentences(&paragraph) {
            of_kind.without_subject += usize::from(reading::has_no_subject(sentence));
            of_kind.with_semicolon += usize::from(sentence.contains(';'));
            of_kind.words.push(sentence.split_whitespace().count());
        }
    }
    all.values_mut().for_each(|sentences| sentences.words.sort_unstable());
    all
}

/// Returns the entries of each folder.
fn entries(house: &House) -> BTreeMap<String, BTreeSet<String>> {
    let mut folders = BTreeMap::<String, BTreeSet<String>>::new();
    for file in house.files.keys() {
        let mut path = file.as_str();
        loop {
            let folder = folder_of(path);
            folders.entry(folder.to_owned()).or_default().insert(path.to_owned());
            if folder.is_empty() {
                break;
            }
            path = folder;
        }
    }
    folders
}

/// Returns what breaks a rule.
fn judge(house: &House, lists: Lists<'_>) -> Vec<String> {
    let plan = house.read();
    let arrows = plan.arrows();
    let mut wrong = Vec::new();

    let folders: BTreeSet<&str> = plan.contents.keys().map(|file| folder_of(file)).collect();
    for folder in
        folders.iter().filter(|folder| house.floor(folder).is_none() && !folder.is_empty())
    {
        wrong.push(format!("the first line of {folder}/mod.rs says no floor (`//! Floor 4. …`)"));
    }
    let outside =
        plan.contents.keys().filter(|file| folder_of(file).is_empty() && *file != "lib.rs");
    wrong.extend(outside.map(|file| format!("{file} stands in no room")));

    let between = arrows_between(&arrows);
    let mut both_ways = BTreeSet::new();
    for ((from, to), uses) in &between {
        if let (Some(here), Some(there)) = (house.floor(from), house.floor(to))
            && there > here
        {
            wrong.extend(
                uses.iter().map(|uses| format!("{uses}, from floor {here} to floor {there}")),
            );
        }
        let beside = house.floor(from) == house.floor(to);
        if from < to
            && beside
            && !are_nested(from, to)
            && between.contains_key(&(to.clone(), from.clone()))
        {
            both_ways.insert((&**from, &**to));
        }
    }
    compare(
        "two rooms use each other",
        &both_ways,
        &lists.both_ways.iter().copied().collect(),
        &mut wrong,
    );

    let circles: BTreeSet<Vec<String>> =
        reading::circles(&arrows).into_iter().map(|circle| circle.into_iter().collect()).collect();
    let listed =
        lists.circles.iter().map(|circle| circle.iter().map(|&file| file.to_owned()).collect());
    compare("a circle of files", &circles, &listed.collect(), &mut wrong);

    for (folder, entries) in entries(house) {
        let most = lists
            .full
            .iter()
            .find(|(name, _)| *name == folder)
            .map_or(MOST_ENTRIES, |(_, most)| *most);
        if entries.len() > most && !folder.starts_with("guide") {
            wrong.push(format!("{} entries in {folder}/, {most} are allowed", entries.len()));
        }
    }

    let long = plan.contents.iter().filter(|(_, content)| content.lines > MOST_LINES);
    let long: BTreeMap<&str, usize> =
        long.map(|(file, content)| (&**file, content.lines)).collect();
    for (file, lines) in &long {
        match lists.long.iter().find(|(name, _)| name == file) {
            None => wrong.push(format!(
                "{file} has {lines} lines without its tests, {MOST_LINES} are allowed"
            )),
            Some((_, most)) if lines > most => {
                wrong.push(format!("{file} has grown from {most} lines to {lines}"))
            }
            Some((_, most)) if lines + 20 < *most => {
                wrong.push(format!("{file} has only {lines} lines: say so in the list"))
            }
            Some(_) => {}
        }
    }
    let shorter = lists.long.iter().filter(|(file, _)| !long.contains_key(file));
    wrong.extend(shorter.map(|(file, _)| format!("take {file} off the list of long files")));

    let reading = plan.contents.iter().filter(|(_, content)| content.reads_features);
    let reading = reading.map(|(file, _)| &**file).collect();
    compare("features are read", &reading, &lists.features.iter().copied().collect(), &mut wrong);

    let double = double_names(&plan);
    let known: BTreeSet<&str> = lists.names.iter().copied().collect();
    let new = double.iter().filter(|(name, _)| !known.contains(*name));
    wrong.extend(
        new.map(|(name, files)| format!("the type name {name} stands for two things: {files:?}")),
    );
    let gone = known.iter().filter(|name| !double.contains_key(*name));
    wrong.extend(gone.map(|name| format!("take {name} off the list of double names")));

    let sentences = sentences(house);
    for (kind, most) in lists.sentences {
        let count = sentences.get(kind).map_or(0, |sentences| sentences.without_subject);
        if count > *most {
            wrong.push(format!(
                "{count} sentences of {kind:?} begin with Who, What, Whoever or Of: {most} did"
            ));
        }
    }
    wrong
}

/// Returns the figures of a house, one a line.
fn figures(house: &House) -> String {
    let plan = house.read();
    let arrows = plan.arrows();
    let (between, circles) = (arrows_between(&arrows), reading::circles(&arrows));
    let mut page = String::new();
    let mut say =
        |name: &str, figure: String| writeln!(page, "{name:44} {figure}").expect("a string");
    let rooms: BTreeSet<&str> = plan
        .contents
        .keys()
        .map(|file| folder_of(file))
        .filter(|folder| !folder.is_empty())
        .collect();
    let outer: BTreeSet<&str> = rooms.iter().filter_map(|room| room.split('/').next()).collect();
    let floors: BTreeSet<usize> = rooms.iter().filter_map(|room| house.floor(room)).collect();
    let up = |(from, to): &&(String, String)| matches!((house.floor(from), house.floor(to)), (Some(here), Some(there)) if there > here);
    say(
        "rooms (with those inside), floors",
        format!("{} ({}), {}", outer.len(), rooms.len(), floors.len()),
    );
    say(
        "files, arrows between them",
        format!("{}, {}", plan.contents.len(), arrows.values().map(BTreeSet::len).sum::<usize>()),
    );
    say(
        "arrows between rooms, up",
        format!("{}, {}", between.len(), between.keys().filter(up).count()),
    );
    let sizes: Vec<String> = circles.iter().map(|circle| circle.len().to_string()).collect();
    say("circles of files, their sizes", format!("{}: {}", circles.len(), sizes.join(" ")));
    let entries = entries(house);
    let fullest = entries
        .iter()
        .filter(|(folder, _)| !folder.starts_with("guide"))
        .max_by_key(|(_, entries)| entries.len());
    say(
        "entries of csp/src, of the fullest folder",
        format!("{}, {}", entries[""].len(), fullest.map_or(0, |(_, entries)| entries.len())),
    );
    let lines = |text: &String| text.lines().count();
    let total: usize = plan.contents.values().map(|content| content.lines).sum();
    say("lines without tests and models", total.to_string());
    let long = plan.contents.values().filter(|content| content.lines > MOST_LINES).count();
    say("files of more than 600 lines", long.to_string());
    let stand_ins: usize = plan.stand_ins.iter().map(|file| lines(&house.files[file])).sum();
    say("lines of stand-ins", stand_ins.to_string());
    let count = |what: &str| {
        plan.contents.keys().map(|file| house.files[file].matches(what).count()).sum::<usize>()
    };
    say("allow(dead_code)", count("allow(dead_code").to_string());
    let shown = count("pub(crate)") * 10_000 / total.max(1);
    say("pub(crate) in 1,000 lines", format!("{}.{}", shown / 10, shown % 10));
    let reading = plan.contents.values().filter(|content| content.reads_features).count();
    say("files that read features", reading.to_string());
    let double = double_names(&plan);
    say(
        "type names for two things, for three or more",
        format!("{}, {}", double.len(), double.values().filter(|files| files.len() > 2).count()),
    );
    for (kind, sentences) in sentences(house) {
        let all = sentences.words.len().max(1);
        let percent = |count: usize| format!("{}.{} %", count * 100 / all, count * 1000 / all % 10);
        let median = sentences.words.get(all / 2).copied().unwrap_or(0);
        say(
            &format!("sentences of {kind:?}"),
            format!(
                "{all}, median {median} words, begin with Who/What/Of: {} ({}), with a semicolon: {}",
                sentences.without_subject,
                percent(sentences.without_subject),
                percent(sentences.with_semicolon)
            ),
        );
    }
    page
}

const LISTS: Lists<'_> = Lists {
    circles: CIRCLES,
    both_ways: BOTH_WAYS,
    long: LONG,
    full: FULL,
    features: FEATURES,
    names: DOUBLE_NAMES,
    sentences: SENTENCES,
};

#[test]
fn the_house_keeps_its_rules() {
    let house = House::of_this_repository();
    let wrong = judge(&house, LISTS);
    assert!(wrong.is_empty(), "{} times:\n{}", wrong.len(), wrong.join("\n"));
    assert!(house.files.len() > 100, "{} files were found", house.files.len());
}

#[test]
fn the_figures_of_the_house() {
    let house = House::of_this_repository();
    let page = figures(&house);
    assert!(page.contains("circles of files"), "{page}");
    println!("{page}");
}

/// Circles of files. A smaller one takes the place of a larger one.
const CIRCLES: &[&[&str]] = &[
    &[
        "backend/coroutines/coroutine.rs",
        "backend/coroutines/questions.rs",
        "backend/coroutines/scheduler.rs",
    ],
    &["backend/memory/from_bytes.rs", "backend/memory/ordinary.rs"],
    &[
        "backend/subprocess/node/deaths.rs",
        "backend/subprocess/node/lead.rs",
        "backend/subprocess/node/mod.rs",
    ],
    &[
        "backend/subprocess/protocol/counts.rs",
        "backend/subprocess/protocol/home.rs",
        "backend/subprocess/protocol/pairs.rs",
    ],
    &["wait/future/crowd.rs", "wait/future/head.rs"],
    &["watch/everywhere/mod.rs", "watch/mod.rs"],
];

/// Rooms of one floor that use each other.
const BOTH_WAYS: &[(&str, &str)] = &[
    ("backend/subprocess/boot", "backend/subprocess/node"),
    ("backend/subprocess/node", "backend/subprocess/values"),
];

/// Files of more than 600 lines, with their lengths. The tests in them do not count.
const LONG: &[(&str, usize)] = &[("backend/subprocess/protocol/owner.rs", 618)];

/// Folders that may have more than twelve entries.
const FULL: &[(&str, usize)] = &[("", 17), ("models", 13)];

/// Files in which a feature of Cargo decides what is compiled.
const FEATURES: &[&str] = &[
    "backend/coroutines/mod.rs",
    "backend/futures/mod.rs",
    "backend/memory/mod.rs",
    "backend/memory/ordinary.rs",
    "backend/mod.rs",
    "backend/offload/mod.rs",
    "backend/subprocess/boot/child.rs",
    "backend/subprocess/boot/mod.rs",
    "backend/subprocess/boot/parent.rs",
    "backend/subprocess/fuzzed.rs",
    "backend/subprocess/mod.rs",
    "backend/subprocess/node/control/mod.rs",
    "backend/subprocess/node/links.rs",
    "backend/subprocess/node/mod.rs",
    "backend/subprocess/node/peers.rs",
    "backend/subprocess/node/remote.rs",
    "backend/subprocess/node/serving.rs",
    "backend/subprocess/protocol/home.rs",
    "backend/subprocess/protocol/rights/mod.rs",
    "backend/subprocess/protocol/rights/nowhere.rs",
    "backend/subprocess/transport/inbox.rs",
    "backend/subprocess/transport/mod.rs",
    "backend/subprocess/values/buffer.rs",
    "backend/subprocess/values/carry.rs",
    "backend/threads.rs",
    "channel/awaited/mod.rs",
    "channel/core/late/mod.rs",
    "channel/far/few.rs",
    "channel/far/names.rs",
    "backend/subprocess/values/mod.rs",
    "channel/far/node.rs",
    "front/mod.rs",
    "front/private.rs",
    "lib.rs",
    "process/definition/mod.rs",
    "report/json.rs",
    "system/possible.rs",
    "stack/mod.rs",
    "wait/mod.rs",
];

/// Names of types that stand for more than one thing.
#[rustfmt::skip]
const DOUBLE_NAMES: &[&str] = &[
    "Before", "Call", "Claim", "Compound", "Core", "Count", "Departure", "Done",
    "End", "Ended", "Ending", "Ends", "Entry", "Exit", "Far", "Fiber",
    "Found", "Futures", "Guard", "Held", "Holder", "Holds", "Home", "How",
    "Kept", "Kind", "Known", "Lent", "Link", "Look", "Members",
    "NoStack", "Numbers", "Object", "Offer", "Outcome", "Output", "Packer", "Parcel",
    "Parts", "Place", "Polled", "Post", "Promised", "Run", "Shown", "Site", "Slot",
    "Standing", "State", "Suspender", "Table", "Unpacker", "Variant", "Wait",
    "Waiting", "Want", "Waves", "Word", "Words",
];

/// How many sentences begin with a pronoun or a genitive at most.
const SENTENCES: &[(Prose, usize)] =
    &[(Prose::Comments, 0), (Prose::Docs, 0), (Prose::Guide, 0), (Prose::Design, 1)];
