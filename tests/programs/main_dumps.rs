//! A process waits until a line comes in. Signals print the network.

use csp::{Channel, Reader, process, spawn};
use csp_tests::backend;

#[process]
fn waits(orders: Reader<u32>) -> csp::Result<u32> {
    orders.read()
}

#[csp::main(dump_on_signal)]
fn main() {
    let orders = Channel::new().named("orders");
    let to = orders.writer();
    let waits = spawn(waits(orders.reader()).on(backend()));
    while !csp::network().to_string().contains("waits: blocked") {
        csp::sleep(std::time::Duration::from_millis(1));
    }
    let lines = Channel::new();
    let line = lines.writer();
    std::thread::spawn(move || {
        println!("ready");
        let mut text = String::new();
        // A signal does not interrupt the read.
        std::io::stdin().read_line(&mut text).unwrap();
        line.write(text)
    });
    let line = lines.reader().read().unwrap();
    to.write(7).unwrap();
    println!("{line}{:?}", waits.join());
}
