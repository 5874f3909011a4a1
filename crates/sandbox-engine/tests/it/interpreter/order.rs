//! The order of what a context and its children write to two pipes.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode};
use sandbox_engine::code::Language;
use sandbox_engine::interpreter::Ending;

use super::{ended, limited, make};
use crate::guard::{engine, eventually};

/// Runs code while the engine reads nothing: from `start()` on until `done()`, or for so long that the code must wait.
///
/// The engine's tasks are on the thread of the test, which sleeps meanwhile.
async fn unread(language: Language, code: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let is_done = opened(file("done"));
    let engine = engine();
    let context = make(&engine, language).await;
    let helpers = match language {
        Language::Python => python(directory.path()),
        _ => javascript(directory.path()),
    };
    let execution = context
        .execute(&format!("{helpers}\n{code}"), limited(60))
        .unwrap();
    eventually("the code has begun", || file("begun").exists()).await;
    std::fs::write(file("go"), "").unwrap();
    let _ = is_done.recv_timeout(Duration::from_millis(300));
    let (output, ended) = ended(&execution).await;
    assert_eq!(ended.ending, Ending::Completed, "{output}");
    assert_eq!(ended.failure, None, "{output}");
    engine.shutdown().await;
    output
}

/// Makes a named pipe, and returns what is notified when it was opened and closed.
fn opened(pipe: PathBuf) -> mpsc::Receiver<()> {
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        std::fs::read(pipe).unwrap();
        let _ = sender.send(());
    });
    receiver
}

fn python(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "import os, subprocess, sys
def touch(name): open('{directory}/' + name, 'w').close()
def start():
    touch('begun')
    while not os.path.exists('{directory}/go'): pass
def done(): sys.stdout.flush(); sys.stderr.flush(); touch('done')"
    )
}

fn javascript(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "const fs = require('fs'), {{ execSync, spawn }} = require('child_process'), {{ once }} = require('events');
const inherit = {{ stdio: 'inherit' }};
const touch = (name) => fs.writeFileSync('{directory}/' + name, '');
const start = () => {{ touch('begun'); while (!fs.existsSync('{directory}/go')); }};
const done = () => touch('done');"
    )
}

macro_rules! in_order {
    ($($language:ident { $($name:ident: $code:literal;)* })*) => {$($(
        #[tokio::test]
        async fn $name() {
            assert_eq!(unread(Language::$language, $code).await, "1\n2\n");
        }
    )*)*};
}

in_order! {
    Python {
        python_before_a_program: "start(); print(1, file=sys.stderr); subprocess.run(['echo', '2']); done()";
        python_after_a_program: "start(); subprocess.run('echo 1 >&2', shell=True); print(2); done()";
        python_after_the_same_output: "start(); p = subprocess.Popen('read l; echo 1 >&2', shell=True, stdin=-1); print(end='', flush=True); p.communicate(b'x\\n'); print(2); done()";
        python_and_the_output_of_a_program: "start(); print(1); subprocess.run(['echo', '2']); done()";
        python_before_a_command: "start(); print(1, file=sys.stderr); os.system('echo 2'); done()";
        python_before_a_spawned_program: "start(); print(1, file=sys.stderr); subprocess.run(['/bin/echo', '2'], close_fds=False); done()";
        python_before_a_fork: "start(); print(1, file=sys.stderr)\nif os.fork() == 0: os.write(1, b'2\\n'); os._exit(0)\nos.wait(); done()";
        python_before_a_program_of_a_thread: "import threading\nstart(); print(1); t = threading.Thread(target=os.system, args=('echo 2',)); t.start(); t.join(); done()";
    }
    JavaScript {
        javascript_before_a_program: "start(); console.error(1); execSync('echo 2', inherit); done()";
        javascript_after_a_program: "start(); execSync('echo 1 >&2', inherit); console.log(2); done()";
        javascript_before_a_program_in_the_background: "start(); console.error(1); await once(spawn('echo', ['2'], inherit), 'exit'); done()";
        javascript_after_a_program_in_the_background: "start(); const c = spawn('sh', ['-c', 'echo 1 >&2'], inherit); await once(c, 'exit'); console.log(2); done()";
        javascript_after_the_same_output: "start(); const c = spawn('sh', ['-c', 'read l; echo 1 >&2'], { stdio: ['pipe', 'inherit', 'inherit'] }); process.stdout.write(''); c.stdin.end('x\\n'); await once(c, 'exit'); console.log(2); done()";
    }
}
