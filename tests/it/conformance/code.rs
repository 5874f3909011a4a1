//! Programs.

use sandbox_tests::Sandbox;
use sandbox_wire::rest::CodeRunRequest;

use super::transcript::Transcript;
use super::{Case, cases, compare};

const CASES: &[Case] = cases![programs, split, limits, refusals];

#[tokio::test(flavor = "multi_thread")]
async fn code() {
    compare(CASES).await;
}

fn python(code: &str) -> CodeRunRequest {
    CodeRunRequest {
        code: code.to_owned(),
        language: "python".to_owned(),
        ..CodeRunRequest::default()
    }
}

async fn programs(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for code in [
        "print('é')",
        "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)",
        "1 / 0",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import sys; sys.stdout.buffer.write(b'\\xff\\x01')",
        "print(input())",
        "for i in range(20000): print('line', i)",
    ] {
        told.result(code, api.code_run(python(code)).await);
    }
    let request = CodeRunRequest {
        argv: Some(vec!["a b".to_owned(), String::new()]),
        envs: Some([("X".to_owned(), Some("y".to_owned()))].into()),
        ..python("import os, sys; print(sys.argv[1:], os.environ['X'])")
    };
    told.result("arguments", api.code_run(request).await);
}

async fn split(sandbox: &Sandbox, told: &mut Transcript) {
    let request = CodeRunRequest {
        split_output: Some(true),
        ..python("import sys; print('out'); print('err', file=sys.stderr)")
    };
    let mut response = sandbox.process.api().code_run(request).await.unwrap();
    // Two pipes have no order.
    response.result.clear();
    told.tell("response", response);
}

async fn limits(sandbox: &Sandbox, told: &mut Transcript) {
    let slow = "import time; print('begin', flush=True); time.sleep(60)";
    let request = CodeRunRequest {
        timeout: Some(2),
        ..python(slow)
    };
    told.result("limited", sandbox.process.api().code_run(request).await);
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    told.result("empty", api.code_run(python("")).await);
    for language in ["", "cobol", "ruby"] {
        let request = CodeRunRequest {
            language: language.to_owned(),
            envs: Some([("PATH".to_owned(), Some("/none".to_owned()))].into()),
            ..python("1")
        };
        told.result(language, api.code_run(request).await);
    }
    let request = CodeRunRequest {
        envs: Some([("A-B".to_owned(), None)].into()),
        ..python("1")
    };
    told.result("bad name", api.code_run(request).await);
}
