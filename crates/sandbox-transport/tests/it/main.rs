//! The carrier against this project's daemon, and against servers that do exactly what a test tells them.

mod daemon;
