//! Networks at random.
