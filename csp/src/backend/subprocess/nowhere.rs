//! Stands in for the backend `subprocess` where that is not compiled in: no channel is ever away.

#![allow(dead_code, reason = "which is used depends on the features")]

use std::marker::PhantomData;
use std::time::Instant;

use crate::blocked::Blocked;
use crate::channel::core::{Core, Side};
use crate::park::Context;
use crate::sync::Arc;
use crate::termination::Termination;
use crate::waiter::{Outcome, Waiter};

#[derive(Clone, Copy)]
enum Never {}

pub(crate) struct Away<T>(Never, PhantomData<fn(T)>);

pub(crate) struct Far<T>(Never, PhantomData<fn(T)>);

pub(crate) struct Codec<T>(Never, PhantomData<fn(T)>);

pub(crate) enum Opened<T> {
    Value(T),
    Late(Far<T>),
}

pub(crate) struct Finish(Never);

pub(crate) struct Post(Never);

pub(crate) struct Done(Never);

impl<T> Clone for Far<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Far<T> {}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl Finish {
    pub(crate) fn release(&self) {
        match self.0 {}
    }
}

#[inline(always)]
pub(crate) fn is_linked() -> bool {
    false
}

pub(crate) fn ring() {}

pub(crate) fn lead(_: &dyn Fn() -> bool, _: Option<Instant>, _: &mut dyn FnMut()) -> bool {
    false
}

pub(crate) fn poke() {}

impl<T> Away<T> {
    pub(crate) fn new(far: Far<T>, _: bool, _: Option<Termination>) -> Self {
        match far.0 {}
    }

    pub(crate) fn before(&self) -> Option<&Termination> {
        match self.0 {}
    }

    pub(crate) fn far(&self) -> Option<Far<T>> {
        match self.0 {}
    }

    pub(crate) fn is_ready(&mut self) {
        match self.0 {}
    }

    pub(crate) fn tell(&mut self, _: Side, _: &Termination) {
        match self.0 {}
    }

    pub(crate) fn told(&self, _: Side) -> Option<Termination> {
        match self.0 {}
    }
}

impl<T> Far<T> {
    pub(crate) fn share(
        _: usize,
        _: (bool, bool),
        _: bool,
        _: Option<&Termination>,
        codec: Codec<T>,
    ) -> Self {
        match codec.0 {}
    }

    pub(crate) fn preload(&self, _: &T) -> Result<(), String> {
        match self.0 {}
    }

    pub(crate) fn read(
        &self,
        _: &'static Context,
        _: bool,
        _: &dyn Blocked,
    ) -> Result<(Opened<T>, Option<Finish>), Termination> {
        match self.0 {}
    }

    pub(crate) fn write(
        &self,
        _: &'static Context,
        _: &T,
        _: &dyn Blocked,
    ) -> Result<(), Termination> {
        match self.0 {}
    }

    pub(crate) fn post_read(&self, _: bool) -> Post {
        match self.0 {}
    }

    pub(crate) fn post_write(&self, _: &Context, _: &T) -> Result<Post, Termination> {
        match self.0 {}
    }

    pub(crate) fn post_late(&self, _: &Arc<Core<T>>) -> Result<Post, Termination> {
        match self.0 {}
    }

    pub(crate) fn post_retired(&self) -> Post {
        match self.0 {}
    }

    pub(crate) fn came(
        &self,
        _: &Context,
        _: Done,
        _: bool,
    ) -> Result<(Opened<T>, Option<Finish>), Termination> {
        match self.0 {}
    }

    pub(crate) fn codec(&self) -> Codec<T> {
        match self.0 {}
    }

    pub(crate) fn add_end(&self, _: Side) {
        match self.0 {}
    }

    pub(crate) fn drop_end(&self, _: Side) {
        match self.0 {}
    }

    pub(crate) fn drop_handle(&self) {
        match self.0 {}
    }

    pub(crate) fn poison(&self, _: &Termination) {
        match self.0 {}
    }

    pub(crate) fn ending(&self, _: Side) -> Option<Termination> {
        match self.0 {}
    }
}

/// Nothing is beyond this OS process.
pub(crate) struct Beyond(());

pub(crate) enum Became {
    Done(usize, Done),
    Ended(Vec<usize>, Termination),
    Nothing,
}

impl Beyond {
    pub(crate) fn new(_: usize) -> Self {
        Self(())
    }

    pub(crate) fn add(&mut self, _: usize, post: Post) {
        match post.0 {}
    }

    pub(crate) fn has(&self, _: usize) -> bool {
        false
    }

    pub(crate) fn len(&self) -> usize {
        0
    }

    pub(crate) fn wait(
        &mut self,
        _: &Waiter,
        _: bool,
        _: &dyn Blocked,
        _: Option<Instant>,
    ) -> Outcome {
        unreachable!("there is nothing to wait for")
    }

    pub(crate) fn ask(&mut self, _: &'static Context, _: &dyn Blocked) {}

    pub(crate) fn is_for(_: u32) -> bool {
        false
    }

    pub(crate) fn became(&mut self) -> Became {
        Became::Nothing
    }
}
