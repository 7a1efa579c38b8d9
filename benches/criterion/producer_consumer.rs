//! `works::producer_consumer`, by criterion.

fn main() {
    csp_benches::criterions(csp_benches::works::producer_consumer());
}
