use csp::parallel;

fn main() {
    parallel!(5);
}
