//! Integration tests: a module for each behaviour.
