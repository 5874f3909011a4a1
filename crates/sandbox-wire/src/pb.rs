//! Protobuf messages of the package `sandbox.process.v1`, and with the features `grpc-client` and
//! `grpc-server` the stubs of its services.
//!
//! The meaning of each message and call is documented in `proto/sandbox/process/v1` and shown here. The module of a
//! message contains its nested messages and the variants of its `oneof`, such as [`termination::Cause`].
//!
//! ```
//! use prost::Message;
//! use sandbox_wire::pb::{Termination, termination};
//!
//! let termination = Termination {
//!     cause: Some(termination::Cause::Exited(termination::Exited { code: 7 })),
//!     ..Termination::default()
//! };
//! let bytes = termination.encode_to_vec();
//! assert_eq!(Termination::decode(bytes.as_slice())?, termination);
//! # Ok::<(), prost::DecodeError>(())
//! ```

// A glob, since the list of some hundred names would be a copy of the file.
pub use crate::generated::sandbox_process_v1::*;

/// The descriptors of the services and of their imports, without comments: an encoded
/// `google.protobuf.FileDescriptorSet`, as gRPC reflection returns it.
#[cfg(feature = "descriptors")]
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/sandbox_process_v1.bin");

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn deep_messages_are_refused() {
        // Nested groups of an unknown field: the only unlimited nesting in these messages.
        let opened = [0xa3_u8, 0x06].repeat(1_000_000);
        let closed = [0xa4_u8, 0x06].repeat(1_000_000);
        for bytes in [opened.clone(), [opened, closed].concat()] {
            let error = Termination::decode(bytes.as_slice()).unwrap_err();
            assert!(error.to_string().contains("recursion"), "{error}");
        }
    }
}
