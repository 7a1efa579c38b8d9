use csp::{Writer, process};

struct Counter {
    out: Writer<u64>,
    count: u64,
}

impl Counter {
    #[process]
    fn count(&mut self, most: u64) -> csp::Result {
        while self.count < most {
            self.out.write(self.count)?;
            self.count += 1;
        }
        Ok(())
    }
}

fn main() {
    let mut counter = Counter { out: csp::Channel::new().writer(), count: 0 };
    let _ = csp::parallel!(counter.count(3));
}
