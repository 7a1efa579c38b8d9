#[csp::process]
fn worker(
    #[cfg(all())] a: u8,
    #[cfg(all())] b: u8,
    #[cfg(all())] c: u8,
    #[cfg(all())] d: u8,
    #[cfg(all())] e: u8,
) -> u8 {
    a + b + c + d + e
}

fn main() {
    let (_,): (u8,) = csp::parallel!(worker(1, 2, 3, 4, 5));
}
