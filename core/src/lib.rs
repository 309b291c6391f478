//! onya-core
