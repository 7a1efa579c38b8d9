//! Names for a function that two runs of one executable share.
//!
//! A function that is not generic is in a table that the linker has collected. Its name and the
//! hash of its signature identify it. Each instance of a generic function is a promoted static, and
//! its distance from a static of this module identifies it. The child runs the same file, so the
//! distance is the same there. The child still checks that the entry lies in the executable's own
//! mapping and is the one that was meant.
#![allow(unsafe_code)]
#![allow(unreachable_pub, reason = "what the macros expand to names these")]

use std::sync::OnceLock;

use linkme::distributed_slice;
use serde::{Deserialize, Serialize};

use crate::process::code::Entry;

/// The table that the linker has collected.
#[distributed_slice]
pub static ENTRIES: [Entry];

/// Distances are measured from here. It is also the entry of no function.
static ANCHOR: Entry = Entry::new("", 0, || "", |_| Err(String::new()));

impl Entry {
    pub(crate) fn id(&'static self) -> EntryId {
        EntryId {
            name: self.name.to_owned(),
            hash: self.hash,
            instance: (self.instance)().to_owned(),
            distance: self.distance(),
        }
    }

    fn distance(&self) -> u64 {
        std::ptr::from_ref(self).addr().wrapping_sub((&raw const ANCHOR).addr()) as u64
    }

    fn is(&self, id: &EntryId) -> bool {
        self.hash == id.hash && self.name == id.name && (self.instance)() == id.instance
    }
}

/// Identifies a function in another run of the executable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct EntryId {
    name: String,
    hash: u64,
    instance: String,
    distance: u64,
}

impl EntryId {
    /// Finds the function in this run.
    pub(crate) fn find(&self) -> Result<&'static Entry, String> {
        let mut named = ENTRIES.iter().filter(|entry| entry.is(self));
        match (named.next(), named.next()) {
            (Some(entry), None) => return Ok(entry),
            (None, _) => {}
            // Several functions, in the bodies of others, have one name and signature. The distance
            // tells them apart.
            (Some(_), Some(_)) => {
                let mut all = ENTRIES.iter();
                if let Some(entry) =
                    all.find(|entry| entry.is(self) && entry.distance() == self.distance)
                {
                    return Ok(entry);
                }
            }
        }
        self.at_distance().ok_or_else(|| {
            format!("`{}` is not a process of this executable, or has another signature", self.name)
        })
    }

    fn at_distance(&self) -> Option<&'static Entry> {
        let anchor = &raw const ANCHOR;
        let address = anchor.addr().wrapping_add(self.distance as usize);
        if !address.is_multiple_of(align_of::<Entry>()) || !in_executable(anchor.addr(), address) {
            return None;
        }
        let magic = anchor.with_addr(address).cast::<u64>();
        // SAFETY: mapped from the executable, readable for the whole of an `Entry`, and aligned.
        if unsafe { magic.read() } != Entry::MAGIC {
            return None;
        }
        // SAFETY: as above. Bytes in the executable's constants that begin with the magic number
        // are an `Entry`: `Entry::new` alone writes the number, at an entry's beginning. The entry
        // lives as long as the executable.
        let entry = unsafe { &*anchor.with_addr(address) };
        entry.is(self).then_some(entry)
    }
}

/// Returns whether the executable, started again, has this code from its start. It has not if the
/// code is in a library that the program has loaded while it ran. That program, started again,
/// would only run its own `main`.
pub(crate) fn is_in_program() -> bool {
    static IS: OnceLock<bool> = OnceLock::new();
    *IS.get_or_init(|| {
        let mut images = Images { number: 0, ours: None, loader: None };
        // SAFETY: `look_at` has the required type, and its argument lives until this returns.
        unsafe { libc::dl_iterate_phdr(Some(look_at), (&raw mut images).cast()) };
        match (images.ours, images.loader) {
            // The program itself is first. The images that it has from its start stand before the
            // loader, and those that it loads later behind.
            (Some(ours), Some(loader)) => ours == 0 || ours < loader,
            (Some(ours), None) => ours == 0,
            (None, _) => true,
        }
    })
}

/// The place of the image in memory that contains this code, and of the loader's.
struct Images {
    number: usize,
    ours: Option<usize>,
    loader: Option<usize>,
}

unsafe extern "C" fn look_at(
    image: *mut libc::dl_phdr_info,
    _: libc::size_t,
    images: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: called by `dl_iterate_phdr`, which passes an image and the given argument.
    let (image, images) = unsafe { (&*image, &mut *images.cast::<Images>()) };
    // SAFETY: a question to the system.
    let loader = unsafe { libc::getauxval(libc::AT_BASE) };
    // SAFETY: the image says where its headers are, and how many.
    let headers =
        unsafe { std::slice::from_raw_parts(image.dlpi_phdr, usize::from(image.dlpi_phnum)) };
    let has = |address: u64| {
        headers.iter().filter(|header| header.p_type == libc::PT_LOAD).any(|header| {
            let start = image.dlpi_addr.wrapping_add(header.p_vaddr);
            (start..start.wrapping_add(header.p_memsz)).contains(&address)
        })
    };
    if has((&raw const ANCHOR).addr() as u64) {
        images.ours = Some(images.number);
    }
    if loader != 0 && image.dlpi_addr == loader {
        images.loader = Some(images.number);
    }
    images.number += 1;
    0
}

/// Returns whether a whole entry at `address` lies in a mapping of the file that `anchor` is from.
fn in_executable(anchor: usize, address: usize) -> bool {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else {
        return false;
    };
    let file_at = |first: usize, last: usize| {
        maps.lines().find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (start, end) = words.next()?.split_once('-')?;
            let start = usize::from_str_radix(start, 16).ok()?;
            let end = usize::from_str_radix(end, 16).ok()?;
            let readable = words.next()?.starts_with('r');
            // Offset, then device and inode. These identify the file, whatever it is called now.
            let file = (words.nth(1)?, words.next()?);
            let within = readable && file.1 != "0" && start <= first && last < end;
            within.then_some(file)
        })
    };
    let Some(last) = address.checked_add(size_of::<Entry>() - 1) else {
        return false;
    };
    let here = file_at(address, last);
    here.is_some() && here == file_at(anchor, anchor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_its_own_code() {
        assert!(is_in_program());
    }

    fn instance_of<T: 'static>() -> &'static Entry {
        struct Of<T>(T);
        impl<T: 'static> Of<T> {
            const ENTRY: &'static Entry =
                &Entry::new("generic", 7, std::any::type_name::<T>, |_| {
                    Ok(vec![size_of::<T>() as u8])
                });
        }
        Of::<T>::ENTRY
    }

    #[test]
    fn instances_of_a_generic_function_are_told_apart() {
        for (entry, size) in [(instance_of::<u16>(), 2), (instance_of::<u64>(), 8)] {
            let found = entry.id().find().expect("it is in this executable");
            assert_eq!((found.run)(&[]), Ok(vec![size]));
        }
    }

    #[test]
    fn nothing_is_found_that_is_not_what_it_is_said_to_be() {
        let id = instance_of::<u16>().id();
        let wrong = [
            EntryId { name: "other".to_owned(), ..id.clone() },
            EntryId { hash: 8, ..id.clone() },
            EntryId { instance: "u64".to_owned(), ..id.clone() },
        ];
        for id in wrong {
            assert!(id.find().is_err());
        }
    }

    #[test]
    fn a_wild_distance_finds_nothing() {
        let id = instance_of::<u16>().id();
        let heap = Box::new(0u64);
        let on_heap = std::ptr::from_ref(&*heap).addr().wrapping_sub((&raw const ANCHOR).addr());
        let near =
            (0..4096).flat_map(|n| [id.distance.wrapping_add(n), id.distance.wrapping_sub(n)]);
        let far = [1, 1 << 20, 1 << 40, u64::MAX / 2, u64::MAX, on_heap as u64];
        for distance in near.chain(far) {
            let found = EntryId { distance, ..id.clone() }.find();
            assert_eq!(found.is_ok(), distance == id.distance);
        }
    }
}
