use csp::process;

struct Counter(u64);

impl Counter {
    #[process]
    async fn count(self: std::pin::Pin<&mut Self>, by: u64) -> u64 {
        self.0 + by
    }
}

fn main() {
    let mut counter = Counter(3);
    csp::parallel!(std::pin::Pin::new(&mut counter).count(2));
}
