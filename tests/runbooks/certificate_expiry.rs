//! `schedule/certificate-expiry` against TLS servers with certificates of every age.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use super::process::{Server, free_port, serve_files};
use super::run::Run;

const DAY: Duration = Duration::from_hours(24);

#[test]
fn certificates_with_time_left_are_reported_and_the_run_succeeds() {
    let server = TlsServer::with_days(90);
    let run = Run::of("schedule/certificate-expiry").param("endpoints", json!([server.endpoint])).finish();

    let outputs = run.succeeded();
    assert_eq!(outputs["warnings"], json!([]));
    let entry = &outputs["report"][0];
    assert_eq!(
        (&entry["endpoint"], &entry["state"], &entry["days"]),
        (&json!(server.endpoint), &json!("ok"), &json!(90))
    );
    assert_eq!(entry["subject"], "CN=shop.example");
}

#[test]
fn a_certificate_within_the_warning_time_is_an_output_of_a_run_that_succeeds() {
    let server = TlsServer::with_days(20);
    let run = Run::of("schedule/certificate-expiry").param("endpoints", json!([server.endpoint])).finish();

    let warnings = run.succeeded()["warnings"].to_string();
    assert!(warnings.contains(&server.endpoint) && warnings.contains("CN=shop.example expires on"), "{warnings}");
}

#[test]
fn one_bad_endpoint_fails_the_run_and_hides_no_other() {
    let well = TlsServer::with_days(90);
    let urgent = TlsServer::with_days(3);
    let expired = TlsServer::with_days(-2);
    let silent = format!("127.0.0.1:{}", free_port());
    let run = Run::of("schedule/certificate-expiry")
        .param("endpoints", json!([silent, urgent.endpoint, "no port", expired.endpoint, well.endpoint]))
        .finish();

    let error = run.failed();
    assert_eq!(error["kind"], "expiring");
    let states: Vec<_> =
        error["data"].as_array().expect("a report").iter().map(|entry| entry["state"].clone()).collect();
    assert_eq!(states, ["unreachable", "critical", "unreachable", "expired", "ok"]);
    assert_eq!(error["data"][0]["reason"], "Connection refused");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains(&format!("{}: CN=shop.example expired on", expired.endpoint)), "{message}");
}

#[test]
fn an_intermediate_certificate_that_expires_first_counts() {
    let server = TlsServer::with_chain(90, 3);
    let run = Run::of("schedule/certificate-expiry").param("endpoints", json!([server.endpoint])).finish();

    let entry = &run.failed()["data"][0];
    assert_eq!((&entry["state"], &entry["subject"]), (&json!("critical"), &json!("CN=Example Intermediate")));
}

#[test]
fn a_server_that_does_not_speak_tls_is_no_good_news() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    let (_server, port) = serve_files(empty.path());
    let run = Run::of("schedule/certificate-expiry").param("endpoints", json!([format!("127.0.0.1:{port}")])).finish();

    assert_eq!(run.failed()["data"][0]["state"], "unreachable");
}

#[test]
fn thresholds_that_contradict_each_other_are_refused() {
    let run = Run::of("schedule/certificate-expiry")
        .param("endpoints", json!(["localhost:443"]))
        .param("fail_days", 31)
        .finish();

    run.failed_saying("fail_days (31) must not be more than warn_days (30)");
}

/// OpenSSL's own server, presenting what the test made.
struct TlsServer {
    endpoint: String,
    _server: Server,
    _files: TempDir,
}

impl TlsServer {
    /// With a certificate that is valid for so many days, signed by itself.
    fn with_days(days: i32) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params("shop.example", days).self_signed(&key).expect("a certificate");
        Self::start(&key, &certificate.pem())
    }

    /// With a certificate, and the one that signed it.
    fn with_chain(days: i32, intermediate_days: i32) -> Self {
        let issuer_key = KeyPair::generate().expect("a key");
        let mut issuer = params("Example Intermediate", intermediate_days);
        issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer_pem = issuer.self_signed(&issuer_key).expect("a certificate").pem();
        let key = KeyPair::generate().expect("a key");
        let leaf =
            params("shop.example", days).signed_by(&key, &Issuer::new(issuer, &issuer_key)).expect("a certificate");
        Self::start(&key, &format!("{}{issuer_pem}", leaf.pem()))
    }

    fn start(key: &KeyPair, chain: &str) -> Self {
        let files = tempfile::tempdir().expect("a temporary folder");
        fs::write(files.path().join("key.pem"), key.serialize_pem()).expect("a file");
        fs::write(files.path().join("chain.pem"), chain).expect("a file");
        let server = Server::start(
            Command::new("openssl")
                .args(["s_server", "-accept", "127.0.0.1:0", "-key", "key.pem", "-cert", "chain.pem"])
                .args(["-cert_chain", "chain.pem", "-www"])
                .current_dir(files.path()),
            "ACCEPT",
        );
        let endpoint = server.greeting.trim_start_matches("ACCEPT ").to_owned();
        Self { endpoint, _server: server, _files: files }
    }
}

fn params(name: &str, days: i32) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.into()]).expect("a name");
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    params.not_before = (now - DAY * 400).into();
    // An hour more, so that what a test takes does not cost a day.
    let length = DAY * days.unsigned_abs() + Duration::from_hours(1);
    params.not_after = if days < 0 { now - length } else { now + length }.into();
    params
}
