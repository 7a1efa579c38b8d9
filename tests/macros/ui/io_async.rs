// An `async` function never blocks, so it is no blocking call. An unknown option is no option.

#[csp::io(stack = "1 MiB")]
async fn loads(path: &str) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

#[csp::io]
struct NoFunction;

fn main() {}
