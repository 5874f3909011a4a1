//! The same without a runtime.

use sandbox_process::blocking::Process;
use sandbox_process::{PtySize, SessionExecuteRequest};

#[test]
fn everything_is_waited_for() {
    let process = Process::local().unwrap();
    assert!(process.version().unwrap().starts_with('v'));
    let response = process
        .wait(process.exec("echo $A; exit 3").env("A", "b"))
        .unwrap();
    assert_eq!(
        (response.result.as_str(), response.exit_code),
        ("b\n", Some(3))
    );

    process.create_session("s").unwrap();
    process.execute_session_command("s", "X=1".into()).unwrap();
    let request = SessionExecuteRequest {
        run_async: true,
        ..SessionExecuteRequest::new("echo $X; sleep 0.1; echo 2 >&2")
    };
    let id = process
        .execute_session_command("s", request)
        .unwrap()
        .cmd_id;
    let (mut stdout, mut stderr) = (String::new(), String::new());
    process
        .follow_session_command_logs(
            "s",
            &id,
            |piece| stdout.push_str(&piece),
            |piece| stderr.push_str(&piece),
        )
        .unwrap();
    assert_eq!((stdout.as_str(), stderr.as_str()), ("1\n", "2\n"));
    assert_eq!(
        process.get_session_command("s", &id).unwrap().exit_code,
        Some(0)
    );
    process.delete_session("s").unwrap();

    let mut terminal = process.create_pty_session("t", PtySize::default()).unwrap();
    terminal.send_input("exit 4\n").unwrap();
    let result = terminal.wait(|_: bytes::Bytes| {}).unwrap();
    assert_eq!((result.exit_code, terminal.exit_code()), (Some(4), Some(4)));

    let result = process
        .wait(process.code_interpreter().run_code("print(1)"))
        .unwrap();
    assert_eq!(result.stdout, "1\n");
}
