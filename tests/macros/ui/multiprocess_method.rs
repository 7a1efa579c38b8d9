use csp::multiprocess;

struct Bag(u64);

impl Bag {
    #[multiprocess]
    fn double(mut self) -> u64 {
        self.0 *= 2;
        self.0
    }
}

fn main() {
    csp::parallel!(Bag(1).double());
}
