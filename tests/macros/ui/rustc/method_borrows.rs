struct Words<'a> {
    all: &'a str,
}

impl<'a> Words<'a> {
    #[csp::process]
    fn count(self) -> usize {
        self.all.len()
    }
}

fn main() {}
