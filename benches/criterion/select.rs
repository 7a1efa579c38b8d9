//! `works::select`, by criterion.

fn main() {
    csp_benches::criterions(csp_benches::works::select());
}
