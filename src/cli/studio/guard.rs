//! Who may come in: the page that this program opened, and nobody else.
//!
//! The server listens on the loopback address alone. Other pages in the same browser could still reach it, so each request is
//! checked: its `Host` must be the loopback address (a foreign name that was pointed here, "DNS rebinding", is not), and what a
//! browser says of where it comes from must be this page. Whatever shows or changes something of the user's needs a random token,
//! which stands in the part of the opening address behind `#` that browsers send to nobody.

use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    SEC_WEBSOCKET_PROTOCOL, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Uri};
use lookalike::Result;

use super::store::random_name;

/// Random bytes of the token.
const TOKEN: usize = 16;
/// The subprotocol of the page's WebSocket. The token follows it in the same header, as browsers let pages set no other.
pub const PROTOCOL: &str = "lookalike";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may come in.
#[derive(Clone, Debug)]
pub struct Guard {
    token: String,
    hosts: [String; 2],
    policy: HeaderValue,
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// The address is not that of the studio.
    Host,
    /// The request comes from another page.
    Origin,
    /// The token is missing or wrong.
    Token,
}

impl Refusal {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Refusal::Host => "this is not the address of the studio; open the one that the terminal shows",
            Refusal::Origin => {
                "the studio answers its own page only; open the address that the terminal shows"
            }
            Refusal::Token => "open the address that the terminal shows, with all that stands behind '#'",
        }
    }
}

impl Guard {
    /// For a server on this port of the loopback address.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn new(port: u16) -> Result<Guard> {
        let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let sockets = hosts.each_ref().map(|host| format!("ws://{host}")).join(" ");
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; \
             connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'"
        );
        let policy = HeaderValue::from_str(&policy).expect("it is printable");
        Ok(Guard { token: random_name::<TOKEN>()?, hosts, policy })
    }

    /// The address for the user's browser.
    pub fn address(&self) -> String {
        format!("http://{}/#{}", self.hosts[0], self.token)
    }

    /// Whether a request is for this server, and comes from its page or from the user.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, uri: &Uri, headers: &HeaderMap) -> std::result::Result<(), Refusal> {
        let named = |name: &str| self.hosts.iter().any(|host| host == name);
        let one = |name: HeaderName| match headers.get_all(name).iter().collect::<Vec<_>>()[..] {
            [value] => value.to_str().ok(),
            _ => None,
        };
        if !one(HOST).is_some_and(named) || uri.authority().is_some_and(|name| !named(name.as_str())) {
            return Err(Refusal::Host);
        }
        let from_here = |origin: &str| origin.strip_prefix("http://").is_some_and(named);
        if headers.contains_key(ORIGIN) && !one(ORIGIN).is_some_and(from_here) {
            return Err(Refusal::Origin);
        }
        let asked_here = |site: &str| matches!(site, "same-origin" | "none");
        if headers.contains_key(FETCH_SITE) && !one(FETCH_SITE).is_some_and(asked_here) {
            return Err(Refusal::Origin);
        }
        Ok(())
    }

    /// Whether a request for a file brings the token.
    ///
    /// # Errors
    /// [`Refusal::Token`] if not.
    pub fn admit_bearer(&self, headers: &HeaderMap) -> std::result::Result<(), Refusal> {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        self.check(given.and_then(|value| value.strip_prefix("Bearer ")))
    }

    /// Whether a request for a WebSocket comes from the page, and brings the token.
    ///
    /// # Errors
    /// Why not.
    pub fn admit_socket(&self, headers: &HeaderMap) -> std::result::Result<(), Refusal> {
        // Browsers send it with every WebSocket.
        if !headers.contains_key(ORIGIN) {
            return Err(Refusal::Origin);
        }
        let given = headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
        self.check(given.and_then(|value| {
            let mut parts = value.split(',').map(str::trim);
            (parts.next() == Some(PROTOCOL)).then(|| parts.next()).flatten()
        }))
    }

    fn check(&self, given: Option<&str>) -> std::result::Result<(), Refusal> {
        let same = |given: &str| {
            let differ = given.bytes().zip(self.token.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
            // All bytes are compared, so that the time tells nothing of them.
            given.len() == self.token.len() && differ == 0
        };
        if given.is_some_and(same) { Ok(()) } else { Err(Refusal::Token) }
    }

    /// What browsers are told with every answer.
    pub fn rules(&self) -> [(HeaderName, HeaderValue); 7] {
        let name = HeaderName::from_static;
        let value = HeaderValue::from_static;
        [
            (CONTENT_SECURITY_POLICY, self.policy.clone()),
            (X_CONTENT_TYPE_OPTIONS, value("nosniff")),
            (REFERRER_POLICY, value("no-referrer")),
            (CACHE_CONTROL, value("no-store")),
            (name("cross-origin-opener-policy"), value("same-origin")),
            (name("cross-origin-resource-policy"), value("same-origin")),
            (name("permissions-policy"), value("camera=(self), microphone=(), geolocation=()")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let header = |&(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(header) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_the_loopback_address_is_a_host() {
        let guard = Guard::new(7000).unwrap();
        let admit = |pairs: &[(&str, &str)]| guard.admit(&Uri::from_static("/"), &headers(pairs));
        for host in ["127.0.0.1:7000", "localhost:7000"] {
            assert_eq!(admit(&[("host", host)]), Ok(()));
        }
        for host in ["evil.example:7000", "127.0.0.1", "127.0.0.1:7001", "localhost.evil.example:7000", ""] {
            assert_eq!(admit(&[("host", host)]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(admit(&[]), Err(Refusal::Host));
        let twice = [("host", "127.0.0.1:7000"), ("host", "evil.example")];
        assert_eq!(admit(&twice), Err(Refusal::Host));
        let whole = Uri::from_static("http://evil.example/");
        assert_eq!(guard.admit(&whole, &headers(&[("host", "127.0.0.1:7000")])), Err(Refusal::Host));
    }

    #[test]
    fn other_pages_are_refused() {
        let guard = Guard::new(7000).unwrap();
        let admit = |name: &str, value: &str| {
            guard.admit(&Uri::from_static("/"), &headers(&[("host", "127.0.0.1:7000"), (name, value)]))
        };
        assert_eq!(admit("origin", "http://127.0.0.1:7000"), Ok(()));
        for origin in ["http://evil.example", "null", "https://127.0.0.1:7000", "http://127.0.0.1:7001", ""] {
            assert_eq!(admit("origin", origin), Err(Refusal::Origin), "{origin}");
        }
        assert_eq!(admit("sec-fetch-site", "none"), Ok(()));
        assert_eq!(admit("sec-fetch-site", "same-origin"), Ok(()));
        for site in ["cross-site", "same-site", "x"] {
            assert_eq!(admit("sec-fetch-site", site), Err(Refusal::Origin), "{site}");
        }
    }

    #[test]
    fn the_token_opens_and_nothing_like_it() {
        let guard = Guard::new(7000).unwrap();
        let token = guard.address().split_once('#').unwrap().1.to_owned();
        assert_eq!(token.len(), 2 * TOKEN);
        assert_ne!(guard.address(), Guard::new(7000).unwrap().address());
        let bearer = |token: &str| guard.admit_bearer(&headers(&[("authorization", token)]));
        assert_eq!(bearer(&format!("Bearer {token}")), Ok(()));
        for wrong in ["", "Bearer ", &token, &format!("Bearer {}", &token[1..]), &format!("Bearer {token}0")]
        {
            assert_eq!(bearer(wrong), Err(Refusal::Token), "{wrong}");
        }
        let socket = |pairs: &[(&str, &str)]| guard.admit_socket(&headers(pairs));
        let origin = ("origin", "http://127.0.0.1:7000");
        let right = format!("lookalike, {token}");
        assert_eq!(socket(&[origin, ("sec-websocket-protocol", &right)]), Ok(()));
        assert_eq!(socket(&[("sec-websocket-protocol", &right)]), Err(Refusal::Origin));
        assert_eq!(socket(&[origin]), Err(Refusal::Token));
        assert_eq!(socket(&[origin, ("sec-websocket-protocol", &token)]), Err(Refusal::Token));
        assert_eq!(socket(&[origin, ("sec-websocket-protocol", "lookalike")]), Err(Refusal::Token));
    }
}
