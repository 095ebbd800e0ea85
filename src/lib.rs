//! xdnn.
