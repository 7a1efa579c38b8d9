//! One measurement of the table *cores*, in a build with the feature `cores`. The program `table` starts it (`--cores`).

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    csp_benches::cores::serve(&arguments);
}
