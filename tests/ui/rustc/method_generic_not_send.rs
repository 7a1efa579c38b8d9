struct Queue<T> {
    all: Vec<T>,
}

impl<T: 'static> Queue<T> {
    #[csp::process]
    fn last(mut self) -> Option<T> {
        self.all.pop()
    }
}

fn main() {}
