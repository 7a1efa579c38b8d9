//! The text of an address: `csp://<key>@host:port/name#<secret>`. It is read strictly: what is not
//! written so is no address.

use std::fmt;
use std::hint::black_box;

use iroh::{PublicKey, SecretKey};

use crate::backend::subprocess::values::text::hexadecimal;

/// The bytes of a secret.
pub(super) const SECRET: usize = 16;
/// The longest name, and the longest host.
const LONGEST: usize = 255;

/// The permission to use what is published under a name.
#[derive(Clone, Copy)]
pub(super) struct Secret(pub(super) [u8; SECRET]);

impl Secret {
    /// Draws one that nobody can guess.
    pub(super) fn draw() -> Self {
        // The system's random bytes, as for a key.
        let drawn = SecretKey::generate().to_bytes();
        let mut secret = [0; SECRET];
        secret.copy_from_slice(&drawn[..SECRET]);
        Self(secret)
    }

    /// Returns the secret that goes with a name as long as the key is kept. A signature is the same each
    /// time, and nobody else can make it.
    pub(super) fn of_kept(key: &SecretKey, name: &str) -> Self {
        let signed = key.sign(format!("csp: the secret of {name}").as_bytes()).to_bytes();
        let mut secret = [0; SECRET];
        secret.copy_from_slice(&signed[..SECRET]);
        Self(secret)
    }

    /// Compares in a time that does not tell how much is right.
    pub(super) fn is(&self, other: &Self) -> bool {
        let differences = self.0.iter().zip(&other.0);
        black_box(differences.fold(0, |all, (a, b)| black_box(all | (a ^ b)))) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

/// An address, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) key: PublicKey,
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) name: String,
    pub(super) secret: Secret,
}

/// Reads so many bytes of hexadecimal digits, in lower case.
fn from_hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digit(&digits[0])? << 4 | digit(&digits[1])?;
    }
    Some(bytes)
}

/// Takes `host:port/name` apart.
pub(super) fn place(text: &str) -> Result<(String, u16, String), &'static str> {
    let (place, name) = text.split_once('/').ok_or("it has no `/` with a name behind it")?;
    let (host, port) = place.rsplit_once(':').ok_or("it has no port")?;
    let is_of = |text: &str, others: &[u8]| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
        !text.is_empty() && text.len() <= LONGEST && text.bytes().all(fits)
    };
    let inside = host.strip_prefix('[').map(|host| host.strip_suffix(']').unwrap_or(""));
    let is_host = match inside {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_of(host, b".-"),
    };
    if !is_host {
        return Err(
            "its host is neither a name nor an IP address; an IPv6 address stands in brackets",
        );
    }
    let is_plain =
        port == "0" || (!port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit()));
    let port = port.parse().ok().filter(|_| is_plain).ok_or("its port is no number up to 65535")?;
    if !is_of(name, b"._-") {
        return Err("its name has other characters than letters, digits, `.`, `_` and `-`");
    }
    Ok((inside.unwrap_or(host).to_owned(), port, name.to_owned()))
}

impl Address {
    /// Reads an address. Space around it is ignored. An error says nothing of its text, because the secret is in there.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let rest =
            text.trim_ascii().strip_prefix("csp://").ok_or("it does not begin with `csp://`")?;
        let (key, rest) = rest.split_once('@').ok_or("it has no key in front of an `@`")?;
        let (rest, secret) = rest.split_once('#').ok_or("it has no secret behind a `#`")?;
        let key = from_hexadecimal(key).and_then(|key| PublicKey::from_bytes(&key).ok());
        let key = key.ok_or("its key is not that of any program")?;
        let secret =
            from_hexadecimal(secret).ok_or("its secret does not have 32 hexadecimal digits")?;
        let (host, port, name) = place(rest)?;
        if port == 0 {
            return Err("nobody listens at the port 0");
        }
        Ok(Self { key, host, port, name, secret: Secret(secret) })
    }

    /// Returns the text, with the secret.
    pub(super) fn text(&self) -> String {
        let Self { key, host, port, name, secret } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let (key, secret) = (hexadecimal(key.as_bytes()), hexadecimal(&secret.0));
        format!("csp://{key}@{host}:{port}/{name}#{secret}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str) -> Address {
        let (key, secret) = (SecretKey::generate().public(), Secret::draw());
        Address { key, host: host.to_owned(), port: 7447, name: "chat".to_owned(), secret }
    }

    #[test]
    fn an_address_is_read_as_it_was_written() {
        for host in ["192.0.2.7", "2001:db8::1", "node-1.example.org"] {
            let text = address(host).text();
            assert_eq!(Address::parse(&text).expect("an address").text(), text);
            assert!(Address::parse(&format!(" {text}\n")).is_ok());
        }
    }

    #[test]
    fn what_is_not_written_so_is_no_address() {
        let text = address("192.0.2.7").text();
        let wrong = [
            text.replace("csp://", "http://"),
            text.replace('@', ""),
            text.replace('#', "?"),
            text.replace(":7447", ""),
            text.replace(":7447", ":70000"),
            text.replace(":7447", ":0"),
            text.replace(":7447", ":+7447"),
            text.replace(":7447", ":07447"),
            text.replace("/chat", ""),
            text.replace("/chat", "/"),
            text.replace("/chat", "/a b"),
            text.replace("/chat", "/a/b"),
            text.replace("192.0.2.7", "[::1"),
            text.replace("192.0.2.7", ""),
            text.replace("192.0.2.7", "a@b"),
            text.to_uppercase(),
            format!("{text}0"),
            text[..text.len() - 1].to_owned(),
            String::new(),
        ];
        for wrong in wrong {
            assert!(Address::parse(&wrong).is_err(), "{wrong}");
        }
        // Any change of one byte is another address, or none.
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] ^= 1;
            let other = String::from_utf8(other).expect("ASCII");
            assert!(
                Address::parse(&other).is_ok_and(|other| other.text() != text)
                    || Address::parse(&other).is_err()
            );
        }
    }

    #[test]
    fn a_secret_is_not_shown_and_each_bit_of_it_counts() {
        let address = address("192.0.2.7");
        let secret = hexadecimal(&address.secret.0);
        assert!(!format!("{address:?}").contains(&secret));
        assert!(address.secret.is(&address.secret.clone()));
        for bit in 0..8 * SECRET {
            let mut other = address.secret;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!address.secret.is(&other));
        }
    }

    #[test]
    fn the_secret_of_a_kept_key_stays() {
        let (key, other) = (SecretKey::generate(), SecretKey::generate());
        assert!(Secret::of_kept(&key, "a").is(&Secret::of_kept(&key, "a")));
        assert!(!Secret::of_kept(&key, "a").is(&Secret::of_kept(&key, "b")));
        assert!(!Secret::of_kept(&key, "a").is(&Secret::of_kept(&other, "a")));
    }
}
