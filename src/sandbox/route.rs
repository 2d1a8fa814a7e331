//! Which endpoint a method and a path name.

use hyper::Method;

/// An endpoint of the Data API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `transition`, the Bulk Import API: an envelope of elements.
    Bulk,
    /// `customer`, the User API: one user element.
    User,
    /// `event`, the Event API: one event element.
    Event,
    /// `device`, the Device API: one device element.
    Device,
    /// `customers/export`, the Get User API: users read back.
    Export,
    /// `integrations/authentication`, the test of a connection: no document.
    Authentication,
}

/// What stands before the app id in the path of each endpoint.
const PATHS: [(&str, Endpoint); 6] = [
    ("transition", Endpoint::Bulk),
    ("customer", Endpoint::User),
    ("event", Endpoint::Event),
    ("device", Endpoint::Device),
    ("customers/export", Endpoint::Export),
    ("integrations/authentication", Endpoint::Authentication),
];

impl Endpoint {
    /// The endpoint of a path, and the app id in it, which may be empty.
    fn of(path: &str) -> Option<(Self, &str)> {
        PATHS.iter().find_map(|(name, endpoint)| {
            let rest = path.strip_prefix(name)?;
            let app_id = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
            Some((*endpoint, app_id))
        })
    }

    /// Its name in the statistics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::User => "user",
            Self::Event => "event",
            Self::Device => "device",
            Self::Export => "export",
            Self::Authentication => "authentication",
        }
    }

    /// The `type` of the elements it takes.
    pub(super) fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Bulk => &["customer", "event", "device"],
            Self::User => &["customer"],
            Self::Event => &["event"],
            Self::Device => &["device"],
            Self::Export | Self::Authentication => &[],
        }
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The Data API, with the app id of path or query; the path's wins.
    Data { endpoint: Endpoint, app_id: Option<String> },
    /// The accepted elements, on request with what is stored of each.
    Records { offset: usize, limit: usize, with_stored: bool },
    /// The stored users, or one of them.
    Users { offset: usize, limit: usize, customer_id: Option<String> },
    /// The broken rules.
    Violations,
    /// What the silent rules did.
    Dropped,
    /// The counts.
    Stats,
    /// A known path, asked with another method than `allow`.
    MethodNotAllowed { allow: &'static str },
    /// No known path.
    NotFound,
}

impl Route {
    /// Reads a request line; paths of the Data API may begin with `/v1`.
    pub(super) fn of(method: &Method, path: &str, query: Option<&str>) -> Self {
        if let Some(page) = path.strip_prefix("/_sandbox/") {
            return own_page(method, page, query);
        }
        let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
        let Some((endpoint, in_path)) = Endpoint::of(path.strip_prefix('/').unwrap_or(path)) else {
            return Self::NotFound;
        };
        if in_path.contains('/') {
            return Self::NotFound;
        }
        if method != Method::POST {
            return Self::MethodNotAllowed { allow: "POST" };
        }
        let app_id = if in_path.is_empty() {
            parameter(query, "app_id").filter(|app_id| !app_id.is_empty())
        } else {
            Some(percent_decoded(in_path))
        };
        Self::Data { endpoint, app_id }
    }
}

fn own_page(method: &Method, page: &str, query: Option<&str>) -> Route {
    let number = |name, default| {
        let given = parameter(query, name).and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let (offset, limit) = (number("offset", 0), number("limit", usize::MAX));
    let route = match page {
        "records" => Route::Records {
            offset,
            limit,
            with_stored: parameter(query, "stored").as_deref() == Some("1"),
        },
        "users" => Route::Users { offset, limit, customer_id: parameter(query, "customer_id") },
        "violations" => Route::Violations,
        "dropped" => Route::Dropped,
        "stats" => Route::Stats,
        _ => return Route::NotFound,
    };
    if method == Method::GET { route } else { Route::MethodNotAllowed { allow: "GET" } }
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    query?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| percent_decoded(value))
}

/// `%41` as `A`; what is no such triple stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, after @ ..] if *first == b'%' => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, tail));
        decoded.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    // At most 15, so it fits.
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(app_id: Option<&str>) -> Route {
        Route::Data { endpoint: Endpoint::Bulk, app_id: app_id.map(str::to_owned) }
    }

    #[test]
    fn data_paths() {
        let post = |path, query| Route::of(&Method::POST, path, query);
        assert_eq!(post("/v1/transition/APP", None), bulk(Some("APP")));
        assert_eq!(post("/transition/A%50%2", None), bulk(Some("AP%2")));
        assert_eq!(post("/v1/transition", Some("x=1&app_id=A%2FB")), bulk(Some("A/B")));
        assert_eq!(post("/v1/transition/APP", Some("app_id=B")), bulk(Some("APP")));
        assert_eq!(post("/v1/transition/", Some("app_id=")), bulk(None));
        let export = Route::Data { endpoint: Endpoint::Export, app_id: Some("APP".to_owned()) };
        assert_eq!(post("/v1/customers/export", Some("app_id=APP")), export);
        assert_eq!(post("/customers/export/APP", None), export);
        for path in [
            "/customers",
            "/customers/APP",
            "/integrations/authentications",
            "/",
            "/v1",
            "/v1transition/APP",
            "/v1/v1/event/APP",
            "/transition/APP/x",
            "/Event/APP",
        ] {
            assert_eq!(post(path, None), Route::NotFound, "{path}");
        }
        let get = Route::of(&Method::GET, "/v1/event/APP", None);
        assert_eq!(get, Route::MethodNotAllowed { allow: "POST" });
    }

    #[test]
    fn own_pages() {
        let get = |path, query| Route::of(&Method::GET, path, query);
        let all = Route::Records { offset: 0, limit: usize::MAX, with_stored: false };
        assert_eq!(get("/_sandbox/records", None), all);
        let page = Route::Records { offset: 5, limit: 2, with_stored: true };
        assert_eq!(get("/_sandbox/records", Some("offset=5&limit=2&stored=1")), page);
        let customer_id = Some("a b".to_owned());
        let one = Route::Users { offset: 0, limit: usize::MAX, customer_id };
        assert_eq!(get("/_sandbox/users", Some("customer_id=a%20b")), one);
        assert_eq!(get("/_sandbox/other", None), Route::NotFound);
        let post = Route::of(&Method::POST, "/_sandbox/stats", None);
        assert_eq!(post, Route::MethodNotAllowed { allow: "GET" });
    }
}
