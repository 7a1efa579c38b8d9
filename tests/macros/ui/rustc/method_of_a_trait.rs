use csp::{Process, Writer, process};

trait Work {
    fn run(self, n: u64) -> Process<(Server, u64), csp::Result>;
}

struct Server {
    out: Writer<u64>,
}

impl Work for Server {
    #[process]
    fn run(self, n: u64) -> csp::Result {
        Ok(self.out.write(n)?)
    }
}

fn main() {
    let server = Server { out: csp::Channel::new().writer() };
    let _ = csp::parallel!(server.run(3));
}
