//! onya-actors
