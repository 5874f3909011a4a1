//! Conversion of errors to the status of a call.

use sandbox_wire::GRPC_ERROR_CODE_KEY;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::service::Error;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = error.code();
        let mut status = Self::new(Code::from(code.grpc_code()), error.message());
        let name = MetadataValue::from_static(code.name());
        status.metadata_mut().insert(GRPC_ERROR_CODE_KEY, name);
        status
    }
}

#[cfg(test)]
mod tests {
    use sandbox_wire::ErrorCode;

    use super::*;

    #[test]
    fn a_status_names_its_code() {
        for code in ErrorCode::ALL {
            let status = Status::from(Error::new(code, "why"));
            assert_eq!(status.code() as i32, code.grpc_code());
            assert_eq!(status.message(), "why");
            let named = status.metadata().get(GRPC_ERROR_CODE_KEY).unwrap();
            assert_eq!(named, code.name());
        }
    }
}
