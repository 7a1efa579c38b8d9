//! The compiler speaks of a method as the user wrote it.
use csp::{Writer, process};

struct Bag(u64);

impl Bag {
    #[process]
    fn half(self, n: u64) -> u64 {
        self.1 + bug
    }

    #[process]
    async fn half_async(self) -> u64 {
        if self.0 > 1 {
            return "none";
        }
        self.0
    }

    #[process]
    fn moves_twice(self, out: Writer<Bag>) -> Result<(), csp::Termination> {
        let _ = out.write(self);
        let _ = out.write(self);
        Ok(())
    }

    #[process]
    fn changes(self) -> u64 {
        self.0 += 1;
        self.0
    }
}

fn main() {
    csp::parallel!(Bag(1).half());
    csp::parallel!(Bag(1).double());
}
