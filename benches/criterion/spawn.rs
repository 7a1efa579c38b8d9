//! `works::spawn`, by criterion.

fn main() {
    csp_benches::criterions(csp_benches::works::spawn());
}
