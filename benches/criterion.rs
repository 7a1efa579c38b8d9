//! All works of the table, one by one and with criterion's statistics. A word chooses: `cargo bench -p csp-benches commstime`.

fn main() {
    csp_benches::criterions(csp_benches::works::all());
}
