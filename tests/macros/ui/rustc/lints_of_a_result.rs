//! Lints see what the user wrote, once, where the result is looked at too.
#![deny(warnings)]

#[csp::process]
fn waits(mut count: u32, idle: u32) -> csp::Result<u32> {
    let ready = true;
    return Ok(count);
    Ok(0)
}

#[csp::process]
async fn awaits(mut count: u32, idle: u32) -> csp::Result<u32> {
    let ready = true;
    csp::sleep_async(std::time::Duration::ZERO).await;
    return Ok(count);
    Ok(0)
}

fn main() {
    csp::parallel!(waits(1, 2), awaits(1, 2));
}
