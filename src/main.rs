//! onya
fn main() {}
