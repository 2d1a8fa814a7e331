//! Which hosts are this machine.

use std::net::IpAddr;

/// Whether a URL's host, as the `url` crate gives it (lower case, an IPv6 address in brackets), is
/// this machine by itself. It decides where a key and rows may go unencrypted, so a name that has to be
/// resolved is none, but for `localhost` as it stands.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;

    #[test]
    fn this_machine_is_told_by_its_addresses_and_one_name() {
        for (url, expected) in [
            ("http://localhost", true),
            ("http://LocalHost:8080/v1", true),
            ("http://127.0.0.1:1", true),
            ("http://127.255.255.254", true),
            // Other ways to write an address, as browsers take them.
            ("http://127.1", true),
            ("http://0x7f000001", true),
            ("http://2130706433", true),
            ("http://[::1]:8080", true),
            ("http://[0:0:0:0:0:0:0:1]", true),
            ("http://localhost.", false),
            ("http://localhost.example.com", false),
            ("http://my.localhost", false),
            ("http://127.0.0.1.example.com", false),
            ("http://127.0.0.1@example.com", false),
            ("http://example.com/localhost", false),
            ("http://0.0.0.0", false),
            ("http://128.0.0.1", false),
            ("http://[::]", false),
            ("http://[::2]", false),
            // A host that IPv4 reaches may be routed elsewhere.
            ("http://[::ffff:127.0.0.1]", false),
            ("http://[fe80::1]", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(is_loopback(url.host_str().unwrap()), expected, "{url}");
        }
        for host in ["", "[", "]", "[]", "[localhost]", "[[::1]]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
