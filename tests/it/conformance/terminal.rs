//! Commands of their own on a terminal, and what overtakes their input.

use std::sync::Arc;
use std::time::Duration;

use sandbox_process::Bytes;
use sandbox_tests::Sandbox;
use sandbox_transport::{
    CallOptions, Error, ExecConnection, ExecControl, ExecEvent, ExecRequest, ExecStreamRequest,
    PtyRequest, PtySize, Signal,
};
use tokio::time::timeout;

use super::cases;
use super::exec::command;
use super::transcript::{Joined, Transcript};

cases![
    sized,
    typed,
    ends_of_input,
    ends,
    much_output,
    held,
    refusals,
    keyed,
    a_signal_after_much_input,
    a_size_after_much_input,
    a_close_after_much_input,
    an_interrupt_after_much_input,
    a_pty_after_much_input,
];

const SIZE: PtySize = PtySize {
    rows: 30,
    cols: 100,
};

fn on_terminal(text: &str) -> ExecStreamRequest {
    ExecStreamRequest {
        request: ExecRequest {
            tty: Some(SIZE),
            ..command(text)
        },
        input: true,
        kill_on_drop: false,
    }
}

/// A command that runs, and what it wrote so far.
struct Shown {
    connection: ExecConnection,
    joined: Joined,
    /// How much of that was waited for.
    seen: usize,
}

impl Shown {
    async fn start(sandbox: &Sandbox, request: ExecStreamRequest) -> Self {
        let started = sandbox.process.api().execute_stream(request).await;
        Self {
            connection: started.unwrap(),
            joined: Joined::default(),
            seen: 0,
        }
    }

    fn control(&self) -> Arc<dyn ExecControl> {
        Arc::clone(&self.connection.control)
    }

    fn write(&self, text: &'static str) -> impl Future<Output = ()> + Send + use<> {
        let control = self.control();
        async move { control.write(text.into()).await.unwrap() }
    }

    /// Returns what is shown up to `end`, after what was waited for before.
    async fn until(&mut self, end: &str) -> String {
        loop {
            let (shown, _) = self.joined.text();
            if let Some(at) = shown[self.seen..].find(end) {
                let end = self.seen + at + end.len();
                let begin = std::mem::replace(&mut self.seen, end);
                return shown[begin..end].to_owned();
            }
            if let Some(other) = self.next().await.expect("output, not the end") {
                panic!("no {end:?} in {shown:?}, but {other:?}");
            }
        }
    }

    /// Reads to the end, and returns the last event.
    async fn end(&mut self) -> Option<ExecEvent> {
        let mut last = None;
        while let Some(event) = self.next().await {
            last = event.or(last);
        }
        assert_eq!(self.joined.stderr, b"");
        last
    }

    /// Kills the command, and reads to the end.
    async fn kill(&mut self) -> Option<ExecEvent> {
        self.connection.control.signal(Signal::KILL).await.unwrap();
        self.end().await
    }

    /// Reads an event; returns it unless it is output.
    async fn next(&mut self) -> Option<Option<ExecEvent>> {
        let next = timeout(PATIENCE, self.connection.events.next()).await;
        let event = next.expect("an event, or the end")?;
        Some(self.joined.exec(event.unwrap()))
    }
}

async fn sized(sandbox: &Sandbox, told: &mut Transcript) {
    let text = "test -t 0 -a -t 1 -a -t 2 && echo all; echo $TERM; stty size; \
                read line; stty size; read line; exit 3";
    let mut shown = Shown::start(sandbox, on_terminal(text)).await;
    told.tell("before", shown.until("30 100\r\n").await);
    let size = PtySize { rows: 20, cols: 90 };
    told.result("resize", shown.control().resize(size).await);
    shown.write("\n").await;
    told.tell("after", shown.until("20 90\r\n").await);
    shown.write("\n").await;
    told.tell("end", shown.end().await);

    let mut request = on_terminal("echo $TERM $COLUMNS; stty size; sleep 600");
    request.input = false;
    request.request.env = [("TERM", "vt100"), ("COLUMNS", "7")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let mut shown = Shown::start(sandbox, request).await;
    told.tell("given", shown.until("30 100\r\n").await);
    shown.kill().await;
}

async fn typed(sandbox: &Sandbox, told: &mut Transcript) {
    for text in [
        "stty -echo; echo ready; sleep 600; echo never",
        "stty -echo; trap 'exit 4' INT; echo ready; sleep 600 & wait",
    ] {
        let mut shown = Shown::start(sandbox, on_terminal(text)).await;
        shown.until("ready\r\n").await;
        shown.write("\u{3}").await;
        told.tell("interrupted", shown.end().await);
    }
    // Lines are echoed, and edited.
    let text = "echo ready; read line; echo \"<$line>\"; sleep 600";
    let mut shown = Shown::start(sandbox, on_terminal(text)).await;
    shown.until("ready\r\n").await;
    shown.write("a lime\u{7f}\u{7f}ne\n").await;
    let text = shown.until("<a line>\r\n").await;
    told.tell("echoed", text.starts_with("a lime"));
    told.tell("end", shown.kill().await);
}

async fn ends_of_input(sandbox: &Sandbox, told: &mut Transcript) {
    for typed in ["", "a line\n", "no line", "\u{4}"] {
        let text = "stty -echo; echo ready; cat; echo end; sleep 600";
        let mut shown = Shown::start(sandbox, on_terminal(text)).await;
        shown.until("ready\r\n").await;
        shown.write(typed).await;
        if typed != "\u{4}" {
            told.result("close", shown.control().close_input().await);
        }
        told.tell(typed, shown.until("end\r\n").await);
        shown.kill().await;
    }
    let mut without = on_terminal("cat; exit 5");
    without.input = false;
    told.tell("empty", Shown::start(sandbox, without).await.end().await);

    // The end is typed, and what comes after it is typed as well, unless the input is closed.
    let text = "stty -echo; echo ready; cat; echo between; read line; echo \"<$line>\"; sleep 600";
    let mut shown = Shown::start(sandbox, on_terminal(text)).await;
    shown.until("ready\r\n").await;
    shown.write("\u{4}").await;
    shown.until("between\r\n").await;
    shown.write("more\n").await;
    told.tell("more", shown.until("<more>\r\n").await);
    shown.kill().await;

    let text = "stty -echo; echo ready; cat; sleep 600";
    let mut shown = Shown::start(sandbox, on_terminal(text)).await;
    shown.until("ready\r\n").await;
    shown.control().close_input().await.unwrap();
    told.result("late", shown.control().write("late\n".into()).await);
    let refused = loop {
        let next = shown.next().await.expect("a refusal");
        if let Some(ExecEvent::Refused { code, .. }) = next {
            break code;
        }
    };
    told.tell("refused", refused);
    told.tell("end", shown.kill().await);
}

async fn ends(sandbox: &Sandbox, told: &mut Transcript) {
    for text in ["exit 7", "kill -TERM $$", "no-such-program-here"] {
        let mut shown = Shown::start(sandbox, on_terminal(text)).await;
        told.tell(text, shown.end().await);
    }
    for signal in [Signal::TERM, Signal::KILL, Signal::INT] {
        let text = "echo ready; sleep 600; echo never";
        let mut shown = Shown::start(sandbox, on_terminal(text)).await;
        shown.until("ready\r\n").await;
        told.result("signal", shown.control().signal(signal).await);
        told.tell("end", shown.end().await);
    }
    let mut limited = on_terminal("echo begin; sleep 600");
    limited.request.timeout = Some(Duration::from_millis(300));
    told.tell("limited", Shown::start(sandbox, limited).await.end().await);
}

async fn much_output(sandbox: &Sandbox, told: &mut Transcript) {
    let text = "stty -opost; head -c 1048576 /dev/zero | tr '\\0' x; echo; echo whole; sleep 600";
    let mut shown = Shown::start(sandbox, on_terminal(text)).await;
    let output = shown.until("whole\n").await;
    told.tell("all", (output.len(), output.trim_start_matches('x')));
    told.tell("end", shown.kill().await);
}

async fn held(sandbox: &Sandbox, told: &mut Transcript) {
    // The last of them ignores the signal that the end of a terminal is.
    let text = "sleep 600 & echo $! > pid; (trap '' HUP; echo > trapped; exec sleep 601) & echo $! > stays; \
                until test -e trapped; do sleep 0.01; done; exit 6";
    let mut shown = Shown::start(sandbox, on_terminal(text)).await;
    told.tell("end", shown.end().await);
    let api = sandbox.process.api();
    let hung_up = "until ! kill -0 $(cat pid) 2> kill; do sleep 0.01; done; echo hung up";
    told.result("first", api.execute(command(hung_up)).await);
    let stays = "kill -KILL $(cat stays) && echo stayed";
    told.result("second", api.execute(command(stays)).await);
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let sized = |rows, cols| {
        let mut request = on_terminal("true");
        request.request.tty = Some(PtySize { rows, cols });
        request
    };
    let mut nowhere = on_terminal("true");
    nowhere.request.cwd = Some("no/such".to_owned());
    let bad = [
        sized(0, 80),
        sized(24, 0),
        sized(24, 1001),
        on_terminal(" "),
        nowhere,
    ];
    for request in bad {
        let error = api.execute_stream(request).await.unwrap_err();
        told.tell("refused", (error.kind(), error.delivery(), error.status()));
        told.tell("code", (error.code(), error.to_string()));
    }
    told.result("whole", api.execute(on_terminal("true").request).await);

    let mut pipes = on_terminal("echo ready; sleep 600");
    pipes.request.tty = None;
    for (request, size) in [
        (pipes, SIZE),
        (
            on_terminal("echo ready; sleep 600"),
            PtySize { rows: 0, cols: 80 },
        ),
    ] {
        let mut shown = Shown::start(sandbox, request).await;
        shown.until("ready").await;
        told.result("resize", shown.control().resize(size).await);
        let refused = loop {
            if let Some(refused) = shown.next().await.expect("a refusal") {
                break refused;
            }
        };
        told.tell("refused", refused);
        shown.kill().await;
    }
}

/// A key finds a command that was started with it, on its terminal.
async fn keyed(sandbox: &Sandbox, told: &mut Transcript) {
    let options = CallOptions::new().idempotency_key("terminal");
    let api = sandbox.process.api().with_options(options);
    let request =
        on_terminal("echo x >> count; wc -l < count; stty size; read line; stty size; sleep 600");
    let mut all = Vec::new();
    for _ in 0..2 {
        let connection = api.execute_stream(request.clone()).await.unwrap();
        all.push(Shown {
            connection,
            joined: Joined::default(),
            seen: 0,
        });
    }
    for shown in &mut all {
        told.tell("both", shown.until("30 100\r\n").await);
    }
    let size = PtySize { rows: 20, cols: 90 };
    all[1].control().resize(size).await.unwrap();
    all[1].write("\n").await;
    for shown in &mut all {
        told.tell("both", shown.until("20 90\r\n").await);
    }
    for shown in &mut all {
        // The first of them ends it.
        shown.control().signal(Signal::KILL).await.ok();
        told.tell(
            "end",
            shown
                .end()
                .await
                .map(|event| matches!(event, ExecEvent::Ended { .. })),
        );
    }
}

/// Lines that no program reads.
fn much(bytes: usize) -> Bytes {
    let line = b"0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnop\n";
    line.repeat(bytes / line.len()).into()
}

/// Starts a command that reads nothing, with 8 MiB of input under way.
async fn with_much_input(
    sandbox: &Sandbox,
    request: ExecStreamRequest,
) -> (Shown, tokio::task::JoinHandle<Result<(), Error>>) {
    let mut shown = Shown::start(sandbox, request).await;
    shown.until("ready").await;
    let control = shown.control();
    let writing = tokio::spawn(async move { control.write(much(8 << 20)).await });
    (shown, writing)
}

fn on_pipes(text: &str) -> ExecStreamRequest {
    let mut request = on_terminal(text);
    request.request.tty = None;
    request
}

async fn a_signal_after_much_input(sandbox: &Sandbox, told: &mut Transcript) {
    for request in [
        on_pipes("echo ready; sleep 600"),
        on_terminal("stty -echo; echo ready; sleep 600"),
    ] {
        let (mut shown, writing) = with_much_input(sandbox, request).await;
        told.result("signal", shown.control().signal(Signal::TERM).await);
        told.tell("end", shown.end().await);
        // What could not be given any more is an error or not, and does not wait.
        let written = timeout(PATIENCE, writing).await;
        drop(written.expect("it does not wait").unwrap());
    }
}

async fn a_size_after_much_input(sandbox: &Sandbox, told: &mut Transcript) {
    let text = "stty -echo; trap 'stty size' WINCH; echo ready; sleep 600 & wait; wait";
    let (mut shown, writing) = with_much_input(sandbox, on_terminal(text)).await;
    let size = PtySize { rows: 20, cols: 90 };
    told.result("resize", shown.control().resize(size).await);
    told.tell("size", shown.until("20 90\r\n").await.contains("20 90"));
    told.tell("end", shown.kill().await);
    let written = timeout(PATIENCE, writing).await;
    drop(written.expect("it does not wait").unwrap());
}

async fn a_close_after_much_input(sandbox: &Sandbox, told: &mut Transcript) {
    let mut request = on_pipes("echo $$ > pid; echo ready; sleep 600");
    request.kill_on_drop = true;
    let (shown, writing) = with_much_input(sandbox, request).await;
    // Closes the connection, and what waits in the client is not given any more.
    drop(shown);
    let written = timeout(PATIENCE, writing).await;
    drop(written.expect("it does not wait").unwrap());
    let request = ExecRequest {
        timeout: Some(PATIENCE),
        ..command("until ! kill -0 $(cat pid) 2> kill; do sleep 0.01; done")
    };
    let ended = sandbox.process.api().execute(request).await;
    told.result("ended", ended);
}

async fn an_interrupt_after_much_input(sandbox: &Sandbox, told: &mut Transcript) {
    let text = "stty -echo; echo ready; sleep 600";
    let mut shown = Shown::start(sandbox, on_terminal(text)).await;
    shown.until("ready\r\n").await;
    told.result("much", shown.control().write(much(2 << 20)).await);
    shown.write("\u{3}").await;
    told.tell("end", shown.end().await);
}

async fn a_pty_after_much_input(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let request = PtyRequest {
        id: "p".to_owned(),
        env: [("HOME".to_owned(), "/no/home".to_owned())].into(),
        ..PtyRequest::default()
    };
    let mut connection = api.open_pty(request).await.unwrap();
    let text = "stty -echo; echo $((6 * 7))-shown; exec sleep 600\n";
    connection.control.write(text.into()).await.unwrap();
    let mut joined = Joined::default();
    while !joined.text().0.contains("42-shown") {
        let event = connection.events.next().await.unwrap().unwrap();
        assert_eq!(joined.pty(event), None);
    }
    // More than the daemon takes of one who types.
    let control = Arc::clone(&connection.control);
    let writing = tokio::spawn(async move {
        for _ in 0..2 {
            control.write(much(9 << 20)).await?;
        }
        Ok::<_, Error>(())
    });
    let size = PtySize { rows: 20, cols: 90 };
    let resized = api.resize_pty("p", size).await.unwrap();
    told.tell("resized", (resized.rows, resized.cols));
    told.result("deleted", api.delete_pty("p").await);
    let mut end = None;
    while let Some(event) = connection.events.next().await {
        end = joined.pty(event.unwrap());
    }
    told.tell("end", end);
    drop(connection);
    let written = timeout(PATIENCE, writing).await;
    drop(written.expect("it does not wait").unwrap());
}

/// Bounds a wait for what comes soon, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
