//! What goes wrong with a store, in words that say what to do. What a server answers is not shown: it
//! may hold parts of a signed request.

use std::error::Error as _;

use object_store::Error;

/// The longest words of others that are shown.
const REASON_CHARS_MAX: usize = 200;

/// Whether a request failed since the object is not what it was.
pub fn is_changed(error: &Error) -> bool {
    matches!(error, Error::Precondition { .. } | Error::NotModified { .. })
}

/// Whether nothing has the name.
pub fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. })
}

/// Whether the server gave all of a file where a part was asked for.
pub fn is_without_ranges(error: &Error) -> bool {
    matches!(error, Error::NotSupported { .. }) || innermost(error).contains("non-partial response")
}

/// Whether nothing lies in the range: the file is empty, or shorter.
pub fn is_beyond_end(error: &Error) -> bool {
    innermost(error).contains("416")
}

/// Why a store can't be asked at all.
pub fn of_setup(error: &Error) -> String {
    format!("the environment's settings for it cannot be used ({})", innermost(error))
}

/// Why an object or a list can't be read.
pub fn of(error: &Error, name: &str) -> String {
    let text = innermost(error);
    let is = |word: &str| text.contains(word);
    let chain = chain(error);
    let names_credentials = chain.iter().any(|text| {
        ["169.254.169.254", "metadata", "credential", "Credential", "token", "Token"]
            .iter()
            .any(|word| text.contains(word))
    });
    match error {
        _ if is("RequestTimeTooSkewed") => {
            "the server says that the clock of this machine is wrong; set it".to_owned()
        }
        _ if is_refused(error, &text) => format!(
            "the server does not let these credentials read it{}; check which ones the environment holds, and \
             that they may read and list it",
            code(&text)
        ),
        _ if is("NoSuchBucket") || is("ContainerNotFound") => {
            "there is no such bucket; check its name, and the endpoint and region".to_owned()
        }
        _ if is_missing(error) || is("404 Not Found") => {
            "there is no such object; check its name".to_owned()
        }
        _ if is("incorrectly configured region") || is("PermanentRedirect") => {
            "the bucket is in another region; set AWS_REGION to that".to_owned()
        }
        _ if is("AuthorizationHeaderMalformed") => {
            "the server expects another region; set AWS_REGION to that of the bucket".to_owned()
        }
        _ if names_credentials && !is("status code") => format!(
            "no credentials: the environment names none, and this machine has no role that gives some; set {}",
            variables(name)
        ),
        _ if is("certificate") || is("CertificateRequired") || is("UnknownIssuer") => {
            format!("its certificate is not trusted ({}); nothing was asked for", short(&text))
        }
        _ if is("dns error") || is("failed to lookup") || is("Name or service not known") => {
            "its host has no address; check the name, the endpoint and the network".to_owned()
        }
        _ if is("Content-Length") => {
            "the server does not say how large it is; download it first".to_owned()
        }
        _ => format!("it failed after several tries ({})", short(&text)),
    }
}

/// Whether the server knows who asks, or wants to.
fn is_refused(error: &Error, text: &str) -> bool {
    matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. })
        || text.contains("401 Unauthorized")
        || text.contains("403 Forbidden")
}

/// The variables that a store's credentials stand in.
fn variables(name: &str) -> &'static str {
    match name.split("://").next() {
        Some("gs") => {
            "GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=true for what is public"
        }
        Some("s3" | "s3a") => {
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for what is public"
        }
        _ => {
            "those of the store, such as AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or \
             AZURE_STORAGE_SAS_KEY"
        }
    }
}

/// The code of an S3 error, which is one of a known list of words.
fn code(text: &str) -> String {
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    match code.map(|(code, _)| code) {
        Some(code) if code.len() < 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            format!(" ({code})")
        }
        _ => String::new(),
    }
}

/// All texts from the outermost to the innermost cause.
fn chain(error: &Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        texts.push(cause.to_string());
        next = cause.source();
    }
    texts
}

/// The innermost cause that is about the answer. Those around it name the URL, and with it what it is
/// signed with.
fn innermost(error: &Error) -> String {
    chain(error).pop().unwrap_or_default()
}

/// Words of others on one line, without a body that stands behind a colon.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split("<?xml").next().unwrap_or_default().trim_end_matches([':', ' ']);
    line.chars().take(REASON_CHARS_MAX).collect()
}
