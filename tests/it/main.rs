//! Whole-system tests, one binary.

mod upstream;
