//! TLS: a certificate that fits, one that expired, one of another host, one of nobody's.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};

use crate::{
    job::Scene,
    oracle::side_by_side,
    server::{Rules, Server},
};

/// An authority that the import trusts, and a server with a certificate of its.
struct Trust {
    authority: String,
    config: Arc<ServerConfig>,
}

/// Issues a certificate for a host.
fn trust(host: &str, change: impl FnOnce(&mut CertificateParams)) -> Trust {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&authority_key).expect("an authority");
    let mut params = CertificateParams::new(vec![host.to_owned()]).expect("parameters");
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &authority, &authority_key).expect("a certificate");
    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("a configuration");
    Trust { authority: pem(authority.der()), config: Arc::new(config) }
}

/// A certificate as a file of authorities holds it.
fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n");
    let lines: String = lines.collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

/// An import over TLS that trusts `authority`.
fn import(trusted: &Trust, authority: &str) -> (Scene, crate::lab::Ended) {
    let rules = Rules { tls: Some(Arc::clone(&trusted.config)), ..Rules::default() };
    let mut scene = Scene::small(rules);
    scene.lab.write("authority.pem", authority);
    let path = scene.lab.path("authority.pem");
    let flags = ["--log-level", "trace"];
    let process = scene.start_as(&[], &flags, |command| {
        command.env("SSL_CERT_FILE", path);
    });
    let ended = process.wait();
    let ended = scene.audit(ended);
    (scene, ended)
}

#[test]
fn a_certificate_that_fits_is_sent_to() {
    let trusted = trust("127.0.0.1", |_| {});
    let (scene, ended) = import(&trusted, &trusted.authority);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(scene.claims().delivered.len(), 60);
    scene.books.tally.conclude_without_duplicates("TLS", "a certificate that fits");
}

#[test]
fn a_certificate_that_does_not_fit_gets_no_byte_of_a_body() {
    let expired = trust("127.0.0.1", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
    });
    let early = trust("127.0.0.1", |params| {
        params.not_before = date_time_ymd(2090, 1, 1);
        params.not_after = date_time_ymd(2090, 2, 1);
    });
    let elsewhere = trust("api-01.example.com", |_| {});
    let sound = trust("127.0.0.1", |_| {});
    let stranger = trust("127.0.0.1", |_| {});
    let cases = vec![
        ("expired", &expired, &expired.authority, "xpired"),
        ("not valid yet", &early, &early.authority, "not valid yet"),
        ("wrong host", &elsewhere, &elsewhere.authority, "not valid for"),
        ("of an unknown authority", &sound, &stranger.authority, "invalid peer certificate"),
    ];
    let tally = side_by_side(cases, |(what, server, authority, word)| {
        let (scene, ended) = import(server, authority);
        assert_eq!(ended.code, Some(3), "{what}: {ended:?}");
        assert!(ended.stderr.contains(word), "{what}: {}", ended.stderr);
        assert!(ended.stderr.contains("can't be trusted"), "{what}: {}", ended.stderr);
        assert_eq!(scene.server.requests(), 0, "{what}: not a request");
        assert!(scene.claims().in_doubt.is_empty(), "{what}: no byte of a body left");
        scene.books.tally
    });
    let how = "expired, not valid yet, of another host, of an unknown authority";
    tally.conclude_without_duplicates("TLS", how);
}

#[test]
fn plain_http_where_tls_is_spoken_sends_nothing() {
    let trusted = trust("127.0.0.1", |_| {});
    let rules = Rules { tls: Some(Arc::clone(&trusted.config)), ..Rules::default() };
    let server = Server::start(rules);
    let mut scene = Scene::small(Rules::default());
    scene.elsewhere = Some(format!("http://{}", server.address));
    let ended = scene.live(&[], &["--retry-for", "1s"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(server.requests(), 0);
    let claims = scene.claims();
    assert!(claims.delivered.is_empty() && claims.failed.is_empty());
    scene.books.tally.conclude_without_duplicates("TLS", "spoken to as plain HTTP");
}
