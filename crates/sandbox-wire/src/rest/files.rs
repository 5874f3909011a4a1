//! Files and ports: `/files` and everything below it, and `/port`.

use serde::{Deserialize, Serialize};

use crate::liberal::null_as_default;

/// `GET /files/info` and, in an array, `GET /files`; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileInfo {
    /// The last component of the path.
    pub name: String,
    /// The whole path; absent in responses of older daemons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether the file is a directory.
    pub is_dir: bool,
    /// The length in bytes.
    pub size: u64,
    /// The type and the permissions, as ten letters: `-rw-r--r--`.
    pub mode: String,
    /// The permissions as four octal digits: `0644`.
    pub permissions: String,
    /// The numeric id of the owner.
    pub owner: String,
    /// The numeric id of the group.
    pub group: String,
    /// The time of the last change of the content, for people: `2006-01-02 15:04:05.999999999 +0000 UTC`.
    pub mod_time: String,
    /// The time of the last change of the content, RFC 3339; absent in responses of older daemons.
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
    /// The line, without its terminator.
    pub content: String,
}

/// `GET /files/search`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchFilesResponse {
    /// The paths that match.
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
    /// The replacement.
    pub new_value: String,
}

/// An element of the response to `POST /files/replace`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceResult {
    /// The path of the file, as it was sent.
    #[serde(default, deserialize_with = "null_as_default")]
    pub file: String,
    /// Whether the replacement succeeded: the file does not contain the text any more.
    #[serde(default, deserialize_with = "null_as_default")]
    pub success: bool,
    /// The reason for a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `POST /files/upload-v2` and, of this project's daemon, `POST /files/upload`; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadedFile {
    /// The last component of the path.
    pub name: String,
    /// The whole path.
    pub path: String,
    /// Always `file`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// `POST /files/archive` of this project's daemon: what was extracted. Sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ArchiveSummary {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic and hard links.
    pub links: u64,
    /// The bytes of all files.
    pub bytes: u64,
}

/// `GET /port`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortList {
    /// The TCP ports with a listener.
    #[serde(default, deserialize_with = "null_as_default")]
    pub ports: Vec<u16>,
}

/// `GET /port/{port}/in-use`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortInUse {
    /// Whether the port has a listener.
    #[serde(default, deserialize_with = "null_as_default")]
    pub is_in_use: bool,
}
