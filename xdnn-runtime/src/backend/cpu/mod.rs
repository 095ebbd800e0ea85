//! The CPU backend: one program for the whole graph.
