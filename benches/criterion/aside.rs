//! `works::aside`, by criterion.

fn main() {
    csp_benches::criterions(csp_benches::works::aside());
}
