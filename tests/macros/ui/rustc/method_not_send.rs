use std::rc::Rc;

struct Words {
    all: Rc<str>,
}

impl Words {
    #[csp::process]
    fn count(self) -> usize {
        self.all.len()
    }

    #[csp::process]
    async fn shared(self: Rc<Self>, more: usize) -> usize {
        self.all.len() + more
    }
}

fn main() {}
