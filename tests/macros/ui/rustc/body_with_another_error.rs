use csp::process;

#[process]
fn waits(text: String) -> csp::Result<u32> {
    Ok(text.parse()?)
}

#[process]
async fn awaits(text: String) -> csp::Result<u32> {
    Ok(text.parse()?)
}

fn main() {
    csp::parallel!(waits("7".into()), awaits("7".into()));
}
