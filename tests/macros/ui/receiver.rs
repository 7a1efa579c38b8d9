use csp::{Reader, process};

struct Farm {
    jobs: Reader<u64>,
}

impl Farm {
    #[process]
    fn worker(&self, bag: u64) -> csp::Result<u64> {
        Ok(self.jobs.read()? + bag)
    }
}

fn main() {
    let farm = Farm { jobs: csp::Channel::new().reader() };
    let _ = csp::parallel!(farm.worker(3));
}
