//! Names and paths go on in a child where they were in the parent.

use csp::{Channel, Writer, multiprocess, parallel, process, spawn};

use crate::tests;

#[multiprocess]
fn who() -> (String, String) {
    let current = csp::current();
    (current.name().to_owned(), current.path().to_owned())
}

#[multiprocess(name = "boss")]
fn with_children() -> Vec<String> {
    let (local, (_, remote)) = parallel!(2 * local(), who());
    let mut paths = local;
    paths.push(remote);
    paths
}

#[process]
fn local() -> String {
    csp::current().path().to_owned()
}

#[multiprocess]
fn thread_name() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

fn pair(name: &str, path: &str) -> (String, String) {
    (name.to_owned(), path.to_owned())
}

tests! {
    fn a_child_knows_its_name_and_its_path() {
        let (one, three, named) = parallel!(who(), 3 * who(), who().named("clerk"));
        assert_eq!(one, pair("who", "law/who"));
        assert_eq!(three[2], pair("who[2]", "law/who[2]"));
        assert_eq!(named, pair("clerk", "law/clerk"));
        assert_eq!(spawn(2 * who()).remove(1).join(), pair("who[1]", "law/who[1]"));
    }

    fn a_path_goes_through_several_os_processes() {
        let (paths,) = parallel!(with_children());
        assert_eq!(paths, ["law/boss/local[0]", "law/boss/local[1]", "law/boss/who"]);
    }

    fn a_channel_is_shown_by_the_place_where_it_was_made() {
        #[multiprocess]
        fn shows(named: Writer<u8>, other: Writer<u8>) -> (String, String) {
            let network = csp::network();
            let births = network.channels().iter().map(|channel| channel.birth().to_string());
            let _ends = (&named, &other);
            (format!("{other:?}"), births.collect::<Vec<_>>().join(" "))
        }
        let line = line!() + 1;
        let (named, other) = (Channel::new().named("jobs"), Channel::new());
        let ((shown, births),) = parallel!(shows(named.writer(), other.writer()));
        let place = format!("{}:{line}:", file!());
        assert!(shown.contains(&place), "{shown}");
        assert_eq!(births.matches(&place).count(), 2, "{births}");
    }

    fn the_thread_is_called_what_the_process_is() {
        assert_eq!(parallel!(2 * thread_name()).0, ["thread_name[0]", "thread_name[1]"]);
    }
}
