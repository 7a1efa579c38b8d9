// What never blocks is no blocking call, and an unknown option is none.

#[csp::io(stack = "1 MiB")]
async fn loads(path: &str) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

#[csp::io]
struct NoFunction;

fn main() {}
