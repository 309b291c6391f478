//! Whole-system tests, one binary.

#[cfg(test)]
mod upstream;
