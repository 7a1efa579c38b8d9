#[csp::process]
fn fails<E: Send + std::error::Error>(error: E) -> Result<(), E> {
    Err(error)
}

fn main() {
    csp::parallel!(fails(std::fmt::Error)).0.unwrap();
}
