//! onya-protocol
