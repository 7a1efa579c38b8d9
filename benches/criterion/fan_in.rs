//! `works::fan_in`, by criterion.

fn main() {
    csp_benches::criterions(csp_benches::works::fan_in());
}
