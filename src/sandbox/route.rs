//! Which endpoint a method and a path name. Device API and Get User API would be further variants
//! of [`Endpoint`], with their own `kinds`.

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
}

impl Endpoint {
    fn from_segment(segment: &str) -> Option<Self> {
        match segment {
            "transition" => Some(Self::Bulk),
            "customer" => Some(Self::User),
            "event" => Some(Self::Event),
            _ => None,
        }
    }

    /// Its name in the statistics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::User => "user",
            Self::Event => "event",
        }
    }

    /// The `type` of the elements it takes.
    pub(super) fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Bulk => &["customer", "event", "device"],
            Self::User => &["customer"],
            Self::Event => &["event"],
        }
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The Data API, with the app id of path or query; the path's wins.
    Data { endpoint: Endpoint, app_id: Option<String> },
    /// The stored elements.
    Records { offset: usize, limit: usize },
    /// The broken rules.
    Violations,
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
        let mut segments = path.strip_prefix('/').unwrap_or(path).splitn(2, '/');
        let Some(endpoint) = segments.next().and_then(Endpoint::from_segment) else {
            return Self::NotFound;
        };
        let in_path = segments.next().unwrap_or_default();
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
    let route = match page {
        "records" => {
            Route::Records { offset: number("offset", 0), limit: number("limit", usize::MAX) }
        }
        "violations" => Route::Violations,
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
        for path in
            ["/", "/v1", "/v1transition/APP", "/v1/v1/event/APP", "/transition/APP/x", "/Event/APP"]
        {
            assert_eq!(post(path, None), Route::NotFound, "{path}");
        }
        let get = Route::of(&Method::GET, "/v1/event/APP", None);
        assert_eq!(get, Route::MethodNotAllowed { allow: "POST" });
    }

    #[test]
    fn own_pages() {
        let get = |path, query| Route::of(&Method::GET, path, query);
        let all = Route::Records { offset: 0, limit: usize::MAX };
        assert_eq!(get("/_sandbox/records", None), all);
        let page = Route::Records { offset: 5, limit: 2 };
        assert_eq!(get("/_sandbox/records", Some("offset=5&limit=2")), page);
        assert_eq!(get("/_sandbox/other", None), Route::NotFound);
        let post = Route::of(&Method::POST, "/_sandbox/stats", None);
        assert_eq!(post, Route::MethodNotAllowed { allow: "GET" });
    }
}
