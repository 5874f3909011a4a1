//! Splits and joins the stdout/stderr log streams of sandbox daemons, byte for byte.
#![forbid(unsafe_code)]
