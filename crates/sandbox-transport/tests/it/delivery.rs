//! What failed, whether it arrived, and that nothing is sent twice without the caller's knowledge.

use std::time::Duration;

use sandbox_transport::{
    CallOptions, Delivery, Effect, ErrorKind, ExecRequest, Failure, HttpTransport, LogOptions,
    LogSource, NoRetries, ProcessApi, Proxy, RetryPolicy, SafeRetries,
};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::fake::{Fake, Script, json, kinds};

fn run_true() -> ExecRequest {
    ExecRequest::new("true")
}

const ANSWER: &str = r#"{"exitCode":0,"result":""}"#;

#[tokio::test]
async fn a_command_whose_response_is_cut_anywhere_is_uncertain_and_not_repeated() {
    let whole = json(ANSWER);
    let mut scripts: Vec<_> = (0..whole.len())
        .map(|cut| Script::Cut(whole[..cut].to_vec()))
        .collect();
    scripts.push(Script::Cut(whole.clone()));
    let fake = Fake::start(scripts).await;
    // With the policy that everybody has.
    let client = HttpTransport::builder(fake.url().parse().unwrap())
        .build_http()
        .unwrap();
    for cut in 0..whole.len() {
        let error = client.execute(run_true()).await.unwrap_err();
        assert_eq!(
            kinds(&error),
            (ErrorKind::Closed, Delivery::Uncertain),
            "{cut}"
        );
        assert_eq!(fake.count(), cut + 1);
    }
    let outcome = client.execute(run_true()).await.unwrap();
    assert_eq!(outcome.termination.exit_code(), Some(0));
    assert_eq!(fake.count(), whole.len() + 1);
}

#[tokio::test]
async fn a_command_that_is_cut_while_it_is_sent_is_uncertain() {
    let request = Fake::start([Script::Answer(json(ANSWER))]).await;
    request.client().execute(run_true()).await.unwrap();
    let length = request.request(0).head.len() + request.request(0).body.len();
    for read in (0..=length).step_by(7).chain([length]) {
        let fake = Fake::start([Script::ReadThenClose(read)]).await;
        let client = HttpTransport::builder(fake.url().parse().unwrap())
            .build_http()
            .unwrap();
        let error = client.execute(run_true()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{read}: {error:?}");
        // A connection that is closed at once may be seen to be so before anything is written to it.
        let is_right = error.delivery() == Delivery::Uncertain || read == 0;
        assert!(is_right, "{read}: {error:?}");
    }
}

#[tokio::test]
async fn a_command_on_a_pooled_connection_is_not_repeated_either() {
    let fake = Fake::start([Script::AnswerOnce(json(ANSWER))]).await;
    let client = HttpTransport::builder(fake.url().parse().unwrap());
    let client = client.build_http().unwrap();
    for round in 1..=10 {
        client.execute(run_true()).await.unwrap();
        let error = client.execute(run_true()).await.unwrap_err();
        assert_eq!(kinds(&error), (ErrorKind::Closed, Delivery::Uncertain));
        assert_eq!(fake.count(), 2 * round);
    }
}

#[tokio::test]
async fn a_question_is_asked_again() {
    let version = json(r#"{"version":"v1"}"#);
    let cuts = [b"".to_vec(), version[..20].to_vec(), version.clone()].map(Script::Cut);
    let fake = Fake::start(cuts.clone()).await;
    let endpoint = fake.url().parse().unwrap();
    let client = HttpTransport::builder(endpoint).build_http().unwrap();
    assert_eq!(client.version().await.unwrap(), "v1");
    assert_eq!(fake.count(), 3);

    let fake = Fake::start(cuts).await;
    let error = fake.client().version().await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Closed, Delivery::Uncertain));
    assert_eq!(fake.count(), 1);

    // What changes something is not a question, even where twice is as good as once.
    let fake = Fake::start([Script::Cut(Vec::new())]).await;
    let client = HttpTransport::builder(fake.url().parse().unwrap())
        .build_http()
        .unwrap();
    client.delete_session("s").await.unwrap_err();
    assert_eq!(fake.count(), 1);
}

#[derive(Debug)]
struct Always;

impl RetryPolicy for Always {
    fn retry(&self, failure: &Failure<'_>) -> Option<Duration> {
        assert_eq!(failure.effect, Effect::Once);
        assert!(failure.has_key);
        (failure.error.delivery() == Delivery::Uncertain).then_some(Duration::ZERO)
    }
}

#[tokio::test]
async fn a_caller_may_choose_otherwise() {
    let scripts = [
        Script::Cut(Vec::new()),
        Script::Cut(Vec::new()),
        Script::Cut(json(ANSWER)),
    ];
    let fake = Fake::start(scripts).await;
    let options = CallOptions::new().retry(Always).idempotency_key("key 1");
    let client = fake.client().with_options(options);
    client.execute(run_true()).await.unwrap();
    assert_eq!(fake.count(), 3);
    for index in 0..3 {
        assert_eq!(fake.request(index).header("idempotency-key"), Some("key 1"));
        assert_eq!(fake.request(index).body, br#"{"command":"true"}"#);
    }
    // Options that say nothing leave what was said.
    let same = client.with_options(CallOptions::new());
    same.execute(run_true()).await.unwrap();
    assert_eq!(fake.request(3).header("idempotency-key"), Some("key 1"));
    let other = fake
        .client()
        .with_options(CallOptions::new().idempotency_key("a\nb"));
    let error = other.execute(run_true()).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::NotSent));
}

#[tokio::test]
async fn what_was_not_sent_is_sent_again() {
    // A port on which nothing listens yet.
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{address}");
    let builder = HttpTransport::builder(url.parse().unwrap());
    let none = builder.clone().retry(NoRetries).build_http().unwrap();
    let error = none.execute(run_true()).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Connect, Delivery::NotSent));

    let patient = SafeRetries {
        attempts: 100,
        ..SafeRetries::default()
    };
    let patient = builder.retry(patient).build_http().unwrap();
    let answered = tokio::spawn(async move { patient.execute(run_true()).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    crate::fake::read_request(&mut stream).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &json(ANSWER))
        .await
        .unwrap();
    answered.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn deadlines_say_whether_something_was_sent() {
    let fake = Fake::start([Script::Silence]).await;
    let client = fake.client();
    let limit = Duration::from_millis(1234);
    let hasty = client.with_options(CallOptions::new().deadline(limit));
    let begin = Instant::now();
    let error = hasty.execute(run_true()).await.unwrap_err();
    assert_eq!(begin.elapsed(), limit);
    assert_eq!(kinds(&error), (ErrorKind::Timeout, Delivery::Uncertain));
    assert_eq!(error.to_string(), "no response within 1.234s");
    let log = hasty.follow_log(LogSource::Entrypoint, LogOptions::new());
    assert!(log.await.unwrap_err().is_timeout());

    // Who waits for a proxy has not sent anything.
    let proxy = Proxy::http(&fake.url()).unwrap();
    let far = HttpTransport::builder("http://sandbox.test".parse().unwrap()).proxy(proxy);
    let far = far
        .connect_limit(Duration::from_secs(3))
        .build_http()
        .unwrap();
    for (limit, waited) in [(2, 2), (60, 3)] {
        let far = far.with_options(CallOptions::new().deadline(Duration::from_secs(limit)));
        let begin = Instant::now();
        let error = far.execute(run_true()).await.unwrap_err();
        assert_eq!(begin.elapsed(), Duration::from_secs(waited));
        assert_eq!(kinds(&error), (ErrorKind::Timeout, Delivery::NotSent));
    }
}
