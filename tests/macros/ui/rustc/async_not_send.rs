use csp::process;
use std::rc::Rc;

#[process]
async fn worker(shared: Rc<u64>) -> u64 {
    *shared
}

#[process]
async fn other() -> Rc<u64> {
    Rc::new(1)
}

fn main() {
    let _ = csp::parallel!(worker(Rc::new(1)), other());
}
