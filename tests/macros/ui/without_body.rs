trait Farm {
    #[csp::process]
    fn worker(bag: u64) -> u64;
}

fn main() {}
