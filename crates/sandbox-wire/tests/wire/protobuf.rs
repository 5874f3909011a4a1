//! Protobuf messages: there and back, and what readers of another version make of them.

use std::fmt::Debug;
use std::time::Duration;

use prost::Message;
use sandbox_wire::pb::*;

/// Encodes and decodes.
fn round_trip<M: Message + Default + PartialEq + Debug>(message: &M) {
    let bytes = message.encode_to_vec();
    assert_eq!(&M::decode(bytes.as_slice()).unwrap(), message);
}

#[test]
fn a_start_with_everything() {
    let start = ExecStart {
        program: Some(exec_start::Program::Argv(exec_start::Argv {
            args: vec!["ls".to_owned(), "a b".to_owned()],
        })),
        options: Some(RunOptions {
            cwd: "src".to_owned(),
            envs: [
                ("A".to_owned(), "b\nc".to_owned()),
                ("B".to_owned(), String::new()),
            ]
            .into(),
            timeout: Some(Duration::from_millis(1500).try_into().unwrap()),
            detach: true,
            idempotency_key: "7f1c".to_owned(),
            limits: Some(ResourceLimits {
                memory_bytes: Some(0),
                processes: Some(1),
                millicpus: None,
                file_bytes: Some(u64::MAX),
                open_files: None,
            }),
            isolation: None,
        }),
        output_mode: OutputMode::Combined.into(),
        terminal: Some(TerminalSize { cols: 80, rows: 24 }),
        empty_input: true,
        offset: u64::MAX,
        soft_timeout: Some(Duration::from_millis(900).try_into().unwrap()),
    };
    round_trip(&ExecRequest {
        message: Some(exec_request::Message::Start(start)),
    });
}

#[test]
fn every_cause_of_an_end() {
    use termination::{
        Cause, Exited, Lost, OutOfMemory, Signaled, SpawnFailed, TimedOut, spawn_failed::Reason,
    };
    let causes = [
        Cause::Exited(Exited { code: 0 }),
        Cause::Signaled(Signaled {
            signal: 11,
            core_dumped: true,
        }),
        Cause::TimedOut(TimedOut {
            limit: Some(Duration::from_secs(5).try_into().unwrap()),
        }),
        Cause::OutOfMemory(OutOfMemory {
            limit_bytes: Some(0),
        }),
        Cause::SpawnFailed(SpawnFailed {
            reason: Reason::NotFound.into(),
            message: "no such program".to_owned(),
            errno: Some(2),
        }),
        Cause::Lost(Lost {
            message: "the daemon was restarted".to_owned(),
        }),
    ];
    for cause in causes {
        let termination = Termination {
            cause: Some(cause),
            usage: Some(ResourceUsage {
                user_time: Some(Duration::from_micros(1).try_into().unwrap()),
                system_time: None,
                max_rss_bytes: 1 << 40,
                peak_memory_bytes: Some(0),
                memory_kills: 1,
                refused_forks: 0,
            }),
            elapsed: None,
            limit: ResourceLimit::Memory.into(),
        };
        round_trip(&termination);
    }
}

/// Exit code 0 is reported, although protobuf leaves out zeros: its cause is there.
#[test]
fn success_is_not_the_absence_of_failure() {
    let success = Termination {
        cause: Some(termination::Cause::Exited(termination::Exited { code: 0 })),
        ..Termination::default()
    };
    assert_eq!(success.encode_to_vec(), [0x0a, 0x00]);
    let nothing = Termination::decode([].as_slice()).unwrap();
    assert_ne!(nothing, success);
    assert_eq!(nothing.cause, None);
}

/// A cause that was invented later reads as none, and what is known around it is retained.
#[test]
fn an_unknown_cause_is_no_success() {
    let newer = [
        0x3a, 0x02, 0x08, 0x01, // Field 7, one of those for further causes.
        0x8a, 0x01, 0x02, 0x08, 0x05, // Field 17, 5 seconds.
    ];
    let read = Termination::decode(newer.as_slice()).unwrap();
    assert_eq!(read.cause, None);
    assert_eq!(read.elapsed.unwrap().seconds, 5);
}

#[test]
fn chunks_are_bytes() {
    let data: Vec<u8> = (0..=255).collect();
    let chunk = OutputChunk {
        channel: Channel::Stderr.into(),
        offset: 1 << 33,
        data: data.clone().into(),
    };
    round_trip(&chunk);
    // The payload is a part of what was received, not a copy.
    let received = prost::bytes::Bytes::from(chunk.encode_to_vec());
    let read = OutputChunk::decode(received.clone()).unwrap();
    assert_eq!(read.data, data);
    assert!(received.as_ptr_range().contains(&read.data.as_ptr()));
}

/// The field numbers of what is sent most, byte for byte.
#[test]
fn golden_bytes() {
    let output = ExecResponse {
        event: Some(exec_response::Event::Output(OutputChunk {
            channel: Channel::Stdout.into(),
            offset: 300,
            data: "hi\n".into(),
        })),
    };
    let bytes = [
        0x12, 0x0a, 0x08, 0x01, 0x10, 0xac, 0x02, 0x1a, 0x03, b'h', b'i', b'\n',
    ];
    assert_eq!(output.encode_to_vec(), bytes);
    let gap = FollowLogResponse {
        event: Some(follow_log_response::Event::Gap(Gap {
            offset: 1,
            length: 2,
        })),
    };
    assert_eq!(gap.encode_to_vec(), [0x12, 0x04, 0x08, 0x01, 0x10, 0x02]);
}

#[test]
fn absent_is_not_zero_where_it_matters() {
    let from_the_oldest = PtyAttach::default();
    let from_the_first = PtyAttach {
        offset: Some(0),
        ..PtyAttach::default()
    };
    assert_ne!(
        from_the_oldest.encode_to_vec(),
        from_the_first.encode_to_vec()
    );
    round_trip(&from_the_first);
    round_trip(&Input {
        data: prost::bytes::Bytes::new(),
        offset: Some(0),
        eof: true,
    });
    round_trip(&ExecuteCodeRequest {
        timeout: Some(prost_types::Duration::default()),
        ..ExecuteCodeRequest::default()
    });
}

/// Values that a newer peer invented read as the unspecified one.
#[test]
fn unknown_values_are_unspecified() {
    let newer = OutputChunk {
        channel: 99,
        ..OutputChunk::default()
    };
    let read = OutputChunk::decode(newer.encode_to_vec().as_slice()).unwrap();
    assert_eq!(read.channel(), Channel::Unspecified);
    assert_eq!(read.channel, 99);
}

#[cfg(feature = "descriptors")]
#[test]
fn the_descriptors_name_every_service() {
    let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let files = set.file.iter();
    let ours = files.filter(|file| file.package() == "sandbox.process.v1");
    let mut services: Vec<_> = ours
        .flat_map(|file| &file.service)
        .map(|service| (service.name(), service.method.len()))
        .collect();
    services.sort_unstable();
    let expect = [
        ("CodeService", 1),
        ("ExecService", 6),
        ("FilesService", 15),
        ("InfoService", 5),
        ("InterpreterService", 6),
        ("PtyService", 5),
        ("SessionService", 10),
    ];
    assert_eq!(services, expect);
}
