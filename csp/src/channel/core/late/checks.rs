//! Checks of a history, after each step and at its end.

use super::steps::{Reading, Step, World};
use crate::commit::queue::line::EARLIEST;

impl World {
    /// Returns the choice that the next value is for, if that is sure: it came before all other readers that can be served.
    pub(super) fn turn(&self) -> Option<usize> {
        let reads = || self.reads.iter().enumerate().filter_map(|(n, it)| Some((n, it.as_ref()?)));
        // One that was committed elsewhere may still stand in the queue.
        let in_queue = reads().filter(|(_, read)| read.chooses && !read.has_value());
        let (number, first) = in_queue.min_by_key(|(_, read)| read.came)?;
        let lines = self.state.late.lines.as_ref()?;
        let can_be_served =
            |read: &Reading| !read.is_woken() && lines.each[read.line().0].told == 0;
        let mut plain = reads().filter(|(_, read)| !read.chooses);
        let goes_before = plain.any(|(_, read)| can_be_served(read) && read.came < first.came);
        (!first.is_woken() && !goes_before).then_some(number)
    }

    /// Returns the choices that the next value is not for, because a plain reader that can be served came before.
    pub(super) fn later_choices(&self) -> Vec<usize> {
        let reads = || self.reads.iter().enumerate().filter_map(|(n, it)| Some((n, it.as_ref()?)));
        let Some(lines) = self.state.late.lines.as_ref() else { return Vec::new() };
        if lines.surplus() == 0 {
            return Vec::new();
        }
        let can_be_served =
            |read: &Reading| !read.is_woken() && lines.each[read.line().0].told == 0;
        let plain = reads().filter(|(_, read)| !read.chooses && can_be_served(read));
        let Some(first) = plain.map(|(_, read)| read.came).min() else { return Vec::new() };
        let is_later = |read: &Reading| read.beside_lines && read.came > first;
        let choices = reads().filter(|(_, read)| read.chooses && !read.has_value());
        choices.filter(|(_, read)| is_later(read)).map(|(number, _)| number).collect()
    }

    pub(super) fn were_not_served(&self, later: &[usize]) {
        for number in later {
            let read = self.reads[*number].as_ref().expect("it stands");
            assert!(!read.has_value(), "the value went to choice {number}, which came later");
        }
    }

    pub(super) fn was_the_turn_of(&self, turn: Option<usize>) {
        if let Some(number) = turn {
            let read = self.reads[number].as_ref().expect("it stands");
            assert!(read.has_value(), "the value went by choice {number}, which came first");
        }
    }

    /// Returns whether no plain reader of the same scheduler came before and has no value.
    pub(super) fn is_first(&self, reader: usize, came: usize) -> bool {
        let scheduler = self.cast.readers[reader];
        let goes_before = |(number, other): (usize, &Option<Reading>)| {
            let other = other.as_ref().filter(|other| !other.chooses);
            let other = other.filter(|_| self.cast.readers[number] == scheduler);
            other.is_some_and(|it| it.came < came && !it.has_value() && !it.lets_go)
        };
        !self.reads.iter().enumerate().any(goes_before)
    }

    /// Checks a reader that was moved into a line and stands again. It goes before the choices that stood before there were lines.
    pub(super) fn goes_before_choices(&self, read: &Reading) {
        let mut choices = self.reads.iter().flatten().filter(|other| other.chooses);
        let passed = choices.any(|it| !it.is_woken() && !it.beside_lines && it.came < read.came);
        assert!(!passed, "it goes before a choice that came first");
    }

    /// Returns whether a writer waits. A choice that was committed elsewhere does not wait.
    pub(super) fn writer_waits(&self) -> bool {
        let unsure = self.unsure.iter().any(|choice| choice.waiter.decided().is_none());
        unsure || self.writers.iter().any(|(_, writer)| !writer.is_woken())
    }

    /// Checks what must hold whenever the lock is free.
    pub(super) fn check(&mut self) {
        let reads = || self.reads.iter().flatten();
        let plain = || reads().filter(|read| !read.chooses);
        let told: Vec<_> = plain()
            .filter(|read| read.is_woken() && !read.has_value() && !read.orders)
            .map(Reading::line)
            .collect();
        let standing: Vec<_> = plain().filter(|it| !it.is_woken()).map(Reading::line).collect();
        let writer_waits = self.writer_waits();
        let choice_waits = reads().any(|read| read.chooses && !read.is_woken());
        assert!(!writer_waits || !choice_waits, "a writer and a choice wait");
        let Some(lines) = &self.state.late.lines else { return };
        assert_eq!((lines.told, lines.standing), (told.len(), standing.len()));
        for (at, line) in lines.each.iter().enumerate() {
            let here = standing.iter().filter(|(of, _)| *of == at);
            let first = here.map(|(_, stamp)| *stamp).min();
            // Some of those that stood before there were lines are later than this says.
            let is_known = first != Some(EARLIEST);
            assert!(!is_known || line.readers.first() == first, "a later one heads line {at}");
        }
        for (n, (moment, _)) in lines.ahead.iter().enumerate() {
            let early = told.iter().chain(&standing).filter(|(_, stamp)| *stamp < moment).count();
            assert!(early > n, "value {n} that is ahead has {early} readers");
        }
        let more_readers = told.len() + standing.len() > lines.ahead.len();
        let nobody = writer_waits && more_readers && told.is_empty();
        assert!(!nobody, "a writer and a reader wait, and nobody is told");
        let is_told = |at: &usize| told.iter().any(|(line, _)| line == at);
        let untold = standing.iter().find(|(at, _)| writer_waits && !is_told(at));
        assert!(untold.is_none(), "a writer waits, and nobody of a line is told");
        let Some(newest) = lines.ahead.newest() else { return };
        for (at, stamp) in &standing {
            let waits = *stamp < newest && !told.iter().any(|(line, _)| line == at);
            assert!(!waits, "nobody of line {at} is told");
        }
    }

    /// Lets all go on that can. Then each value that was written has been read.
    pub(super) fn finish(mut self) {
        let goes_on = |step: &Step| matches!(step, Step::GoOn(_) | Step::Fail(_));
        while let Some(go_on) = self.possible().into_iter().find(goes_on) {
            self.step(go_on);
        }
        if self.state.ended.is_some() {
            // A choice has another channel.
            let mut plain = self.reads.iter().flatten().filter(|read| !read.chooses);
            assert!(plain.next().is_none(), "a reader waits at an ended channel");
        }
        let writer_waits = self.writer_waits();
        let reader_waits = self.reads.iter().any(Option::is_some);
        assert!(!writer_waits || !reader_waits, "a reader and a writer wait for ever");
        self.got.extend(self.state.buffer.drain(..));
        self.got.sort_unstable();
        let written = (0..self.written.len()).filter(|value| self.written[*value].is_some());
        let written: Vec<_> = written.map(|value| value as u32).collect();
        assert_eq!(self.got, written, "each is read once");
    }
}
