//! `works::commstime`, by criterion.

fn main() {
    csp_benches::criterions(csp_benches::works::commstime());
}
