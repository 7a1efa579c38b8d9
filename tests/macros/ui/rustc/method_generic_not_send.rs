struct Slot<T> {
    value: T,
}

impl<T: 'static> Slot<T> {
    #[csp::process]
    fn take(self) -> T {
        self.value
    }
}

fn main() {}
