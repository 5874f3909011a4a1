//! Files and ports: `/files` and everything below it, and `/port`.

use serde::{Deserialize, Serialize};

use crate::liberal::null_as_default;

/// `GET /files/info` and, in an array, `GET /files`; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileInfo {
    /// The last name of its path.
    pub name: String,
    /// Its whole path; absent in responses of older daemons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Its length in bytes.
    pub size: u64,
    /// What it is and its permissions, as ten letters: `-rw-r--r--`.
    pub mode: String,
    /// Its permissions as four octal digits: `0644`.
    pub permissions: String,
    /// The number of its owner.
    pub owner: String,
    /// The number of its group.
    pub group: String,
    /// When its content changed last, for people: `2006-01-02 15:04:05.999999999 +0000 UTC`.
    pub mod_time: String,
    /// The same, RFC 3339; absent in responses of older daemons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<String>,
}

/// `POST /files/bulk-download`, sent by the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesDownloadRequest {
    /// The paths of the files.
    pub paths: Vec<String>,
}

/// An element of the response to `GET /files/find`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The path of the file.
    pub file: String,
    /// The number of the line; the first is 1.
    pub line: u64,
    /// The line, without what ends it.
    pub content: String,
}

/// `GET /files/search`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchFilesResponse {
    /// The paths of what was found.
    #[serde(deserialize_with = "null_as_default")]
    pub files: Vec<String>,
}

/// `POST /files/replace`, sent by the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplaceRequest {
    /// The paths of the files.
    pub files: Vec<String>,
    /// The text to be replaced.
    pub pattern: String,
    /// The text in its place.
    pub new_value: String,
}

/// An element of the response to `POST /files/replace`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceResult {
    /// The path of the file, as it was sent.
    #[serde(default, deserialize_with = "null_as_default")]
    pub file: String,
    /// Whether the file has no occurrence of the text any more.
    #[serde(default, deserialize_with = "null_as_default")]
    pub success: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `POST /files/upload-v2` and, of this project's daemon, `POST /files/upload`; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadedFile {
    /// The last name of its path.
    pub name: String,
    /// Its whole path.
    pub path: String,
    /// `file`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// `GET /port`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortList {
    /// The ports of TCP on which something listens.
    #[serde(default, deserialize_with = "null_as_default")]
    pub ports: Vec<u16>,
}

/// `GET /port/{port}/in-use`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortInUse {
    /// Whether something listens on it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub is_in_use: bool,
}
