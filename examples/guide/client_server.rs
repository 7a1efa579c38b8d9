use std::collections::HashMap;

use csp::{Channel, Reader, Writer, parallel, process};

/// A request to the table. A question carries the channel for its answer.
enum Request {
    Put(String, u32),
    Get(String, Writer<Option<u32>>),
}

/// Owns the table alone, so the table needs no lock.
#[process]
fn table(requests: Reader<Request>) -> csp::Result<usize> {
    let mut table = HashMap::new();
    for request in &requests {
        match request {
            Request::Put(key, value) => drop(table.insert(key, value)),
            Request::Get(key, reply) => reply.write(table.get(&key).copied())?,
        }
    }
    Ok(table.len())
}

#[process]
fn client(table: Writer<Request>, key: String) -> csp::Result<Option<u32>> {
    table.write(Request::Put(key.clone(), key.len() as u32))?;
    let reply = Channel::new();
    table.write(Request::Get(key, reply.writer()))?;
    reply.reader().read()
}

#[csp::main]
fn main() {
    let requests = Channel::new();
    let words = ["a", "longer", "word"].map(|word| client(requests.writer(), word.to_owned()));
    let (size, lengths) = parallel!(table(requests.reader()), words);
    println!("{size:?} {lengths:?}");
}
