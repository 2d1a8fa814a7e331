//! From a URL to the store that it names.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    http::HttpBuilder,
    path::Path as Key,
};
use reqwest::Url;

use crate::model;

/// Schemes of what is not in a file of this machine.
const SCHEMES: [&str; 11] =
    ["s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "https", "http", "ftp"];

/// How long is tried to connect, and how long a server may be silent.
const CONNECT_TIMEOUT: &str = "10 seconds";
const READ_TIMEOUT: &str = "30 seconds";

/// An answer of 8 MiB takes as long as it takes; it is the silence that is bounded.
const TIMEOUT: &str = "1 hour";

/// What a request is tried for.
const RETRIES_MAX: usize = 6;
const RETRY_FOR: Duration = Duration::from_secs(60);
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Whether an input is named by a URL.
pub fn is_remote(name: &Path) -> bool {
    scheme(&name.to_string_lossy()).is_some()
}

/// A name without what may be secret in it: the query of a signed URL.
pub fn without_query(name: &str) -> &str {
    match scheme(name) {
        Some("http" | "https") => name.split(['?', '#']).next().unwrap_or(name),
        _ => name,
    }
}

fn scheme(text: &str) -> Option<&'static str> {
    let (scheme, _) = text.split_once("://")?;
    SCHEMES.into_iter().find(|known| scheme.eq_ignore_ascii_case(known))
}

/// What a URL names.
pub struct Target {
    pub store: Arc<dyn ObjectStore>,
    /// What stands before the key in names: `s3://bucket/`.
    pub base: String,
    /// The object's key, or the prefix of several.
    pub key: String,
    /// Keys can be listed, and may hold a pattern.
    pub is_listed: bool,
}

/// The stores of an import: one for all objects of a bucket.
#[derive(Default)]
pub struct Stores(HashMap<String, Arc<dyn ObjectStore>>);

impl Stores {
    /// What a URL names. `Err` says what is wrong with it.
    pub fn target(&mut self, text: &str) -> Result<Target, String> {
        // Whoever was first wins; any provider does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = Url::parse(text).map_err(|error| format!("it is no URL ({error})"))?;
        let kind = ObjectStoreScheme::parse(&url).map(|(kind, _)| kind);
        let kind = kind.map_err(|_| {
            "inputs are read from s3://, gs://, az://, abfss:// and https://, and from files"
                .to_owned()
        })?;
        if kind == ObjectStoreScheme::Http {
            return self.http(text, url);
        }
        // The key as it was written: a percent sign in one is a percent sign.
        let (_, rest) = text.split_once("://").unwrap_or_default();
        let (bucket, mut key) = rest.split_once('/').unwrap_or((rest, ""));
        let mut base = format!("{}://{bucket}/", url.scheme());
        if url.scheme() == "https" && !is_virtual_host(&url) {
            // The bucket is the first part of the path.
            let (first, later) = key.split_once('/').unwrap_or((key, ""));
            base = format!("{base}{first}/");
            key = later;
        }
        let store = match self.0.get(&base) {
            Some(known) => Arc::clone(known),
            None => {
                let built = build(&kind, &base).map_err(|error| super::words::of_setup(&error))?;
                self.0.insert(base.clone(), Arc::clone(&built));
                built
            }
        };
        Ok(Target { store, base, key: key.to_owned(), is_listed: true })
    }

    /// One file of a plain server. Its URL is asked for as it stands, signature and all.
    fn http(&mut self, text: &str, url: Url) -> Result<Target, String> {
        let is_loopback = url.host_str().is_some_and(model::is_loopback);
        if url.scheme() == "http" && !is_loopback {
            return Err("http:// shows the rows to everybody on the way; use https://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a password in a URL is seen by everybody; sign the URL instead".to_owned());
        }
        let options = options(ClientOptions::new()).with_allow_http(is_loopback);
        let builder = HttpBuilder::new().with_url(text).with_client_options(options);
        let store = builder.with_retry(retry()).build();
        let store = store.map_err(|error| super::words::of_setup(&error))?;
        let base = without_query(text).to_owned();
        Ok(Target { store: Arc::new(store), base, key: String::new(), is_listed: false })
    }
}

/// Whether a host names the bucket too.
fn is_virtual_host(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.ends_with("amazonaws.com") && !host.starts_with("s3")
}

fn build(kind: &ObjectStoreScheme, base: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    use ClientConfigKey::{ConnectTimeout, ReadTimeout, Timeout};
    let timeouts =
        [(ConnectTimeout, CONNECT_TIMEOUT), (ReadTimeout, READ_TIMEOUT), (Timeout, TIMEOUT)];
    Ok(match kind {
        ObjectStoreScheme::AmazonS3 => {
            let mut builder = AmazonS3Builder::from_env().with_url(base).with_retry(retry());
            for (key, value) in timeouts {
                builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
            }
            Arc::new(builder.build()?)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let mut builder = GoogleCloudStorageBuilder::from_env().with_url(base);
            for (key, value) in timeouts {
                builder = builder.with_config(GoogleConfigKey::Client(key), value);
            }
            Arc::new(builder.with_retry(retry()).build()?)
        }
        _ => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_url(base);
            for (key, value) in timeouts {
                builder = builder.with_config(AzureConfigKey::Client(key), value);
            }
            Arc::new(builder.with_retry(retry()).build()?)
        }
    })
}

fn options(options: ClientOptions) -> ClientOptions {
    options
        .with_config(ClientConfigKey::ConnectTimeout, CONNECT_TIMEOUT)
        .with_config(ClientConfigKey::ReadTimeout, READ_TIMEOUT)
        .with_config(ClientConfigKey::Timeout, TIMEOUT)
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { init_backoff: PAUSE_FIRST, max_backoff: PAUSE_MAX, base: 2.0 },
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_FOR,
    }
}

/// A key as the store takes it.
pub fn key(text: &str) -> Result<Key, String> {
    Key::parse(text).map_err(|error| format!("its key cannot be asked for ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_paths_and_lose_their_secrets() {
        for (text, expected) in [
            ("s3://b/k", true),
            ("HTTPS://h/f.csv", true),
            ("./s3:/b", false),
            ("dir/a.csv", false),
            ("C://x", false),
        ] {
            assert_eq!(is_remote(Path::new(text)), expected, "{text}");
        }
        assert_eq!(without_query("https://h/f.csv?X-Amz-Signature=1#x"), "https://h/f.csv");
        assert_eq!(without_query("s3://b/what?.csv"), "s3://b/what?.csv", "a key may hold one");
        assert_eq!(without_query("what?.csv"), "what?.csv");
    }

    #[test]
    fn what_a_url_names() {
        let target = |text: &str| Stores::default().target(text).map(|t| (t.base, t.key));
        let pair = |base: &str, key: &str| Ok((base.to_owned(), key.to_owned()));
        assert_eq!(target("s3://b/d/a%20b.csv"), pair("s3://b/", "d/a%20b.csv"));
        assert_eq!(target("s3://b"), pair("s3://b/", ""));
        assert_eq!(target("https://h/d/f.csv?sig=1"), pair("https://h/d/f.csv", ""));
        assert_eq!(
            target("https://bucket.s3.eu-west-1.amazonaws.com/d/f.csv"),
            pair("https://bucket.s3.eu-west-1.amazonaws.com/", "d/f.csv")
        );
        assert_eq!(
            target("https://s3.eu-west-1.amazonaws.com/bucket/f.csv"),
            pair("https://s3.eu-west-1.amazonaws.com/bucket/", "f.csv")
        );
        for (text, words) in [
            ("http://example.com/f.csv", "use https://"),
            ("https://me:secret@example.com/f.csv", "a password in a URL"),
            ("ftp://example.com/f.csv", "inputs are read from s3://"),
        ] {
            let refused = target(text).expect_err(text);
            assert!(refused.contains(words) && !refused.contains("secret"), "{refused}");
        }
    }
}
