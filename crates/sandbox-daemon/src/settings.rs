//! The settings of a daemon: flags, variables, and a file.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;
use sandbox_engine::isolation::{InvalidIsolation, Isolation};
use sandbox_engine::resources::Limits;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::Listen;
use crate::isolation_args::{LevelArg, NetworkArg};

/// Options of a daemon.
///
/// Each can be given by a flag, by a variable, or in a TOML file by the flag's name: `listen = "unix:/run/sandbox"`. The
/// first of these counts.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServeArgs {
    /// TOML file with any of these options, by their names without dashes in front
    #[arg(long, env = "SANDBOX_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,

    /// Where to listen: HOST:PORT or unix:PATH (mode 0600) [default: 127.0.0.1:2280]
    #[arg(long, env = "SANDBOX_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,

    /// File with the access token; else the variable SANDBOX_TOKEN
    #[arg(long, env = "SANDBOX_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Require no token of clients; only on a loopback address
    #[arg(long)]
    pub(crate) insecure_no_auth: bool,

    /// Serve TLS with this certificate: a PEM file, followed by its intermediate certificates
    #[cfg(feature = "tls")]
    #[arg(long, env = "SANDBOX_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key of the certificate: a PEM file
    #[cfg(feature = "tls")]
    #[arg(long, env = "SANDBOX_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Require client certificates from one of these authorities, besides the token: a PEM file
    #[cfg(feature = "tls")]
    #[arg(long, env = "SANDBOX_TLS_CLIENT_CA", value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// The working directory of commands [default: where the daemon was started]
    #[arg(long, env = "SANDBOX_WORK_DIR", value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,

    /// The directory for outputs that are too long for memory [default: the system's directory for temporary files]
    #[arg(long, env = "SANDBOX_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Bytes on disk for all outputs together; the oldest are removed first [default: 8 GiB, at most half of the free space]
    #[arg(long, env = "SANDBOX_RECORD_BYTES", value_name = "BYTES")]
    pub(crate) record_bytes: Option<u64>,

    /// The shell that evaluates commands [default: zsh or bash as /etc/shells lists, $SHELL, sh]
    #[arg(long, env = "SANDBOX_SHELL", value_name = "PATH")]
    pub(crate) shell: Option<PathBuf>,

    /// The interpreter of Python code [default: python3 on PATH]
    #[arg(long, env = "SANDBOX_PYTHON", value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,

    /// Start every program in a new interpreter, instead of one that was started before (Python, Node.js)
    #[arg(long, env = "SANDBOX_NO_WARM", value_parser = FalseyValueParser::new())]
    pub(crate) no_warm: bool,

    /// Isolate everything that the daemon runs from the machine; requests can only hide more
    #[arg(long, env = "SANDBOX_ISOLATE", value_parser = FalseyValueParser::new())]
    pub(crate) isolate: bool,

    /// The level of --isolate [default: namespaces]
    #[arg(long, env = "SANDBOX_ISOLATE_LEVEL", value_enum, value_name = "LEVEL")]
    pub(crate) isolate_level: Option<LevelArg>,

    /// The network of what is isolated by --isolate [default: none]
    #[arg(
        long,
        env = "SANDBOX_ISOLATE_NETWORK",
        value_enum,
        value_name = "NETWORK"
    )]
    pub(crate) isolate_network: Option<NetworkArg>,

    /// Seconds that running requests have to complete at shutdown [default: 5]
    #[arg(long, env = "SANDBOX_SHUTDOWN_GRACE", value_name = "SECONDS")]
    pub(crate) shutdown_grace: Option<u64>,

    /// Bytes of a terminal's output that are retained for clients that attach later [default: 1 MiB]
    #[arg(long, env = "SANDBOX_PTY_RING", value_name = "BYTES")]
    pub(crate) pty_ring: Option<usize>,

    /// Bytes of memory of each run, which a request may lower: a number, or such as 512M [default: no limit]
    #[arg(long, env = "SANDBOX_MEMORY", value_name = "SIZE", value_parser = size)]
    #[serde(deserialize_with = "size_in_file")]
    pub(crate) memory: Option<u64>,

    /// Processes and threads of each run, which a request may lower [default: no limit]
    #[arg(long, env = "SANDBOX_PROCESSES", value_name = "COUNT")]
    pub(crate) processes: Option<u32>,

    /// Processors that each run may use, such as 1.5, which a request may lower [default: no limit]
    #[arg(long, env = "SANDBOX_CPUS", value_name = "CPUS")]
    pub(crate) cpus: Option<f64>,

    /// Bytes of each file that a run writes, which a request may lower [default: no limit]
    #[arg(long, env = "SANDBOX_FILE_SIZE", value_name = "SIZE", value_parser = size)]
    #[serde(deserialize_with = "size_in_file")]
    pub(crate) file_size: Option<u64>,

    /// Open files of each process of a run, which a request may lower [default: no limit of its own]
    #[arg(long, env = "SANDBOX_OPEN_FILES", value_name = "COUNT")]
    pub(crate) open_files: Option<u32>,

    /// A delegated control group of version 2 without processes, for runs with limits [default: where groups can be made]
    #[arg(long, env = "SANDBOX_CGROUP", value_name = "DIR")]
    pub(crate) cgroup: Option<PathBuf>,

    /// Detach from the terminal and the session that it was started in
    #[arg(long)]
    #[serde(skip)]
    pub(crate) detach: bool,

    /// A command to start with the daemon; its log is that of the session `entrypoint`
    #[arg(last = true, value_name = "ENTRYPOINT")]
    #[serde(deserialize_with = "words")]
    pub(crate) entrypoint: Vec<OsString>,
}

/// An error that makes settings unusable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}", path.display())]
    Read {
        /// The file that cannot be read.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is not TOML, or has a name or a value that no option has.
    #[error("cannot understand the settings in {}: {reason}", path.display())]
    Parse {
        /// The file that cannot be parsed.
        path: PathBuf,
        /// The position and the reason.
        reason: String,
    },
    /// A certificate was given without its key or the reverse, or a client's authority without both.
    #[error("TLS needs both a certificate and its key")]
    HalfTls,
    /// A level or network for isolated processes was given, and none are isolated.
    #[error("--isolate-level and --isolate-network need --isolate")]
    NothingIsolated,
    /// The level does not have the network.
    #[error(transparent)]
    Isolation(#[from] InvalidIsolation),
    /// The listen address is invalid.
    #[error(transparent)]
    Listen(#[from] crate::ListenParseError),
}

impl ServeArgs {
    /// Reads the file, if one is named, for options that neither a flag nor a variable has set.
    pub(crate) fn with_file(self) -> Result<Self, SettingsError> {
        let Some(path) = &self.config else {
            return self.checked();
        };
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
            path: path.clone(),
            source,
        })?;
        let file = parse(&text, path)?;
        Self {
            listen: self.listen.or(file.listen),
            token_file: self.token_file.or(file.token_file),
            // A flag can only switch something on, so that the file's value counts also if a flag
            // is absent.
            insecure_no_auth: self.insecure_no_auth || file.insecure_no_auth,
            #[cfg(feature = "tls")]
            tls_cert: self.tls_cert.or(file.tls_cert),
            #[cfg(feature = "tls")]
            tls_key: self.tls_key.or(file.tls_key),
            #[cfg(feature = "tls")]
            tls_client_ca: self.tls_client_ca.or(file.tls_client_ca),
            work_dir: self.work_dir.or(file.work_dir),
            state_dir: self.state_dir.or(file.state_dir),
            record_bytes: self.record_bytes.or(file.record_bytes),
            shell: self.shell.or(file.shell),
            python: self.python.or(file.python),
            no_warm: self.no_warm || file.no_warm,
            isolate: self.isolate || file.isolate,
            isolate_level: self.isolate_level.or(file.isolate_level),
            isolate_network: self.isolate_network.or(file.isolate_network),
            shutdown_grace: self.shutdown_grace.or(file.shutdown_grace),
            pty_ring: self.pty_ring.or(file.pty_ring),
            memory: self.memory.or(file.memory),
            processes: self.processes.or(file.processes),
            cpus: self.cpus.or(file.cpus),
            file_size: self.file_size.or(file.file_size),
            open_files: self.open_files.or(file.open_files),
            cgroup: self.cgroup.or(file.cgroup),
            entrypoint: if self.entrypoint.is_empty() {
                file.entrypoint
            } else {
                self.entrypoint
            },
            config: self.config,
            detach: self.detach,
        }
        .checked()
    }

    fn checked(self) -> Result<Self, SettingsError> {
        #[cfg(feature = "tls")]
        {
            let is_half = self.tls_cert.is_some() != self.tls_key.is_some();
            if is_half || (self.tls_client_ca.is_some() && self.tls_cert.is_none()) {
                return Err(SettingsError::HalfTls);
            }
        }
        let has_part = self.isolate_level.is_some() || self.isolate_network.is_some();
        if has_part && !self.isolate {
            return Err(SettingsError::NothingIsolated);
        }
        let isolation = Isolation::builder()
            .level(self.isolate_level.unwrap_or_default().into())
            .network(self.isolate_network.unwrap_or_default().into());
        // Only whether it can be built: the result is an error of usage here, and none later.
        isolation.build()?;
        Ok(self)
    }

    /// Returns the limits of each run.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates, and the engine refuses what is too small"
    )]
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            memory_bytes: self.memory,
            processes: self.processes,
            millicpus: self.cpus.map(|cpus| (cpus * 1000.0).round() as u32),
            file_bytes: self.file_size,
            open_files: self.open_files,
        }
    }

    /// Returns the isolation of everything that the daemon runs, if there is one.
    pub(crate) fn isolation(&self) -> Option<Isolation> {
        let network = self.isolate_network.unwrap_or_default().into();
        let level = self.isolate_level.unwrap_or_default().into();
        let isolation = Isolation::builder().level(level).network(network).build();
        // A level without networks of its own is refused when the settings are read.
        isolation.ok().filter(|_| self.isolate)
    }

    pub(crate) fn listen(&self) -> Result<Listen, SettingsError> {
        let address = self.listen.as_deref().unwrap_or("127.0.0.1:2280");
        Ok(address.parse()?)
    }
}

/// Reads a number of bytes: digits, and `K`, `M`, `G` or `T` for a power of 1024. Returns `None` for any other text.
///
/// # Examples
///
/// ```
/// use sandbox_daemon::cli::parse_size;
///
/// assert_eq!(parse_size("1500"), Some(1500));
/// assert_eq!(parse_size("512M"), Some(512 * 1024 * 1024));
/// assert_eq!(parse_size("1.5G"), None);
/// ```
pub fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.strip_suffix(['K', 'M', 'G', 'T']) {
        Some(digits) => (
            digits,
            match text.as_bytes().last() {
                Some(b'K') => 10,
                Some(b'M') => 20,
                Some(b'G') => 30,
                _ => 40,
            },
        ),
        None => (text, 0),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = is_number.then(|| digits.parse().ok())??;
    number.checked_mul(1 << shift)
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "expected a size such as 512M".to_owned())
}

/// Reads a size of a file: a number, or a text.
fn size_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Number(u64),
        Text(String),
    }
    match Size::deserialize(from)? {
        Size::Number(bytes) => Ok(Some(bytes)),
        Size::Text(text) => size(&text).map(Some).map_err(serde::de::Error::custom),
    }
}

pub(crate) fn parse(text: &str, path: &Path) -> Result<ServeArgs, SettingsError> {
    toml::from_str(text).map_err(|error| SettingsError::Parse {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<OsString>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    Ok(words.into_iter().map(Into::into).collect())
}

#[cfg(test)]
mod tests {
    use sandbox_engine::isolation::Network;

    use super::*;

    fn read(text: &str) -> Result<ServeArgs, SettingsError> {
        parse(text, Path::new("f.toml"))
    }

    #[test]
    fn sizes_are_strict() {
        assert_eq!(parse_size("0"), Some(0));
        assert_eq!(parse_size("2K"), Some(2048));
        assert_eq!(parse_size("1T"), Some(1 << 40));
        for bad in [
            "",
            "K",
            "-1",
            "+1",
            "1 M",
            "1m",
            "1MB",
            "1.5G",
            "99999999999T",
            "1KM",
        ] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_option_can_stand_in_a_file() {
        let read = read(
            r#"
            listen = "unix:/s"
            token-file = "/t"
            insecure-no-auth = true
            work-dir = "/w"
            state-dir = "/st"
            record-bytes = 1000
            shell = "/bin/dash"
            python = "/p"
            no-warm = true
            isolate = true
            isolate-network = "host"
            shutdown-grace = 3
            pty-ring = 65536
            memory = "512M"
            processes = 64
            cpus = 1.5
            file-size = 1000
            open-files = 100
            cgroup = "/c"
            entrypoint = ["sleep", "1"]
            "#,
        );
        let read = read.unwrap();
        assert_eq!(read.listen().unwrap().to_string(), "unix:/s");
        assert_eq!(read.token_file, Some("/t".into()));
        assert!(read.insecure_no_auth);
        assert_eq!(read.cgroup, Some("/c".into()));
        let limits = Limits {
            memory_bytes: Some(512 << 20),
            processes: Some(64),
            millicpus: Some(1500),
            file_bytes: Some(1000),
            open_files: Some(100),
        };
        assert_eq!(read.limits(), limits);
        assert_eq!(read.work_dir, Some("/w".into()));
        assert_eq!(read.state_dir, Some("/st".into()));
        assert_eq!(read.record_bytes, Some(1000));
        assert_eq!(read.shell, Some("/bin/dash".into()));
        assert_eq!(read.python, Some("/p".into()));
        assert!(read.no_warm);
        assert_eq!(read.isolation().unwrap().network(), Network::Host);
        assert_eq!(read.shutdown_grace, Some(3));
        assert_eq!(read.pty_ring, Some(65536));
        assert_eq!(read.entrypoint, ["sleep", "1"]);
    }

    #[test]
    fn deep_settings_are_refused() {
        for (open, close) in [("[", "]"), ("{a=", "}")] {
            let (open, close) = (open.repeat(100_000), close.repeat(100_000));
            assert!(read(&format!("entrypoint = {open}1{close}")).is_err());
            assert!(read(&format!("entrypoint = {open}")).is_err());
        }
        assert!(read(&format!("{}a = 1", "a.".repeat(100_000))).is_err());
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        for bad in [
            "token = 's'",
            "listen = 5",
            "listen",
            "shutdown-grace = -1",
            "config = 'x'",
            "isolate-network = 'users'",
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.to_string().contains("f.toml"), "{bad}: {error}");
        }
        let nonsense = read("listen = 'nonsense'").unwrap();
        assert!(matches!(nonsense.listen(), Err(SettingsError::Listen(_))));
    }
}
