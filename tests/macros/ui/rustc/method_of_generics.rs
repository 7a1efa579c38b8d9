use csp::Reader;

struct Queue<T> {
    all: Vec<T>,
}

impl<T: Send + 'static> Queue<T> {
    #[csp::process]
    fn gather(input: Reader<T>) -> usize {
        input.iter().count()
    }
}

fn main() {
    let _ = Queue::<u8> { all: Vec::new() }.all;
}
